"""What the page's map is drawn by: where the robot is, and the newest coverage.

Fixes and attitudes come many times a second: they are listened to only while a map is open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from semantic_detection_pkg.common.core.position import RobotPlace
from semantic_detection_pkg.dashboard.core.map_ground import MapGround, cells_key, map_ground

_OPEN_S = 8.0  # after the last question of a map
_HEARS_S = 2.0  # until it is said that no fix comes
_Key = tuple[RobotPlace | None, int, bool]


class MapBook:
    """Takes coverage from the robot's side, answers the web server; used by several threads.

    Attributes:
        where: tells where the robot is now; None: not known.
    """

    def __init__(self, watch: Callable[[bool], None]) -> None:
        """Begin without any; `watch` hears when a map is open, and when none is any more."""
        self.where: Callable[[], RobotPlace | None] = lambda: None
        self._watch = watch
        self._lock = threading.Lock()
        self._coverage: Any = None
        self._count = 0
        self._cells_key: tuple[object, ...] = ()
        self._cells_version = 0
        self._asked_s: float | None = None
        self._open_s: float | None = None
        self._made: tuple[_Key, MapGround] | None = None

    @property
    def coverage(self) -> Any:
        """The newest message of type Coverage; None: there is none."""
        return self._coverage

    @property
    def cells_version(self) -> int:
        """Another number where the cells of the coverage lie elsewhere than before."""
        return self._cells_version

    def take_coverage(self, message: Any) -> None:
        """Take in a message of type Coverage."""
        key = cells_key(message)
        with self._lock:
            if key != self._cells_key:
                self._cells_key = key
                self._cells_version += 1
            self._coverage = message
            self._count += 1

    def ground(self, *, is_placed: bool) -> MapGround:
        """Return what a map is drawn by now; somebody looks at one.

        Args:
            is_placed: there are findings with a position.
        """
        now_s = time.monotonic()
        with self._lock:
            self._asked_s = now_s
            is_new = self._open_s is None
            opened_s = self._open_s = now_s if self._open_s is None else self._open_s
        if is_new:
            self._watch(True)
        robot = self.where()
        with self._lock:
            key = robot, self._count, is_placed
            if self._made is None or self._made[0] != key:
                made = map_ground(robot, self._coverage, is_placed=is_placed)
                self._made = key, made
            found = self._made[1]
        if robot is None and now_s - opened_s < _HEARS_S:
            return replace(found, told="Asking where the robot is ...")
        return found

    def rest(self) -> None:
        """Listen no more where no map is open."""
        with self._lock:
            asked_s = self._asked_s
            if asked_s is None or time.monotonic() - asked_s < _OPEN_S:
                return
            self._asked_s = self._open_s = None
        self._watch(False)
