"""Messages as core types, read by their fields.

Nothing but attributes is used, so messages of rclpy and messages that were read from a recording
(rosbags) go the same way. A field that is newer than a recording has its default.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.errors import FrameError


def from_detections(message: Any) -> Detections:
    """Return what a message of type Detections holds; the arrays are views of its memory.

    Raises:
        FrameError: its arrays do not fit together, or a class has no word.
    """
    words = len(message.vocabulary)
    if len(message.class_ids) and (greatest := max(message.class_ids)) >= words:
        raise FrameError(
            f"detections: class id {greatest} is beyond the vocabulary, which has {words} words"
        )
    try:
        return Detections(
            width=int(message.image_width),
            height=int(message.image_height),
            class_ids=np.asarray(message.class_ids, np.uint16),
            scores=np.asarray(message.scores, np.float32),
            boxes_xyxy=np.asarray(message.boxes_xyxy, np.float32).reshape(-1, 4),
            masks=MaskRings(
                points=np.asarray(message.points_xy, np.float32).reshape(-1, 2),
                ring_sizes=np.asarray(message.ring_sizes, np.uint32),
                ring_counts=np.asarray(message.ring_counts, np.uint32),
            ),
        )
    except ValueError as error:
        raise FrameError(str(error)) from error


def from_looks(message: Any) -> tuple[Look, ...]:
    """Return what was looked at for a message of type Detections; empty in older recordings.

    Raises:
        FrameError: its arrays do not fit together, or a look is none of the picture.
    """
    bounds = np.asarray(getattr(message, "looks_xyxy", ()), np.int64)
    gains = np.asarray(getattr(message, "look_gains", ()), np.float64)
    if len(bounds) != 4 * len(gains):
        raise FrameError(
            f"detections: {len(bounds)} bounds of looks and {len(gains)} gains: there must be four "
            "bounds of each"
        )
    bounds = bounds.reshape(-1, 4)
    size = (message.image_width, message.image_height)
    is_good = (bounds[:, :2] < bounds[:, 2:]).all(1) & (bounds[:, 2:] <= size).all(1)
    is_good &= np.isfinite(gains) & (gains > 0.0)
    if not is_good.all():
        at = int(is_good.argmin())
        raise FrameError(
            f"detections: look {bounds[at].tolist()} with gain {gains[at]:g} must lie in the "
            f"picture of {size[0]}x{size[1]} and be above 0"
        )
    return tuple(
        Look(row[0], row[1], row[2], row[3], gain)
        for row, gain in zip(bounds.tolist(), gains.tolist(), strict=True)
    )


def pose_of_state(message: Any) -> Pose:
    """Return where a message of type GimbalState says that the gimbal points."""
    return _pose(from_time(message.header.stamp), message)


def pose_at_capture(message: Any) -> Pose | None:
    """Return where the camera looked at the frame of a message of type Detections.

    None where nobody knew, and in recordings from before the detector published it.
    """
    published = getattr(message, "pose", None)
    if published is None or not published.is_known:
        return None
    pose = _pose(from_time(message.header.stamp), published)
    return pose if pose.is_usable else None


def _pose(stamp_ns: int, message: Any) -> Pose:
    return Pose(
        stamp_ns,
        float(message.yaw_rad),
        float(message.pitch_rad),
        float(message.roll_rad),
        float(message.yaw_rate_rad_s),
        float(message.pitch_rate_rad_s),
        float(message.zoom),
        float(message.hfov_rad),
    )
