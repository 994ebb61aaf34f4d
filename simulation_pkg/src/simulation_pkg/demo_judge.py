"""Print what the detector sees, keep overlay pictures, end with a summary in JSON.

Its exit status is 0 only if something was detected that is there, however early it ends.
Where the simulated world tells the truth, that is checked; on real pictures any detection counts.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
from rclpy.node import Node

from interfaces_pkg.msg import Detections, GroundTruth
from ros_support_pkg.edge import subscribe
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import EVENT, SENSOR_DATA
from ros_support_pkg.running import run_node
from ros_support_pkg.stamps import NS_PER_S, from_time
from ros_support_pkg.timers import every
from semantic_detection_pkg.camera.ros import frames
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.core.from_messages import from_detections
from semantic_detection_pkg.common.core.overlay import draw_overlay
from semantic_detection_pkg.common.pictures import write_picture
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from simulation_pkg.core.scoring import confirmed
from simulation_pkg.core.settings import DemoJudgeSettings
from simulation_pkg.core.tally import Tally

_FRAMES_KEPT = 8  # that wait for their detections
_TRUTHS_KEPT = 100  # frames; more than are ever between capture and detection


class DemoJudgeNode(Node):
    """Tallies `detections`; draws some of them on their frames and keeps the pictures.

    It draws them itself: `detections/overlay` would have the detector draw and send every frame.
    """

    def __init__(self) -> None:
        super().__init__("demo_judge")
        self._config = declare_parameters(self, DemoJudgeSettings)
        self._tally = Tally()
        self._first_ns = 0
        self._line_ns = 0
        self._saved_ns = 0
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._truths: OrderedDict[int, GroundTruth] = OrderedDict()
        subscribe(self, Detections, "detections", self._count, SENSOR_DATA)
        subscribe(self, GroundTruth, "world/ground_truth", self._keep, EVENT)
        if self._config.save_dir:
            self._folder = _make_folder(self._config.save_dir)
            self._subscription = frames.subscribe_frames(
                self, self._config.frame_transport, self._keep_frame, self._complain
            )
        every(self, 1.0, self._report)

    @property
    def exit_status(self) -> int:
        """0 if something was detected that is there."""
        return 0 if self._tally.has_succeeded else 1

    def destroy_node(self) -> None:
        if self._config.save_dir:
            self._subscription.destroy()
        print(json.dumps(self._tally.summary(self._elapsed_s())), flush=True)  # noqa: T201 - its product
        super().destroy_node()

    def _count(self, message: Detections) -> None:
        self._first_ns = self._first_ns or self._now_ns()
        names = [message.vocabulary[i] for i in message.class_ids]
        self._tally.add(names, message.inference_ms, self._confirm(message, names))
        self._save(message)

    def _keep(self, truth: GroundTruth) -> None:
        self._truths[from_time(truth.header.stamp)] = truth
        if len(self._truths) > _TRUTHS_KEPT:
            self._truths.popitem(last=False)

    def _confirm(self, message: Detections, names: list[str]) -> int | None:
        """Return how many detections are truly there; None where nothing tells."""
        truth = self._truths.get(from_time(message.header.stamp))
        if truth is None:
            return None
        found = from_detections(message)
        things = [thing for thing in truth.objects if not thing.is_decoy]
        there = np.array([thing.box_xyxy for thing in things], np.float32).reshape(-1, 4)
        true_names = [thing.class_name for thing in things]
        return int(confirmed(names, found.boxes_xyxy, true_names, there).sum())

    def _keep_frame(self, frame: Frame) -> None:
        self._frames[frame.stamp_ns] = frame
        if len(self._frames) > _FRAMES_KEPT:
            self._frames.popitem(last=False)

    def _save(self, message: Detections) -> None:
        stamp_ns = from_time(message.header.stamp)
        frame = self._frames.get(stamp_ns)
        if frame is None or stamp_ns - self._saved_ns < self._config.save_period_s * NS_PER_S:
            return
        self._saved_ns = stamp_ns
        try:
            found = from_detections(message)
            picture = draw_overlay(frame.image, found, message.vocabulary)
            write_picture(self._folder / f"{stamp_ns}.jpg", picture)
        except SemanticDetectionError as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self.get_logger().error(str(error), throttle_duration_sec=1.0)

    def _report(self) -> None:
        now_ns = self._now_ns()
        line_s = (now_ns - (self._line_ns or now_ns - NS_PER_S)) / NS_PER_S
        self._line_ns = now_ns
        self.get_logger().info(self._tally.line(line_s))
        if self._first_ns and 0 < self._config.duration_s <= self._elapsed_s():
            self.context.try_shutdown()

    def _elapsed_s(self) -> float:
        return (self._now_ns() - self._first_ns) / NS_PER_S if self._first_ns else 0.0

    def _now_ns(self) -> int:
        return time.monotonic_ns()


def _make_folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"parameter 'save_dir' is {name!r}, a folder that can be made is allowed: "
            f"{error.strerror}"
        ) from error
    return folder


def main() -> int:
    """Run the node; return 0 if something was detected that is there, else 1 (2: misconfigured)."""
    made: list[DemoJudgeNode] = []

    def make_node() -> DemoJudgeNode:
        made.append(DemoJudgeNode())
        return made[0]

    status = run_node(make_node, expected_errors=(SemanticDetectionError,))
    # A judge that was interrupted before it was made has seen nothing, either.
    return status or (made[0].exit_status if made else 1)
