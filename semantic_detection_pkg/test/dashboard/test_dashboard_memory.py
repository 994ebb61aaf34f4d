"""The page remembers: findings of all states and what they look like, after any end."""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dashboard_client import TOKEN, Served, serve
from patience import wait_until

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.api import finding_book
from semantic_detection_pkg.dashboard.api.finding_store import FindingStore
from semantic_detection_pkg.dashboard.api.recorded_findings import RecordedFindings
from semantic_detection_pkg.dashboard.core.ownership import is_own_logger, is_own_status
from semantic_detection_pkg.recorder.core.events import Event, FindingMark
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.segment_search import messages_in
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

FINDING = "interfaces_pkg/msg/Finding"
PICTURE = "sensor_msgs/msg/CompressedImage"
STATES = ("candidate", "confirmed", "rejected", "uncertain")
STEP_NS = NS_PER_S // 5
#: The thing is white where the finding says, all else is black.
BOX = (200.0, 100.0, 260.0, 160.0)


def frame_ns(number: int) -> int:
    return START_NS + number * STEP_NS


def finding(number: int, **values: Any) -> Any:
    """A finding of the state that its number has, whose best frame is that of its number."""
    fields = {
        "header": header_of(frame_ns(number) + NS_PER_S),
        "id": f"{START_NS}-{number}",
        "revision": 1,
        "state": number % len(STATES),
        "class_name": "tent",
        "best_frame": time_of(frame_ns(number)),
        "best_box_xyxy": np.array(BOX, np.float32),
    }
    return blank(FINDING, **{**fields, **values})


