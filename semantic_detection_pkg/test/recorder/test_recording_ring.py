"""The ring on the disk: its budget, the age of segments, disks that are full."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_disk import FakeDisk
from recording_reader import numbers_in
from recording_sessions import SMALL, fill, segments, session, used
from rosbags.highlevel import AnyReader

from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.tables import Row
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS
from simulation_pkg.harness.scan_recording import SETTINGS


def test_ten_turnovers_keep_the_budget_and_the_newest(tmp_path: Path) -> None:
    rows = [("gimbal", {"text": "x" * 200})]
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL), rows_of=lambda _: rows)
    for number in range(250):  # 250 x 20 kB are ten times the budget
        fill(recording, range(number, number + 1), padding=20_000)
        recording.tick(number / 10)
        assert used(tmp_path / "r") <= SMALL.max_ring_bytes + SMALL.segment_bytes
        assert recording.bytes_used <= SMALL.max_ring_bytes + SMALL.segment_bytes
    recording.close()
    ring = tmp_path / "r/ring"
    kept = numbers_in(*segments(ring))
    assert kept == list(range(kept[0], 250))
    assert len(kept) * 20_000 >= SMALL.max_ring_bytes - 2 * SMALL.segment_bytes
    with AnyReader([ring]) as reader:
        assert reader.message_count == len(kept)
    tables = sorted((tmp_path / "r/tables").iterdir())
    assert [t.stem[-7:] for t in tables] == [s.stem[-7:] for s in segments(ring)]
    assert sum(len(t.read_text().splitlines()) for t in tables) == len(kept)
    assert recording.oldest_ns == START_NS + kept[0] * NS_PER_S // 100


def test_a_message_that_makes_no_row_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def rows_of(message: Message) -> Iterable[Row]:
        yield "gimbal", {"bad": message.data[1 << 30]}

    recording = session(tmp_path / "r", rows_of=rows_of)
    fill(recording, range(3))
    recording.close()
    assert numbers_in(*segments(tmp_path / "r/ring")) == [0, 1, 2]
    assert [r.message for r in caplog.records] == [
        "a message of /counted makes no row: IndexError('index out of range')"
    ]


def test_a_segment_is_closed_by_age(tmp_path: Path) -> None:
    rules = replace(SMALL, segment_duration_s=5.0)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules))
    fill(recording, range(1), padding=0)
    recording.tick(4.9)
    assert segments(tmp_path / "r/ring") == []
    recording.tick(5.0)
    assert numbers_in(*segments(tmp_path / "r/ring")) == [0]


def test_the_free_space_floor_is_kept(tmp_path: Path) -> None:
    disk = FakeDisk(tmp_path / "r")
    disk.capacity_bytes = 1_000_000
    rules = replace(SMALL, max_ring_bytes=1 << 30, min_free_bytes=400_000)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules), disk)
    for number in range(200):
        fill(recording, range(number, number + 1))
        recording.tick(float(number))
        assert disk.room() >= 400_000
    recording.close()
    kept = numbers_in(*segments(tmp_path / "r/ring"))
    assert kept == list(range(kept[0], 200))


def test_a_full_disk_makes_the_oldest_go_and_loses_nothing_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else fills the disk: no floor helps, the write itself finds it full."""
    disk = FakeDisk(tmp_path / "r")
    rules = replace(SMALL, max_ring_bytes=1 << 30)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules), disk)
    fill(recording, range(40))
    disk.capacity_bytes = used(tmp_path / "r")
    fill(recording, range(40, 120))
    recording.close()
    kept = numbers_in(*segments(tmp_path / "r/ring"))
    assert kept == list(range(kept[0], 120))
    assert kept[0] > 0
    assert [record.message for record in caplog.records if "full" in record.message] == [
        f"the disk of {tmp_path / 'r'} is full up to the floor: the oldest segments are removed"
    ]
    with AnyReader([tmp_path / "r/ring"]) as reader:
        assert reader.message_count == len(kept)


def test_what_did_not_get_to_the_disk_is_given_back(tmp_path: Path) -> None:
    disk = FakeDisk(tmp_path / "r")
    recording = session(tmp_path / "r", SETTINGS, disk)
    fill(recording, range(5))
    recording.tick(10.0)
    fill(recording, range(5, 8))
    disk.capacity_bytes = used(tmp_path / "r") + 15_000  # half of the chunk
    with pytest.raises(OSError, match="No space"):
        recording.tick(20.0)
    pending = recording.abandon()
    assert len(pending) == 3
    disk.capacity_bytes = None
    recording.open()
    recording.write(deque(pending), 30.0)
    recording.close()
    assert numbers_in(*segments(tmp_path / "r/ring")) == list(range(8))
    assert recording.written == 8
