"""The recorder's thread on disks that fail: one line each, and back to work when they are back."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_disk import FakeDisk
from patience import patience, wait_until
from recording_reader import numbers_in
from recording_sessions import FLUSHED_SOON as SETTINGS

from semantic_detection_pkg.errors import ConfigurationError, StorageError
from semantic_detection_pkg.recorder.storage import recorder as recorder_module
from semantic_detection_pkg.recorder.storage.recorder import Recorder, RecorderState
from semantic_detection_pkg.recorder.storage.session import SessionSettings
from simulation_pkg.harness.recorded_messages import START_NS, counted

MB = 1 << 20


class Stand:
    """A recorder on a fake disk, and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "out"
        self.disk = FakeDisk(self.folder)
        self.offered = 0

    def start(self, queue_bytes: int = 8 * MB, settings: SessionSettings = SETTINGS) -> Recorder:
        self.recorder = Recorder(self.folder, settings, queue_bytes, disk=self.disk)
        self.recorder.start()
        return self.recorder

    def offer(self, count: int, padding: int = 1000, *, is_frame: bool = False) -> None:
        for _ in range(count):
            self.recorder.offer(counted(self.offered, padding=padding), is_frame=is_frame)
            self.offered += 1

    def wait(self, condition: Callable[[RecorderState], object], what: str) -> RecorderState:
        def state() -> RecorderState | None:
            now = self.recorder.state
            return now if condition(now) else None

        found = wait_until(state, what, 20.0)
        assert found is not None
        return found

    def numbers(self) -> list[int]:
        return numbers_in(*sorted((self.folder / "ring").glob("*.mcap")))


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr(recorder_module, "_RETRY_S", 0.05)
    monkeypatch.setattr(recorder_module, "_STATE_S", 0.02)
    stand = Stand(tmp_path)
    yield stand
    stand.recorder.stop()


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.ERROR) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= level]


def test_from_start_to_stop(stand: Stand) -> None:
    stand.start()
    stand.offer(50)
    state = stand.wait(lambda s: s.written == 50, "50 messages")
    assert (state.fault, state.dropped, state.drop_reason) == ("", {}, "")
    assert state.bytes_used > 50_000
    assert state.oldest_ns == START_NS
    stand.offer(5)
    stand.recorder.stop()
    assert stand.numbers() == list(range(55))
    assert stand.recorder.state.segments == 1


