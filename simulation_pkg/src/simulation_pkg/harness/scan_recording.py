"""A scan in the exact world, written as a bag through the storage, without ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.words import LinkState
from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.scan.core.controller import in_order
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading, Input
from semantic_detection_pkg.scan.core.journal import inputs_to_json, reading_checksum
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import ExactScan, Thing
from simulation_pkg.harness.recorded_messages import (
    NS_PER_S,
    STATE,
    blank,
    header_of,
    message,
    time_of,
    typestore,
)

SETTINGS = SessionSettings(
    RingRules(1 << 30, 0, 1 << 20, 3600.0), EventRules(1 << 30, before_s=1.0, after_s=1.0)
)
JOURNAL_TYPE = "interfaces_pkg/msg/ScanJournal"
_POSE = tuple(field.name for field in fields(Pose))
_FLOAT32 = ("zoom", "zoom_max", "hfov_rad")
THINGS = [Thing(0.3, 0.2), Thing(-0.3, 0.3, "tent", truth="boulder")]


class WireScan(ExactScan):
    """A scan whose inputs go by messages: some numbers are float32, frames tell their pose."""

    def __init__(self, things: list[Thing], **options: Any) -> None:
        super().__init__(things, **options)
        self._poses: PoseHistory[GimbalReading] = PoseHistory()

    def sense(self) -> list[Input]:
        items = [
            _as_sent(item) if isinstance(item, GimbalReading) else item for item in super().sense()
        ]
        for item in items:
            if isinstance(item, GimbalReading):
                self._poses.add(item)
        return [
            replace(item, pose=self._pose_at(item.stamp_ns))
            if isinstance(item, FrameDetections)
            else item
            for item in items
        ]

    def _pose_at(self, stamp_ns: int) -> Pose | None:
        """Look the pose up as the detector does."""
        found = self._poses.at(stamp_ns)
        return None if found is None else Pose(**{name: getattr(found, name) for name in _POSE})


def _as_sent(reading: GimbalReading) -> GimbalReading:
    rounded: dict[str, Any] = {name: float(np.float32(getattr(reading, name))) for name in _FLOAT32}
    return replace(reading, **rounded)


def recorded_scan(seconds: float = 12.0, later_s: int = 0, **goal: Any) -> ExactScan:
    """Run a scan and return it.

    Args:
        seconds: how long it runs.
        later_s: how much later than another one it begins.
        goal: what of the goal is not as usual.
    """
    scan = WireScan(list(THINGS))
    scan.now_ns += later_s * NS_PER_S
    scan.start(**goal)
    scan.run(seconds)
    return scan


def write_bag(folder: Path, messages: list[Message]) -> Path:
    """Write a bag of these messages; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    session = RecordingSession(folder, SETTINGS, Disk())
    session.open()
    session.write(deque(messages), 0.0)
    session.close()
    return folder / "ring"


def messages_of(
    scan: ExactScan, namespace: str = "/", with_frames: bool = False
) -> Iterator[Message]:
    """Yield what a recorder would have written; every step comes before the messages it took."""
    for number, ((now_ns, inputs), decision) in enumerate(
        zip(scan.journal, scan.decisions, strict=True)
    ):
        settings = scan.settings if number == 0 else None
        yield from messages_of_step((number, now_ns), inputs, decision, settings, namespace)
        if with_frames:
            for item in inputs:
                if isinstance(item, FrameDetections):
                    yield _marked_picture(namespace, now_ns, item.stamp_ns)


