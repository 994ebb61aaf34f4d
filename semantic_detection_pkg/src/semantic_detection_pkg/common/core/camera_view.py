"""Where a picture looked: the gimbal's pose at its capture, seen through the camera's lens."""

from __future__ import annotations

import math

from ros_support_pkg.core.pose_history import Pose, PoseHistory, PoseT, hfov_at_zoom
from semantic_detection_pkg.common.core.optics import CameraView


class CameraPoses(PoseHistory[PoseT]):
    """Poses of the gimbal with the lens of the camera on it."""

    def __init__(self, hfov_wide_rad: float) -> None:
        """Start empty; `hfov_wide_rad` [rad] at zoom 1 is for gimbals that do not tell theirs."""
        super().__init__()
        self._hfov_wide_rad = hfov_wide_rad

    def hfov_rad(self, zoom: float) -> float:
        """Return the horizontal field of view [rad] at a zoom."""
        newest = self.newest
        if newest is not None and 0.0 < newest.hfov_rad < math.pi and newest.zoom >= 1.0:
            return hfov_at_zoom(newest.hfov_rad, zoom, newest.zoom)
        return hfov_at_zoom(self._hfov_wide_rad, zoom)

    def view_of(self, pose: Pose, width: int, height: int) -> CameraView:
        """Return where a picture of this size [px] looked that was captured at `pose`."""
        hfov = pose.hfov_rad
        if not 0.0 < hfov < math.pi:
            hfov = self.hfov_rad(max(pose.zoom, 1.0) if math.isfinite(pose.zoom) else 1.0)
        return CameraView(pose.yaw_rad, pose.pitch_rad, pose.roll_rad, hfov, width, height)

    def view_at(self, stamp_ns: int, width: int, height: int) -> CameraView | None:
        """Return where a picture of this size [px] looked; None where nobody knows."""
        pose = self.at(stamp_ns)
        return None if pose is None else self.view_of(pose, width, height)