@pytest.mark.parametrize("error", [errno.EROFS, errno.EIO, errno.EACCES])
def test_a_disk_that_refuses_is_said_once_and_tried_again(
    stand: Stand, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    caplog.set_level(logging.INFO)
    stand.start()
    stand.offer(10)
    stand.wait(lambda s: s.written == 10, "the first messages")
    stand.disk.error = error
    stand.offer(10)
    state = stand.wait(lambda s: s.fault, "the fault")
    assert "cannot write to" in state.fault
    with pytest.raises(StorageError, match="nothing is recorded now: cannot write to"):
        stand.recorder.mark("x", START_NS, 1.0, 1.0)
    stand.offer(10)
    stand.disk.error = 0
    stand.wait(lambda s: s.written == 30 and not s.fault, "recovery")
    stand.recorder.stop()
    assert stand.numbers() == list(range(30)), "the queue held what came meanwhile"
    (line,) = lines(caplog)
    assert line.startswith(f"cannot write to {stand.folder}/ring/ring_0000001.mcap")
    assert line.endswith("; recording goes on when that has changed")
    assert any(text.startswith("recording goes on in") for text in lines(caplog, logging.INFO))


def test_a_folder_that_vanishes_and_comes_back(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not made anew: below a mount point another disk would fill up."""
    stand.start()
    stand.offer(10)
    stand.wait(lambda s: s.written == 10, "the first messages")
    away = stand.folder.with_name("away")
    stand.folder.rename(away)
    stand.offer(10)
    stand.wait(lambda s: "No such file" in s.fault, "the fault")
    assert not stand.folder.exists()
    away.rename(stand.folder)
    stand.wait(lambda s: s.written == 20, "recovery")
    stand.recorder.stop()
    assert stand.numbers() == list(range(20))
    assert len(lines(caplog)) == 1


def test_a_disk_that_is_full_for_good(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.start(queue_bytes=300_000)
    stand.offer(10)
    stand.wait(lambda s: s.written == 10, "the first messages")
    stand.disk.capacity_bytes = stand.disk.root.stat().st_size  # nothing more, nothing to free
    stand.offer(1)
    stand.wait(lambda s: "is full" in s.fault, "the fault")
    stand.offer(399)
    state = stand.wait(lambda s: s.dropped, "drops")
    assert "is full" in state.drop_reason
    assert set(state.dropped) == {("/counted", state.fault)}
    stand.disk.capacity_bytes = None
    stand.wait(lambda s: not s.fault, "recovery")
    stand.offer(10)
    stand.recorder.stop()
    kept = stand.numbers()
    dropped = stand.recorder.state.dropped.total()
    assert len(kept) + dropped == 420, "each message is kept or counted"
    assert kept[:10] + kept[-10:] == [*range(10), *range(410, 420)]
    assert len(lines(caplog)) == 1


def test_a_slow_disk_drops_frames_first_and_never_blocks(stand: Stand) -> None:
    waiting = threading.Event()
    syncs: list[bool] = []
    stand.disk.slow = lambda: syncs.append(waiting.wait(patience(60.0)))
    stand.start(queue_bytes=100_000)
    stand.wait(lambda s: not s.fault, "the start")
    stand.offer(1)
    stand.offer(100, padding=20_000, is_frame=True)
    stand.offer(100, padding=100)
    assert syncs == [], "whoever offers does not wait for the disk"
    waiting.set()
    stand.recorder.stop()
    dropped = stand.recorder.state.dropped
    assert set(dropped) == {("/counted", recorder_module._QUEUE_FULL)}
    assert set(range(101, 201)) <= set(stand.numbers()), "no small message is lost"
    assert dropped.total() + len(stand.numbers()) == 201


def test_events_are_kept_and_named(stand: Stand) -> None:
    stand.start()
    stand.offer(10)
    stand.wait(lambda s: s.written == 10, "the messages")
    paths = [stand.recorder.mark("Tent!", START_NS, 1.0, 0.05) for _ in range(2)]
    assert [path.name for path in paths] == [
        "20231114T221320.000Z_tent",
        "20231114T221320.000Z_tent_2",
    ]
    stand.wait(lambda s: s.events == 2, "the events")
    with pytest.raises(ConfigurationError, match="before_s is nan, a finite number"):
        stand.recorder.mark("x", START_NS, float("nan"), 1.0)
    stand.recorder.stop()
    for path in paths:
        assert numbers_in(*(path / "bag").glob("*.mcap")) == list(range(10))
    assert stand.recorder.state.bytes_events > 0


def test_a_second_recorder_is_kept_out(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.start()
    stand.offer(10)
    stand.wait(lambda s: s.written == 10, "the first messages")
    first, second = stand.recorder, stand.start()
    stand.offer(10)
    stand.wait(lambda s: s.fault.endswith("another recorder uses it"), "the second is refused")
    first.stop()
    stand.wait(lambda s: s.written == 10, "the second takes over")
    second.stop()
    assert stand.numbers() == list(range(20))
    assert len(lines(caplog)) == 1


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConfigurationError, match="the output folder is .*file, a folder is allowed"
    ):
        Recorder(tmp_path / "file", SETTINGS, MB)
    with pytest.raises(ConfigurationError, match="but .*/file is a file"):
        Recorder(tmp_path / "file/below", SETTINGS, MB)


def test_a_real_small_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A tmpfs of 3 MB, somebody else's file on it: the kernel itself says that it is full."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)]
    program = shutil.which("mount")
    if program is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs (CAP_SYS_ADMIN)")
    try:
        (mount / "other").write_bytes(bytes(1_500_000))
        recorder = Recorder(mount / "out", SETTINGS, 64 * MB)
        recorder.start()
        for number in range(300):  # 6 MB
            recorder.offer(counted(number, padding=20_000), is_frame=True)
        recorder.stop()
        kept = numbers_in(*sorted((mount / "out/ring").glob("*.mcap")))
        assert kept == list(range(kept[0], 300))
        assert 30 < len(kept) < 100
        assert recorder.state.dropped == {}
        full = [line for line in lines(caplog, logging.WARNING) if "full" in line]
        assert full == [
            f"the disk of {mount / 'out'} is full up to the floor: the oldest segments are removed"
        ]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_nothing_is_recorded_into_a_settings_mistake() -> None:
    with pytest.raises(ValueError, match="at least one segment"):
        replace(SETTINGS.ring, max_ring_bytes=100)
