"""The page: which words are in force, from where, and setting others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dashboard_client import Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures
from test_dashboard_examples import keep_picture

from interfaces_pkg.msg import WordExample, WordMeaning, WordsInForce
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.core.words_shown import FramesWith, words_shown


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as started:
        yield started


def message() -> WordsInForce:
    """Words of every origin, and an example of one that is not in force."""
    kind = WordMeaning
    rows = [
        (0, "person", kind.ORIGIN_PREPARED, 0, 1),
        (1, "yellow raincoat", kind.ORIGIN_ENCODED, 0, 0),
        (2, "rope", kind.ORIGIN_CACHED, 0, 0),
        (3, "raincoat", kind.ORIGIN_ENCODED, 0, 0),
        (3, "rain jacket", kind.ORIGIN_CACHED, 0, 0),
        (4, "boot", kind.ORIGIN_EXAMPLES, 2, 1),
    ]
    meanings = [
        kind(word=word, text=text, origin=origin, positives=yes, negatives=no)
        for word, text, origin, yes, no in rows
    ]
    names = ["person", "yellow raincoat", "rope", "coat", "boot"]
    examples = [WordExample(name=name, is_negative=no) for name, no in (
        ("boot", False), ("boot", False), ("boot", True), ("person", True), ("glove", False),
    )]  # fmt: skip
    asked = ["person", "yellow raincoat", "rope", "coat=raincoat|rain jacket", "boot"]
    return WordsInForce(model="net", words=names, meanings=meanings, examples=examples, asked=asked)


def detector_section(**more: Any) -> dict[str, Any]:
    return {
        "vocabulary": list(message().words),
        "counts": {"boot": 2},
        "frames_with": {"boot": 31, "person": 1, "yellow": 4},
        "proposals": {"classes": ["yellow", "anomaly"], "is_anomaly": True, "colours": ["yellow"]},
        **more,
    }


def test_a_message_becomes_rows() -> None:
    shown = words_shown(message())
    assert [one["word"] for one in shown["words"]] == list(message().words)
    assert shown["words"][3] == {
        "word": "coat", "texts": ["raincoat", "rain jacket"], "origins": ["encoded", "cached"],
        "positives": 0, "negatives": 0,
    }  # fmt: skip
    assert shown["known"][0] == {"name": "boot", "positives": 2, "negatives": 1}
    strange = message()
    strange.meanings[0].word = 9
    with pytest.raises(ValueError, match="meaning 'person' is of word 9, there are 5"):
        words_shown(strange)
    other = SimpleNamespace(model="", words=[], meanings=[], examples=[], asked=[], dropped=[])
    assert words_shown(other) == {
        "model": "", "words": [], "known": [], "asked": [], "dropped": [],
    }  # fmt: skip


def test_frames_are_counted_as_long_as_the_words_hold() -> None:
    counted = FramesWith()
    assert counted.add(1, ["a", "a", "b"]) == {"a": 1, "b": 1}
    assert counted.add(1, ["a"]) == {"a": 2, "b": 1}
    assert counted.add(2, []) == {}


def test_words_that_are_set_in_a_scan_do_not_begin_it_again(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    served.dashboard.board.put("scan", {"level": "sweep", "coverage": 0.1, "candidates": 0})
    expect(page.get_by_role("list", name="Parts of the system")).to_contain_text("sweep")
    served.robot.outcome = Outcome(CommandStatus.DONE, "")
    page.fill("#words", "tent, boot")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    assert served.robot.commands == [commands.SetWords(words=("tent", "boot"))]
    expect(page.locator("#toasts")).to_contain_text("the scan goes on with these words")


def test_the_field_has_the_words_in_force_whoever_asked_for_them(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    """Another page, or a program, may have; and the last mission may have had others."""
    edges = {"yaw_min_rad": -1.0, "yaw_max_rad": 1.0, "pitch_min_rad": 0.0, "pitch_max_rad": 0.5}
    goal = {
        "area": edges, "words": ["tent"], "is_repeated": False, "weights": [], "planner": "",
        "wanted_pod": 0.0, "zoom": 0.0,
    }  # fmt: skip
    board = served.dashboard.board
    board.put("goal", goal)
    take_control(page, served.address)
    expect(page.locator("#words")).to_have_value("tent")  # no detector is there to say
    board.put("words", words_shown(message()))
    asked = "person, yellow raincoat, rope, coat=raincoat|rain jacket, boot"
    expect(page.locator("#words")).to_have_value(asked)
    board.put("goal", {**goal, "words": ["tent"], "is_repeated": True})
    expect(page.locator("#repeat")).to_be_checked()
    expect(page.locator("#words")).to_have_value(asked)
    page.fill("#words", "rope, glo")  # somebody is writing
    board.put("words", {**words_shown(message()), "asked": ["person"]})
    page.fill("#yaw-max", "50")
    expect(page.locator("#words")).to_have_value("rope, glo")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    board.put("words", {**words_shown(message()), "asked": ["rope", "glove"]})
    expect(page.locator("#words")).to_have_value("rope, glove")


def test_the_button_says_that_nothing_written_means_all(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    expect(page.locator("#set-words")).to_have_text("All words")
    page.fill("#words", "tent")
    expect(page.locator("#set-words")).to_have_text("Set")
    page.fill("#words", " , ")
    expect(page.locator("#set-words")).to_have_text("All words")
    with page.expect_response("**/api/vocabulary"):
        page.click("#set-words")
    assert served.robot.commands == [commands.SetWords(words=())]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_words_without_room_are_counted_and_named_on_demand(
    page: Page,  # noqa: F811
    served: Served,
    width: int,
    height: int,
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    take_control(page, served.address)
    box = page.locator("#words-dropped")
    expect(box).to_be_hidden()
    dropped = [f"word {number}" for number in range(9, 301)]
    served.dashboard.board.put("detector", detector_section())
    served.dashboard.board.put("words", {**words_shown(message()), "dropped": dropped})
    summary = box.locator("summary")
    expect(summary).to_have_text("292 more asked for: the model has no room for them")
    expect(box.locator("p")).to_be_hidden()
    summary.click()
    expect(box.locator("p")).to_be_visible()
    expect(box.locator("p")).to_have_text(", ".join(dropped))
    served.dashboard.board.put("detector", detector_section(counts={}))
    expect(box.locator("p")).to_be_visible()  # news of the picture do not close it
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_words_in_force_say_where_they_came_from(
    page: Page,  # noqa: F811
    served: Served,
    width: int,
    height: int,
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    take_control(page, served.address)
    served.dashboard.board.put("detector", detector_section())
    served.dashboard.board.put("words", words_shown(message()))
    rows = page.locator("#word-list li")
    expect(rows).to_have_count(8)
    for row, texts in enumerate(
        (
            ("person", "prepared with the model: 1 unlike it", "seen in 1 frame"),
            ("yellow raincoat", "typed", "not seen yet"),
            ("rope", "typed before", "not seen yet"),
            ("coat", "raincoat | rain jacket, typed, typed before", "not seen yet"),
            ("boot", "by example: 2 like it, 1 unlike it", "2 in the picture, seen in 31 frames"),
            ("yellow", "colour, without a word", "seen in 4 frames"),
            ("anomaly", "anomaly, without a word", "not seen yet"),
            ("glove", "by example: 1 like it", "not looked for"),
        )
    ):  # fmt: skip
        parts = rows.nth(row).locator("b, span")
        expect(parts).to_have_text(list(texts))
    page.locator("#word-list").scroll_into_view_if_needed()
    keep_picture(page, f"words_{width}")
    with page.expect_response("**/api/examples/forget"):
        rows.nth(4).locator("button").click()
    assert served.robot.commands == [commands.ForgetExamples(name="boot")]
    is_wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not is_wider
