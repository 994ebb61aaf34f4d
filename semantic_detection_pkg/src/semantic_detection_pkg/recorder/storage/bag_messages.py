"""Recorded messages as core types: read by their fields, so no ROS is needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.replay.player import Recorded
from semantic_detection_pkg.recorder.core.replay.redetect import Picture
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.inputs_and_decisions import FrameDetections, GimbalReading
from semantic_detection_pkg.scan.core.journal import RecordedStep

_LINKS = ("down", "handshake", "stale", "up")  # LINK_* of msg/GimbalState
_NUMBERS = [
    field.name
    for field in dataclasses.fields(GimbalReading)
    if field.name not in ("stamp_ns", "link")
]


def stamp_ns(time: Any) -> int:
    """builtin_interfaces/Time as nanoseconds since the epoch."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def gimbal_reading(message: Any) -> GimbalReading:
    """A `gimbal/state` message."""
    return GimbalReading(
        stamp_ns(message.header.stamp),
        link=_LINKS[message.link] if message.link < len(_LINKS) else _LINKS[0],
        **{name: float(getattr(message, name)) for name in _NUMBERS},
    )


def frame_detections(message: Any) -> FrameDetections:
    """A `detections` message.

    Raises:
        ValueError: its arrays do not fit together.
    """
    detections = Detections(
        int(message.image_width),
        int(message.image_height),
        np.asarray(message.class_ids, np.uint16),
        np.asarray(message.scores, np.float32),
        np.asarray(message.boxes_xyxy, np.float32).reshape(-1, 4),
        MaskRings(
            np.asarray(message.points_xy, np.float32).reshape(-1, 2),
            np.asarray(message.ring_sizes, np.uint32),
            np.asarray(message.ring_counts, np.uint32),
        ),
    )
    return FrameDetections(
        stamp_ns(message.header.stamp), detections, tuple(message.vocabulary), message.model
    )


def recorded_step(message: Any) -> RecordedStep:
    """A `scan/journal` message."""
    return RecordedStep(
        int(message.step),
        stamp_ns(message.header.stamp),
        tuple(map(stamp_ns, message.gimbal_stamps)),
        tuple(map(stamp_ns, message.detections_stamps)),
        message.inputs,
        message.decision,
    )


def picture(message: Any) -> Picture:
    """A `camera/image_raw/compressed` message."""
    return Picture(stamp_ns(message.header.stamp), bytes(message.data))


GIMBAL, DETECTIONS, JOURNAL = "gimbal/state", "detections", "scan/journal"
PICTURES = "camera/image_raw/compressed"
#: How topics become what a replay takes, by relative name: type and conversion.
_CONVERSIONS: dict[str, tuple[str, Callable[[Any], Recorded | Picture]]] = {
    GIMBAL: ("interfaces_pkg/msg/GimbalState", gimbal_reading),
    DETECTIONS: ("interfaces_pkg/msg/Detections", frame_detections),
    JOURNAL: ("interfaces_pkg/msg/ScanJournal", recorded_step),
    PICTURES: ("sensor_msgs/msg/CompressedImage", picture),
}


def recording(
    reader: BagReader, namespace: str, topics: Collection[str]
) -> Iterator[Recorded | Picture]:
    """Messages of some topics, in the order in which they were received.

    Args:
        topics: of GIMBAL, DETECTIONS, JOURNAL and PICTURES.

    Raises:
        ConfigurationError: the bag is damaged, or its messages are of another version.
    """
    for message in reader.messages(namespace, {topic: _CONVERSIONS[topic][0] for topic in topics}):
        content = reader.read(message)
        try:
            yield _CONVERSIONS[message.topic][1](content)
        except AttributeError as error:
            raise ConfigurationError(
                f"bag {reader.path}: {message.connection.msgtype} is of another version: {error}"
            ) from error
        except ValueError:
            continue  # detections that contradict themselves: the controller was not given them


def scan_recording(reader: BagReader, namespace: str) -> Iterator[Recorded]:
    """All that `core.replay.player.replay` takes of a bag; raises as `recording`."""
    for item in recording(reader, namespace, (GIMBAL, DETECTIONS, JOURNAL)):
        if not isinstance(item, Picture):
            yield item
