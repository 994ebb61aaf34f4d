"""GPU arbiter node: who may compute on the GPU. Brings the detector up and takes it out for leases.

A lifecycle node: while it is active it supervises the detector's lifecycle and grants leases.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.task import Future

from interfaces_pkg.msg import GpuState
from interfaces_pkg.srv import AcquireGpu, ReleaseGpu
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, serve
from ros_support_pkg.executor_jobs import ExecutorJobs
from ros_support_pkg.lifecycle import GuardedLifecycleNode
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import STATE
from ros_support_pkg.running import EXIT_USAGE, NodeProgram
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.gpu import owners
from semantic_detection_pkg.gpu.core.arbiter import Arbiter
from semantic_detection_pkg.gpu.core.messages import Answer
from semantic_detection_pkg.gpu.core.settings import GpuArbiterSettings
from semantic_detection_pkg.gpu.core.turns import Cause, TurnState
from semantic_detection_pkg.gpu.ros.detector_lifecycle import DetectorLifecycle
from semantic_detection_pkg.gpu.runner import ArbiterRunner

_OWNERS = {
    TurnState.STARTING: GpuState.OWNER_UNKNOWN,
    TurnState.DETECTOR: GpuState.OWNER_DETECTOR,
    TurnState.PAUSING: GpuState.OWNER_NOBODY,
    TurnState.LEASED: GpuState.OWNER_LEASE,
    TurnState.RECLAIMING: GpuState.OWNER_UNKNOWN,
    TurnState.RESUMING: GpuState.OWNER_NOBODY,
    TurnState.HELD: GpuState.OWNER_NOBODY,
}
_REPUBLISH_S = 1.0  # remaining_s changes although nothing else does


class GpuArbiterNode(GuardedLifecycleNode):
    """An `ArbiterRunner` behind services."""

    expected_errors = (SemanticDetectionError,)

    def __init__(self, **options: Any) -> None:
        super().__init__("gpu_arbiter", **options)
        self._config = declare_parameters(self, GpuArbiterSettings)
        self._runner: ArbiterRunner | None = None
        self._lifecycle: DetectorLifecycle | None = None
        self._seen: tuple[Arbiter, float] | None = None
        self._jobs = ExecutorJobs(self)
        self._state = advertise(self, GpuState, "gpu/state", STATE)
        group = ReentrantCallbackGroup()
        serve(self, AcquireGpu, "gpu/acquire", self._acquire, group)
        serve(self, ReleaseGpu, "gpu/release", self._release, group)
        publish_diagnostics(self, self._check)
        if self._config.autostart:
            for trigger in (self.trigger_configure, self.trigger_activate):
                if trigger() != TransitionCallbackReturn.SUCCESS:
                    raise SystemExit(EXIT_USAGE)  # the transition has said why

    def activate(self) -> None:
        config = self._config
        runner = ArbiterRunner(
            config.rules,
            config.gpu_lock_file,
            config.epoch_file,
            (owners.robot(self.get_namespace()), owners.model(config.epoch_file)),
            self._changed,
        )
        self._lifecycle = DetectorLifecycle(self, config.detector, runner.tell)
        self._runner = runner
        if runner.why_off:
            self.get_logger().warning(
                f"tier 3 is off, the detector has the GPU all the time: {runner.why_off}"
            )
        runner.start(self._lifecycle)

    def deactivate(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.stop()
        if self._lifecycle is not None:
            self._lifecycle.close()
            self._lifecycle = None
        self._seen = None

    def cleanup(self) -> None:
        self.deactivate()

    async def _acquire(
        self, request: AcquireGpu.Request, response: AcquireGpu.Response
    ) -> AcquireGpu.Response:
        runner = self._runner
        if runner is None:
            response.reason = "the arbiter is not active"
        elif not request.holder:
            response.reason = "holder is '', an instance id is needed"
        elif not 0.0 < request.duration_s < float("inf"):
            response.reason = f"duration_s is {request.duration_s:g}, allowed is more than 0"
        elif not 0.0 <= request.wait_s < float("inf"):
            response.reason = f"wait_s is {request.wait_s:g}, allowed is 0 or more"
        else:
            answer = await self._answer(
                lambda done: runner.ask(
                    request.holder,
                    request.purpose,
                    request.priority,
                    request.duration_s,
                    request.wait_s,
                    done,
                )
            )
            response.reason = answer.reason
            if answer.lease is not None:
                response.granted = True
                response.epoch = answer.lease.epoch
                response.duration_s = answer.lease.until_s - answer.lease.since_s
        return response

    async def _release(
        self, request: ReleaseGpu.Request, response: ReleaseGpu.Response
    ) -> ReleaseGpu.Response:
        runner = self._runner
        if runner is None:
            response.message = "the arbiter is not active"
            return response
        answer = await self._answer(
            lambda done: runner.release(request.holder, request.epoch, done)
        )
        response.success = not answer.reason
        response.message = answer.reason
        return response

    async def _answer(self, begin: Callable[[Callable[[Answer], None]], None]) -> Answer:
        """Return the answer to what `begin` starts; the runner answers everything in the end."""
        future = Future()
        begin(lambda answer: self._jobs.put(lambda: future.set_result(answer)))
        answer: Answer = await future
        return answer

    def _changed(self, arbiter: Arbiter, now_s: float) -> None:
        """Publish the new state; the runner's thread calls this, publishing is thread-safe."""
        before = self._seen
        if before is not None and now_s - before[1] < _REPUBLISH_S:
            old = before[0]
            is_same = (old.mode, old.epoch, old.reason, len(old.waiting), old.failures) == (
                arbiter.mode, arbiter.epoch, arbiter.reason, len(arbiter.waiting), arbiter.failures
            )  # fmt: skip
            if is_same:
                return
        self._seen = (arbiter, now_s)
        is_news = before is None or before[0].failures < arbiter.failures
        if before is not None and before[0].reason != arbiter.reason == Cause.BY_HAND.value:
            is_news = True
        if is_news:
            self.get_logger().warning(f"{arbiter.mode.value}: {arbiter.reason}")
        lease, why_off = arbiter.lease, self._why_off()
        message = GpuState(
            owner=_OWNERS[arbiter.mode],
            epoch=arbiter.epoch,
            holder=lease.holder if lease else "",
            purpose=lease.purpose if lease else "",
            remaining_s=max(0.0, lease.until_s - now_s) if lease else 0.0,
            is_degraded=bool(why_off) or arbiter.is_degraded(now_s),
            reason=f"tier 3 is off: {why_off}" if why_off else arbiter.reason,
            queue_length=len(arbiter.waiting),
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._state.publish(message)

    def _check(self) -> Health:
        seen = self._seen
        if seen is None:
            return Health.ok("not active")
        arbiter, _ = seen
        figures = {"epoch": arbiter.epoch, "failed_leases": arbiter.failures}
        if why_off := self._why_off():
            return Health.warn(f"tier 3 is off: {why_off}", **figures)
        if arbiter.is_degraded(time.monotonic()):
            return Health.error(f"leases are refused: {arbiter.reason}", **figures)
        if arbiter.mode in (TurnState.DETECTOR, TurnState.LEASED):
            return Health.ok(arbiter.mode.value, **figures)
        return Health.warn(f"{arbiter.mode.value}: {arbiter.reason}", **figures)

    def _why_off(self) -> str:
        """Return why no lease can be given at all; empty: leases are given."""
        runner = self._runner
        return "" if runner is None else runner.why_off


main = NodeProgram(GpuArbiterNode, (SemanticDetectionError,))
