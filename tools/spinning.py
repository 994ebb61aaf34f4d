"""An executor in a thread of its own that ends without a race."""

from __future__ import annotations

import threading

from rclpy.executors import Executor


class Spinning:
    """Spins an executor until it is closed.

    Not `Executor.shutdown` while `spin` runs in another thread: it takes the executor's guard
    condition away, which the thread may be about to wait for ("'NoneType' object has no attribute
    'handle'", seen in 1 of 40 ends). So the thread ends first.
    """

    def __init__(self, executor: Executor) -> None:
        """Start to spin."""
        self._executor = executor
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the callback in hand, end the thread and shut the executor down.

        No limit: a callback that never ends is for the test's own to name.
        """
        self._is_closing.set()
        self._executor.create_task(lambda: None)  # `spin_once` returns only after some work
        self._thread.join()
        self._executor.shutdown()

    def _spin(self) -> None:
        while not self._is_closing.is_set():
            self._executor.spin_once()
