"""An executor's thread ends before the executor is shut down, whatever it is at."""

from __future__ import annotations

import threading

import pytest
import rclpy
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from spinning import Spinning

TIMEOUT_S = patience(10.0)


class SlowExecutor(SingleThreadedExecutor):
    """Once it is about to wait, it does so only when it is let."""

    def __init__(self, context: Context) -> None:
        super().__init__(context=context)
        self.is_waiting, self.may_wait = threading.Event(), threading.Event()
        self.is_shut_down = threading.Event()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        self.is_waiting.set()
        assert self.may_wait.wait(TIMEOUT_S)
        super().spin_once(timeout_sec)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        self.is_shut_down.set()
        return super().shutdown(timeout_sec)


@pytest.mark.graph
def test_it_is_not_shut_down_under_its_thread(ros_domain: dict[str, str]) -> None:
    context = Context()
    rclpy.init(context=context)
    executor = SlowExecutor(context)
    spinning = Spinning(executor)
    assert executor.is_waiting.wait(TIMEOUT_S)
    closing = threading.Thread(target=spinning.close)
    closing.start()
    closing.join(0.2)
    assert not executor.is_shut_down.is_set()
    executor.may_wait.set()
    closing.join(TIMEOUT_S)
    assert executor.is_shut_down.is_set()
    context.try_shutdown()
