"""One operator at a time; commands reach the robot as asked, and its answers the page."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from dashboard_client import TIMEOUT_S, Page, Served, serve

from semantic_detection_pkg.dashboard.api import commands, dashboard, live
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome, Turn
from semantic_detection_pkg.dashboard.api.hub import now_ms

FRESH_MS = round(1000 * TIMEOUT_S)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("control")) as served:
        yield served


@pytest.fixture
def served(running, monkeypatch) -> Served:
    """The dashboard of this module, with a robot that was not asked for anything yet."""
    monkeypatch.setattr(live, "_RATE_AGE_MAX_MS", FRESH_MS)
    wait_for(lambda: not running.dashboard.operators.operator, "the last test's page to go")
    wait_for(lambda: shown_operator(running) == "", "the pages to know it")
    running.robot.__init__()
    running.dashboard.is_halted = False
    return running


def take(served: Served, page: Page, *, is_forced: bool = False) -> dict[str, str]:
    """Take control for a page; the headers with which it commands."""
    me = {"X-Viewer": page.news()["me"]["id"]}
    body = {"is_taken": True, "is_forced": is_forced}
    assert served.post("/api/operator", body, **me).status == 200
    return me


def shown_operator(served: Served) -> str:
    """Who holds control, as every page is shown it."""
    return served.dashboard.board.get("operator")["name"]


def wait_for(condition, what: str) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end_s, f"waited for {what}"
        time.sleep(0.005)


COMMANDS = [
    ("gimbal/point", {"yaw_rad": 0.5, "pitch_rad": -0.1}, commands.Point),
    ("gimbal/center", None, commands.Center),
    ("gimbal/zoom", {"zoom": 3.5}, commands.Zoom),
    ("vocabulary", {"words": ["tent", "smoke"]}, commands.SetWords),
    ("proposals", {"is_anomaly": True, "colours": ["yellow"]}, commands.SetProposals),
    ("scan/start", {"words": ["person"], "yaw_min_rad": -0.2}, commands.StartScan),
    ("scan/pause", {"is_paused": True}, commands.PauseScan),
    ("scan/stop", None, commands.StopScan),
    ("scan/look", {"yaw_rad": 0.1, "pitch_rad": 0.2}, commands.PointScan),
    ("recorder/events", {"label": "a light"}, commands.MarkEvent),
]


@pytest.mark.parametrize(("path", "body", "kind"), COMMANDS)
def test_commands_need_control_and_arrive_as_asked(served, path, body, kind):
    with served.page() as page:
        refused = served.post(f"/api/{path}", body)
        assert (refused.status, refused.json["detail"]) == (
            409,
            "nobody holds control: take it first",
        )
        assert served.robot.commands == []
        me = take(served, page)
        done = served.post(f"/api/{path}", body, **me)
        assert (done.status, done.json) == (200, {"message": "done"})
    assert served.robot.commands == [kind(**(body or {}))]


def test_everybody_may_stop_the_gimbal(served):
    assert served.post("/api/gimbal/stop").status == 200
    assert served.robot.commands == [commands.Stop()]


@pytest.mark.parametrize(
    ("status", "code"),
    [(CommandStatus.REFUSED, 409), (CommandStatus.ABSENT, 503), (CommandStatus.LATE, 504)],
)
def test_the_robots_refusal_is_told_in_its_words(served, status, code):
    served.robot.outcome = Outcome(status, "'unicorn' is unknown")
    with served.page() as page:
        reply = served.post("/api/vocabulary", {"words": ["unicorn"]}, **take(served, page))
    assert (reply.status, reply.json) == (code, {"detail": "'unicorn' is unknown"})


@pytest.mark.parametrize(
    ("path", "body", "line"),
    [
        ("gimbal/zoom", {"zoom": 0.5}, "body.zoom"),
        ("gimbal/zoom", b'{"zoom": NaN}', "body.zoom"),
        ("gimbal/point", {"yaw_rad": 1e300, "pitch_rad": 0}, "body.yaw_rad"),
        ("gimbal/point", {"yaw_rad": "left", "pitch_rad": 0}, "body.yaw_rad"),
        ("gimbal/point", {"yaw_rad": 0, "pitch_rad": 0, "roll_rad": 0}, "body.roll_rad"),
        ("scan/start", {"words": []}, "body.words"),
        ("scan/start", {"words": ["a"], "yaw_min_rad": 2}, "below the greatest"),
        ("vocabulary", {"words": ["a\nb"]}, "body.words.0"),
        ("vocabulary", b"{", "body"),
        ("proposals", {"colours": ["a\nb"]}, "body.colours.0"),
        ("proposals", {"is_anomaly": "maybe"}, "body.is_anomaly"),
        ("recorder/events", {"label": ""}, "body.label"),
    ],
)
def test_values_that_are_not_allowed_are_named(served, path, body, line):
    with served.page() as page:
        headers = {**take(served, page), "Content-Type": "application/json"}
        reply = served.post(f"/api/{path}", body, **headers)
    assert reply.status == 422
    assert line in reply.json["detail"]
    assert "\n" not in reply.json["detail"]
    assert served.robot.commands == []


def test_one_operator_at_a_time_before_all_eyes(served):
    with served.page() as first, served.page() as second:
        mine = take(served, first)
        name = first.until(lambda news, _: news["me"]["is_operator"])[0]["me"]["name"]
        second.until(lambda news, _: news["sections"].get("operator") == {"name": name})
        yours = {"X-Viewer": second.news()["me"]["id"]}
        refused = served.post("/api/operator", {"is_taken": True}, **yours)
        assert (refused.status, refused.json["detail"]) == (409, f"{name} holds control")
        assert served.post("/api/gimbal/center", **yours).status == 409

        take(served, second, is_forced=True)
        first.until(lambda news, _: not news["me"]["is_operator"])
        assert served.post("/api/gimbal/center", **mine).status == 409
        assert served.post("/api/gimbal/center", **yours).status == 200
        assert served.post("/api/operator", {"is_taken": False}, **yours).status == 200
        assert served.robot.operator == ""


def test_control_ends_with_its_socket(served):
    with served.page() as watching:
        with served.page() as page:
            take(served, page)
            name = served.robot.operator
            assert name
            # Before this, the newest that the watching page has read is from before the taking.
            watching.until(lambda news, _: news["sections"].get("operator") == {"name": name})
        watching.until(lambda news, _: news["sections"].get("operator") == {"name": ""})
    assert served.robot.operator == ""


def test_no_page_says_that_nobody_holds_control_before_the_robot_knows(served):
    robot = served.robot
    with served.page() as watching:
        with served.page() as page:
            take(served, page)
            name = robot.operator
            watching.until(lambda news, _: news["sections"].get("operator") == {"name": name})
            robot.is_deaf = True
        wait_for(lambda: robot.unheard, "the robot to be told")
        asked_ms = now_ms()
        said: list[dict] = []
        watching.until(lambda news, _: said.append(news) or news["now_ms"] > asked_ms)
        assert [news for news in said if "operator" in news["sections"]] == []
        assert served.get("/api/state/operator").json == {"name": name}
        robot.listen()
        watching.until(lambda news, _: news["sections"].get("operator") == {"name": ""})
        assert robot.operator == ""


def test_control_that_passes_on_is_answered_when_the_robot_knows_it(served):
    robot = served.robot
    with served.page() as page, ThreadPoolExecutor() as others:
        me = take(served, page)
        robot.is_deaf = True
        replies = [
            others.submit(served.post, "/api/operator", {"is_taken": is_taken}, **me)
            for is_taken in (False, True, False)
        ]
        wait_for(lambda: robot.unheard, "the robot to be told")
        assert not any(reply.done() for reply in replies)
        assert len(robot.unheard) == 1  # what changes meanwhile is not heaped up
        robot.listen()
        assert {reply.result().status for reply in replies} == {200}
        holder = served.dashboard.operators.operator
        assert robot.operator == shown_operator(served) == (holder.name if holder else "")


def test_a_robot_that_never_hears_is_told_to_who_takes_control(served, monkeypatch):
    monkeypatch.setattr(dashboard, "_COMMAND_TIMEOUT_S", 0.05)
    with served.page() as page:
        served.robot.is_deaf = True
        me = {"X-Viewer": page.news()["me"]["id"]}
        reply = served.post("/api/operator", {"is_taken": True}, **me)
        assert reply.status == 504
        assert reply.json["detail"].endswith("but the robot was not told within 0.05 s")
        assert shown_operator(served) == ""
        served.robot.listen()
        wait_for(lambda: shown_operator(served) == served.robot.operator != "", "its name")


def test_control_is_for_open_pages(served):
    reply = served.post("/api/operator", {"is_taken": True}, **{"X-Viewer": "made up"})
    assert reply.status == 409


def test_rates_are_obeyed_while_they_are_fresh_and_from_the_operator(served):
    with served.page() as page, served.page() as other:
        seen_ms = page.news()["now_ms"]
        page.send({"rate": [0.1, 0.0], "seen_ms": seen_ms})  # holds no control
        take(served, page)
        seen_ms = page.news()["now_ms"]
        held_up_ms = seen_ms - FRESH_MS - 5000
        page.send({"rate": [0.2, 0.0], "seen_ms": held_up_ms})
        other.send({"rate": [0.3, 0.0], "seen_ms": seen_ms})
        page.send({"rate": [0.4, -0.1], "seen_ms": seen_ms})
        wait_for(lambda: served.robot.turns, "a rate")
        other.news()
    assert served.robot.turns == [Turn(yaw_rate_rad_s=0.4, pitch_rate_rad_s=-0.1)]


def test_after_a_stop_the_hand_must_let_go_first(served):
    def pull(page: Page, rate: float) -> None:
        page.send({"rate": [rate, 0.0], "seen_ms": page.news()["now_ms"]})

    with served.page() as page:
        take(served, page)
        pull(page, 0.1)
        wait_for(lambda: served.robot.turns, "the first pull")
        assert served.post("/api/gimbal/stop").status == 200  # by somebody else
        for rate in (0.2, 0.3, 0.0, 0.4):
            pull(page, rate)
        wait_for(lambda: len(served.robot.turns) >= 3, "the pull after letting go")
    assert [turn.yaw_rate_rad_s for turn in served.robot.turns] == [0.1, 0.0, 0.4]


def test_area_must_have_an_extent():
    with pytest.raises(ValueError, match="below the greatest"):
        commands.StartScan(words=("a",), pitch_min_rad=math.pi / 2)
