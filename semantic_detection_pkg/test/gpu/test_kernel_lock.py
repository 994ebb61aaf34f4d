"""The kernel lock between real processes, and the epoch file."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import patience, wait_until

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.gpu.detector_lock import DetectorLock
from semantic_detection_pkg.gpu.epoch_file import read_epoch, write_epoch
from semantic_detection_pkg.gpu.errors import LockError, NoSharedFolderError
from semantic_detection_pkg.gpu.lock import KernelLock, holder_pid, is_free
from semantic_detection_pkg.gpu.lock_witness import LockWitness

_HOLD = """
import sys, time
from semantic_detection_pkg.gpu.lock import KernelLock
lock = KernelLock(sys.argv[1])
lock.acquire(5.0)
print("held", flush=True)
time.sleep(3600)  # until it is killed
"""


def pid_of(witness: LockWitness) -> int | None:
    holder = witness.holder()
    return None if holder is None else holder.pid


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds `tmp_path/gpu.lock`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "gpu.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_one_holder_at_a_time(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    path = tmp_path / "gpu.lock"
    assert not KernelLock(path).try_acquire()
    assert not is_free(path)
    assert holder_pid(path) == holder.pid
    with pytest.raises(LockError, match="is held by another process for 0.01 s"):
        KernelLock(path).acquire(0.01)


def test_death_gives_it_back(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGSTOP)
    assert not is_free(tmp_path / "gpu.lock"), "a stalled holder still holds"
    holder.kill()
    wait_until(lambda: is_free(tmp_path / "gpu.lock"), "the lock")
    assert holder_pid(tmp_path / "gpu.lock") is None


def test_waiting_ends_with_the_release(tmp_path: Path) -> None:
    first, second = KernelLock(tmp_path / "gpu.lock"), KernelLock(tmp_path / "gpu.lock")
    first.acquire(0.0)
    threading.Timer(0.05, first.release).start()
    with second.held(patience(5.0)):
        assert second.is_held
        assert not first.try_acquire()
    assert first.try_acquire()
    first.release()


def test_a_forked_child_does_not_keep_it(tmp_path: Path) -> None:
    lock = KernelLock(tmp_path / "gpu.lock")
    lock.acquire(0.0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)  # lives until the parent's end of the pipe closes
        os._exit(0)
    os.close(reader)
    try:
        assert not is_free(lock.path), "the parent holds it on"
        lock.release()
        wait_until(lambda: is_free(lock.path), "the lock, which the child must not keep")
    finally:
        os.close(writer)
        os.waitpid(child, 0)


def test_an_executed_child_does_not_keep_it(tmp_path: Path) -> None:
    lock = KernelLock(tmp_path / "gpu.lock")
    lock.acquire(0.0)
    child = subprocess.Popen(["sleep", "3600"], close_fds=False)
    try:
        lock.release()
        assert is_free(lock.path)
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_replaced_file_is_noticed(tmp_path: Path, is_made_anew: bool) -> None:
    lock = KernelLock(tmp_path / "gpu.lock")
    lock.acquire(0.0)
    lock.check()
    lock.path.unlink()
    if is_made_anew:
        assert is_free(lock.path), "a second lock"
    with pytest.raises(LockError, match="was removed or replaced"):
        lock.check()
    lock.release()
    with pytest.raises(LockError, match="is not held"):
        lock.check()
    assert lock.try_acquire(), "the new file is a lock again"
    lock.check()
    lock.release()


@pytest.mark.parametrize("is_taken", [False, True])
def test_who_holds_it_all_the_time_takes_the_new_file(
    tmp_path: Path, is_taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    lock, other = KernelLock(tmp_path / "gpu.lock"), KernelLock(tmp_path / "gpu.lock")
    lock.acquire(0.0)
    lock.renew()
    assert caplog.text == ""
    lock.path.unlink()
    if is_taken:
        other.acquire(0.0)
        for _ in range(2):
            with pytest.raises(LockError, match="held by another process"):
                lock.renew()
        other.release()
    lock.renew()
    assert "the lock is held again now" in caplog.text
    assert not other.try_acquire()
    lock.release()


def test_a_witness_sees_who_holds_a_file_that_was_replaced(
    tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gpu.lock"
    open_files = os.listdir("/proc/self/fd")
    witness = LockWitness(path)
    assert (witness.is_free(), pid_of(witness)) == (False, holder.pid)
    for _ in range(2):
        path.unlink()
        assert is_free(path), "who looks at the path only is deceived"
        assert (witness.is_free(), pid_of(witness)) == (False, holder.pid)
    assert caplog.text.count("was removed or replaced") == 2
    holder.kill()
    holder.wait()
    assert (witness.is_free(), pid_of(witness)) == (True, None)
    lock = KernelLock(path)
    lock.acquire(0.0)
    assert (witness.is_free(), pid_of(witness)) == (False, os.getpid())
    lock.release()
    witness.close()
    assert os.listdir("/proc/self/fd") == open_files


def test_mode_and_bad_places(tmp_path: Path) -> None:
    lock = KernelLock(tmp_path / "gpu.lock")
    lock.acquire(0.0)
    assert lock.path.stat().st_mode & 0o777 == 0o660
    with pytest.raises(LockError, match="held by this process already"):
        lock.try_acquire()
    lock.release()
    lock.release()
    with pytest.raises(LockError, match="No such file or directory"):
        KernelLock(tmp_path / "nowhere" / "deeper" / "gpu.lock").try_acquire()
    made = KernelLock(tmp_path / "r1" / "gpu.lock")
    assert made.try_acquire(), "the folder of a robot is made"
    made.release()
    (tmp_path / "link").symlink_to(lock.path)
    with pytest.raises(LockError, match="link: "):
        KernelLock(tmp_path / "link").try_acquire()
    assert holder_pid(tmp_path / "nowhere") is None


def test_epoch_file(tmp_path: Path) -> None:
    path = tmp_path / "gpu.epoch"
    assert read_epoch(path) == 0
    write_epoch(path, 2**64 - 1)
    assert read_epoch(path) == 2**64 - 1
    for text in ("", "-1", "x", str(2**64), "1 2"):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="allowed is a number"):
            read_epoch(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        write_epoch(tmp_path / "nowhere" / "gpu.epoch", 1)


def test_the_detector_without_a_shared_folder(tmp_path: Path) -> None:
    folder = tmp_path / "not there" / "tier3"
    lock = DetectorLock(str(folder / "gpu.lock"), "robot 0 /")
    lock.take(0.0)
    lock.renew()
    folder.mkdir(parents=True)
    lock.renew()
    assert not is_free(folder / "gpu.lock"), "it is held from the moment it can be"
    shutil.rmtree(folder.parent)
    with pytest.raises(NoSharedFolderError, match="is not there and cannot be made"):
        lock.renew()  # who has the old file open may compute
    lock.release()


def test_the_detector_takes_no_lock_that_another_holds(tmp_path: Path) -> None:
    other = KernelLock(tmp_path / "gpu.lock")
    other.acquire(0.0)
    lock = DetectorLock(str(tmp_path / "gpu.lock"), "robot 0 /")
    with pytest.raises(LockError, match="is held by another process"):
        lock.take(0.0)
    other.release()
