"""From the graph onto the board: every topic that the page shows, as JSON values.

Frames are subscribed only while somebody looks; everything else is small.
"""

from __future__ import annotations

import base64
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Imu, NavSatFix

from interfaces_pkg import action, msg
from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import EVENT, RECORD, SENSOR_DATA, STATE
from ros_support_pkg.stamps import NS_PER_S, from_time
from semantic_detection_pkg.camera.ros.frames import FrameSubscription, subscribe_frames
from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.core.from_messages import (
    from_detections,
    from_looks,
    pose_at_capture,
)
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.plain import as_plain, finite
from semantic_detection_pkg.dashboard.api.finding_book import FindingBook
from semantic_detection_pkg.dashboard.api.map_book import MapBook
from semantic_detection_pkg.dashboard.api.mission_book import MissionBook
from semantic_detection_pkg.dashboard.api.pictures import PictureMaker, ShownFrame
from semantic_detection_pkg.dashboard.api.recorded_findings import WITHOUT
from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.core.labels import TrackMark, labels_of
from semantic_detection_pkg.dashboard.core.latencies import latency_of
from semantic_detection_pkg.dashboard.core.ownership import is_own_logger, is_own_status
from semantic_detection_pkg.dashboard.core.pairing import Pairing
from semantic_detection_pkg.dashboard.core.pod import pod_of
from semantic_detection_pkg.dashboard.core.proposals import proposals_in_force, split_vocabulary
from semantic_detection_pkg.dashboard.core.words_shown import FramesWith, words_shown
from semantic_detection_pkg.errors import FrameError
from semantic_detection_pkg.scan.core.from_messages import from_gimbal_state, from_weighted_area
from semantic_detection_pkg.scan.core.inputs import GimbalReading
from semantic_detection_pkg.scan.core.weight_shares import weight_shares
from semantic_detection_pkg.scan.core.weights import WeightedArea
from semantic_detection_pkg.scan.ros.whereabouts import Whereabouts

_LOG_LINES = 80
_DIAGNOSTICS_MAX = 40
_NAMESPACES_PERIOD_S = 2.0
_CELLS = (
    "age_s",
    "pixels_per_rad",
    "results",
    "range_m",
    "look_counts",
    "finest_px_per_rad",
    "classes",
    "has_position",
    "latitude_deg",
    "longitude_deg",
    "altitude_m",
    "orientation_xyzw",
)
_AGE_UNSEEN = 255  # of a cell, in whole seconds below
_LEVELS = {
    DiagnosticStatus.OK: "ok",
    DiagnosticStatus.WARN: "warn",
    DiagnosticStatus.ERROR: "error",
    DiagnosticStatus.STALE: "stale",
}
_LOG_LEVELS = {
    Log.DEBUG: "debug",
    Log.INFO: "info",
    Log.WARN: "warn",
    Log.ERROR: "error",
    Log.FATAL: "fatal",
}


