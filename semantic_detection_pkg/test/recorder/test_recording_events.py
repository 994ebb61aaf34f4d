"""Events on the disk: their segments outlive the ring, their own budget, power cuts."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_disk import FakeDisk
from recording_reader import numbers_in
from recording_sessions import SMALL, fill, segments, session
from rosbags.highlevel import AnyReader

from semantic_detection_pkg.recorder.core.events import Event, EventRules
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, counted
from simulation_pkg.harness.scan_recording import SETTINGS


def event(name: str, start_s: float, end_s: float, **more: Any) -> Event:
    at = [START_NS + int(s * NS_PER_S) for s in (start_s, end_s)]
    return Event(name, "a tent", at[0], at[0], at[1], **more)


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "copies"])
def test_an_event_keeps_its_segments_beyond_the_ring(tmp_path: Path, has_links: bool) -> None:
    disk = FakeDisk(tmp_path / "r")
    disk.has_links = has_links
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL), disk)
    fill(recording, range(20))  # 10 ms apart, ten in a segment
    recording.keep(event("e1", 0.15, 0.32, findings=("f1",)))
    fill(recording, range(20, 200))
    folder = tmp_path / "r/events/e1"
    fields = json.loads((folder / "event.json").read_text())
    assert (fields["label"], fields["findings"], fields["is_complete"]) == ("a tent", ["f1"], True)
    with AnyReader([folder / "bag"]) as reader:  # its own metadata, a bag in itself
        kept = numbers_in(*segments(folder / "bag"))
        assert reader.message_count == len(kept)
    assert set(range(15, 33)) <= set(kept) <= set(range(10, 40))
    assert set(kept).isdisjoint(numbers_in(*segments(tmp_path / "r/ring")))
    links = {path.stat().st_nlink for path in segments(folder / "bag")}
    assert links == {1}, "the ring has let them go"


def test_events_stay_in_the_order_of_their_marks(tmp_path: Path) -> None:
    """After a start, too: the oldest go first, and the clock may have been set back."""
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL))
    for number, name in enumerate(["2026_a", "2027_b", "1970_c"]):
        fill(recording, range(20 * number, 20 * number + 20))
        recording.keep(event(name, 0.2 * number, 0.2 * number + 0.1))
    recording.close()
    again = session(tmp_path / "r", replace(SETTINGS, ring=SMALL))
    assert [one.name for one in again.events.events] == ["2026_a", "2027_b", "1970_c"]
    again.close()


def test_an_event_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    first = session(tmp_path / "r")
    fill(first, range(3))
    first.keep(event("e1", 0.0, 0.05))
    first.tick(10.0)
    first.abandon()  # as after kill -9
    second = session(tmp_path / "r")
    assert second.events.events[0].is_complete is False
    fill(second, range(3, 10))
    second.close()
    assert second.events.events[0].is_complete
    assert numbers_in(*segments(tmp_path / "r/events/e1/bag")) == list(range(10))


def test_the_oldest_event_goes_when_the_budget_is_exceeded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = EventRules(350_000, 1.0, 1.0)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL, events=rules))
    for number in range(4):
        fill(recording, range(20 * number, 20 * number + 20))
        recording.keep(event(f"e{number}", 0.2 * number, 0.2 * number + 0.15))
    fill(recording, range(80, 100))
    recording.close()
    names = [e.name for e in recording.events.events]
    assert names == ["e3"] or names == ["e2", "e3"]
    assert recording.events.bytes <= 350_000
    assert sorted(path.name for path in (tmp_path / "r/events").iterdir()) == names
    assert "e0 is removed" in caplog.text
    # An evicted segment's number is never given again, or an event's bag would hold two of it.
    assert session(tmp_path / "r").events.last_number > 0


def test_an_event_is_not_complete_by_segments_of_a_clock_that_was_ahead(tmp_path: Path) -> None:
    """Without a battery the clock jumps, backwards, too."""
    recording = session(tmp_path / "r")
    recording.write(deque([counted(0, START_NS + 3600 * NS_PER_S)]), 0.0)
    recording.close()
    recording.open()
    recording.keep(event("e1", 0.0, 0.05))
    assert not recording.events.events[0].is_complete
    fill(recording, range(1, 10))
    recording.close()
    assert recording.events.events[0].is_complete
    assert numbers_in(*segments(tmp_path / "r/events/e1/bag")) == list(range(1, 10))


def test_an_event_of_which_nothing_is_left_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording = session(tmp_path / "r")
    fill(recording, range(20))
    recording.close()
    recording.open()
    recording.keep(event("e1", -9.0, -5.0))
    assert [e.name for e in recording.events.events] == ["e1"]
    fill(recording, range(20, 21))
    recording.close()
    assert recording.events.events == []
    assert list((tmp_path / "r/events").iterdir()) == []
    assert "nothing of e1 is in the ring any more" in caplog.text


def test_a_folder_that_is_no_event_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session(tmp_path / "r").close()
    (tmp_path / "r/events/mine").mkdir()
    (tmp_path / "r/events/broken").mkdir()
    (tmp_path / "r/events/broken/event.json").write_text("{")
    assert session(tmp_path / "r").events.events == []
    assert [r.message.endswith("the folder is left alone") for r in caplog.records] == [True] * 2
    assert (tmp_path / "r/events/mine").exists()
