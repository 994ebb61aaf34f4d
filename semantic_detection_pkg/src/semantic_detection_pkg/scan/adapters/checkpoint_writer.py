"""Writes checkpoints in a thread: the disk may take its time, the scan may not."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.scan.adapters.checkpoint_file import CheckpointFile
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    CheckpointEncoder,
    CheckpointError,
    Head,
    encode,
)
from semantic_detection_pkg.scan.core.ended_goals import EndedGoal, encode_ended

_AGAIN_S = 1.0  # until what failed is tried again
_STOP_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Job:
    """A checkpoint to be written; without one the mission has ended, and with all told the file.

    Attributes:
        ended: goals whose results are kept, all of them.
    """

    number: int
    checkpoint: Checkpoint | None
    head: Head
    ended: tuple[EndedGoal, ...] = ()


class CheckpointWriter:
    """Writes the newest checkpoint that it was offered; older ones do not matter any more.

    Attributes:
        took_s: [s] that the newest one took.
    """

    def __init__(self, file: CheckpointFile, ended_file: CheckpointFile) -> None:
        """Write nothing yet; `start` begins the thread."""
        self.took_s = 0.0
        self._file = file
        self._ended_file = ended_file
        self._ended: tuple[EndedGoal, ...] = ()  # in the file, as far as it is known
        self._encoder = CheckpointEncoder()
        self._changed = threading.Condition()
        self._job: Job | None = None
        self._kept = 0
        self._fault = ""
        self._is_ending = False
        self._thread: threading.Thread | None = None

    @property
    def kept(self) -> int:
        """Return the number of the newest job that is on the medium."""
        with self._changed:
            return self._kept

    @property
    def fault(self) -> str:
        """Return why the newest try failed; empty: it did not."""
        with self._changed:
            return self._fault

    def start(self) -> None:
        """Begin the thread."""
        self._thread = threading.Thread(target=self._run, name="checkpoint writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what was offered last, once, and end the thread; a disk that hangs is left."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def offer(self, job: Job) -> None:
        """Have a job done soon, in place of what waits."""
        with self._changed:
            self._job = job
            self._changed.notify_all()

    def write_newest(self) -> None:
        """Do the job that waits; where that fails it waits on, unless a newer one has come."""
        with self._changed:
            job, self._job = self._job, None
        if job is None:
            return
        began_s = time.monotonic()
        try:
            self._write(job)
        except (StorageError, CheckpointError) as error:
            with self._changed:
                self._fault = str(error)
                self._job = self._job or job
            return
        with self._changed:
            self._kept, self._fault = job.number, ""
            self.took_s = time.monotonic() - began_s

    def _write(self, job: Job) -> None:
        if not self._file.is_open:
            self._file.open()
            self._file.set_aside()  # nobody has read it
        if job.ended != self._ended:
            # First: whoever finds no mission any more must find how it ended.
            self._ended_file.write(encode_ended(job.ended))
            self._ended = job.ended
        if job.checkpoint is not None:
            self._file.write(encode(job.head, self._encoder.body(job.checkpoint)))
        elif job.head.untold:
            self._file.write(encode(job.head, b""))
        else:
            self._file.remove()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._fault and not self._is_ending:
                    self._changed.wait(_AGAIN_S)
                self._changed.wait_for(lambda: self._job is not None or self._is_ending)
                is_last = self._is_ending
            self.write_newest()
            if is_last:
                return
