"""What can be set about the camera node, and how frames travel between nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ros_support_pkg.core.settings import setting

TRANSPORTS = ("shm", "image")
#: Frames that a reader may keep at a time, beside the one that it works on.
FRAMES_HELD_MAX = 32


def frame_transport_setting() -> Any:
    """Return the field `frame_transport` of every node that sends or takes frames."""
    return setting(
        "shm",
        "how frames travel: shm (shared memory; image where iceoryx2 is missing) or image",
        choices=TRANSPORTS,
    )


@dataclass(frozen=True)
class CameraSettings:
    """Settings of the camera node."""

    source: str = setting(
        "device:0",
        "where frames come from: device:0, rtsp://.., csi:0, file:.., images:DIR, ros:/TOPIC, "
        "sim:SEED, photo:FILE; see docs/cameras.md",
    )
    frame_id: str = setting("camera_optical_frame", "optical frame (REP 103) of the pictures")
    frame_transport: str = frame_transport_setting()
    calibration_file: str = setting(
        "",
        "calibration: camera_info YAML as camera_calibration writes it, OpenCV's or Kalibr's YAML; "
        "scaled to pictures of the same aspect; '': none",
        formerly=("calibration",),
    )
    jpeg_quality: int = setting(
        85, "quality of image_raw/compressed", unit="%", minimum=1, maximum=100, is_runtime=True
    )
