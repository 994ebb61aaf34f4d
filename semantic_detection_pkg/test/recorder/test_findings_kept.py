"""No confirmed finding without an event, whatever the disk does and whenever the recorder dies."""

from __future__ import annotations

import errno
import json
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import recording_sessions
from fake_disk import FakeDisk
from patience import wait_until
from recording_sessions import FLUSHED_SOON as SETTINGS

from semantic_detection_pkg.cli.report import main as report
from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.recorder.core.events import EventRules, FindingMark
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.evidence import event_page
from semantic_detection_pkg.recorder.evidence.evidence_writer import EvidenceWriter
from semantic_detection_pkg.recorder.storage import recorder as recorder_module
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.event_store import events_of, read_event
from semantic_detection_pkg.recorder.storage.recorder import Recorder
from semantic_detection_pkg.recorder.storage.session import (
    FINDING_TYPE,
    RecordingSession,
    SessionSettings,
)
from simulation_pkg.harness.recorded_messages import (
    NS_PER_S,
    START_NS,
    STATE,
    blank,
    counted,
    message,
    typestore,
)


def found(name: str, at_ns: int = START_NS, revision: int = 1, state: int = 1) -> Message:
    """A finding as it is sent."""
    lists: dict[str, Any] = {"tiers": [], "answers": [], "path": [], "track_bearings": []}
    content = blank(
        FINDING_TYPE, id=name, class_name="tent", revision=revision, state=state, **lists
    )
    sent = message("/findings", FINDING_TYPE, at_ns, STATE, content)
    return sent._replace(published_ns=at_ns)


def mark(name: str, at_ns: int = START_NS, revision: int = 1) -> FindingMark:
    return FindingMark(name, "tent", found(name, at_ns, revision))


def finding_of(recorded: Message) -> FindingMark | None:
    read = typestore().deserialize_cdr(recorded.data, FINDING_TYPE)
    return FindingMark(read.id, read.class_name, recorded) if read.state == 1 else None


def kept(folder: Path) -> dict[str, tuple[Any, Path]]:
    """What lies on the disk: event and folder of each finding, read anew."""
    events = [(read_event(path), path) for path in (folder / "events").iterdir()]
    for _, path in events:
        with BagReader(path / "finding.mcap") as reader:
            (one,) = reader.messages("/", {"findings": FINDING_TYPE})
            assert reader.read(one).id in read_event(path).findings
    return {finding: pair for pair in events for finding in pair[0].findings}


def session(folder: Path, settings: SessionSettings = SETTINGS) -> RecordingSession:
    return recording_sessions.session(folder, settings, finding_of=finding_of)


def die(recording: RecordingSession) -> None:
    """End as after kill -9: what is not flushed is lost, the file is left as it is."""
    recording.abandon()


def fill(recording: RecordingSession, numbers: range) -> None:
    recording.write(deque(counted(number, padding=1000) for number in numbers), 0.0)


def page_of(path: Path) -> str:
    return event_page.write(path).read_text()


# --------------------------------------------------------------- whenever it comes


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDisk:
    monkeypatch.setattr(recorder_module, "_RETRY_S", 0.02)
    (tmp_path / "out").mkdir()
    return FakeDisk(tmp_path / "out")


def recorder(disk: FakeDisk, settings: SessionSettings = SETTINGS) -> Recorder:
    return Recorder(disk.root, settings, 1 << 20, disk=disk)


def fail(disk: FakeDisk, error: int) -> None:
    disk.error = error


def fill_up(disk: FakeDisk, _: int) -> None:
    disk.capacity_bytes = disk.root.stat().st_size


def test_a_finding_from_before_the_recorder_is_open(disk: FakeDisk) -> None:
    writing = recorder(disk)
    writing.keep_finding(mark("a"))
    writing.start()
    wait_until(lambda: writing.state.events == 1, "the event")
    writing.stop()
    assert list(kept(disk.root)) == ["a"]


