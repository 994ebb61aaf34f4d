"""What a scan says of looks at pictures: where a tile is worth most, and which way to look."""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from interfaces_pkg.msg import SearchNeed
from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.core.looks import WayOfLooking
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.ros.gimbal_poses import GimbalPoses
from semantic_detection_pkg.detector.core.detection_result import DetectionResult
from semantic_detection_pkg.detector.core.need import NeedMap, need_map
from semantic_detection_pkg.detector.core.offered_ways import OfferedWays, asked_for
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings

#: [s] so long a map of needs holds; a scan that goes on tells it with every frame.
_NEED_HOLDS_S = 3.0


class ScanLooks:
    """The scan's newest word on looks, and what it may ask for."""

    def __init__(self, node: Node, poses: GimbalPoses) -> None:
        self._poses = poses
        self._need: NeedMap | None = None
        self._need_s = 0.0
        self._ways = OfferedWays((1, 1))
        subscribe(node, SearchNeed, "scan/need", self._take_need, STATE)

    def use(self, input_size: tuple[int, int]) -> None:
        """Go by a network's input of this width and height [px]."""
        self._ways = OfferedWays(input_size)

    def tiling(self, settings: TileSettings) -> TileSettings:
        """Return how the next frame is looked at: as the scan asks, where it may and does."""
        need = self._need if self._holds() and settings.tiles_by_scan else None
        return settings if need is None else asked_for(settings, need.looking)

    def need_of(self, frame: Frame, tiling: TileSettings) -> NDArray[np.float32] | None:
        """Return what a tile of a frame is worth to the scan; None: nobody says, or asks."""
        if tiling.looking is not Looking.ROTATING or self._need is None or not self._holds():
            return None
        pose = self._poses.at(frame.stamp_ns)
        if pose is None or not 0.0 < pose.hfov_rad < math.pi:
            return None
        height, width = frame.image.shape[:2]
        view = CameraView(pose.yaw_rad, pose.pitch_rad, pose.roll_rad, pose.hfov_rad, width, height)
        return self._need.in_picture(view)

    def offered(
        self, frame: Frame, settings: TileSettings, result: DetectionResult
    ) -> tuple[WayOfLooking, ...]:
        """Return the ways that the scan may ask for, after a frame; none where it may not."""
        if not settings.tiles_by_scan:
            return ()
        height, width = frame.image.shape[:2]
        took = result.elapsed_ms
        frame_s = 1e-3 * (took.preprocess + took.inference + took.postprocess)
        looks = max(1, len(result.looks))
        return self._ways.after_frame((width, height), settings, frame_s, looks)

    def _take_need(self, message: SearchNeed) -> None:
        self._need, self._need_s = need_map(message), time.monotonic()

    def _holds(self) -> bool:
        return time.monotonic() - self._need_s <= _NEED_HOLDS_S
