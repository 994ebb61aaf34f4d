"""The page: words with commas, odd blanks, or many letters; what is said of bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_client import Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures
from test_dashboard_control import take
from test_dashboard_examples import BOX, draw, drop, photograph

from semantic_detection_pkg.dashboard.api import commands

LONG = "shelter=" + "|".join(f"shelter of the {number}. kind" for number in range(20))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as started:
        yield started


def test_words_are_read_as_they_are_quoted(page: Page, served: Served) -> None:  # noqa: F811
    take_control(page, served.address)
    for text, words in {
        '"bus, school", red': ("bus, school", "red"),
        'a "fine" one,"so, ""so""" ,': ('a "fine" one', 'so, "so"'),
        '"bus, school': ('"bus', "school"),
        "red\tjacket,\u00a0rope": ("red jacket", "rope"),
        f" ,, boot ,{LONG}": ("boot", LONG),
        "": (),
    }.items():
        page.fill("#words", text)
        with page.expect_response("**/api/vocabulary") as response:
            page.click("#words-form button[type=submit]")
        assert response.value.status == 200, text
        command = served.robot.commands[-1]
        assert isinstance(command, commands.SetWords)
        assert command.words == words


def test_a_class_with_a_comma_by_example_stays_one_word(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    page.fill("#words", "red")
    drop(page, "boot.png", photograph(".png"), "image/png")
    expect(page.locator("#example")).to_be_visible()
    draw(page, BOX)
    page.fill("#example-name", "boot, brown")
    page.click("#example-send")
    expect(page.locator("#words")).to_have_value('red, "boot, brown"')


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("x" * 2001, f"'{'x' * 40}...' has 2001 letters, at most 2000 are allowed"),
        ("a\nb", r"'a\nb' has control characters: letters and blanks are allowed"),
    ],
)
def test_a_word_that_is_none_is_named(served: Served, word: str, said: str) -> None:
    with served.page() as viewer:
        headers = take(served, viewer)
        reply = served.post("/api/vocabulary", {"words": ["red", word]}, **headers)
    assert (reply.status, reply.json) == (422, {"detail": f"body.words.1: {said}"})
    assert served.robot.commands == []
