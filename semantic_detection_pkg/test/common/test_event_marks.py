"""The limits of an event that is marked by hand: one place for the service and the page."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from semantic_detection_pkg.common.core.event_marks import LABEL_CHARS_MAX, check_event_mark
from semantic_detection_pkg.dashboard.api.commands import MarkEvent

NUMBERS = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 600.0, 600.001])


def is_taken(take: object, *arguments: object) -> bool:
    try:
        take(*arguments)  # type: ignore[operator]
    except (ValueError, ValidationError):
        return False
    return True


@given(st.text(max_size=130), NUMBERS.map(abs), NUMBERS.map(abs))
def test_service_and_page_take_the_same(label: str, before_s: float, after_s: float) -> None:
    def by_the_page() -> None:
        MarkEvent(label=label, before_s=before_s, after_s=after_s)

    assert is_taken(by_the_page) == is_taken(check_event_mark, label, before_s, after_s)


@pytest.mark.parametrize(
    ("label", "before_s", "said"),
    [
        ("", 1.0, "label is '' with 0 characters, 1 to 120 without control characters"),
        ("x" * 121, 1.0, "label is 'xxxx"),
        ("a\nb", 1.0, "control characters are allowed"),
        ("a\n", 1.0, "control characters are allowed"),
        ("a", 601.0, "before_s is 601, 0 to 600 s are allowed"),
        ("a", float("nan"), "before_s is nan, 0 to 600 s are allowed"),
    ],
)
def test_what_may_not_be_said(label: str, before_s: float, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        check_event_mark(label, before_s, -1.0)


def test_the_form_of_the_page_has_the_same_limit() -> None:
    page = files("semantic_detection_pkg.dashboard").joinpath("static/index.html").read_text()
    (limit,) = re.findall(r'<input id="event-label"[^>]* maxlength="(\d+)"', page)
    assert int(limit) == LABEL_CHARS_MAX
