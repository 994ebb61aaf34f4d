"""The action `gimbal/point`: one goal at a time, a newer one takes over."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.pointing import Pointing, Progress
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.errors import GimbalError, InvalidValueError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from interfaces_pkg.action import PointGimbal
from ros_support_pkg.edge import serve_goals


@dataclass(frozen=True)
class _Goal:
    handle: ServerGoalHandle
    pointing: Pointing
    done: Future  # of the last Progress


class PointAction:
    """Commands the angle, then watches each state until the gimbal holds it."""

    def __init__(
        self,
        node: Node,
        runner: DriverRunner,
        group: CallbackGroup,
        tolerance_rad: float,
        timeout_s: float,
    ) -> None:
        """Serve in a reentrant `group`; zeros in a goal mean the given tolerance and time."""
        self._runner = runner
        self._tolerance_rad = tolerance_rad
        self._timeout_s = timeout_s
        self._goal: _Goal | None = None
        self._server = serve_goals(
            ActionServer,
            node,
            PointGimbal,
            "gimbal/point",
            self._execute,
            refusal=lambda _, reason: _refusal(reason),
            callback_group=group,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def destroy(self) -> None:
        """End the goal in hand and the server."""
        self._finish(_failed("the driver ends"))
        self._server.destroy()

    def update(self, state: GimbalState) -> None:
        """Follow the goal in hand; called with each published state."""
        goal = self._goal
        if goal is None:
            return
        if goal.handle.is_cancel_requested:
            self._runner.call(GimbalDriver.stop)
            self._finish(_failed("cancelled: the gimbal stands still"))
            return
        progress = self._runner.call(
            lambda driver, now_s: goal.pointing.progress(state, driver.aim, now_s)
        )
        if progress.is_done:
            self._finish(progress)
        elif state.attitude is not None:
            goal.handle.publish_feedback(
                PointGimbal.Feedback(
                    yaw_rad=state.attitude.yaw_rad,
                    pitch_rad=state.attitude.pitch_rad,
                    error_rad=progress.error_rad,
                    zoom=state.zoom,
                )
            )

    async def _execute(self, handle: ServerGoalHandle) -> PointGimbal.Result:
        self._finish(_failed("a newer goal took over"))
        try:
            pointing = self._runner.call(
                lambda driver, now_s: self._begin(handle.request, driver, now_s)
            )
        except InvalidValueError:
            raise  # the edge counts it
        except GimbalError as error:
            handle.abort()
            return _refusal(str(error))
        goal = self._goal = _Goal(handle, pointing, Future())
        progress: Progress = await goal.done
        if handle.is_cancel_requested:
            handle.canceled()
        elif progress.is_reached:
            handle.succeed()
        else:
            handle.abort()
        return self._result(pointing, progress)

    def _begin(self, goal: PointGimbal.Goal, driver: GimbalDriver, now_s: float) -> Pointing:
        zoom = driver.zoom_to(goal.zoom, now_s)[1] if goal.zoom else 0.0
        return Pointing(
            driver.point(goal.yaw_rad, goal.pitch_rad, now_s),
            zoom,
            goal.tolerance_rad or self._tolerance_rad,
            goal.timeout_s or self._timeout_s,
            now_s,
        )

    def _finish(self, progress: Progress) -> None:
        """End the goal in hand."""
        goal, self._goal = self._goal, None
        if goal is not None:
            goal.done.set_result(progress)

    def _result(self, pointing: Pointing, progress: Progress) -> PointGimbal.Result:
        aim = pointing.aim
        result = PointGimbal.Result(
            success=progress.is_reached,
            message=progress.message,
            error_rad=math.inf,
            saturated=aim.yaw_saturated or aim.pitch_saturated,
        )
        reading = self._runner.call(GimbalDriver.state).attitude
        if reading is not None:
            result.yaw_rad, result.pitch_rad = reading.yaw_rad, reading.pitch_rad
            result.error_rad = aim.error_rad(reading.yaw_rad, reading.pitch_rad)
        return result


def _refusal(reason: str) -> PointGimbal.Result:
    return PointGimbal.Result(message=reason, error_rad=math.inf)


def _failed(message: str) -> Progress:
    return Progress(is_done=True, is_reached=False, message=message, error_rad=math.nan)
