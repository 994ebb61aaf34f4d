"""What a recording survives: kill -9 at any moment, truncation at any place, missing metadata."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import recording_victim as victim
from patience import patience, wait_until
from recording_reader import numbers_in

from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    read_segment,
)
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from simulation_pkg.harness.recorded_messages import counted

#: 200 in the long run, which is for a quiet machine: there a second is a second.
KILLS = int(os.environ.get("RECORDER_KILLS", "20"))
LONGEST_S, SEGMENT_BYTES = (patience(0.15), 100_000) if KILLS <= 20 else (1.6, 1_000_000)
LOST_S = patience(1.0) if KILLS <= 20 else 1.0

PER_SEGMENT = 40
SETTINGS = SessionSettings(RingRules(1 << 30, 0, 1 << 20, 3600.0), EventRules(1 << 30, 1.0, 1.0))


def session(folder: Path) -> RecordingSession:
    return RecordingSession(folder, SETTINGS, Disk())


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "ring").glob("*.mcap"))


def record(folder: Path, first: int, count: int, flush_every: int = 10) -> Path:
    """A finished segment of counted messages in chunks of `flush_every`."""
    recording = session(folder)
    recording.open()
    for number in range(first, first + count):
        recording.write(deque([counted(number, padding=300)]), float(number))
        if number % flush_every == flush_every - 1:
            recording.tick(float(number))
    recording.close()
    return segments(folder)[-1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two segments."""
    folder = tmp_path_factory.mktemp("finished")
    record(folder, 0, PER_SEGMENT)
    record(folder, PER_SEGMENT, PER_SEGMENT)
    return folder


# ------------------------------------------------------------------------------- truncation


def places(path: Path) -> dict[str, int]:
    """Lengths to cut a segment to, by what is hit."""
    data = path.read_bytes()
    ends: dict[int, list[tuple[int, int]]] = {}
    position = 8
    while position < len(data) - 8:
        opcode, length = struct.unpack_from("<BQ", data, position)
        ends.setdefault(opcode, []).append((position, position + 9 + length))
        position += 9 + length
    chunks, indexes, data_end, footer = ends[0x06], ends[0x07], ends[0x0F], ends[0x02]
    return {
        "nothing left": 0,
        "in the magic": 5,
        "in the header": ends[0x01][0][0] + 7,
        "after the header": ends[0x01][0][1],
        "in the first chunk": chunks[0][0] + 1000,
        "after the first chunk": chunks[0][1],
        "in a chunk's index": indexes[1][0] + 12,
        "in a chunk's head": chunks[2][0] + 5,
        "in the last chunk": chunks[-1][1] - 1,
        "before the end of data": data_end[0][0],
        "in the summary": data_end[0][1] + 40,
        "before the footer": footer[0][0],
        "in the footer": footer[0][0] + 15,
        "in the last magic": len(data) - 1,
    }


KEPT = {
    "nothing left": 0,
    "in the magic": 0,
    "in the header": 0,
    "after the header": 0,
    "in the first chunk": 0,
    "after the first chunk": 10,
    "in a chunk's index": 20,
    "in a chunk's head": 20,
    "in the last chunk": 30,
}


@pytest.mark.parametrize("suffix", ["", ".part"])
@pytest.mark.parametrize("tail", [b"", bytes(20_000)], ids=["cut", "zeros"])
def test_a_cut_segment_keeps_its_whole_chunks(
    finished: Path, tmp_path: Path, suffix: str, tail: bytes
) -> None:
    original = segments(finished)[-1]
    for place, length in places(original).items():
        folder = tmp_path / place.replace(" ", "_")
        shutil.copytree(finished, folder)
        victim_path = segments(folder)[-1]
        victim_path.unlink()
        broken = victim_path.with_name(victim_path.name + suffix)
        broken.write_bytes(original.read_bytes()[:length] + tail)
        session(folder).open()
        kept = KEPT.get(place, PER_SEGMENT)
        assert numbers_in(*segments(folder)) == list(range(PER_SEGMENT + kept)), place
        assert sorted(path.name for path in (folder / "ring").iterdir()) == [
            "metadata.yaml",
            *(path.name for path in segments(folder)),
        ], place


def test_a_damaged_chunk_ends_what_is_kept(finished: Path, tmp_path: Path) -> None:
    """Bytes that changed are found by the CRC; a damaged summary does not hide the messages."""
    shutil.copytree(finished, tmp_path / "copy")
    path = segments(tmp_path / "copy")[-1]
    data = bytearray(path.read_bytes())
    at = places(path)
    data[at["in the summary"]] ^= 0xFF
    data[at["in the last chunk"] - 20] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnfinishedSegmentError, match="CRC"):
        read_segment(path, 2)
    session(tmp_path / "copy").open()
    assert numbers_in(*segments(tmp_path / "copy")) == list(range(PER_SEGMENT + 30))


