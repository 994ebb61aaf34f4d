"""The last mission: told by the robot's states, shown until the next begins, kept on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_client import Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures

from interfaces_pkg.msg import Bearing, ScanArea, ScanState, WeightedArea
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.api.mission_book import FILE, MissionBook
from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.core.last_mission import is_goal, is_mission

BEGUN_NS = 1_764_176_400_000_000_000
S = 1_000_000_000
PODS = (("person", 0.8), ("tent", 0.6))
AREA = ScanArea(yaw_min_rad=-0.5, yaw_max_rad=0.25, pitch_min_rad=0.1, pitch_max_rad=0.6)
SENT_AREA = {
    "yaw_min_rad": -1.0, "yaw_max_rad": 1.0, "pitch_min_rad": 0.0, "pitch_max_rad": 0.5,
}  # fmt: skip


def state(goal_id: str = "a" * 32, at_s: float = 10.0, **fields: Any) -> ScanState:
    """One of a goal in hand."""
    made = ScanState(
        level=ScanState.LEVEL_SWEEP, goal_id=goal_id, goal_begun=to_time(BEGUN_NS), words=["tent"],
        area=AREA, planner="probability", wanted_pod=0.9, pod=0.4, coverage=0.5, findings=1,
        forecast_pod=0.92, forecast_s=80.0, forecast="POD 0.92 in about 80 s", repeat=True,
    )  # fmt: skip
    made.header.stamp = to_time(BEGUN_NS + round(at_s * S))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def idle(goal_id: str = "a" * 32, outcome: str = "succeeded: the area is covered") -> ScanState:
    return ScanState(goal_id=goal_id, goal_begun=to_time(BEGUN_NS), outcome=outcome)


def hear(book: MissionBook, message: ScanState) -> None:
    """As the feed does it."""
    plain = as_plain(message, without=("weights",))
    book.take_state(
        plain, lambda: [{"vertices": [], "weight": one.weight} for one in message.weights]
    )


@pytest.fixture
def board() -> SectionStore:
    return SectionStore()


@pytest.fixture
def book(board: SectionStore, tmp_path: Path) -> MissionBook:
    return MissionBook(board, tmp_path)


def sent(**changes: Any) -> dict[str, Any]:
    return commands.StartScan(words=("boat",), **SENT_AREA, **changes).as_goal()


def test_what_was_reached_stays_when_the_goal_has_ended(board, book) -> None:
    hear(book, state(at_s=3.0, pod=0.1))
    hear(book, state(at_s=60.0, pod=0.91, coverage=0.8, findings=2, forecast_s=1.0, forecast="x"))
    book.take_classes(
        BEGUN_NS + S,
        [{"class_name": "tent", "pod": 0.91, "least_pod": 0.5, "is_measured": True, "more": 1}],
        is_range_assumed=True,
    )
    assert board.get("mission")["is_ended"] is False
    hear(book, idle())
    hear(book, idle())
    book.take_classes(BEGUN_NS - S, [{"class_name": "old", "pod": 0.0}], is_range_assumed=True)
    mission = board.get("mission")
    assert (mission["is_ended"], mission["outcome"]) == (True, "succeeded: the area is covered")
    assert (mission["pod"], mission["coverage"], mission["findings"]) == (0.91, 0.8, 2)
    assert mission["elapsed_s"] == 60.0
    # What was foretold before it began, not what is left of it at the end.
    assert mission["forecast"] == {
        "text": "POD 0.92 in about 80 s",
        "pod": 0.92,
        "duration_s": 80.0,
    }
    assert [one["class_name"] for one in mission["classes"]] == ["tent"]
    hear(book, state("b" * 32, goal_begun=to_time(BEGUN_NS + 90 * S), forecast=""))
    mission = board.get("mission")
    assert (mission["goal_id"], mission["is_ended"], mission["classes"]) == ("b" * 32, False, [])
    assert mission["forecast"] is None


def test_the_number_is_that_of_the_last_map(board, book) -> None:
    """States come once a second, the map with the end."""
    hear(book, state(repeat=False, pod=0.6))
    hear(book, idle())
    classes = [{"class_name": n, "pod": p, "least_pod": 0.1, "is_measured": True} for n, p in PODS]
    book.take_classes(BEGUN_NS + S, classes, is_range_assumed=False)
    assert board.get("mission")["pod"] == pytest.approx(0.7)


def test_the_goal_is_what_was_asked_for_not_what_the_gimbal_reaches(board, book) -> None:
    book.send(sent(wanted_pod=0.8, planner="probability"))
    hear(book, state())
    hear(book, state(planner="sweep", wanted_pod=0.0))
    goal = board.get("goal")
    assert goal["area"] == SENT_AREA
    assert (goal["words"], goal["wanted_pod"], goal["planner"]) == (["boat"], 0.8, "probability")
    hear(book, idle())
    assert board.get("goal") == goal


def test_a_goal_of_somebody_else_is_known_by_the_state(board, book) -> None:
    weighted = WeightedArea(vertices=[Bearing()] * 3, weight=4.0)
    hear(book, state(planner="", wanted_pod=0.0, weights=[weighted]))
    assert board.get("goal")["planner"] == ""
    hear(book, state(area=ScanArea(yaw_min_rad=-0.1, yaw_max_rad=0.1)))  # what can be reached
    goal = board.get("goal")
    assert goal["area"]["yaw_max_rad"] == 0.25
    assert (goal["words"], goal["is_repeated"]) == (["tent"], True)
    assert (goal["planner"], goal["wanted_pod"]) == ("probability", 0.9)
    assert [one["weight"] for one in goal["weights"]] == [4.0]


def test_a_goal_that_was_not_taken_is_none(board, book) -> None:
    book.send(sent())
    book.drop_sent()
    hear(book, state())
    assert board.get("goal")["words"] == ["tent"]


def test_states_without_a_goal_and_of_before_change_nothing(board, book) -> None:
    hear(book, ScanState(level=ScanState.LEVEL_SAFE, reason="no gimbal"))
    hear(book, ScanState(level=ScanState.LEVEL_SWEEP, words=["tent"], area=AREA))
    hear(book, ScanState(goal_id="c" * 32))
    assert (board.get("goal"), board.get("mission")) == (None, None)


def test_a_goal_that_ended_at_once_says_why(board, book) -> None:
    book.send(sent())
    hear(book, ScanState(goal_id="c" * 32, outcome="aborted: words: none is given"))
    assert board.get("mission")["outcome"] == "aborted: words: none is given"
    assert board.get("goal")["words"] == ["boat"]


def test_a_result_counts_where_no_state_told_the_end(board, book) -> None:
    book.take_result(True, "before any mission")
    hear(book, state())
    book.take_result(False, "the scan controller ends")
    assert board.get("mission")["outcome"] == "not completed: the scan controller ends"
    book.take_result(True, "again")
    assert board.get("mission")["outcome"] == "not completed: the scan controller ends"


def test_it_comes_back_after_a_restart(board, book, tmp_path: Path) -> None:
    book.send(sent())
    hear(book, state())
    hear(book, idle())
    book.keep()
    again = SectionStore()
    other = MissionBook(again, tmp_path)
    assert again.get("mission") == board.get("mission")
    assert again.get("goal") == board.get("goal")
    hear(other, idle())  # the state that is kept for who comes late
    assert again.get("mission") == board.get("mission")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"goal": {}, "mission": {}}',
        '{"goal": null, "mission": null}',
        "{" * 100_000,
    ],
)
def test_a_damaged_file_is_passed_over(board, tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    book = MissionBook(board, tmp_path)
    assert (board.get("goal"), board.get("mission")) == (None, None)
    hear(book, state())
    hear(book, idle())
    book.keep()
    kept = json.loads((tmp_path / FILE).read_text())
    assert is_goal(kept["goal"])
    assert is_mission(kept["mission"])


def test_no_folder_is_made_and_numbers_are_kept_now_and_then(board, tmp_path: Path) -> None:
    book = MissionBook(board, tmp_path / "away")
    hear(book, state())
    book.keep()
    assert not (tmp_path / "away").exists()
    (tmp_path / "away").mkdir()
    book.keep()
    kept = (tmp_path / "away" / FILE).read_text()
    hear(book, state(pod=0.5))
    book.keep()
    assert (tmp_path / "away" / FILE).read_text() == kept
    for _ in range(10):
        book.keep()
    assert json.loads((tmp_path / "away" / FILE).read_text())["mission"]["pod"] == 0.5


# ------------------------------------------------------------------------------------- the page


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as made:
        made.dashboard.board.put("presence", {"scan": True})
        yield made


def publish(served: Served, message: ScanState) -> None:
    """Put a state where the feed puts it."""
    served.dashboard.board.put("scan", as_plain(message, without=("weights",)))
    hear(served.dashboard.missions, message)


def figures(page: Page) -> dict[str, str]:  # noqa: F811
    names = page.locator("#search-figures dt").all_text_contents()
    return dict(zip(names, page.locator("#search-figures dd").all_text_contents(), strict=True))


@pytest.mark.long
def test_forecast_wanted_and_reached_are_shown_and_the_last_result_stays(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    page.goto(served.address)
    expect(page.locator("#search")).to_be_hidden()
    publish(served, state())
    served.dashboard.missions.take_classes(
        BEGUN_NS + S,
        [{"class_name": "tent", "pod": 0.41, "least_pod": 0.2, "is_measured": False}],
        is_range_assumed=False,
    )  # of a goal that repeats: the round in hand has come less far
    served.dashboard.missions.take_shares(
        [
            {"weight": 20.0, "ground": 0.2, "chance": 0.83},
            {"weight": 1.0, "ground": 0.8, "chance": 0.17},
        ]
    )
    expect(page.locator("#search-title")).to_contain_text("Mission, begun")
    expect(page.locator("#search-figures")).to_contain_text("41 %")
    assert figures(page) == {
        "search": "by probability of detection", "POD wanted": "90 %",
        "forecast": "92 % in 80 s, 80 s left", "POD so far": "40 %", "– tent": "41 %",
        "took": "10 s",
    }  # fmt: skip
    expect(page.locator("#weights-in-force")).to_have_text(
        "Weights: place 1 (× 20) 83 % of the chance on 20 % of the ground; elsewhere 17 % of the "
        "chance on 80 % of the ground. Assumed: detection curve or size."
    )
    publish(served, state(at_s=95.0, pod=0.87, findings=3))
    publish(served, idle())
    for _ in range(2):
        expect(page.locator("#search-title")).to_contain_text("Last mission, begun")
        expect(page.locator("#outcome")).to_have_text("succeeded: the area is covered")
        expect(page.locator("#search-figures")).to_contain_text("87 %")
        told = figures(page)
        assert (told["POD reached"], told["confirmed"], told["took"]) == ("87 %", "3", "1 min 35 s")
        assert told["forecast"] == "92 % in 80 s"
        expect(page.locator("#coverage")).to_have_text("50 % seen")
        page.reload()
    publish(served, state("b" * 32, forecast=""))
    expect(page.locator("#search-title")).to_contain_text("Mission, begun")
    expect(page.locator("#outcome")).to_have_text("")


def test_the_fields_keep_what_was_last_sent_also_after_a_reload(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    take_control(page, served.address)
    wanted = {"#yaw-max": "20", "#yaw-min": "-12.5", "#pitch-min": "3", "#pitch-max": "30"}
    for field, value in wanted.items():
        page.fill(field, value)
    page.fill("#words", "tent, boat")
    page.check("#repeat")
    page.select_option("#planner", "probability")
    page.fill("#wanted-pod", "85")
    with page.expect_response("**/api/scan/start"):
        page.click("#start")
    command = served.robot.commands[-1]
    assert isinstance(command, commands.StartScan)
    assert (command.planner, command.wanted_pod, command.is_repeated) == ("probability", 0.85, True)
    publish(served, state())  # with the part of the area that the gimbal reaches
    publish(served, idle())
    for _ in range(2):
        for field, value in {**wanted, "#words": "tent, boat", "#wanted-pod": "85"}.items():
            expect(page.locator(field)).to_have_value(value)
        expect(page.locator("#repeat")).to_be_checked()
        expect(page.locator("#planner")).to_have_value("probability")
        page.reload()


def test_what_somebody_types_is_not_replaced_by_a_scan_of_somebody_else(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    page.goto(served.address)
    publish(served, state())
    expect(page.locator("#yaw-min")).to_have_value("-28.6")
    page.fill("#yaw-min", "-7")
    publish(served, state("b" * 32, area=ScanArea(yaw_min_rad=-1.0, yaw_max_rad=1.0)))
    expect(page.locator("#search-title")).to_contain_text("Mission, begun")
    expect(page.locator("#yaw-min")).to_have_value("-7")


def test_weights_of_the_last_scan_go_with_the_next_unless_they_are_removed(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    corners = [{"yaw_rad": x, "pitch_rad": y} for x, y in ((0.0, 0.2), (0.2, 0.2), (0.1, 0.3))]
    goal = sent(weights=[{"vertices": corners, "weight": 8.0, "origin": "areas.geojson"}])
    served.dashboard.missions.send(goal)
    publish(served, state())
    page.goto(served.address)
    expect(page.locator("#parts button")).to_have_text(["1: × 8"])
    expect(page.locator("#parts button")).to_have_attribute("title", "areas.geojson")
    page.click("#take")
    expect(page.locator("#holder")).to_have_text("you hold control")
    for kept in (1, 0):
        with page.expect_response("**/api/scan/start"):
            page.click("#start")
        command = served.robot.commands[-1]
        assert isinstance(command, commands.StartScan)
        assert len(command.weights) == kept
        if kept:
            assert command.as_goal()["weights"] == goal["weights"]
            page.click("#parts button")
            page.click("#part-remove")


def test_a_refused_start_leaves_the_fields_and_the_goal(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    take_control(page, served.address)
    page.fill("#words", "boat")
    served.robot.outcome = Outcome(CommandStatus.REFUSED, "no")
    with page.expect_response("**/api/scan/start"):
        page.click("#start")
    publish(served, state())
    expect(page.locator("#search-title")).to_contain_text("Mission, begun")
    expect(page.locator("#words")).to_have_value("boat")
    assert served.dashboard.board.get("goal")["words"] == ["tent"]


def test_words_in_force_are_told_apart_from_what_is_seen(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    page.goto(served.address)
    vocabulary = ["person", "tent", "vehicle"]
    counts = {"vehicle": 2}
    section = {"vocabulary": vocabulary, "counts": counts, "frames_with": {"vehicle": 5}}
    served.dashboard.board.put("detector", section)
    expect(page.locator("#word-list b")).to_have_text(vocabulary)
    expect(page.locator("#word-list .seen")).to_have_text(
        ["not seen yet", "not seen yet", "2 in the picture, seen in 5 frames"]
    )


def test_a_picture_that_nobody_has_is_not_asked_for(served: Served, page: Page) -> None:  # noqa: F811
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served.address)
    served.dashboard.findings.add(
        {
            "id": "5-1", "revision": 1, "state": "confirmed", "class_name": "tent",
            "stamp_ns": "5", "best_frame": "5", "tiers": [], "answers": [], "score": 0.9,
            "best_box_xyxy": [0.0, 0.0, 1.0, 1.0], "bearing": {"yaw_rad": 0.0, "pitch_rad": 0.0},
            "has_position": False,
        }
    )  # fmt: skip
    expect(page.locator(".finding .shot.none")).to_have_text("no picture kept")
    assert not [url for url in asked if "thumbnail" in url]
