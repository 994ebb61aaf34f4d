"""What can be set about the recorder node."""

from __future__ import annotations

from dataclasses import dataclass, field

from ros_support_pkg.core.settings import MEGABYTES, setting
from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules


@dataclass(frozen=True)
class RecorderSettings:
    """Settings of the recorder node."""

    output_dir: str = setting("output/recordings", "folder of the recordings", formerly=("output",))
    ring: RingRules = field(default_factory=RingRules)
    events: EventRules = field(default_factory=EventRules)
    flush_period_s: float = setting(
        0.5,
        "a message lies in memory only for at most this long",
        minimum=0.05,
        maximum=60.0,
        formerly=("flush_s",),
    )
    queue_bytes: int = setting(
        64,
        "size of the messages that may wait for the disk",
        minimum=1,
        maximum=4000,
        scale=MEGABYTES,
    )
    frames: str = setting(
        "compressed", "pictures: the camera's JPEG or none", choices=("compressed", "none")
    )
    compression: str = setting(
        "none",
        "compression of chunks; pictures do not get smaller by it",
        choices=("none", "zstd"),
    )
    ros_distro: str = setting(
        "auto",
        "whose rosbag2 is to read the bags; auto: that of this ROS",
        choices=("auto", "humble", "jazzy"),
        formerly=("distribution",),
    )
    extra_topics: tuple[str, ...] = setting((), "more topics, each as name:package/msg/Type")
