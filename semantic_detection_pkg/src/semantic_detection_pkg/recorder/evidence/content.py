"""What an evidence page needs of an event's bag: the findings and the frames they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.storage.bag_messages import (
    DETECTIONS,
    GIMBAL,
    PICTURES,
    recording,
)
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.event_store import FINDING_FILE, read_event
from semantic_detection_pkg.scan.core.inputs_and_decisions import FrameDetections, GimbalReading

FINDINGS = "findings"
_FRAMES_OF_TIER = 2  # shown of each


@dataclass(frozen=True)
class EvidenceFrame:
    """One frame: its picture, what was detected in it, where the camera looked."""

    picture: RecordedPicture
    detections: FrameDetections | None
    pose: Pose | None


@dataclass(frozen=True)
class EventContent:
    """An event with what was recorded of it.

    Attributes:
        findings: newest revision of each finding of the event, messages of type Finding.
        frames: by capture stamp [ns]; what was not recorded is missing.
        no_recording: why there is no recording of it, in words; empty: there is one.
    """

    event: Event
    findings: tuple[Any, ...]
    frames: dict[int, EvidenceFrame] = field(default_factory=dict)
    no_recording: str = ""


def read_content(folder: Path) -> EventContent:
    """Read an event's folder; where its recording is gone, the finding that lies beside it.

    Raises:
        ConfigurationError: it is none, or its bag cannot be read and nothing lies beside it.
    """
    try:
        event = read_event(folder)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    kept = kept_findings(folder)
    if event.no_recording:
        return EventContent(event, tuple(kept.values()), no_recording=event.no_recording)
    try:
        return _read_recorded(folder, event, kept)
    except ConfigurationError as error:
        if not kept:
            raise
        return EventContent(event, tuple(kept.values()), no_recording=str(error))


def kept_findings(folder: Path) -> dict[str, Any]:
    """Return the findings that lie in an event's folder beside its bag, by id.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    path = folder / FINDING_FILE
    if not path.exists():
        return {}
    with BagReader(path) as reader:
        found = latest_findings(reader, reader.namespace_of([FINDINGS]))
    return {finding.id: finding for finding in found}


def _read_recorded(folder: Path, event: Event, kept: dict[str, Any]) -> EventContent:
    with BagReader(folder) as reader:
        robot = reader.namespace_of([PICTURES, DETECTIONS, GIMBAL, FINDINGS])
        newest = {one.id: one for one in latest_findings(reader, robot)}
        # What is kept may be newer than the recording, and may be all that there is.
        newest |= {
            finding_id: finding
            for finding_id, finding in kept.items()
            if finding_id not in newest or finding.revision > newest[finding_id].revision
        }
        findings = tuple(newest[one] for one in event.findings if one in newest)
        wanted = {stamp for finding in findings for stamp in frames_of(finding)}
        if not findings:
            wanted = _frame_near(reader, robot, event.marked_ns)
        return EventContent(event, findings, read_evidence_frames(reader, robot, wanted))


def latest_findings(reader: BagReader, robot: str) -> list[Any]:
    """The newest revision of each finding in a bag, in the order in which they were first said."""
    latest: dict[str, Any] = {}
    for message in reader.messages(robot, {FINDINGS: "interfaces_pkg/msg/Finding"}):
        finding = reader.read(message)
        latest[finding.id] = finding
    return list(latest.values())


def frames_of(finding: Any) -> list[int]:
    """Capture stamps of the frames that are shown of a finding; the best first."""
    stamps = [from_time(finding.best_frame)]
    for tier in finding.tiers:
        stamps += [from_time(frame) for frame in tier.frames[:_FRAMES_OF_TIER]]
    stamps += [from_time(answer.frame) for answer in finding.answers]
    return list(dict.fromkeys(stamp for stamp in stamps if stamp))


def read_evidence_frames(
    reader: BagReader, robot: str, wanted: Iterable[int]
) -> dict[int, EvidenceFrame]:
    """Frames by their stamps, in one pass over the bag."""
    stamps = frozenset(wanted)
    pictures: dict[int, RecordedPicture] = {}
    detections: dict[int, FrameDetections] = {}
    poses: PoseHistory[GimbalReading] = PoseHistory(readings_max=1_000_000)
    for item in recording(reader, robot, (PICTURES, DETECTIONS, GIMBAL)):
        if isinstance(item, GimbalReading):
            poses.add(item)
        elif isinstance(item, RecordedPicture) and item.stamp_ns in stamps:
            pictures[item.stamp_ns] = item
        elif isinstance(item, FrameDetections) and item.stamp_ns in stamps:
            detections[item.stamp_ns] = item
    frames = {}
    for stamp, picture in sorted(pictures.items()):
        found = detections.get(stamp)
        # Frames that nobody detected in, and recordings from before poses were published.
        pose = poses.at(stamp) if found is None or found.pose is None else found.pose
        frames[stamp] = EvidenceFrame(picture, found, pose)
    return frames


def _frame_near(reader: BagReader, robot: str, marked_ns: int) -> set[int]:
    """The frame captured next to a time, of an event that somebody marked."""
    stamps = [
        item.stamp_ns
        for item in recording(reader, robot, [PICTURES])
        if isinstance(item, RecordedPicture)
    ]
    return {min(stamps, key=lambda stamp: abs(stamp - marked_ns))} if stamps else set()
