"""Scan controller node: gathers what came, takes one pure step, and does what it decided."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import SetBool

from interfaces_pkg import msg
from ros_support_pkg.core.words import Level
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import serve, subscribe
from ros_support_pkg.frames import in_namespace
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import COMMAND, RECORD, SENSOR_DATA, STATE
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.stamps import from_time
from ros_support_pkg.steady_clock import steady_ns
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.scan.adapters.mission_keeper import MissionKeeper
from semantic_detection_pkg.scan.adapters.terrain_reader import TerrainReader
from semantic_detection_pkg.scan.core import from_messages
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import (
    CameraBeat,
    Fix,
    Goal,
    Input,
    Pause,
    PointHere,
    Resume,
    SweepPlanned,
)
from semantic_detection_pkg.scan.core.resuming import Held
from semantic_detection_pkg.scan.core.settings import ScanControllerSettings
from semantic_detection_pkg.scan.core.standing_inputs import StandingInputs
from semantic_detection_pkg.scan.ros import outputs as scan_outputs
from semantic_detection_pkg.scan.ros.action import ScanAction
from semantic_detection_pkg.scan.ros.base_following import BaseFollowing
from semantic_detection_pkg.scan.ros.bearings import serve_bearings
from semantic_detection_pkg.scan.ros.frame_latency import FrameLatency
from semantic_detection_pkg.scan.ros.gimbal_commands import GimbalCommands
from semantic_detection_pkg.scan.ros.journal import to_journal
from semantic_detection_pkg.scan.ros.publishers import ScanPublishers
from semantic_detection_pkg.scan.ros.requests import ScanRequests
from semantic_detection_pkg.scan.ros.step_pace import StepPace
from semantic_detection_pkg.scan.sweep_thread import SweepThread

_BEAT_NS = 400_000_000  # the camera is heard of no more often


class ScanControllerNode(Node):
    """Inputs gather in a list; a timer hands them to `ScanController.step`, a frame at once."""

    def __init__(self, **options: Any) -> None:
        super().__init__("scan_controller", **options)
        self._config = declare_parameters(self, ScanControllerSettings)
        self._settings = self._config.scan
        self._controller = ScanController(self._settings)
        self._decision = Decision()
        self._inbox: list[Input] = []
        self._standing = StandingInputs()
        self._base = BaseFollowing(self, self._standing)
        self._terrain = TerrainReader(self._config.terrain, self._settings)
        self._steps = 0
        self._latency = FrameLatency()
        self._beat_ns = 0
        self._keeper = MissionKeeper(self._config.checkpoint, self._settings)
        self._sweep_thread = SweepThread()
        self._action = ScanAction(self, self._inbox.append)
        self._requests = ScanRequests(self, self._inbox.append, self._config.names_by_class())
        self._shown = ScanPublishers(
            self, in_namespace(self, self._config.base_frame), self._action.feed_back
        )
        self._commands = GimbalCommands(self)
        read, inbox, standing = from_messages, self._take_input, self._take_standing
        for kind, topic, take, qos in (
            (msg.GimbalState, "gimbal/state", partial(inbox, read.from_gimbal_state), SENSOR_DATA),
            (msg.Detections, "detections", self._take_detections, SENSOR_DATA),
            (CameraInfo, "camera/camera_info", self._take_beat, SENSOR_DATA),
            (msg.GpuState, "gpu/state", partial(standing, read.from_gpu_state), STATE),
            (msg.DetectionCurves, "detector/curves", partial(standing, read.from_curves), STATE),
            (msg.WordsInForce, "detector/words", partial(standing, read.from_words), RECORD),
            (msg.GimbalAngle, "scan/point_here", partial(inbox, read.from_point_here), COMMAND),
        ):
            subscribe(self, kind, topic, take, qos)
        serve(self, SetBool, "scan/pause", self._pause)
        serve_bearings(self, lambda: self._controller)
        publish_diagnostics(self, self._check)
        self._take_up_mission()
        self._pace = StepPace(self, self._config.update_rate_hz, self._step)

    def destroy_node(self) -> None:
        self._keeper.stop(self._controller)
        self._action.destroy()
        self._sweep_thread.close()
        super().destroy_node()

    def _take_up_mission(self) -> None:
        """Go on with the mission of a controller that ended, rather than begin another one."""
        start = self._config.start
        resume = self._keeper.take_up(start.goal() if start.autostart else None)
        self._shown.publish_findings(self._keeper.untold)
        for one in self._keeper.ended:
            self._action.adopt_ended(one.result)
        self._wants_start = start.autostart and resume is None
        if resume is not None and self._keeper.resumed_goal is not None:
            self._inbox.append(resume)
            self._action.adopt(self._keeper.resumed_goal)
        self._keeper.start()

    def _take_input(self, convert: Callable[[Any], Input], message: Any) -> None:
        self._inbox.append(convert(message))

    def _take_detections(self, message: msg.Detections) -> None:
        frame = from_messages.from_detections(message)
        self._inbox.append(frame)
        self._latency.take(message.times)
        if self._controller.is_busy:
            self._pace.hurry()
        self._requests.proposed |= frame.proposed_names
        if self._wants_start and frame.words:
            self._wants_start = False
            goal = self._config.start.goal(frame.words)
            self._inbox.append(goal)
            self._action.adopt(goal)

    def _take_beat(self, message: CameraInfo) -> None:
        stamp_ns = from_time(message.header.stamp)
        if abs(stamp_ns - self._beat_ns) >= _BEAT_NS:
            self._beat_ns = stamp_ns
            self._inbox.append(CameraBeat(stamp_ns))

    def _take_standing(self, convert: Callable[[Any], Input | None], message: Any) -> None:
        self._standing.put(convert(message))

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._inbox.append(Pause(request.data))
        response.success = self._controller.goal is not None
        response.message = "" if response.success else "no scan is in hand"
        return response

    def _step(self) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._action.poll()
        self._inbox += self._base.follow()
        self._standing.put(self._terrain.follow(self._standing.get(Fix)))
        inputs = self._inbox.copy()
        self._inbox.clear()
        was_busy, settings = self._controller.is_busy, None
        if not was_busy and any(isinstance(item, Goal | PointHere | Resume) for item in inputs):
            # What is journalled from here on can be replayed without what was before.
            settings = self._settings
            self._controller = ScanController(settings)
            self._standing.tell_all_again()
        inputs += self._standing.news()
        planned = self._sweep_thread.poll()
        if planned is not None and planned is self._controller.sweep_task:
            inputs.append(SweepPlanned(planned.number))
        decision = self._decision = self._controller.step(now_ns, inputs, self._latency.tracked)
        times = self._latency.decided(is_busy=self._controller.is_busy)
        self._sweep_thread.request(self._controller.sweep_task)
        if was_busy or self._controller.is_busy or decision.result is not None:
            journal = to_journal(self._steps, now_ns, settings, inputs, decision, self._settings)
            self._shown.write_journal(journal)
            self._steps += 1
        self._obey(decision, times)
        if any(isinstance(item, Resume) for item in inputs):
            self._shown.publish_findings(self._controller.findings)
        for held in self._keeper.keep(self._controller, decision):
            self._tell(held)
        self._shown.after_step(self._controller, decision)

    def _obey(self, decision: Decision, times: msg.FrameTimes) -> None:
        log = self.get_logger()
        self._commands.send(decision, self._shown.header(), times)
        self._requests.carry_out(decision, self._controller.mission_name)
        for notice in (*self._keeper.notices, *self._terrain.notices, *decision.notices):
            log.warning(notice)
        self._keeper.notices.clear()
        self._terrain.notices.clear()
        if decision.result is not None:
            self._requests.forget()

    def _tell(self, held: Held) -> None:
        self._shown.publish_findings(held.findings)
        for finding in held.findings:
            self.get_logger().info(scan_outputs.in_words(finding))
        if held.result is not None:
            self.get_logger().info(f"goal {held.result.outcome}: {held.result.message}")
            self._action.finish(held.result)

    def _check(self) -> Health:
        status = self._decision.status
        figures = {
            "level": status.level.name,
            "leaf": status.leaf,
            "coverage": f"{status.coverage:.3f}",
            "candidates": status.candidates,
            "findings": status.findings,
            "slowest_step_ms": f"{self._pace.slowest_ms:.2f}",
            **self._latency.ledger.figures(steady_ns()),
            "distances": "" if (pod := self._controller.pod) is None else pod.ranges.source,
        }
        if self._keeper.fault:
            return Health.warn(f"the mission is not kept: {self._keeper.fault}", **figures)
        say = Health.warn if status.level is Level.SAFE else Health.ok
        return say(status.reason, **figures)


main = NodeProgram(ScanControllerNode, (SemanticDetectionError,))
