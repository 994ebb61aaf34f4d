"""A thread that makes the plans of the sweep, so that the control loop goes on meanwhile."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from semantic_detection_pkg.scan.core.search import PlanTask
from semantic_detection_pkg.scan.preloading import preload

_END_TIMEOUT_S = 0.5  # a plan under way is not waited for: the thread dies with its process


class SweepThread:
    """Makes one plan after the other; of those that wait only the newest.

    A plan that fails ends the thread, and so the process; see `ros_support_pkg.threads`.
    """

    def __init__(self) -> None:
        """Start the thread."""
        self._newest: PlanTask | None = None
        self._made: SimpleQueue[PlanTask] = SimpleQueue()
        self._wanted: SimpleQueue[PlanTask | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sweep planning", daemon=True)
        self._thread.start()

    def request(self, task: PlanTask | None) -> None:
        """Have a plan made, which may be the one of the last call; None: none is wanted."""
        if task is self._newest:
            return
        self._newest = task
        if task is not None:
            self._wanted.put(task)

    def poll(self) -> PlanTask | None:
        """Return a plan that was made since the last call, if it is still wanted."""
        while not self._made.empty():
            made = self._made.get()
            if made is self._newest:
                return made
        return None

    def close(self) -> None:
        """End the thread."""
        self._newest = None
        self._wanted.put(None)
        self._thread.join(_END_TIMEOUT_S)

    def _run(self) -> None:
        while (task := self._wanted.get()) is not None:
            if task is not self._newest:
                continue
            task.make()
            self._made.put(task)
            preload()  # the gimbal is on its way, nothing was seen yet