def picture(number: int) -> Any:
    """A frame that is black but for the thing."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[100:160, 200:260] = 255
    made = blank(PICTURE)
    made.header, made.format = header_of(frame_ns(number)), "jpeg"
    made.data = cv2.imencode(".jpg", image)[1].reshape(-1)
    return made


def recorded(folder: Path, findings: list[Any], frames: int = 8, prefix: str = "/") -> None:
    """What a recorder leaves: a ring, and an event for each confirmed finding."""
    folder.mkdir(exist_ok=True)
    session = RecordingSession(folder, SETTINGS, Disk())
    session.open()
    made: list[Message] = [
        message(f"{prefix}camera/image_raw/compressed", PICTURE, frame_ns(number) + 1000,
                content=picture(number))
        for number in range(frames)
    ]  # fmt: skip
    made += [
        message(f"{prefix}findings", FINDING, frame_ns(frames) + index, content=one)
        for index, one in enumerate(findings)
    ]
    session.write(deque(made), 0.0)
    for one in findings:
        if one.state == STATES.index("confirmed"):
            at_ns = frame_ns(frames)
            name = f"20231114T221320.000Z_{one.id}"
            session.keep(Event(name, "tent", at_ns, START_NS - NS_PER_S, at_ns, (one.id,)))
    session.close()


def shown(served: Served) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in served.dashboard.board.get("findings") or ()}


def wait_for_pictures(served: Served, count: int) -> dict[str, dict[str, Any]]:
    def all_of_them() -> dict[str, dict[str, Any]] | None:
        found = shown(served)
        return found if sum(one["has_picture"] for one in found.values()) == count else None

    return wait_until(all_of_them, f"{count} findings with a picture")


def check_picture(served: Served, finding_id: str) -> None:
    """The thumbnail shows the thing in its middle and what is around it at its edge."""
    reply = served.get(f"/api/findings/{finding_id}/thumbnail")
    assert reply.status == 200
    image = cv2.imdecode(np.frombuffer(reply.body, np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = image.shape
    assert image[height // 2, width // 2] > 200
    assert image[4, 4] < 50


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_book, "_PERIOD_S", 0.05)


def test_findings_of_all_states_come_back_from_the_recording(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(number) for number in range(4)])
    with serve(tmp_path) as served:
        found = wait_for_pictures(served, 4)
        assert sorted(one["state"] for one in found.values()) == sorted(STATES)
        assert [one["id"][-2:] for one in served.dashboard.board.get("findings")] == [
            "-3", "-2", "-1", "-0",
        ]  # fmt: skip
        for finding_id in found:
            check_picture(served, finding_id)
        with served.page() as page:
            assert len(page.news()["sections"]["findings"]) == 4


def test_stamps_of_a_simulated_clock_are_found_in_the_findings_event(tmp_path: Path) -> None:
    """Received in 2023, captured in the first seconds of a simulation."""
    session = RecordingSession(tmp_path, SETTINGS, Disk())
    session.open()
    shown_at, simulated = picture(0), NS_PER_S * 7
    shown_at.header = header_of(simulated)
    one = finding(1, header=header_of(simulated), best_frame=time_of(simulated))
    sent = message("/findings", FINDING, START_NS + 2000, content=one)
    name = "/camera/image_raw/compressed"
    session.write(deque([message(name, PICTURE, START_NS + 1000, content=shown_at), sent]), 0.0)
    session.keep_finding(FindingMark(one.id, "tent", sent))
    session.close()
    with serve(tmp_path) as served:
        (finding_id,) = wait_for_pictures(served, 1)
        check_picture(served, finding_id)


@pytest.mark.parametrize("left", ["events", "ring"])
def test_either_of_ring_and_events_is_enough(tmp_path: Path, left: str) -> None:
    recorded(tmp_path, [finding(1)])
    shutil.rmtree(tmp_path / ("ring" if left == "events" else "events"))
    with serve(tmp_path) as served:
        (finding_id,) = wait_for_pictures(served, 1)
        check_picture(served, finding_id)


def test_what_was_heard_outlives_the_dashboard_and_the_ring(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(1)])
    with serve(tmp_path) as served:
        for number in (0, 2, 3):
            served.dashboard.findings.add(as_plain(finding(number)))
        wait_for_pictures(served, 4)
    for name in ("ring", "events", "tables"):
        shutil.rmtree(tmp_path / name)
    with serve(tmp_path) as served:
        found = wait_for_pictures(served, 4)
        assert sorted(one["state"] for one in found.values()) == sorted(STATES)
        for finding_id in found:
            check_picture(served, finding_id)


def test_what_was_found_before_the_first_viewer_has_a_picture(tmp_path: Path) -> None:
    """Heard while nobody looked; the recorder finishes its file a moment later."""
    with serve(tmp_path) as served:
        served.dashboard.findings.add(as_plain(finding(2)))
        assert [one["has_picture"] for one in shown(served).values()] == [False]
        recorded(tmp_path, [])
        (finding_id,) = wait_for_pictures(served, 1)
        check_picture(served, finding_id)


def test_the_newest_revision_counts_wherever_it_comes_from(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(1, state=0), finding(1, revision=3)])
    with serve(tmp_path) as served:
        wait_for_pictures(served, 1)
        served.dashboard.findings.add(as_plain(finding(1, revision=2, state=3)))
        assert [one["state"] for one in shown(served).values()] == ["confirmed"]
        served.dashboard.findings.add(as_plain(finding(1, revision=4, state=2)))
        assert [one["state"] for one in shown(served).values()] == ["rejected"]
    with serve(tmp_path) as served:
        wait_for_pictures(served, 1)
        assert [one["revision"] for one in shown(served).values()] == [4]


def test_of_many_findings_the_confirmed_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding_book, "FINDINGS_MAX", 5)
    with serve(tmp_path) as served:
        for number in range(20):
            served.dashboard.findings.add(as_plain(finding(number)))
        assert {one["state"] for one in shown(served).values()} == {"confirmed"}
        kept = tmp_path / "findings"
        wait_until(lambda: len(list(kept.glob("*.json"))) == 5, "the folder to be as large")


def test_another_robot_is_not_remembered(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(1)], prefix="/r2/")
    recorder = RecordedFindings(tmp_path, "r1")
    assert [one for one in recorder.news() if one] == []
    assert [one["id"] for one in RecordedFindings(tmp_path, "r2").news() if one]


@pytest.mark.parametrize(
    "damage", ["cut", "zeros", "empty", "picture is none", "no such frame", "box of nowhere"]
)
def test_a_damaged_recording_is_a_line_in_the_log(tmp_path: Path, damage: str) -> None:
    one = finding(1)
    if damage == "no such frame":
        one.best_frame = time_of(START_NS + 1)
    if damage == "box of nowhere":
        one.best_box_xyxy = np.array([np.nan, -np.inf, np.inf, 5000], np.float32)
    recorded(tmp_path, [one])
    shutil.rmtree(tmp_path / "events")
    (segment,) = (tmp_path / "ring").glob("*.mcap")
    data = segment.read_bytes()
    if damage == "cut":
        segment.write_bytes(data[: len(data) // 2])
    elif damage == "zeros":
        segment.write_bytes(data[:100] + bytes(len(data) // 3) + data[100 + len(data) // 3 :])
    elif damage == "empty":
        segment.write_bytes(b"")
    elif damage == "picture is none":
        segment.write_bytes(data.replace(b"\xff\xd8\xff", b"\x00\x00\x00"))
    with serve(tmp_path) as served:
        served.dashboard.findings.add(as_plain(one))
        if damage == "box of nowhere":
            wait_for_pictures(served, 1)  # the whole picture
        else:
            wait_until(lambda: (tmp_path / "findings").exists(), "a round of the book")
            assert served.get(f"/api/findings/{one.id}/thumbnail").status == 404
        assert len(shown(served)) == 1
        assert served.post("/api/gimbal/stop").status == 200


def test_an_event_that_is_being_made_is_not_read_yet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk has it tried again and again: each time an empty file, and a line in the log."""
    for name in ("finding.mcap", "bag/0.mcap"):
        path = tmp_path / "events" / ".20231114T221320.000Z_tent.new" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list(RecordedFindings(tmp_path, "").news()) == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"id": 1}',
        "[" * 100_000,
        "NaN",
        '{"id": "a", "revision": 1, "state": "confirmed", "class_name": "x", "stamp_ns": "5",'
        ' "best_frame": "later", "tiers": [], "answers": [], "best_box_xyxy": [], "bearing": {}}',
        '{"id": "a", "revision": 1, "state": "confirmed", "class_name": "x", "stamp_ns": "5",'
        ' "best_frame": "5", "tiers": [1], "answers": [], "best_box_xyxy": [], "bearing": {}}',
        '{"id": "a", "revision": 1, "state": "confirmed", "class_name": "x", "stamp_ns": "5",'
        ' "best_frame": "5", "tiers": [], "answers": [], "best_box_xyxy": [NaN], "bearing": {}}',
    ],
)
def test_files_that_are_no_finding_are_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "findings").mkdir()
    path = tmp_path / "findings" / "a.json"
    path.write_text(text)
    assert FindingStore(tmp_path).load() == []
    assert path.exists()


