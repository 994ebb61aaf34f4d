"""A shape that a team draws becomes the area of a scan: where its edges lie, then a goal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node

from interfaces_pkg import msg, srv
from interfaces_pkg.action import Scan
from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import STATE
from ros_support_pkg.requests import Requests
from semantic_detection_pkg.tak.core.shapes import Place, along_edges, range_of

_ANSWER_TIMEOUT_S = 10.0
_ACCEPT_TIMEOUT_S = 10.0


class AreaRequests:
    """Asks the scan controller; all of it in the executor's thread, nothing waits for ever."""

    def __init__(self, node: Node, words: Sequence[str]) -> None:
        """Search for `words`; none: for what was searched for last."""
        self._node = node
        self._words = [word for word in words if word]
        self._newest_words: list[str] = []
        self._bearings = node.create_client(srv.ToBearings, "scan/to_bearings")
        self._scan = ActionClient(node, Scan, "scan")
        self._requests = Requests(node)
        subscribe(node, msg.ScanState, "scan/state", self._take_state, STATE)

    def search(self, name: str, corners: Sequence[Place]) -> None:
        """Have the scan search what holds a shape; what comes of it is in the log."""
        words = self._words or self._newest_words
        if not words:
            self._refuse(name, "nothing was searched for yet, and search_words names nothing")
            return
        if not (self._bearings.service_is_ready() and self._scan.server_is_ready()):
            self._refuse(name, "the scan controller is not there")
            return
        places = along_edges(corners)
        request = srv.ToBearings.Request(
            latitude_deg=[lat for lat, _ in places], longitude_deg=[lon for _, lon in places]
        )
        self._requests.call(
            self._bearings,
            request,
            _ANSWER_TIMEOUT_S,
            partial(self._begin, name, words),
            partial(self._refuse, name),
            is_repeatable=True,
        )

    def _take_state(self, state: msg.ScanState) -> None:
        if state.words:
            self._newest_words = list(state.words)

    def _begin(self, name: str, words: list[str], answer: srv.ToBearings.Response) -> None:
        if not answer.success:
            self._refuse(name, answer.message)
            return
        try:
            found = range_of([(one.yaw_rad, one.pitch_rad) for one in answer.bearings])
        except ValueError as error:
            self._refuse(name, str(error))
            return
        area = msg.ScanArea(
            yaw_min_rad=found.yaw_min_rad,
            yaw_max_rad=found.yaw_max_rad,
            pitch_min_rad=found.pitch_min_rad,
            pitch_max_rad=found.pitch_max_rad,
        )
        self._node.get_logger().info(f"searching {name!r} for {', '.join(words)}, as a team asks")
        self._requests.send_goal(
            self._scan,
            "scan",
            Scan.Goal(area=area, words=words),
            _ACCEPT_TIMEOUT_S,
            partial(self._follow, name),
            partial(self._refuse, name),
        )

    def _follow(self, name: str, handle: ClientGoalHandle) -> None:
        if not handle.accepted:
            self._refuse(name, "the scan controller does not take it")
            return
        handle.get_result_async().add_done_callback(partial(self._say_end, name))

    def _say_end(self, name: str, ended: Any) -> None:
        answer = ended.result()
        if answer is not None:
            self._node.get_logger().info(f"search of {name!r}: {answer.result.message}")

    def _refuse(self, name: str, reason: str) -> None:
        self._node.get_logger().warning(f"cannot search {name!r}: {reason}")
