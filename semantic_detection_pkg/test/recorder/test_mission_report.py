"""The report of a long mission: soon there, with a word meanwhile, and nothing read in vain."""

from __future__ import annotations

import struct
import time
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from patience import patience

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.common.core.serialised import stamp_of, text_after_header_of
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.evidence import mission
from semantic_detection_pkg.recorder.evidence.content import latest_findings, read_evidence_frames
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank, message, time_of
from simulation_pkg.harness.scan_recording import SETTINGS

RATE_HZ = 8
FRAMES = 600 * RATE_HZ  # ten minutes
FINDINGS, REVISIONS = 40, 5
#: Of the reference machine; a mission of ten minutes took three times as long before.
REPORT_S = 6.0
PICTURE, DETECTIONS = "sensor_msgs/msg/CompressedImage", "interfaces_pkg/msg/Detections"
GIMBAL, STATE = "interfaces_pkg/msg/GimbalState", "interfaces_pkg/msg/ScanState"
FINDING, COVERAGE = "interfaces_pkg/msg/Finding", "interfaces_pkg/msg/Coverage"


def at(pattern: Message, stamp_ns: int, received_ns: int | None = None) -> Message:
    """The same message of another time: only its stamp differs."""
    data = bytearray(pattern.data)
    struct.pack_into("<iI", data, 4, *divmod(stamp_ns, NS_PER_S))
    received_ns = stamp_ns + 30_000_000 if received_ns is None else received_ns
    return pattern._replace(data=bytes(data), received_ns=received_ns)


def patterns() -> dict[str, Message]:
    jpeg = cv2.imencode(".jpg", np.full((90, 160, 3), 120, np.uint8))[1].reshape(-1)
    contents = {
        "camera/image_raw/compressed": blank(PICTURE, format="jpeg", data=jpeg),
        "detections": blank(
            DETECTIONS,
            image_width=160,
            image_height=90,
            vocabulary=["tent"],
            proposed_classes=0,
            class_ids=np.zeros(1, np.uint16),
            scores=np.full(1, 0.8, np.float32),
            boxes_xyxy=np.array([40, 20, 90, 60], np.float32),
            ring_counts=np.zeros(1, np.uint32),
            ring_sizes=np.zeros(0, np.uint32),
            points_xy=np.zeros(0, np.float32),
            looks_xyxy=np.zeros(0, np.uint32),
            look_gains=np.zeros(0, np.float32),
            pose=blank("interfaces_pkg/msg/PoseAtCapture", is_known=True, hfov_rad=0.5),
        ),
        "gimbal/state": blank(GIMBAL, link=3, hfov_rad=0.6),
        "scan/state": blank(STATE, level=1, words=["tent"], reason="sweeps"),
        "scan/coverage": blank(
            COVERAGE, columns=4, rows=3, cell_rad=0.1, results=np.zeros(12, np.uint8)
        ),
    }
    return {
        name: message(f"/{name}", content.__msgtype__, START_NS, content=content)
        for name, content in contents.items()
    }


def frame_ns(number: int) -> int:
    return START_NS + number * NS_PER_S // RATE_HZ


