"""The arbiter's thread with a real lock and epoch file, and a detector that does as it is told."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest
from patience import patience, wait_until

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.gpu.core.arbiter import Arbiter
from semantic_detection_pkg.gpu.core.messages import Answer, DetectorIs, Life, Transition
from semantic_detection_pkg.gpu.core.turns import ArbiterRules, TurnState
from semantic_detection_pkg.gpu.epoch_file import read_epoch, write_epoch
from semantic_detection_pkg.gpu.lock import KernelLock, find_holder
from semantic_detection_pkg.gpu.runner import ArbiterRunner

RULES = ArbiterRules(
    min_dwell_s=0.0,
    max_share=1.0,
    grace_period_s=0.1,
    answer_timeout_s=patience(0.2),
    pause_timeout_s=patience(5.0),
)
OURS = "robot 0 /r1"
_AFTER = {
    Transition.CONFIGURE: Life.INACTIVE,
    Transition.CLEANUP: Life.UNCONFIGURED,
    Transition.ACTIVATE: Life.ACTIVE,
    Transition.DEACTIVATE: Life.INACTIVE,
}


class Obedient:
    """A detector that answers at once."""

    def __init__(self) -> None:
        self.life = Life.UNCONFIGURED
        self.runner: ArbiterRunner | None = None

    def query_state(self, serial: int) -> None:
        assert self.runner is not None
        self.runner.tell(DetectorIs(serial, self.life))

    def order(self, serial: int, transition: Transition) -> None:
        if (self.life, transition) != (Life.UNCONFIGURED, Transition.ACTIVATE):
            self.life = _AFTER[transition]
        self.query_state(serial)


class Stand:
    """A runner and what it has shown."""

    def __init__(self, folder: Path) -> None:
        self.lock, self.epoch = folder / "gpu.lock", folder / "gpu.epoch"
        self.seen: list[Arbiter] = []
        self.detector = Obedient()
        self.runner = ArbiterRunner(
            RULES, self.lock, self.epoch, [OURS], lambda arbiter, _: self.seen.append(arbiter)
        )
        self.detector.runner = self.runner

    def start(self) -> Stand:
        self.runner.start(self.detector)
        self.wait(TurnState.DETECTOR)
        return self

    def wait(self, mode: TurnState) -> Arbiter:
        wait_until(lambda: bool(self.seen) and self.seen[-1].mode is mode, mode.value)
        return self.seen[-1]

    def ask(self) -> Answer:
        answers: Queue[Answer] = Queue()
        self.runner.ask("me", "test", 0, 60.0, patience(5.0), answers.put)
        return answers.get(timeout=patience(10.0))

    def release(self, epoch: int) -> Answer:
        answers: Queue[Answer] = Queue()
        self.runner.release("me", epoch, answers.put)
        return answers.get(timeout=patience(10.0))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path).start()
    yield stand
    stand.runner.stop()


def test_lease_and_return(stand: Stand) -> None:
    answer = stand.ask()
    assert answer.lease is not None
    assert stand.detector.life is Life.INACTIVE
    assert read_epoch(stand.epoch) == answer.lease.epoch
    assert stand.release(answer.lease.epoch).reason == ""
    stand.wait(TurnState.DETECTOR)
    assert read_epoch(stand.epoch) == answer.lease.epoch + 1


def test_epochs_go_on_where_an_earlier_run_ended(tmp_path: Path) -> None:
    write_epoch(tmp_path / "gpu.epoch", 41)
    stand = Stand(tmp_path).start()
    assert read_epoch(stand.epoch) == 42
    stand.runner.stop()


@contextmanager
def holding(lock: Path, owner: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock and does not leave."""
    script = (
        "import sys, time; from semantic_detection_pkg.gpu.lock import KernelLock\n"
        "lock = KernelLock(*sys.argv[1:]); lock.acquire(5.0); print('held', flush=True)\n"
        "time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(lock), owner], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
        holder.kill()


def test_who_does_not_leave_is_ended(stand: Stand) -> None:
    """A process that holds the kernel lock beyond the lease's end and the grace."""
    answer = stand.ask()
    assert answer.lease is not None
    with holding(stand.lock, OURS) as holder:
        stand.release(answer.lease.epoch)
        assert holder.wait(patience(10.0)) == -9
    stand.wait(TurnState.DETECTOR)


@pytest.mark.parametrize("owner", ["", "robot 0 /r2", "model /run/tier3/r2/gpu.epoch"])
def test_what_belongs_to_somebody_else_is_never_ended(
    stand: Stand, owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = stand.ask()
    assert answer.lease is not None
    with holding(stand.lock, owner) as holder:
        stand.release(answer.lease.epoch)
        said = f"of '{owner or 'nobody known'}', which is not ours and is not ended"
        wait_until(lambda: said in caplog.text, "the arbiter's word")
        assert holder.poll() is None
    stand.wait(TurnState.DETECTOR)


def test_a_signature_of_the_dead_is_not_the_holder_s(stand: Stand) -> None:
    """What ours signed before it died, somebody else may hold."""
    with holding(stand.lock, OURS):
        assert find_holder(stand.lock).owner == OURS
    with stand.lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert find_holder(stand.lock) == (os.getpid(), "")


def test_a_held_lock_keeps_the_lease_back_until_it_is_free(stand: Stand) -> None:
    lock = KernelLock(stand.lock)
    lock.acquire(0.0)
    answers: Queue[Answer] = Queue()
    stand.runner.ask("me", "test", 0, 60.0, patience(5.0), answers.put)
    stand.wait(TurnState.PAUSING)
    wait_until(lambda: stand.detector.life is Life.INACTIVE, "the detector's pause")
    looks = len(stand.seen)
    wait_until(lambda: len(stand.seen) > looks + 2, "the arbiter to look at the lock again")
    assert answers.empty()
    lock.release()
    assert answers.get(timeout=patience(10.0)).lease is not None


def test_nothing_is_granted_that_is_not_published(stand: Stand, tmp_path: Path) -> None:
    """The epoch cannot be written: the lease waits until it can."""
    stand.epoch.unlink()
    stand.epoch.mkdir()
    answers: Queue[Answer] = Queue()
    stand.runner.ask("me", "test", 0, 60.0, patience(5.0), answers.put)
    wait_until(lambda: stand.detector.life is Life.INACTIVE, "the detector's pause")
    assert answers.empty()
    stand.epoch.rmdir()
    lease = answers.get(timeout=patience(10.0)).lease
    assert lease is not None
    assert read_epoch(stand.epoch) == lease.epoch


def test_the_end_answers_who_waits(stand: Stand) -> None:
    stand.ask()
    answers: Queue[Answer] = Queue()
    stand.runner.ask("you", "test", 0, 5.0, 60.0, answers.put)
    stand.runner.stop()
    assert answers.get(timeout=patience(5.0)).reason == "the arbiter stops"
    stand.runner.ask("late", "test", 0, 5.0, 60.0, answers.put)
    assert answers.get(timeout=patience(5.0)).reason == "the arbiter stops"


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "gpu.epoch").write_text("seven")
    with pytest.raises(ConfigurationError, match="'seven', allowed is a number"):
        ArbiterRunner(RULES, tmp_path / "gpu.lock", tmp_path / "gpu.epoch", [])


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A shared folder that is missing and cannot be made: so is the one above it."""
    return tmp_path / "not there" / "tier3"


def test_without_the_shared_folder_the_detector_has_the_gpu(nowhere: Path) -> None:
    stand = Stand(nowhere).start()
    try:
        assert stand.detector.life is Life.ACTIVE
        answer = stand.ask()
        assert answer.lease is None
        assert answer.reason == (
            f"tier 3 is off: folder {nowhere} is not there and cannot be made: "
            "No such file or directory"
        )
        assert stand.seen[-1].mode is TurnState.DETECTOR
    finally:
        stand.runner.stop()


def test_tier_3_is_on_when_its_folder_comes(nowhere: Path) -> None:
    stand = Stand(nowhere).start()
    try:
        nowhere.mkdir(parents=True)
        write_epoch(nowhere / "gpu.epoch", 41)
        wait_until(lambda: not stand.runner.why_off, "the folder to be noticed")
        stand.wait(TurnState.DETECTOR)
        answer = stand.ask()
        assert answer.lease is not None
        assert answer.lease.epoch > 41, "epochs never fall"
        assert read_epoch(nowhere / "gpu.epoch") == answer.lease.epoch
    finally:
        stand.runner.stop()


def test_a_lock_file_that_cannot_be_opened_is_no_missing_folder(tmp_path: Path) -> None:
    """Somebody may hold it: that is no reason to compute without it."""
    (tmp_path / "gpu.lock").mkdir()
    with pytest.raises(ConfigurationError, match=r"lock file .*gpu\.lock: Is a directory"):
        Stand(tmp_path)
