"""Gimbal driver node: a gimbal's protocol on one side, topics and services on the other.

The line has its own thread (`links.driver_runner`); callbacks hand a command over and return.
`gimbal/state` comes from a timer with each new reading of the angles, its own stamp and its age;
without one it goes on a little slower (`core.state_news`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.requests import CommandOutcome, Ticket
from gimbal_driver_pkg.core.settings import GimbalDriverSettings
from gimbal_driver_pkg.core.state import GimbalState as State
from gimbal_driver_pkg.core.state_news import StateNews
from gimbal_driver_pkg.errors import GimbalError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.link import check_line
from gimbal_driver_pkg.links.opening import open_link
from gimbal_driver_pkg.protocol.messages import Attitude
from gimbal_driver_pkg.protocol.messages import SetFocus as FocusCommand
from gimbal_driver_pkg.ros import conversions
from gimbal_driver_pkg.ros.motion_commands import MotionCommands
from gimbal_driver_pkg.ros.pointing import PointAction
from gimbal_driver_pkg.ros.stamps import ReadingStamps
from gimbal_driver_pkg.ros.vehicle_topics import VehicleReadings, VehicleTopics, readings_of
from interfaces_pkg.msg import GimbalState
from interfaces_pkg.srv import SetFocus, SetZoom, SetZoomRate
from ros_support_pkg.core.words import LinkState
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, serve
from ros_support_pkg.frames import in_namespace
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import READINGS, SENSOR_DATA
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.timers import every


class GimbalDriverNode(Node):
    """Puts a `DriverRunner` on the graph."""

    def __init__(self, **options: Any) -> None:
        super().__init__("gimbal_driver", **options)
        config = declare_parameters(self, GimbalDriverSettings)
        settings = config.driver
        check_line(config.url, config.serial_baud)
        driver = build_driver(
            config.protocol,
            config.url,
            config.model,
            settings,
            config.rate_map,
            config.mavlink,
            config.vehicle if config.publish_vehicle else None,
        )
        self._url, self._base_frame = config.url, in_namespace(self, config.base_frame)
        self._published_attitude: Attitude | None = None
        self._stamps, self._news = ReadingStamps(), StateNews()
        self._runner = DriverRunner(driver, partial(open_link, config.url, config.serial_baud))
        self._state = advertise(self, GimbalState, "gimbal/state", SENSOR_DATA)
        self._joints = advertise(self, JointState, "joint_states", READINGS)
        self._commands = MotionCommands(self, self._runner)
        # A group of their own: while one waits for the gimbal, the timers go on and wake it.
        waiting = ReentrantCallbackGroup()
        for kind, name, handler in (
            (SetZoom, "set_zoom", self._zoom),
            (SetZoomRate, "set_zoom_rate", self._zoom_rate),
            (SetFocus, "set_focus", self._focus),
            (Trigger, "center", self._center),
            (Trigger, "photo", self._photo),
            (SetBool, "record", self._record),
        ):
            serve(self, kind, f"gimbal/{name}", handler, waiting)
        tolerance_rad = math.radians(settings.goal_tolerance_deg)
        self._action = PointAction(
            self, self._runner, waiting, tolerance_rad, config.point_timeout_s
        )
        self._topics: VehicleTopics | None = None
        if config.publish_vehicle:
            # A line of its own yields to the gimbal's: not each to the other.
            self._topics = VehicleTopics(
                self,
                self._base_frame,
                self._vehicle,
                config.vehicle.vehicle_rate_hz,
                lambda name: name != "vehicle",
            )
        publish_diagnostics(self, self._check)
        every(self, 1.0 / config.state_hz, self._publish)
        self._runner.start()

    def destroy_node(self) -> None:
        self._action.destroy()
        self._runner.stop()
        super().destroy_node()

    def _publish(self) -> None:
        state, now_s = self._runner.call(lambda driver, now_s: (driver.state(now_s), now_s))
        if self._news.is_due(state, now_s):
            self._tell(state)
        self._action.update(state)
        self._commands.see(state.attitude)

    def _tell(self, state: State) -> None:
        now_ns = self.get_clock().now().nanoseconds
        stamp_ns = self._stamps.stamp_of(state.attitude, state.age_s, now_ns)
        self._state.publish(conversions.to_gimbal_state(state, stamp_ns, self._base_frame))
        if state.attitude is not self._published_attitude:
            self._published_attitude = state.attitude
            if (joints := conversions.to_joint_state(state, stamp_ns)) is not None:
                self._joints.publish(joints)

    async def _zoom(self, request: SetZoom.Request, response: SetZoom.Response) -> SetZoom.Response:
        def work(driver: GimbalDriver, now_s: float) -> Ticket:
            ticket, response.zoom = driver.zoom_to(request.zoom, now_s)
            return ticket

        outcome = await self._ask(work)
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _zoom_rate(
        self, request: SetZoomRate.Request, response: SetZoomRate.Response
    ) -> SetZoomRate.Response:
        outcome = await self._ask(
            lambda driver, now_s: driver.zoom_at(request.rate, request.duration_s, now_s)
        )
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _focus(
        self, request: SetFocus.Request, response: SetFocus.Response
    ) -> SetFocus.Response:
        focus = conversions.FOCUS_ACTIONS.get(request.action)
        if focus is None:
            allowed = ", ".join(map(str, conversions.FOCUS_ACTIONS))
            response.message = f"action: {request.action}, allowed are {allowed}"
            return response
        outcome = await self._ask(
            lambda driver, now_s: driver.focus(FocusCommand(focus, request.x, request.y), now_s)
        )
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _center(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        outcome = await self._ask(lambda driver, now_s: driver.center(now_s))
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _photo(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        outcome = await self._ask(lambda driver, now_s: driver.take_photo(now_s))
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _record(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        outcome = await self._ask(lambda driver, now_s: driver.record(request.data, now_s))
        response.success, response.message = outcome.is_ok, outcome.message
        return response

    async def _ask(self, work: Callable[[GimbalDriver, float], Ticket]) -> CommandOutcome:
        """Give a command and wait for what the gimbal says, without holding the executor."""
        done = Future()
        try:
            # In one call: the answer may come before the next one.
            self._runner.call(lambda driver, now_s: work(driver, now_s).when_done(done.set_result))
        except GimbalError as error:
            return CommandOutcome(False, str(error))
        outcome: CommandOutcome = await done
        return outcome

    def _vehicle(self) -> VehicleReadings:
        return self._runner.call(lambda driver, now_s: readings_of(driver.vehicle, now_s))

    def _check(self) -> Health:
        state = self._runner.call(lambda driver, now_s: driver.state(now_s))
        counts = self._runner.call(lambda driver, _: driver.counts())
        figures = {
            "line": self._url,
            "model": state.model or "unknown",
            "firmware": state.firmware or "unknown",
            "age_s": f"{state.age_s:.3f}",
            "reconnects": max(0, self._runner.reconnects),
            "is_streaming": state.is_streaming,
            **counts,
            **self._commands.figures(),
            **self._runner.call(
                lambda driver, now_s: driver.vehicle.figures(now_s) if driver.vehicle else {}
            ),
        }
        if self._runner.error:
            return Health.error(self._runner.error, **figures)
        if state.problems:
            return Health.warn("; ".join(state.problems), **figures)
        if state.link is not LinkState.UP:
            return Health.warn(f"link: {state.link.word}", **figures)
        return Health.ok(f"{state.model or 'gimbal'} on {self._url}", **figures)


main = NodeProgram(GimbalDriverNode, (GimbalError,))
