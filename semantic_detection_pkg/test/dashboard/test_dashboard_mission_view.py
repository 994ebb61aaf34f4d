"""Recorded missions on the page: timeline, frames with what was detected, findings to review."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dashboard_client import TOKEN, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page  # noqa: F401 - fixtures
from test_dashboard_map_page import phone  # noqa: F401 - a fixture
from test_dashboard_memory import BOX, PICTURE, finding, frame_ns, picture

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.core.mission_spans import StateSeen, missions_of_states
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession
from simulation_pkg.harness.recorded_messages import (
    NS_PER_S,
    START_NS,
    blank,
    header_of,
    message,
    time_of,
)
from simulation_pkg.harness.scan_recording import SETTINGS

STATE, DETECTIONS = "interfaces_pkg/msg/ScanState", "interfaces_pkg/msg/Detections"
LATE_NS = 300_000_000  # received after the capture
FRAMES = 20
GOAL = "a" * 32


def state(number: int, level: int, **fields: Any) -> Any:
    values: dict[str, Any] = {
        "header": header_of(frame_ns(number)),
        "level": level,
        "words": ["tent"] if level else [],
        "goal_id": GOAL,
        "goal_begun": time_of(START_NS),
        "outcome": "" if level else "succeeded: enough",
        **fields,
    }
    return blank(STATE, **values)


def detections(number: int) -> Any:
    return blank(
        DETECTIONS,
        header=header_of(frame_ns(number)),
        image_width=640,
        image_height=360,
        vocabulary=["tent"],
        class_ids=np.zeros(1, np.uint16),
        scores=np.full(1, 0.8, np.float32),
        boxes_xyxy=np.array(BOX, np.float32),
        ring_counts=np.zeros(1, np.uint32),
        ring_sizes=np.zeros(0, np.uint32),
        points_xy=np.zeros(0, np.float32),
        looks_xyxy=np.zeros(0, np.uint32),
        look_gains=np.zeros(0, np.float32),
    )


def recorded(folder: Path, *, is_cut: bool = True) -> None:
    """A mission of 20 frames in two files, each second frame with a detection."""
    session = RecordingSession(folder, SETTINGS, Disk())
    session.open()
    for number in range(FRAMES):
        at_ns = frame_ns(number)
        level = (1, 2)[number // (FRAMES // 2)]
        batch = [message("/scan/state", STATE, at_ns, content=state(number, level))]
        made = picture(number)
        batch.append(
            message("/camera/image_raw/compressed", PICTURE, at_ns + LATE_NS, content=made)
        )
        if number % 2:
            found = detections(number)
            batch.append(message("/detections", DETECTIONS, at_ns + 2 * LATE_NS, content=found))
        session.write(deque(batch), 0.0)
        if is_cut and number == FRAMES // 2:
            session.close()
            session = RecordingSession(folder, SETTINGS, Disk())
            session.open()
    ended = message("/scan/state", STATE, frame_ns(FRAMES), content=state(FRAMES, 0))
    session.write(deque([ended]), 0.0)
    session.close()


def seen(at_s: float, key: Any, level: str = "sweep", outcome: str = "") -> StateSeen:
    words = () if level == "idle" else ("tent",)
    return StateSeen(round(at_s * 1e9), key, level, words, outcome)


def test_missions_are_told_apart_by_their_goals() -> None:
    first, second = (1, "a"), (2, "b")
    found = missions_of_states(
        [
            seen(0, None, "idle"),
            seen(1, first),
            seen(2, first, "close"),
            seen(3, second),
            seen(4, second, "idle", "aborted: so"),
            seen(5000, second, "idle", "aborted: so"),
            seen(6000, first, "sweep"),  # resumed after hours
        ]
    )
    assert [(one.key, one.outcome) for one in found] == [(second, "aborted: so"), (first, "")]
    assert found[0].end_ns == 4 * NS_PER_S
    assert [level for _, level in found[1].levels] == ["sweep", "close", "sweep"]


def test_recordings_of_before_are_divided_by_pauses() -> None:
    found = missions_of_states([seen(0, None), seen(60, None), seen(500, None)])
    assert [one.begun_ns for one in found] == [500 * NS_PER_S, 0]


def test_missions_and_frames_through_the_api(tmp_path: Path) -> None:
    recorded(tmp_path)
    with serve(tmp_path) as served:
        (mission,) = served.get("/api/missions").json
        assert mission["begun_ns"] == str(START_NS)
        assert (mission["words"], mission["outcome"]) == (["tent"], "succeeded: enough")
        assert [level for _, level in mission["levels"]] == ["sweep", "close"]
        at_ns, stamps, objects = 0, [], []
        while (reply := served.get(f"/api/missions/frame?at_ns={at_ns}")).status == 200:
            stamps.append(int(reply.headers["x-stamp-ns"]))
            objects.append(reply.headers["x-objects"])
            at_ns = int(reply.headers["x-received-ns"]) + 1
            if len(stamps) > FRAMES:
                break
        assert stamps == [frame_ns(number) for number in range(FRAMES)]  # over both files
        assert objects == ["", "1"] * (FRAMES // 2)
        back = served.get(f"/api/missions/frame?at_ns={at_ns - 1}&step=previous")
        assert int(back.headers["x-stamp-ns"]) == stamps[-2]
        exact = served.get(f"/api/missions/frame?at_ns={stamps[7]}&step=of")
        assert int(exact.headers["x-stamp-ns"]) == stamps[7]  # though it was received later
        image = cv2.imdecode(np.frombuffer(exact.body, np.uint8), cv2.IMREAD_COLOR)
        plain = served.get(f"/api/missions/frame?at_ns={stamps[6]}&step=of").body
        other = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_COLOR)
        differs = (cv2.absdiff(image, other).max(axis=2) > 60).nonzero()
        left, top, right, bottom = BOX
        assert differs[1].min() == pytest.approx(left, abs=8)
        assert differs[0].max() == pytest.approx(bottom, abs=8)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at_ns=5&step=previous", 404),
        (f"at_ns={START_NS + 10**15}", 404),
        (f"at_ns={START_NS + 1}&step=of", 404),
        ("at_ns=9999999999999999999", 404),
        ("at_ns=-1", 422),
        ("at_ns=1e9", 422),
        ("", 422),
        ("at_ns=5&step=sideways", 422),
    ],
)
def test_where_there_is_no_frame_it_is_said_in_one_line(
    tmp_path: Path, query: str, status: int
) -> None:
    recorded(tmp_path, is_cut=False)
    with serve(tmp_path) as served:
        reply = served.get(f"/api/missions/frame?{query}")
        assert reply.status == status
        assert "\n" not in reply.json["detail"]


def test_damaged_files_and_an_empty_folder_have_no_missions(tmp_path: Path) -> None:
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "ring_0000001.mcap").write_bytes(b"no such file")
    with serve(tmp_path) as served:
        assert served.get("/api/missions").json == []
    with serve(tmp_path / "away") as served:
        assert served.get("/api/missions").json == []


def test_a_guarded_page_guards_its_recording(tmp_path: Path) -> None:
    recorded(tmp_path, is_cut=False)
    with serve(tmp_path, token=TOKEN) as served:
        assert served.get("/api/missions").status == 401
        assert served.get("/api/missions/frame?at_ns=0").status == 401


@pytest.mark.long
@pytest.mark.parametrize("on", ["page", "phone"])
def test_a_mission_is_looked_through_and_its_findings_reviewed(
    on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page: Page = request.getfixturevalue(on)  # noqa: F811
    recorded(tmp_path)
    with serve(tmp_path) as served:
        for one in (finding(5), finding(8, id="77-1")):
            served.dashboard.findings.add(as_plain(one))
        page.goto(served.address)
        page.click("#to-missions")
        frame = page.locator("#frame")
        expect(page.locator("#mission-told")).to_contain_text("succeeded: enough")
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(0)))
        expect(page.locator("#timeline i")).to_have_count(2)
        expect(page.locator("#timeline b.confirmed")).to_have_count(1)
        expect(page.locator(".finding")).to_have_count(1)  # that of this mission
        page.click("#next")
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(1)))
        expect(page.locator("#frame-told")).to_contain_text("1 detected")
        page.click("#previous")
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(0)))
        page.locator("#at").fill("500")
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(9)))
        page.locator(".finding .shot").click()
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(5)))
        page.get_by_role("button", name="Reject").click()
        page.fill("#review-who", "Ben")
        page.click("#review button[type=submit]")
        expect(page.locator(".finding")).to_have_class("finding confirmed is-rejected")
        page.click("#play")
        expect(frame).to_have_attribute("data-stamp", str(frame_ns(FRAMES - 1)))
        expect(page.locator("#play")).to_have_text("Play")  # at the end it stops
        assert not served.robot.is_watched  # live pictures are not made for this page
        # All of it can be reached: nothing is wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/mission_{on}.png")