class DashboardFeed:
    """Subscriptions of the dashboard; all of it in the executor's thread."""

    def __init__(
        self,
        node: Node,
        board: SectionStore,
        pictures: PictureMaker,
        findings: FindingBook,
        missions: MissionBook,
        map_book: MapBook,
        *,
        transport: str,
        hfov_wide_rad: float,
    ) -> None:
        self._node = node
        self._namespace = node.get_namespace().strip("/")
        self._others: tuple[float, frozenset[str]] = (-math.inf, frozenset())
        self._board = board
        self._pictures = pictures
        self._transport = transport
        self._frames: FrameSubscription | None = None
        self._pairing: Pairing[Frame, msg.Detections] = Pairing()
        self._poses: CameraPoses[GimbalReading] = CameraPoses(hfov_wide_rad)
        self._marks: tuple[TrackMark, ...] = ()
        self._frames_with = FramesWith()
        self._detected_s: deque[float] = deque(maxlen=240)
        self._findings = findings
        self._missions = missions
        self._map_book = map_book
        self._whereabouts = Whereabouts()
        self._places: list[Subscription] = []
        map_book.where = lambda: self._whereabouts.place(time.monotonic())
        self._weights: tuple[str, tuple[WeightedArea, ...]] = ("", ())
        self._shared: tuple[object, ...] = ()
        self._diagnostics: dict[str, dict[str, Any]] = {}
        self._log: deque[dict[str, str]] = deque(maxlen=_LOG_LINES)
        self._subscribe()

    def watch(self, is_watched: bool) -> None:
        """Take frames, or stop taking them."""
        if is_watched and self._frames is None:
            self._frames = subscribe_frames(
                self._node, self._transport, self._take_frame, self._complain
            )
        elif not is_watched and self._frames is not None:
            self._frames.destroy()
            self._frames = None
            self._pairing.clear()

    def watch_place(self, is_watched: bool) -> None:
        """Listen where the robot is, or listen no more."""
        for one in self._places:
            self._node.destroy_subscription(one)
        self._places = []
        if is_watched:
            where = self._whereabouts
            self._places = [
                subscribe(self._node, NavSatFix, "fix", where.take_fix, SENSOR_DATA),
                subscribe(self._node, Imu, "imu", where.take_imu, SENSOR_DATA),
            ]

    def end_scan(self, result: action.Scan.Result) -> None:
        """Note that a scan which the page started has ended."""
        self._missions.take_result(result.success, result.message)

    def _subscribe(self) -> None:
        def plainly(kind: Any, topic: str, section: str, qos: Any) -> None:
            def put(message: Any) -> None:
                self._board.put(section, as_plain(message))

            subscribe(self._node, kind, topic, put, qos)

        plainly(msg.GpuState, "gpu/state", "gpu", STATE)
        plainly(msg.HealthState, "health/level", "health", STATE)
        plainly(msg.RecorderStatus, "recorder/status", "recorder", STATE)
        subscriptions: tuple[tuple[Any, str, Callable[[Any], None], Any], ...] = (
            (msg.ScanState, "scan/state", self._take_state, STATE),
            (msg.Detections, "detections", self._take_detections, SENSOR_DATA),
            (msg.WordsInForce, "detector/words", self._take_words, STATE),
            (msg.GimbalState, "gimbal/state", self._take_gimbal, SENSOR_DATA),
            (msg.Tracks, "scan/tracks", self._take_tracks, SENSOR_DATA),
            (msg.Coverage, "scan/coverage", self._take_coverage, STATE),
            (msg.Finding, "findings", self._take_finding, RECORD),
            (DiagnosticArray, "/diagnostics", self._take_diagnostics, EVENT),
            (Log, "/rosout", self._take_log, EVENT),
        )
        for kind, topic, take, qos in subscriptions:
            subscribe(self._node, kind, topic, take, qos)

    # Pictures -----------------------------------------------------------------------------------

    def _take_frame(self, frame: Frame) -> None:
        self._show(self._pairing.add_frame(frame.stamp_ns, frame, time.monotonic()))

    def _take_detections(self, message: msg.Detections) -> None:
        now_s = time.monotonic()
        self._detected_s.append(now_s)
        found = from_detections(message)
        names = [message.vocabulary[index] for index in found.class_ids]
        words, proposed = split_vocabulary(message.vocabulary, message.proposed_classes)
        self._board.put(
            "detector",
            {
                "rate_hz": sum(now_s - then_s < 1.0 for then_s in self._detected_s),
                "latency_s": finite(self._age_s(from_time(message.header.stamp))),
                "preprocess_ms": finite(message.preprocess_ms),
                "inference_ms": finite(message.inference_ms),
                "postprocess_ms": finite(message.postprocess_ms),
                "looks": max(len(message.look_gains), 1),
                "finest_look": finite(max(message.look_gains, default=math.nan)),
                "looks_given_up": message.looks_given_up,
                "model": message.model,
                "vocabulary": words,
                "proposals": proposals_in_force(message.proposer, proposed),
                "count": len(names),
                "counts": {name: names.count(name) for name in sorted(set(names))},
                "frames_with": self._frames_with.add(_words_key(message), names),
            },
        )
        if self._frames is not None:
            stamp_ns = from_time(message.header.stamp)
            self._show(self._pairing.add_found(stamp_ns, message, now_s))

    def _show(self, shown: tuple[Frame, msg.Detections | None] | None) -> None:
        if shown is None:
            return
        frame, message = shown
        pose = None if message is None else pose_at_capture(message)
        if pose is None:  # of a frame that nobody detected in
            pose = self._poses.at(frame.stamp_ns)
        view = None if pose is None else self._poses.view_of(pose, frame.width, frame.height)
        found, labels, looks = None, tuple[str, ...](), tuple[Look, ...]()
        if message is not None:
            try:
                found, looks = from_detections(message), from_looks(message)
            except FrameError as error:
                self._complain(error)
                return
            labels = labels_of(found, message.vocabulary, self._marks, view)
        self._pictures.offer(
            ShownFrame(
                stamp_ns=frame.stamp_ns,
                capture_s=time.monotonic() - self._age_s(frame.stamp_ns),
                image=frame.image,
                detections=found,
                labels=labels,
                looks=looks,
                view=None if view is None else {**asdict(view), "vfov_rad": view.vfov_rad},
            )
        )

    def _complain(self, error: Exception) -> None:
        self._node.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _age_s(self, stamp_ns: int) -> float:
        return float(self._node.get_clock().now().nanoseconds - stamp_ns) / NS_PER_S

    def _take_words(self, message: msg.WordsInForce) -> None:
        shown = words_shown(message)
        if shown != self._board.get("words"):  # it is told again and again
            self._board.put("words", shown)

    # Everything else ----------------------------------------------------------------------------

    def _take_gimbal(self, message: msg.GimbalState) -> None:
        self._board.put("gimbal", as_plain(message))
        self._poses.add(from_gimbal_state(message))

    def _take_state(self, message: msg.ScanState) -> None:
        # Weights and single bearings are many, and change with the goal only.
        plain = as_plain(message, without=("weights", "area"))
        plain["area"] = as_plain(message.area, without=("bearings",))
        self._board.put("scan", plain)
        self._missions.take_state(plain, lambda: [_part(one) for one in message.weights])
        if message.words and message.goal_id != self._weights[0]:
            self._weights = message.goal_id, tuple(map(from_weighted_area, message.weights))

    def _take_tracks(self, message: msg.Tracks) -> None:
        without = ("first_seen", "last_seen", "yaw_rate_rad_s", "pitch_rate_rad_s")
        self._board.put("tracks", [as_plain(track, without=without) for track in message.tracks])
        self._marks = tuple(
            TrackMark(track.id, track.class_name, track.bearing.yaw_rad, track.bearing.pitch_rad)
            for track in message.tracks
        )

    def _take_coverage(self, message: msg.Coverage) -> None:
        ages = np.nan_to_num(np.asarray(message.age_s), nan=np.inf)
        ages_s = np.where(np.isfinite(ages), np.clip(ages, 0, _AGE_UNSEEN - 1), _AGE_UNSEEN)
        plain = as_plain(message, without=_CELLS)
        plain["results"] = base64.b64encode(bytes(message.results)).decode()
        plain["ages_s"] = base64.b64encode(ages_s.astype(np.uint8).tobytes()).decode()
        plain["pod"] = pod = pod_of(message)
        self._map_book.take_coverage(message)
        self._board.put("coverage", plain)
        if pod is not None:
            self._missions.take_classes(
                from_time(message.header.stamp),
                pod["classes"],
                is_range_assumed=pod["is_range_assumed"],
            )
        self._share_weights(message)

    def _share_weights(self, message: msg.Coverage) -> None:
        """Tell what the goal's weights come to, where goal or ground are others than before."""
        goal_id, weights = self._weights
        ground = message.is_range_assumed, message.is_range_by_terrain
        key = (goal_id, message.rows, message.columns, *ground)
        if goal_id and key != self._shared:
            self._shared = key
            shares = weight_shares(weights, message) if weights else []
            self._missions.take_shares([asdict(one) for one in shares])

    def _take_finding(self, message: msg.Finding) -> None:
        self._findings.add(as_plain(message, without=WITHOUT))
        self._pictures.want_crop(
            message.id, from_time(message.best_frame), tuple(map(float, message.best_box_xyxy))
        )

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if not is_own_status(status.name, self._namespace):
                continue
            if status.name not in self._diagnostics and len(self._diagnostics) >= _DIAGNOSTICS_MAX:
                continue
            self._diagnostics[status.name] = {
                "level": _LEVELS.get(status.level, "error"),
                "message": status.message,
                "values": {item.key: item.value for item in status.values},
                # Not the stamp: after a step of the clock a silent node would be the newest.
                "heard_ns": str(time.monotonic_ns()),
            }
        self._board.put("diagnostics", dict(self._diagnostics))
        self._board.put("latency", latency_of(self._diagnostics))

    def _namespaces(self) -> frozenset[str]:
        """Return the namespaces of all nodes that are there, asked for now and then."""
        now_s = time.monotonic()
        if now_s - self._others[0] > _NAMESPACES_PERIOD_S:
            found = self._node.get_node_names_and_namespaces()
            self._others = (now_s, frozenset(space.strip("/") for _, space in found))
        return self._others[1]

    def _take_log(self, message: Log) -> None:
        if not is_own_logger(message.name, self._namespace, self._namespaces()):
            return
        level = message.level if isinstance(message.level, int) else message.level[0]
        self._log.append(
            {
                "stamp_ns": str(from_time(message.stamp)),
                "level": _LOG_LEVELS.get(level, "info"),
                "name": message.name,
                "text": message.msg,
            }
        )
        self._board.put("log", list(self._log))


def _words_key(message: msg.Detections) -> tuple[object, ...]:
    return (from_time(message.words_since), *message.vocabulary)


def _part(part: msg.WeightedArea) -> dict[str, Any]:
    """Return a part of the area as a page sends it."""
    vertices = [
        {"yaw_rad": finite(one.yaw_rad), "pitch_rad": finite(one.pitch_rad)}
        for one in part.vertices
    ]
    return {"vertices": vertices, "weight": finite(part.weight)}
