"""Tells the robot who holds control, and then the pages: what they show, the robot knows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from semantic_detection_pkg.dashboard.api.commands import Robot
from semantic_detection_pkg.dashboard.api.store import SectionStore


class Announcer:
    """One announcement at a time; of those that come meanwhile only the newest is made.

    Who waits for the robot's thread must not be seen as done: a page that reads "nobody holds
    control" may rely on it that the robot does not still listen to the one before.
    """

    def __init__(self, robot: Robot, board: SectionStore, on_told: Callable[[], None]) -> None:
        """Announce nothing yet; `on_told` is called by any thread when the board has changed."""
        self._robot = robot
        self._board = board
        self._on_told = on_told
        self._lock = threading.Lock()
        self._newest = ""
        self._told: Future[None] | None = None  # while one is under way

    def announce(self, name: str) -> Future[None]:
        """Tell who holds control, empty for nobody; done when robot and board know the newest."""
        with self._lock:
            self._newest = name
            is_first = self._told is None
            told = self._told = self._told or Future()
        if is_first:
            self._tell(name)
        return told

    def _tell(self, name: str) -> None:
        self._robot.announce_operator(name, lambda: self._go_on(name))

    def _go_on(self, name: str) -> None:
        """Go on when the robot knows the name; its thread calls this."""
        self._board.put("operator", {"name": name})
        with self._lock:
            newest, told = self._newest, self._told
            if newest == name:
                self._told = None
        self._on_told()
        if newest != name:
            self._tell(newest)
        elif told is not None:
            told.set_result(None)