def test_a_repair_that_was_cut_off_is_done_again(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    ring = tmp_path / "copy/ring"
    (ring / "ring_0000002.mcap").rename(ring / "ring_0000002.mcap.part")
    (ring / "ring_0000002.mcap.repair").write_bytes(b"half of it")
    (ring / ".metadata.yaml.new").write_bytes(b"half of it")
    session(tmp_path / "copy").open()
    assert numbers_in(*segments(tmp_path / "copy")) == list(range(2 * PER_SEGMENT))
    assert len(list(ring.iterdir())) == 3


@pytest.mark.parametrize("content", [None, b"", b"rosbag2_bagfile_information: [", b"\xff\xfe"])
def test_metadata_is_made_from_the_segments(
    finished: Path, tmp_path: Path, content: bytes | None
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    path = tmp_path / "copy/ring/metadata.yaml"
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    session(tmp_path / "copy").open()
    assert path.read_bytes() == before


def test_half_a_row_is_cut_off(tmp_path: Path) -> None:
    rows = RecordingSession(tmp_path, SETTINGS, Disk(), lambda _: [("gimbal", {"a": 1})])
    rows.open()
    rows.write(deque([counted(1)]), 0.0)
    rows.tick(1.0)
    rows.abandon()
    table = tmp_path / "tables/gimbal_0000001.jsonl"
    with table.open("ab") as file:
        file.write(b'{"a":')
    session(tmp_path).open()
    assert table.read_bytes() == b'{"a":1}\n'


def test_a_thousand_segments_are_opened_in_time(finished: Path, tmp_path: Path) -> None:
    """Metadata lost, the last segment open: 5 s are the goal on the reference machine."""
    ring = tmp_path / "ring"
    ring.mkdir()
    (tmp_path / "one").mkdir()
    data = record(tmp_path / "one", 0, 2).read_bytes()
    for number in range(1, 1001):
        (ring / f"ring_{number:07d}.mcap").write_bytes(data)
    (ring / "ring_0001000.mcap").rename(ring / "ring_0001000.mcap.part")
    recording = session(tmp_path)
    start_s = time.perf_counter()
    recording.open()
    elapsed_s = time.perf_counter() - start_s
    assert len(recording.ring.segments) == 1000
    assert elapsed_s < patience(5.0)


# ------------------------------------------------------------------------------- kill -9


@pytest.fixture(scope="module")
def victims() -> Iterator[Callable[[Path, float], int]]:
    """Starts a recording process; the process before must have been killed."""
    with subprocess.Popen(
        [sys.executable, victim.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as server:

        def start(folder: Path, flush_s: float) -> int:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(f"{folder} {flush_s} {SEGMENT_BYTES}\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield start
        server.kill()


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_kill_9_loses_nothing_that_was_written(
    tmp_path: Path, victims: Callable[[Path, float], int]
) -> None:
    """Into the same folder again and again, so each round also begins with a repair."""
    dice = random.Random(7)
    before: dict[str, bytes] = {}
    last_number = -1
    for round_number in range(KILLS):
        flush_s = dice.choice([0.02, 0.1, 0.3])
        pid = victims(tmp_path, flush_s)
        told_path = tmp_path / "told.bin"
        end_s = time.monotonic() + dice.uniform(0.0, LONGEST_S)
        while time.monotonic() < end_s:  # a random moment is what is tested
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        killed_ns = time.time_ns()
        _lock_when_dead(tmp_path)
        told = told_path.read_bytes() if told_path.exists() else b""
        written, first_ns = victim.TOLD.unpack(told) if len(told) == 16 else (0, 0)
        finished = {path.name: path.read_bytes() for path in segments(tmp_path)}
        recording = RecordingSession(tmp_path, victim.settings(flush_s, SEGMENT_BYTES), Disk())
        recording.open()
        assert not list((tmp_path / "ring").glob("*.part"))
        for name, data in finished.items():
            assert (tmp_path / "ring" / name).read_bytes() == data, "a finished one was touched"
        new = [path for path in segments(tmp_path) if path.name not in before]
        found, newest_ns = _read(new)
        assert found == list(range(len(found))), f"round {round_number}: a gap"
        assert len(found) >= written, f"round {round_number}: {len(found)} of {written} written"
        lost_ns = killed_ns - max(newest_ns, first_ns) if first_ns else 0
        assert lost_ns < LOST_S * 1e9, f"round {round_number}: {lost_ns / 1e9:.2f} s are lost"
        before = {path.name: b"" for path in segments(tmp_path)}
        last_number = max(last_number, recording.ring.segments[-1].number if before else 0)
        told_path.unlink(missing_ok=True)
        recording.close()
    assert last_number >= 1, "nothing was recorded at all"


def _lock_when_dead(folder: Path) -> None:
    """The kernel frees the lock of a killed process when all of it is gone."""

    def is_free() -> bool:
        try:
            Disk().lock(folder).release()
        except BlockingIOError:
            return False
        return True

    wait_until(is_free, "the end of the process", 20.0)


def _read(paths: list[Path]) -> tuple[list[int], int]:
    from mcap.reader import make_reader

    numbers: list[int] = []
    newest_ns = 0
    for path in paths:
        with path.open("rb") as file:
            for _, _, message in make_reader(file, validate_crcs=True).iter_messages():
                numbers.append(victim.number_in(message.data))
                newest_ns = max(newest_ns, message.log_time)
    return numbers, newest_ns
