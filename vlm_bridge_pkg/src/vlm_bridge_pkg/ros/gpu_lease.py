"""Leases of the GPU over the arbiter's services."""

from __future__ import annotations

import threading
import time

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.srv import AcquireGpu, ReleaseGpu
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.session import Lease

_POLL_S = 0.02  # how late a cancel may be noticed
_RELEASE_TIMEOUT_S = 1.0
_MARGIN_S = 0.5  # for the arbiter's answer to come, after the wait that it was given


class RosGpu:
    """Implements `session.Gpu`. The node's executor must have a thread beside the caller's."""

    def __init__(self, node: Node, holder: str, priority: int) -> None:
        group = ReentrantCallbackGroup()
        self._node = node
        self._holder = holder
        self._priority = priority
        self._acquire = node.create_client(AcquireGpu, "gpu/acquire", callback_group=group)
        self._release = node.create_client(ReleaseGpu, "gpu/release", callback_group=group)

    def acquire(self, duration_s: float, wait_s: float, is_over: threading.Event) -> Lease:
        if not self._acquire.service_is_ready():
            raise ServiceError("no_lease", "nobody offers gpu/acquire")
        request = AcquireGpu.Request(
            holder=self._holder,
            purpose="question to the vision-language model",
            priority=self._priority,
            duration_s=duration_s,
            wait_s=wait_s,
        )
        answered, given_up = threading.Event(), threading.Event()
        decision = threading.Lock()
        future = self._acquire.call_async(request)

        def arrived(_: object) -> None:
            with decision:
                answered.set()
                is_late = given_up.is_set()
            if is_late and future.result() is not None and future.result().granted:
                self._send_release(future.result().epoch)

        future.add_done_callback(arrived)
        end_s = time.monotonic() + wait_s + _MARGIN_S
        while not answered.wait(_POLL_S) and not is_over.is_set() and time.monotonic() < end_s:
            pass
        with decision:
            if not answered.is_set():
                given_up.set()
                cause = "cancelled" if is_over.is_set() else "timeout"
                raise ServiceError(cause, "no lease came in time")
        answer = future.result()
        if not answer.granted:
            self._node.get_logger().warning(f"no lease of the GPU: {answer.reason}")
            raise ServiceError("no_lease", answer.reason)
        return Lease(answer.epoch, answer.duration_s)

    def release(self, epoch: int) -> None:
        done = threading.Event()
        future = self._send_release(epoch)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(_RELEASE_TIMEOUT_S):
            self._node.get_logger().error(f"no answer to the release of lease {epoch}")
        elif not future.result().success:
            self._node.get_logger().warning(f"lease {epoch}: {future.result().message}")

    def _send_release(self, epoch: int) -> Future:
        return self._release.call_async(ReleaseGpu.Request(holder=self._holder, epoch=epoch))

    def close(self) -> None:
        """Take the clients out of the node."""
        self._node.destroy_client(self._acquire)
        self._node.destroy_client(self._release)
