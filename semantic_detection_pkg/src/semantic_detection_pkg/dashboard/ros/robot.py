"""Carries the page's commands into the graph: a `Robot` of the dashboard over topics and services.

The web server's thread only puts commands into a short queue; the executor's thread, woken by a
guard condition, does all that concerns ROS.
"""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from interfaces_pkg import action, msg, srv
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import COMMAND, STATE
from ros_support_pkg.requests import Requests
from ros_support_pkg.timers import every
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome

Done = Callable[[Outcome], None]

_WAITING_MAX = 64
_RESULT_PERIOD_S = 1.0
_ENDED = (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)
_ANSWER_TIMEOUT_S = 4.0  # less than the page's own patience: what is missing is then named


@dataclass(frozen=True)
class _Call:
    """A command that is one service call; most answers have `success` and `message`."""

    service: Any
    name: str
    request: Callable[[Any], Any]
    is_repeatable: bool = True  # carried out twice it does the same as once
    bearings: Callable[[Any], tuple[tuple[float, float], ...]] = lambda _: ()  # of the answer
    told: Callable[[Any], tuple[bool, str]] = lambda answer: (answer.success, answer.message)
    timeout_s: float | None = None  # None: as all others


def _proposal_parameters(command: Any) -> list[ParameterMessage]:
    """Return the detector's parameters; an empty list of texts has no type in ROS."""
    return [
        Parameter("propose_anomalies", value=command.is_anomaly).to_parameter_msg(),
        Parameter("propose_colours", value=list(command.colours) or [""]).to_parameter_msg(),
    ]


_CALLS: dict[type[Command], _Call] = {
    commands.SetWords: _Call(
        srv.SetVocabulary,
        "detector/set_vocabulary",
        lambda command: srv.SetVocabulary.Request(words=list(command.words)),
    ),
    commands.ShowExample: _Call(
        srv.AddExample,
        "detector/add_example",
        lambda command: srv.AddExample.Request(
            name=command.name,
            is_negative=command.is_negative,
            picture=array("B", command.picture),
            box_xyxy=[command.x_min, command.y_min, command.x_max, command.y_max],
        ),
        is_repeatable=False,
        timeout_s=commands.EXAMPLE_TIMEOUT_S,
    ),
    commands.ForgetExamples: _Call(
        srv.ForgetExamples,
        "detector/forget_examples",
        lambda command: srv.ForgetExamples.Request(name=command.name),
        is_repeatable=False,
    ),
    commands.SetProposals: _Call(
        SetParametersAtomically,
        "detector/set_parameters_atomically",
        lambda command: SetParametersAtomically.Request(parameters=_proposal_parameters(command)),
        told=lambda answer: (answer.result.successful, answer.result.reason),
    ),
    commands.Zoom: _Call(
        srv.SetZoom, "gimbal/set_zoom", lambda command: srv.SetZoom.Request(zoom=command.zoom)
    ),
    commands.Center: _Call(Trigger, "gimbal/center", lambda _: Trigger.Request()),
    commands.PauseScan: _Call(
        SetBool, "scan/pause", lambda command: SetBool.Request(data=command.is_paused)
    ),
    commands.ToBearings: _Call(
        srv.ToBearings,
        "scan/to_bearings",
        lambda command: srv.ToBearings.Request(
            latitude_deg=list(command.latitudes_deg), longitude_deg=list(command.longitudes_deg)
        ),
        bearings=lambda answer: tuple((one.yaw_rad, one.pitch_rad) for one in answer.bearings),
    ),
    commands.MarkEvent: _Call(
        srv.MarkEvent,
        "recorder/mark_event",
        lambda command: srv.MarkEvent.Request(**command.model_dump()),
        is_repeatable=False,
    ),
}


