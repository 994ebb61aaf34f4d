"""Keeps the mission in hand on the disk, and takes up the one that a controller before had."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.scan.adapters.checkpoint_file import (
    ENDED_NAME,
    FOLDER,
    CheckpointFile,
)
from semantic_detection_pkg.scan.adapters.checkpoint_writer import CheckpointWriter, Job
from semantic_detection_pkg.scan.adapters.machine_clock import moment
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    CheckpointError,
    Head,
    Moment,
    decode,
    resumable,
    to_text,
    with_attempt,
)
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.ended_goals import (
    EndedGoal,
    decode_ended,
    still_kept,
    with_result,
)
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.inputs import Goal, Resume
from semantic_detection_pkg.scan.core.resuming import (
    ATTEMPTS_MAX,
    PROVEN_S,
    CheckpointSchedule,
    Held,
    Outbox,
    reasons_to_ask,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings

_ENDING_S = 5.0


class MissionKeeper:
    """One controller's checkpoints.

    Attributes:
        notices: lines for the log that nobody has taken yet.
        resumed_goal: of the mission that `take_up` returned; None: there was none.
        untold: findings of before `take_up` that are to be told again.
        ended: goals whose results are kept, of before `take_up`, too.
    """

    def __init__(
        self,
        rules: CheckpointSettings,
        settings: ScanSettings,
        files: FileSystem | None = None,
        clock: Callable[[], Moment] = moment,
        steady_s: Callable[[], float] = time.monotonic,
        ending_s: float = _ENDING_S,
    ) -> None:
        """Touch nothing yet; without a folder nothing is kept and nothing waits for the disk.

        Args:
            ending_s: [s] that a controller before may take to end, while `take_up` waits.
        """
        self.notices: list[str] = []
        self.resumed_goal: Goal | None = None
        self.untold: tuple[Finding, ...] = ()
        self.ended: tuple[EndedGoal, ...] = ()
        self._is_untold_kept = False  # in a file without a mission
        self._rules, self._settings = rules, settings
        self._clock, self._steady_s, self._ending_s = clock, steady_s, ending_s
        self._file: CheckpointFile | None = None
        self.writer: CheckpointWriter | None = None
        if rules.output_dir:
            folder = Path(rules.output_dir) / FOLDER
            self._file = CheckpointFile(folder, files)
            self._ended_file = CheckpointFile(folder, files, ENDED_NAME)
            self.writer = CheckpointWriter(self._file, self._ended_file)
        self._schedule = CheckpointSchedule()
        self._outbox = Outbox()
        self._number = 0
        self._attempts = 0
        self._has_asked = False
        self._began_s = steady_s()
        self._fault = ""

    @property
    def fault(self) -> str:
        """Return why the mission is not kept; empty: it is, or is not to be."""
        return "" if self.writer is None else self.writer.fault

    def take_up(self, start: Goal | None = None) -> Resume | None:
        """Return the mission of the controller before, if it is to be resumed.

        Whatever the file holds, this returns: what cannot be resumed is set aside.

        Args:
            start: what would be begun without it; None: nothing.
        """
        file = self._file
        if file is None:
            return None
        try:
            self._open(file)
        except StorageError as error:
            self.notices.append(f"{error}; no mission is resumed")
            return None
        resume = None
        try:
            resume = self._read(file, start)
        except CheckpointError as error:
            self._set_aside(file, error, "it is not resumed")
        except StorageError as error:
            self._set_aside(file, error, "it is not resumed")
            return None  # of a medium that fails one line is enough
        try:
            self._read_ended()
        except (StorageError, CheckpointError) as error:
            self._set_aside(self._ended_file, error, "results of before are not known")
        return resume

    def start(self) -> None:
        """Begin to write."""
        if self.writer is not None:
            self.writer.start()

    def keep(self, controller: ScanController, decision: Decision) -> list[Held]:
        """Keep what a step has reached, and return what may be told to the outside now."""
        now_s = self._steady_s()
        if self.writer is None:
            return [Held(0, now_s, decision.findings, decision.result)]
        if self._has_asked and not controller.is_paused:
            self._attempts = 0  # whoever lets it go on knows of its ends
        self._has_asked = controller.is_paused
        marks = controller.checkpoint_marks()
        is_due = self._schedule.is_due(now_s, marks, self.writer.took_s)
        # A goal may begin and end within a step, or be refused: then the marks are those of before.
        if is_due or decision.result is not None:
            untold = (*self._outbox.findings, *decision.findings)
            if decision.result is not None:
                self.ended = with_result(self.ended, decision.result, self._clock())
            self._offer(self.writer, controller.checkpoint(), untold)
            self._is_untold_kept = marks is None and bool(untold)
        elif self._is_untold_kept and self._outbox.is_empty:
            self._offer(self.writer, None)
            self._is_untold_kept = False
        self._outbox.hold(Held(self._number, now_s, decision.findings, decision.result))
        fault = self.writer.fault
        if fault != self._fault:
            self.notices.append(
                f"the mission is not kept: {fault}" if fault else "the mission is kept again"
            )
            self._fault = fault
        return self._outbox.release(self.writer.kept, now_s, is_keeping=not fault)

    def stop(self, controller: ScanController) -> None:
        """Keep the mission as one that was ended in an orderly way."""
        if self.writer is None or self._file is None:
            return
        checkpoint = controller.checkpoint()
        self._attempts = 0  # that is no end by itself
        if checkpoint is not None:
            self._offer(self.writer, checkpoint, self._outbox.findings, is_orderly=True)
        self.writer.stop()
        self._file.close()

    def _offer(
        self,
        writer: CheckpointWriter,
        checkpoint: Checkpoint | None,
        untold: tuple[Finding, ...] = (),
        *,
        is_orderly: bool = False,
    ) -> None:
        if self._steady_s() - self._began_s >= PROVEN_S:
            self._attempts = 0
        self._number += 1
        head = Head(self._clock(), self._settings, is_orderly, self._attempts, untold)
        writer.offer(Job(self._number, checkpoint, head, self.ended))

    def _open(self, file: CheckpointFile) -> None:
        until_s = time.monotonic() + self._ending_s
        while True:
            try:
                file.open()
                return
            except StorageError as error:
                if not file.is_in_use(error) or time.monotonic() >= until_s:
                    raise
            time.sleep(0.1)

    def _set_aside(self, file: CheckpointFile, error: Exception, outcome: str) -> None:
        kept = file.set_aside()
        where = "could not be set aside" if kept is None else f"is kept as {kept.name}"
        told = f"mission {file.path}: {error}" if isinstance(error, ValueError) else str(error)
        self.notices.append(f"{told}; {outcome}, and the file {where}")

    def _read_ended(self) -> None:
        """Read the results of goals that have ended; a goal that goes on is none of them.

        Raises:
            StorageError: they cannot be read.
            CheckpointError: the file holds none.
        """
        if self._rules.resume_policy == "discard":
            self._ended_file.remove()
            return
        data = self._ended_file.read()
        known = () if data is None else still_kept(decode_ended(data), self._clock())
        goes_on = None if self.resumed_goal is None else self.resumed_goal.goal_id
        self.ended = tuple(one for one in known if one.result.goal_id != goes_on)

    def _read(self, file: CheckpointFile, start: Goal | None) -> Resume | None:
        """Return the mission of the file, None without one, and count that it is taken up.

        Raises:
            StorageError: it cannot be read.
            CheckpointError: it holds no mission that can be gone on with.
        """
        data = file.read()
        if data is None:
            return None
        if self._rules.resume_policy == "discard":
            file.remove()
            return None
        head, body = decode(data)
        self.untold = head.untold
        if not body and head.untold:
            self._is_untold_kept = True
            return None
        if head.attempts >= ATTEMPTS_MAX:
            raise CheckpointError(
                f"it was resumed {head.attempts} times, and the controller ended soon each time"
            )
        mission = resumable(body, self._settings)
        self._attempts = head.attempts + 1
        try:
            # Before anything is done with it: what it leads to may end this process.
            file.write(with_attempt(data))
        except StorageError as error:
            self.notices.append(str(error))
        now, goal = self._clock(), mission.goal
        self.resumed_goal = goal
        reasons = reasons_to_ask(head, goal, now, self._rules, self._settings, start)
        return Resume(to_text(body), now.elapsed_ns(head.saved) or 0, reasons)
