"""The action `gimbal/point`: one goal at a time, a newer one takes over."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from gimbal_driver_pkg.core.motion import Aim
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.errors import GimbalError
from gimbal_driver_pkg.links.engine import Engine
from interfaces_pkg.action import PointGimbal


@dataclass(frozen=True)
class _Goal:
    handle: ServerGoalHandle
    aim: Aim
    tolerance_rad: float
    deadline_s: float
    done: Future


class PointAction:
    """Commands the angle, then watches each state until the gimbal holds it."""

    def __init__(self, node: Node, engine: Engine, tolerance_rad: float, timeout_s: float) -> None:
        """Serve; zeros in a goal mean the given tolerance and time."""
        self._engine = engine
        self._tolerance_rad = tolerance_rad
        self._timeout_s = timeout_s
        self._goal: _Goal | None = None
        self._server = ActionServer(
            node,
            PointGimbal,
            "gimbal/point",
            execute_callback=self._execute,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def destroy(self) -> None:
        """End the goal in hand and the server."""
        self._finish("the driver ends")
        self._server.destroy()

    def observe(self, state: GimbalState) -> None:
        """Follow the goal in hand; called with each published state."""
        goal = self._goal
        if goal is None:
            return
        reading = state.attitude
        if goal.handle.is_cancel_requested:
            self._engine.call(lambda driver, now_s: driver.stop(now_s))
            self._finish("cancelled")
        elif reading is not None and self._error(goal, state) <= goal.tolerance_rad:
            self._finish("")
        elif time.monotonic() > goal.deadline_s:
            self._finish("not reached in time")
        elif reading is not None:
            goal.handle.publish_feedback(
                PointGimbal.Feedback(
                    yaw_rad=reading.yaw_rad,
                    pitch_rad=reading.pitch_rad,
                    error_rad=self._error(goal, state),
                    zoom=state.zoom,
                )
            )

    async def _execute(self, handle: ServerGoalHandle) -> PointGimbal.Result:
        self._finish("a newer goal took over")
        request = handle.request
        try:
            aim = self._engine.call(
                lambda driver, now_s: driver.point(request.yaw_rad, request.pitch_rad, now_s)
            )
            if request.zoom > 0:
                self._engine.call(lambda driver, now_s: driver.zoom_to(request.zoom, now_s))
        except GimbalError as error:
            handle.abort()
            return PointGimbal.Result(message=str(error))
        self._goal = _Goal(
            handle,
            aim,
            request.tolerance_rad if request.tolerance_rad > 0 else self._tolerance_rad,
            time.monotonic() + (request.timeout_s if request.timeout_s > 0 else self._timeout_s),
            Future(),
        )
        failure = await self._goal.done
        return self._result(handle, aim, failure)

    def _finish(self, failure: str) -> None:
        """End the goal in hand; `failure` is why, "" for success."""
        goal, self._goal = self._goal, None
        if goal is not None:
            goal.done.set_result(failure)

    def _result(self, handle: ServerGoalHandle, aim: Aim, failure: str) -> PointGimbal.Result:
        if handle.is_cancel_requested:
            handle.canceled()
        elif failure:
            handle.abort()
        else:
            handle.succeed()
        is_cut = aim.yaw_saturated or aim.pitch_saturated
        message = failure or ("cut to the soft limits" if is_cut else "")
        result = PointGimbal.Result(success=not failure, message=message, saturated=is_cut)
        reading = self._engine.call(lambda driver, now_s: driver.state(now_s)).attitude
        result.error_rad = math.inf
        if reading is not None:
            result.yaw_rad, result.pitch_rad = reading.yaw_rad, reading.pitch_rad
            result.error_rad = aim.error_rad(reading.yaw_rad, reading.pitch_rad)
        return result

    @staticmethod
    def _error(goal: _Goal, state: GimbalState) -> float:
        assert state.attitude is not None
        return goal.aim.error_rad(state.attitude.yaw_rad, state.attitude.pitch_rad)