class RosRobot:
    """See `semantic_detection_pkg.dashboard.api.commands.Robot`.

    Attributes:
        on_watch: told in the executor's thread whether somebody looks at pictures.
        on_place_watch: told there whether somebody looks at a map.
        on_scan_end: told there how a scan that the page started has ended.
    """

    def __init__(self, node: Node) -> None:
        self.on_watch: Callable[[bool], None] = lambda _: None
        self.on_place_watch: Callable[[bool], None] = lambda _: None
        self.on_scan_end: Callable[[action.Scan.Result], None] = lambda _: None
        self._node = node
        self._rates = advertise(node, msg.GimbalRate, "gimbal/cmd_rate", COMMAND)
        self._angles = advertise(node, msg.GimbalAngle, "gimbal/cmd_angle", COMMAND)
        self._looks = advertise(node, msg.GimbalAngle, "scan/point_here", COMMAND)
        self._operator = advertise(node, String, "operator", STATE)
        self._clients: dict[type[Command], Client] = {
            kind: node.create_client(call.service, call.name) for kind, call in _CALLS.items()
        }
        self._scan = ActionClient(node, action.Scan, "scan")
        # Not the client of the action: whoever started the scan, it is ended.
        self._cancel = node.create_client(CancelGoal, "scan/_action/cancel_goal")
        self._begun: ClientGoalHandle | None = None  # the page's scan; None: none, or it has ended
        self._requests = Requests(node)
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._rate: commands.Turn | None = None
        self._announcement: tuple[str, Callable[[], None]] | None = None
        self._wake = node.create_guard_condition(self._work)
        every(node, _RESULT_PERIOD_S, self._look_after_scan)

    def presence(self) -> dict[str, bool]:
        """Return which commands somebody is there to carry out, by the service or action."""
        found = {call.name: self._clients[kind].service_is_ready() for kind, call in _CALLS.items()}
        return {**found, "scan": self._scan.server_is_ready()}

    def send(self, command: Command, done: Done) -> None:
        """Carry out a command soon; refused when too many wait."""
        if not self._put(lambda: self._carry_out(command, done)):
            done(Outcome(CommandStatus.ABSENT, f"{_WAITING_MAX} commands wait already"))

    def turn(self, command: commands.Turn) -> None:
        """Publish a rate soon; a newer one replaces it."""
        with self._lock:
            self._rate = command
        self._wake.trigger()

    def watch_pictures(self, is_watched: bool) -> None:
        """Tell `on_watch` soon."""
        self._put(lambda: self.on_watch(is_watched))

    def watch_place(self, is_watched: bool) -> None:
        """Tell `on_place_watch` soon."""
        self._put(lambda: self.on_place_watch(is_watched))

    def announce_operator(self, name: str, done: Callable[[], None]) -> None:
        """Publish who holds control, however many commands wait, and after them."""
        with self._lock:
            self._announcement = (name, done)
        self._wake.trigger()

    def _put(self, job: Callable[[], None]) -> bool:
        with self._lock:
            if len(self._jobs) >= _WAITING_MAX:
                return False
            self._jobs.append(job)
        self._wake.trigger()
        return True

    def _work(self) -> None:
        with self._lock:
            jobs, self._jobs = self._jobs, deque()
            rate, self._rate = self._rate, None
            announcement, self._announcement = self._announcement, None
        if rate is not None:
            self._publish_rate(rate.yaw_rate_rad_s, rate.pitch_rate_rad_s)
        for job in jobs:
            job()
        if announcement is not None:
            name, done = announcement
            self._operator.publish(String(data=name))
            done()

    def _carry_out(self, command: Command, done: Done) -> None:
        if type(command) in _CALLS:
            self._call(command, done)
        elif isinstance(command, commands.Stop):
            self._stop(done)
        elif isinstance(command, commands.Point):  # a Look, too
            publisher = self._looks if isinstance(command, commands.PointScan) else self._angles
            angle = msg.GimbalAngle(yaw_rad=command.yaw_rad, pitch_rad=command.pitch_rad)
            angle.header.stamp = self._node.get_clock().now().to_msg()
            publisher.publish(angle)
            done(Outcome(CommandStatus.DONE))
        elif isinstance(command, commands.StartScan):
            self._start_scan(command, done)
        elif isinstance(command, commands.StopScan):
            self._stop_scan(done)
        else:
            done(Outcome(CommandStatus.ABSENT, f"nobody carries out {type(command).__name__}"))

    def _publish_rate(self, yaw_rate_rad_s: float, pitch_rate_rad_s: float) -> None:
        rate = msg.GimbalRate(yaw_rate_rad_s=yaw_rate_rad_s, pitch_rate_rad_s=pitch_rate_rad_s)
        rate.header.stamp = self._node.get_clock().now().to_msg()
        self._rates.publish(rate)

    def _stop(self, done: Done) -> None:
        """Stop the gimbal, and the scan, which would turn it on."""
        pause = commands.PauseScan(is_paused=True)
        if self._clients[commands.PauseScan].service_is_ready():
            self._call(pause, lambda _: None)
        self._publish_rate(0.0, 0.0)
        done(Outcome(CommandStatus.DONE, "the gimbal was told to stop"))

    def _call(self, command: Command, done: Done) -> None:
        client, call = self._clients[type(command)], _CALLS[type(command)]
        if not client.service_is_ready():
            done(Outcome(CommandStatus.ABSENT, f"nobody serves {call.name}"))
            return

        def take(answer: Any) -> None:
            is_done, message = call.told(answer)
            status = CommandStatus.DONE if is_done else CommandStatus.REFUSED
            done(Outcome(status, message, call.bearings(answer)))

        request = call.request(command)
        self._requests.call(
            client,
            request,
            call.timeout_s or _ANSWER_TIMEOUT_S,
            take,
            _tell_late(done),
            is_repeatable=call.is_repeatable,
        )

    def _start_scan(self, command: commands.StartScan, done: Done) -> None:
        if not self._scan.server_is_ready():
            done(Outcome(CommandStatus.ABSENT, "nobody serves the action scan"))
            return
        area = msg.ScanArea(
            yaw_min_rad=command.yaw_min_rad,
            yaw_max_rad=command.yaw_max_rad,
            pitch_min_rad=command.pitch_min_rad,
            pitch_max_rad=command.pitch_max_rad,
        )
        goal = action.Scan.Goal(
            area=area,
            words=list(command.words),
            zoom=command.zoom,
            repeat=command.is_repeated,
            planner=command.planner,
            wanted_pod=command.wanted_pod,
        )
        for part in command.weights:
            vertices = [msg.Bearing(**vertex.model_dump()) for vertex in part.vertices]
            goal.weights.append(msg.WeightedArea(vertices=vertices, weight=part.weight))

        def take(handle: ClientGoalHandle) -> None:
            if not handle.accepted:
                done(Outcome(CommandStatus.REFUSED, "the scan controller refuses this scan"))
                return
            self._begun = handle
            self._ask_result(handle)
            done(Outcome(CommandStatus.DONE, "the scan has begun"))

        self._requests.send_goal(
            self._scan, "scan", goal, _ANSWER_TIMEOUT_S, take, _tell_late(done)
        )

    def _ask_result(self, handle: ClientGoalHandle) -> None:
        def take(future: Any) -> None:
            if self._begun is handle:
                self._begun = None
                self.on_scan_end(future.result().result)

        handle.get_result_async().add_done_callback(take)

    def _look_after_scan(self) -> None:
        """Ask again for the result of a scan that has ended: it may not be with who was asked.

        A scan controller that died is followed by one in which the goal goes on.
        """
        if self._begun is not None and self._begun.status in _ENDED:
            self._ask_result(self._begun)

    def _stop_scan(self, done: Done) -> None:
        if not self._cancel.service_is_ready():
            done(Outcome(CommandStatus.ABSENT, "nobody serves the action scan"))
            return

        def take(answer: CancelGoal.Response) -> None:
            # Not refused: what was asked for is so, and the first of two requests may have done it.
            message = "the scan ends" if answer.goals_canceling else "no scan runs"
            done(Outcome(CommandStatus.DONE, message))

        # A request with neither goal nor time means all goals.
        request = CancelGoal.Request()
        self._requests.call(
            self._cancel, request, _ANSWER_TIMEOUT_S, take, _tell_late(done), is_repeatable=True
        )


def _tell_late(done: Done) -> Callable[[str], None]:
    return lambda reason: done(Outcome(CommandStatus.LATE, reason))
