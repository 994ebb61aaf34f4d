"""The mission that pages show, kept on the disk so that it outlives the dashboard.

    last_mission.json    beside the recorder's folders

The folder of the recordings itself is not made, as for findings.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.core.last_mission import (
    LastMission,
    Plain,
    is_goal,
    is_mission,
)

_log = logging.getLogger(__name__)

FILE = "last_mission.json"
_BYTES_MAX = 5_000_000
_KEPT_EVERY = 10  # calls of `keep`, while nothing but numbers changes


class MissionBook:
    """Sections `goal` and `mission` of the board; may be used by any thread."""

    def __init__(
        self, board: SectionStore, recordings: Path, disk: FileSystem | None = None
    ) -> None:
        """Put what an earlier life has kept onto the board.

        Args:
            recordings: the recorder's folder.
        """
        self._board = board
        self._path = recordings / FILE
        self._disk = disk or FileSystem()
        self._lock = threading.Lock()
        self._last = LastMission(*self._load())
        self._kept = (self._last.goal, self._last.mission)
        self._is_due = False
        self._calls = 0
        self._said = ""
        self._tell((None, None))

    def send(self, goal: Plain) -> None:
        """Note a goal that a page sends; see `drop_sent`."""
        with self._lock:
            self._last.send(goal)

    def drop_sent(self) -> None:
        """Note that what was being sent was not taken."""
        with self._lock:
            self._last.drop_sent()

    def take_state(self, state: Mapping[str, Any], weights: Callable[[], list[Plain]]) -> None:
        """Take in a state; see `LastMission.take_state`."""
        with self._lock:
            before = self._last.goal, self._last.mission
            self._is_due |= self._last.take_state(state, weights)
            self._tell(before)

    def take_result(self, is_success: bool, message: str) -> None:
        """Take in how a goal ended, where no state has said it."""
        with self._lock:
            before = self._last.goal, self._last.mission
            self._is_due |= self._last.take_result(is_success, message)
            self._tell(before)

    def take_classes(
        self, stamp_ns: int, classes: Sequence[Plain], *, is_range_assumed: bool
    ) -> None:
        """Take in the POD of each class; see `LastMission.take_classes`."""
        with self._lock:
            before = self._last.goal, self._last.mission
            self._last.take_classes(stamp_ns, classes, is_range_assumed=is_range_assumed)
            self._tell(before)

    def take_shares(self, shares: Sequence[Plain]) -> None:
        """Take in what the goal's weights come to; see `LastMission.take_shares`."""
        with self._lock:
            before = self._last.goal, self._last.mission
            self._last.take_shares(shares)
            self._tell(before)

    def keep(self, *, is_last: bool = False) -> None:
        """Write what is new to the disk: a beginning and an end at once, numbers now and then."""
        with self._lock:
            now = self._last.goal, self._last.mission
            self._calls += 1
            is_due = self._is_due or is_last or self._calls % _KEPT_EVERY == 0
        if not is_due or now == self._kept or not self._path.parent.is_dir():
            return
        content = json.dumps({"goal": now[0], "mission": now[1]}, allow_nan=False).encode()
        try:
            self._disk.write_atomically(self._path, content)
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != self._said:
                _log.warning("%s: the mission is not kept: %s", self._path, reason)
            self._said = reason
            return
        self._kept, self._is_due, self._said = now, False, ""

    def _tell(self, before: tuple[Plain | None, Plain | None]) -> None:
        for name, old, new in zip(
            ("goal", "mission"), before, (self._last.goal, self._last.mission), strict=True
        ):
            if new is not None and new is not old:
                self._board.put(name, new)

    def _load(self) -> tuple[Plain | None, Plain | None]:
        try:
            if not self._path.exists():
                return None, None
            if self._path.stat().st_size <= _BYTES_MAX:
                value = json.loads(self._path.read_bytes(), parse_constant=_refuse)
                goal, mission = value["goal"], value["mission"]
                if is_goal(goal) and is_mission(mission):
                    return goal, mission
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        _log.warning("%s is no mission: it is left alone until the next begins", self._path)
        return None, None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