def finding(number: int, revision: int, best: int) -> Message:
    """One revision; each holds the whole track."""
    track = [blank("interfaces_pkg/msg/Bearing") for _ in range(30)]
    content = blank(
        FINDING,
        id=f"{START_NS}-{number}",
        revision=revision,
        state=number % 4,
        class_name="tent",
        best_frame=time_of(frame_ns(best)),
        best_box_xyxy=np.array([40, 20, 90, 60], np.float32),
        track_bearings=track,
    )
    return message("/findings", FINDING, frame_ns(best) + 40_000_000 + revision, content=content)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes, with an event whose page is missing."""
    folder = tmp_path_factory.mktemp("mission") / "out"
    folder.mkdir()
    session = RecordingSession(folder, SETTINGS, Disk())
    session.open()
    made = patterns()
    for number in range(FRAMES):
        stamp_ns = frame_ns(number)
        batch = [at(made["camera/image_raw/compressed"], stamp_ns)]
        batch.append(at(made["detections"], stamp_ns))
        batch += [at(made["gimbal/state"], stamp_ns + index * 20_000_000) for index in range(6)]
        batch += [at(made["scan/state"], stamp_ns + index * 50_000_000) for index in range(2)]
        if number % RATE_HZ == 0:
            batch.append(at(made["scan/coverage"], stamp_ns))
        index, rest = divmod(number, FRAMES // FINDINGS)
        if rest == 5:
            batch += [finding(index, revision, number) for revision in range(1, REVISIONS + 1)]
        session.write(deque(batch), number / RATE_HZ)
    session.keep(
        Event("20231114T221320.000Z_tent", "tent", frame_ns(FRAMES - 8), frame_ns(FRAMES - 16),
              frame_ns(FRAMES - 1), ())
    )  # fmt: skip
    session.close()
    return folder


@pytest.mark.long
def test_a_long_mission_is_soon_reported(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: dict[str, int] = {}
    read = BagReader.read

    def counting(reader: BagReader, one: Any) -> Any:
        unpacked[one.topic] = unpacked.get(one.topic, 0) + 1
        return read(reader, one)

    monkeypatch.setattr(BagReader, "read", counting)
    told: list[tuple[str, float]] = []
    start_s = time.monotonic()
    page = mission.write(recordings, None, lambda what, share: told.append((what, share)))
    took_s = time.monotonic() - start_s
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == FINDINGS
    assert "Looked for tent" in text
    assert "coverage map" in text
    assert took_s < patience(REPORT_S)
    # Of some 48,000 messages what is shown is unpacked, and little around it.
    assert unpacked["findings"] == FINDINGS
    assert unpacked["camera/image_raw/compressed"] == unpacked["detections"] == FINDINGS
    assert unpacked["scan/coverage"] == 1
    assert unpacked["scan/state"] <= mission._STEPS_MAX + 1
    assert unpacked["gimbal/state"] < 80 * FINDINGS
    assert {what for what, _ in told} == {
        "reading the recording",
        "looking for the findings' pictures",
        "drawing findings",
    }
    assert all(0.0 <= share <= 1.0 for _, share in told)


@pytest.mark.long
def test_who_waits_is_told_and_gets_the_report_first(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantic_detection_pkg.cli.report._PERIOD_S", 0.0)
    assert main([str(recordings)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        str(recordings / "report.html"),
        str(recordings / "events/20231114T221320.000Z_tent/evidence.html"),
    ]
    assert "report: reading the recording: 5" in said.err  # some half of it
    assert "report: drawing findings: " in said.err
    page = (recordings / "report.html").read_text()
    assert 'href="events/20231114T221320.000Z_tent/evidence.html"' in page


@pytest.mark.long
def test_an_event_without_a_page_is_not_linked_and_the_others_are_written(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = recordings / "events" / "20231114T221321.000Z_bad"
    bad.mkdir()
    fields = (recordings / "events/20231114T221320.000Z_tent/event.json").read_text()
    (bad / "event.json").write_text(fields)
    try:
        assert main([str(recordings)]) == 1
        assert (
            "20231114T221321.000Z_bad/evidence.html" not in (recordings / "report.html").read_text()
        )
    finally:
        (bad / "event.json").unlink()
        bad.rmdir()
    assert "report: " in capsys.readouterr().err


def test_frames_with_stamps_of_a_simulated_clock_are_found(tmp_path: Path) -> None:
    made = patterns()
    session = RecordingSession(tmp_path, SETTINGS, Disk())
    session.open()
    stamps = [number * NS_PER_S // RATE_HZ for number in range(1, 20)]
    for stamp_ns in stamps:
        for name in ("camera/image_raw/compressed", "detections", "gimbal/state"):
            session.write(deque([at(made[name], stamp_ns, START_NS + stamp_ns)]), 0.0)
    session.close()
    with BagReader(tmp_path) as reader:
        found = read_evidence_frames(reader, "/", stamps[:3] + [0])
    assert sorted(found) == stamps[:3]
    assert all(frame.detections is not None for frame in found.values())


def test_the_newest_revision_is_read(recordings: Path) -> None:
    with BagReader(recordings) as reader:
        found = latest_findings(reader, "/")
    assert [one.revision for one in found] == [REVISIONS] * FINDINGS


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "abcd", "camera_optical"])
@pytest.mark.parametrize("text", ["", "x", "7-12", "ä" * 40])
def test_the_id_is_read_of_the_bytes(frame_id: str, text: str) -> None:
    content = blank(FINDING, id=text)
    content.header.frame_id, content.header.stamp = frame_id, time_of(START_NS + 5)
    data = message("/findings", FINDING, START_NS, content=content).data
    assert text_after_header_of(data) == text
    assert stamp_of(data) == START_NS + 5
    for length in range(30):
        assert text_after_header_of(data[:length]) in ("", text)