@pytest.mark.parametrize(
    ("spoil", "error"), [(fail, errno.EROFS), (fail, errno.EIO), (fill_up, errno.ENOSPC)]
)
def test_findings_wait_for_the_disk(
    disk: FakeDisk, spoil: Callable[[FakeDisk, int], None], error: int
) -> None:
    writing = recorder(disk)
    writing.start()
    wait_until(lambda: not writing.state.fault, "the start")
    spoil(disk, error)
    for name in "abc":
        writing.keep_finding(mark(name))
        writing.offer(counted(ord(name)), is_frame=False)
    wait_until(lambda: writing.state.fault, "the fault")
    wait_until(lambda: writing.state.events_waiting == 3, "three marks that wait")
    disk.error, disk.capacity_bytes = 0, None
    wait_until(lambda: writing.state.events == 3, "the events")
    writing.stop()
    assert sorted(kept(disk.root)) == ["a", "b", "c"]
    assert writing.state.events_waiting == 0


def test_the_floor_is_no_reason_to_keep_a_finding_waiting(disk: FakeDisk) -> None:
    """Nothing may be recorded below it, but a finding is small."""
    writing = recorder(disk, replace(SETTINGS, ring=replace(SETTINGS.ring, min_free_bytes=10**7)))
    disk.capacity_bytes = 10**6
    writing.start()
    wait_until(lambda: "is full" in writing.state.fault, "the fault")
    writing.keep_finding(mark("a"))
    wait_until(lambda: writing.state.events == 1, "the event")
    assert writing.state.fault
    writing.stop()
    assert list(kept(disk.root)) == ["a"]


def test_what_waits_is_tried_once_more_at_the_end(disk: FakeDisk) -> None:
    writing = recorder(disk)
    disk.error = errno.EROFS
    writing.start()
    wait_until(lambda: "cannot write" in writing.state.fault, "the fault")
    writing.keep_finding(mark("a"))
    recorder_module._RETRY_S = 3600.0  # undone by the fixture
    disk.error = 0
    writing.stop()
    assert list(kept(disk.root)) == ["a"]


def test_what_may_wait_is_bounded(disk: FakeDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_MARKS_MAX", 2)
    writing = recorder(disk)
    for name in "ab":
        writing.keep_finding(mark(name))
    with pytest.raises(StorageError, match="2 events wait for the disk"):
        writing.keep_finding(mark("c"))


def test_a_finding_has_one_event_with_its_newest_revision(tmp_path: Path) -> None:
    """After a start all findings come again, before the recorder knows what it has."""
    for revisions in ((1, 2), (1, 2), (2, 3)):
        recording = session(tmp_path / "r")
        for revision in revisions:
            recording.keep_finding(mark("a", START_NS + revision, revision))
        recording.close()
    (path,) = (tmp_path / "r/events").iterdir()
    with BagReader(path / "finding.mcap") as reader:
        (one,) = reader.messages("/", {"findings": FINDING_TYPE})
        assert reader.read(one).revision == 3
    assert "revision 3" in page_of(path)


def test_events_of_one_moment_and_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "r/events/20231114T221320.000Z_tent").mkdir(parents=True)
    recording = session(tmp_path / "r")
    for name in "ab":
        recording.keep_finding(mark(name))
    recording.close()
    shutil.rmtree(tmp_path / "r/events/20231114T221320.000Z_tent")
    assert {name: path.name for name, (_, path) in kept(tmp_path / "r").items()} == {
        "a": "20231114T221320.000Z_tent_2",
        "b": "20231114T221320.000Z_tent_3",
    }


@pytest.mark.parametrize("at_ns", [0, 1, 2**63 - 1])
def test_a_clock_that_says_anything(tmp_path: Path, at_ns: int) -> None:
    recording = session(tmp_path / "r")
    recording.keep_finding(mark("a", at_ns))
    recording.close()
    assert list(kept(tmp_path / "r")) == ["a"]


# --------------------------------------------------------------- whatever becomes of its pictures


