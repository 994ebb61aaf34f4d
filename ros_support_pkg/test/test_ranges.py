"""Numbers out of their range: one line with name, value and what is allowed."""

import math
from typing import Any

import pytest

from ros_support_pkg.core.ranges import allowed_range, check_range

UNIT: dict[str, Any] = {"minimum": 0.0, "maximum": 1.0}


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (0.0, UNIT),
        (1.0, UNIT),
        (0, {"minimum": 0}),
        (1e9, {"minimum": 1}),
        (1e-9, {"above": 0.0}),
        (10.0, {"above": 0.0, "maximum": 10.0}),
        (-1e9, {}),
        (-3.0, {"maximum": 2.0}),
    ],
)
def test_what_is_within(value: float, limits: dict[str, Any]) -> None:
    check_range("share", value, **limits)


@pytest.mark.parametrize(
    ("value", "limits", "line"),
    [
        (-0.1, UNIT, "share: -0.1, allowed is 0..1"),
        (1.1, UNIT, "share: 1.1, allowed is 0..1"),
        (math.nan, UNIT, "share: nan, allowed is 0..1"),
        (0, {"minimum": 1}, "share: 0, allowed is 1 or more"),
        (math.inf, {"minimum": 1}, "share: inf, allowed is 1 or more"),
        (0.0, {"above": 0.0}, "share: 0.0, allowed is more than 0"),
        (0.0, {"above": 0.0, "maximum": 10.0}, "share: 0.0, allowed is more than 0, up to 10"),
        (
            11.0,
            {"above": 0.0, "maximum": 10.0, "unit": "s"},
            "share: 11.0, allowed is more than 0, up to 10 s",
        ),
        (math.nan, {}, "share: nan, allowed is a finite number"),
        (-math.inf, {}, "share: -inf, allowed is a finite number"),
        (3.0, {"maximum": 2.0}, "share: 3.0, allowed is up to 2"),
    ],
)
def test_what_is_not(value: float, limits: dict[str, Any], line: str) -> None:
    with pytest.raises(KeyError) as raised:
        check_range("share", value, error=KeyError, **limits)
    assert raised.value.args == (line,)


def test_a_range_in_words() -> None:
    assert allowed_range(0.01, 100.0, unit="s") == "0.01..100 s"
