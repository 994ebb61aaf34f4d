"""Writes the pages of events when they are complete, beside whoever records.

Each page is made by a process of its own at low priority: drawing takes the processor for half a
second, and what a foreign picture may do to a decoder must not end the recording.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

from semantic_detection_pkg.recorder.storage.event_store import PAGE, events_of

_log = logging.getLogger(__name__)

_PERIOD_S = 2.0
_PAGE_TIMEOUT_S = 120.0
_COMMAND = ("nice", "-n", "15", sys.executable, "-m", "semantic_detection_pkg.cli.report")


class EvidenceWriter:
    """A thread that looks for events without a page; those of earlier runs count, too."""

    def __init__(self, folder: Path) -> None:
        """Prepare.

        Args:
            folder: of the recordings, the one that holds events/.
        """
        self._folder = folder
        self._failed: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence writer", daemon=True)

    def start(self) -> None:
        """Begin to look for events."""
        self._thread.start()

    def stop(self) -> None:
        """End; a page that is being written is left to the next start."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD_S):
            for path in self._missing():
                if not self._stopping.is_set():
                    self._write(path)

    def _missing(self) -> list[Path]:
        try:
            folders = [
                self._folder / "events" / event.name
                for event in events_of(self._folder)
                if event.is_complete and event.name not in self._failed
            ]
            return [path for path in folders if not (path / PAGE).exists()]
        except OSError:  # the disk is gone; the recorder says so
            return []

    def _write(self, path: Path) -> None:
        # In a session of its own: Ctrl-C is for the recorder, which ends this one.
        process = subprocess.Popen(
            [*_COMMAND, str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        said = self._wait_for(process)
        if said:
            self._failed.add(path.name)
            _log.warning("event %s has no page: %s", path.name, said)

    def _wait_for(self, process: subprocess.Popen[str]) -> str:
        """Return what went wrong; empty: nothing, or it was stopped."""
        waited_s = 0.0
        while not self._stopping.is_set():
            try:
                _, errors = process.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                waited_s += 0.2
                if waited_s < _PAGE_TIMEOUT_S:
                    continue
                process.kill()
                process.communicate()
                return f"it took longer than {_PAGE_TIMEOUT_S:g} s"
            lines = errors.strip().splitlines() or [f"exit status {process.returncode}"]
            return lines[-1] if process.returncode else ""
        process.kill()
        process.communicate()
        return ""