@pytest.mark.parametrize("name", ["../secret", "", ".", "..", "a/b", "x" * 5000, "\u202eä\0", "-"])
def test_whatever_a_findings_id_is_it_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    store = FindingStore(tmp_path)
    plain = json.loads(json.dumps(as_plain(finding(1, id=name))))
    assert store.save(plain)
    assert store.save_picture(name, b"jpeg")
    assert [one["id"] for one in store.load()] == [name]
    assert store.picture(name) == b"jpeg"
    assert [path.name for path in tmp_path.iterdir()] == ["findings"]
    store.remove(name)
    assert list((tmp_path / "findings").iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Below a mount point another disk would fill up."""
    folder = tmp_path / "mount" / "recordings"
    assert not FindingStore(folder).save(as_plain(finding(1)))
    assert not folder.exists()


def test_a_disk_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "findings").write_text("a file where a folder is due")
    else:
        tmp_path.chmod(0o555)
    with serve(tmp_path) as served:
        served.dashboard.findings.add(as_plain(finding(1)))
        assert len(shown(served)) == 1
    tmp_path.chmod(0o755)


def test_only_what_is_needed_of_a_segment_is_read(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(1)], frames=40)
    (segment,) = (tmp_path / "ring").glob("*.mcap")
    found = list(messages_in(segment, ["/camera/image_raw/compressed"], frame_ns(7), frame_ns(9)))
    assert [one.stamp_ns for one in found] == [frame_ns(7), frame_ns(8)]


@pytest.mark.parametrize(
    ("name", "namespace", "is_own"),
    [
        ("camera", "", True),
        ("camera: frames", "", True),
        ("/camera", "", True),
        ("imu: topic /imu/data", "", True),
        ("r1/camera", "", False),
        ("/r1/camera", "", False),
        ("fleet/r1/camera: frames", "", False),
        ("r1/camera", "r1", True),
        ("/r1/camera: frames", "r1", True),
        ("fleet/r1/camera", "fleet/r1", True),
        ("r10/camera", "r1", False),
        ("r2/camera", "r1", False),
        ("camera", "r1", False),
        ("r1", "r1", False),
        ("r2/camera: r1/x", "r1", False),
    ],
)
def test_whose_status_it_is(name: str, namespace: str, is_own: bool) -> None:
    assert is_own_status(name, namespace) == is_own


@pytest.mark.parametrize(
    ("name", "namespace", "is_own"),
    [
        ("camera", "", True),
        ("camera.rclpy", "", True),
        ("r1.camera", "", False),
        ("fleet.r2.camera", "", False),
        ("r1.camera", "r1", True),
        ("r10.camera", "r1", False),
        ("camera", "r1", False),
    ],
)
def test_whose_logger_it_is(name: str, namespace: str, is_own: bool) -> None:
    assert is_own_logger(name, namespace, {"", "r1", "fleet/r2"}) == is_own


def test_a_guarded_page_guards_its_thumbnails(tmp_path: Path) -> None:
    recorded(tmp_path, [finding(1)])
    with serve(tmp_path, token=TOKEN) as served:
        (finding_id,) = wait_for_pictures(served, 1)
        assert served.get(f"/api/findings/{finding_id}/thumbnail").status == 401