def test_killed_before_the_first_chunk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recording = session(tmp_path / "r")
    fill(recording, range(3))
    recording.keep_finding(mark("a"))
    die(recording)
    again = session(tmp_path / "r")
    again.write(deque([counted(0, START_NS + 60 * NS_PER_S)]), 0.0)
    again.close()
    event, path = kept(tmp_path / "r")["a"]
    assert (event.is_complete, event.segments) == (True, {})
    assert event.no_recording == "nothing of its time is in the recording"
    assert "only the finding is kept" in caplog.text
    assert EvidenceWriter(tmp_path / "r")._missing() == [path]
    page = page_of(path)
    assert "Its pictures are gone:</b> nothing of its time is in the recording" in page
    assert "tent" in page
    assert "finding.mcap" in page
    assert kept(session(tmp_path / "r").folder), "it stays at the next start, too"


def test_killed_before_its_event_was_begun(tmp_path: Path) -> None:
    recording = session(tmp_path / "r")
    recording.write(deque([counted(0), found("a"), found("b", state=0), counted(1)]), 0.0)
    recording.tick(10.0)
    die(recording)
    again = session(tmp_path / "r")
    again.close()
    event, path = kept(tmp_path / "r")["a"]
    assert event.findings == ("a",)
    assert list(event.segments) == [1]
    assert list(kept(tmp_path / "r")) == ["a"]
    assert "Its pictures are gone" not in page_of(path)


def test_killed_while_its_folder_was_made(tmp_path: Path) -> None:
    recording = session(tmp_path / "r")
    recording.keep_finding(mark("a"))
    recording.close()
    (path,) = (tmp_path / "r/events").iterdir()
    half = path.with_name(f".{path.name}.new")
    path.rename(half)
    assert events_of(tmp_path / "r") == []
    again = session(tmp_path / "r")
    assert not half.exists()
    again.keep_finding(mark("a"))
    again.close()
    assert [path.name for path in (tmp_path / "r/events").iterdir()] == [path.name]


@pytest.mark.long
def test_the_budget_takes_recordings_but_no_findings(tmp_path: Path) -> None:
    settings = replace(
        SETTINGS, ring=RingRules(600_000, 0, 100_000, 3600.0), events=EventRules(250_000, 0.1, 0.1)
    )
    recording = session(tmp_path / "r", settings)
    for number in range(12):
        recording.write(
            deque(counted(10 * number + i, padding=9000) for i in range(10)), float(number)
        )
        at_ns = START_NS + (10 * number + 5) * NS_PER_S // 100
        recording.keep_finding(mark(f"{number}", at_ns))
    recording.close()
    events = kept(tmp_path / "r")
    assert sorted(events, key=int) == [str(number) for number in range(12)]
    gone = [name for name, (event, _) in events.items() if event.no_recording]
    assert "0" in gone
    assert "11" not in gone
    event, path = events["0"]
    assert "budget was exceeded" in event.no_recording
    assert sorted(one.name for one in path.iterdir()) == ["event.json", "finding.mcap"]
    assert "Its pictures are gone:</b> the recording was removed" in page_of(path)
    assert recording.events.bytes <= 250_000
    # A start in between loses nothing, and numbers of segments are given once.
    assert sorted(kept(session(tmp_path / "r", settings).folder), key=int) == sorted(
        events, key=int
    )


def test_a_recording_that_somebody_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recording stopped for ever: the event could not be completed."""
    recording = session(tmp_path / "r")
    fill(recording, range(5))
    recording.keep_finding(mark("a"))
    recording.close()
    (_, path) = kept(tmp_path / "r")["a"]
    assert json.loads((path / "event.json").read_text())["segments"]
    shutil.rmtree(path / "bag")
    assert "Its pictures are gone:</b> folder" in page_of(path)
    again = session(tmp_path / "r")
    again.write(deque([found("b", START_NS + 60 * NS_PER_S)]), 0.0)
    again.close()
    assert kept(tmp_path / "r")["a"][0].no_recording == "the recording was removed"
    shutil.rmtree(tmp_path / "r/ring")
    last = session(tmp_path / "r")
    last.write(deque([found("c", START_NS + 90 * NS_PER_S)]), 0.0)
    last.close()
    # The report names findings that are in no ring any more.
    assert report([str(tmp_path / "r")]) == 0
    assert "confirmed</span> 2" in (tmp_path / "r/report.html").read_text()