def messages_of_step(
    when: tuple[int, int],
    inputs: Sequence[Input],
    decision: Decision,
    settings: ScanSettings | None,
    namespace: str = "/",
) -> Iterator[Message]:
    """Yield a step, then the messages that it took.

    Args:
        when: number of the step, and its time [ns].
        settings: with the first step; None: they are known.
    """
    number, now_ns = when
    messages = [i for i in in_order(inputs) if isinstance(i, GimbalReading | FrameDetections)]
    others = [item for item in inputs if item not in messages]
    gimbal = [item for item in messages if isinstance(item, GimbalReading)]
    frames = [item for item in messages if isinstance(item, FrameDetections)]
    yield message(
        f"{namespace}scan/journal",
        JOURNAL_TYPE,
        now_ns,
        STATE,
        content=_new(
            JOURNAL_TYPE,
            header=header_of(now_ns),
            step=number,
            gimbal_stamps=[time_of(item.stamp_ns) for item in gimbal],
            gimbal_checksums=np.array([reading_checksum(item) for item in gimbal], np.uint32),
            detections_stamps=[time_of(item.stamp_ns) for item in frames],
            inputs=inputs_to_json(settings, others),
            decision=decision.to_json(),
        ),
    )
    for reading in gimbal:
        yield _gimbal(namespace, now_ns, reading)
    for frame in frames:
        yield _detections(namespace, now_ns, frame)


def picture_message(namespace: str, now_ns: int, stamp_ns: int, jpeg: NDArray[np.uint8]) -> Message:
    """Return a picture of the camera's as a JPEG file (n), as the recorder gets it."""
    content = _new(
        "sensor_msgs/msg/CompressedImage", header=header_of(stamp_ns), format="jpeg", data=jpeg
    )
    return message(
        f"{namespace}camera/image_raw/compressed",
        "sensor_msgs/msg/CompressedImage",
        now_ns,
        content=content,
    )


def _gimbal(namespace: str, now_ns: int, item: GimbalReading) -> Message:
    same = {name: value for name, value in vars(item).items() if name not in ("stamp_ns", "link")}
    content = _new(
        "interfaces_pkg/msg/GimbalState",
        header=header_of(item.stamp_ns),
        roll_rate_rad_s=0.0,
        mode=0,
        link=LinkState[item.link.upper()].value,
        age_s=0.0,
        yaw_saturated=False,
        pitch_saturated=False,
        is_recording=False,
        model="",
        firmware="",
        **same,
    )
    return message(
        f"{namespace}gimbal/state", "interfaces_pkg/msg/GimbalState", now_ns, content=content
    )


def _detections(namespace: str, now_ns: int, item: FrameDetections) -> Message:
    found = item.detections
    content = _new(
        "interfaces_pkg/msg/Detections",
        header=header_of(item.stamp_ns),
        image_width=found.width,
        image_height=found.height,
        model=item.model,
        vocabulary=list(item.vocabulary),
        words_since=time_of(item.words_since_ns),
        class_ids=found.class_ids,
        scores=found.scores,
        boxes_xyxy=found.boxes_xyxy.ravel(),
        ring_counts=found.masks.ring_counts,
        ring_sizes=found.masks.ring_sizes,
        points_xy=found.masks.points.ravel(),
        looks_xyxy=np.array([edge for look in item.looks for edge in look[:4]], np.uint32),
        look_gains=np.array([look.gain for look in item.looks], np.float32),
        looks_given_up=0,
        proposed_classes=item.proposed_classes,
        proposer=item.proposer,
        proposals_ms=0.0,
        preprocess_ms=0.0,
        inference_ms=0.0,
        postprocess_ms=0.0,
        pose=_pose(item),
        times=blank("interfaces_pkg/msg/FrameTimes"),
    )
    return message(
        f"{namespace}detections", "interfaces_pkg/msg/Detections", now_ns, content=content
    )


def _pose(item: FrameDetections) -> Any:
    pose = Pose(0, 0.0, 0.0) if item.pose is None else item.pose
    return _new(
        "interfaces_pkg/msg/PoseAtCapture",
        is_known=item.pose is not None,
        newest_reading=time_of(pose.stamp_ns),
        **{name: getattr(pose, name) for name in _POSE if name != "stamp_ns"},
    )


def _marked_picture(namespace: str, now_ns: int, stamp_ns: int) -> Message:
    pixels = np.full((72, 128, 3), stamp_ns // 100_000_000 % 256, np.uint8)
    jpeg = np.asarray(cv2.imencode(".jpg", pixels)[1], np.uint8)
    return picture_message(namespace, now_ns, stamp_ns, jpeg)


def _new(type_name: str, **fields: Any) -> Any:
    return typestore().types[type_name](**fields)
