"""What an evidence page needs of an event's bag: the findings and the frames they rest on."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.common.core.serialised import text_after_header_of
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.storage.bag_messages import (
    DETECTIONS,
    GIMBAL,
    PICTURES,
    recording,
)
from semantic_detection_pkg.recorder.storage.bag_reader import BagMessage, BagReader
from semantic_detection_pkg.recorder.storage.event_store import FINDING_FILE, read_event
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading

FINDINGS = "findings"
_FRAMES_OF_TIER = 2  # shown of each
#: When the messages about a frame are received, against its capture [ns].
_RECEIVED_BEFORE_NS, _RECEIVED_AFTER_NS = 1_000_000_000, 2_000_000_000
_POSE_NEAR_NS = 600_000_000  # a gimbal's state farther from a frame tells nothing of it


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
    """Return the newest revision of each finding in a bag, in the order of their first words."""
    latest: dict[str, BagMessage] = {}
    for message in reader.messages(robot, {FINDINGS: "interfaces_pkg/msg/Finding"}):
        # Older revisions are not unpacked: each holds the whole track.
        finding_id = text_after_header_of(message.data)
        latest[finding_id or f"at {message.received_ns}"] = message
    found = {finding.id: finding for finding in map(reader.read, latest.values())}
    return list(found.values())


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
    """Read frames by their stamps, in one pass over the bag.

    Where none is found so, the stamps are of a simulated clock: then all of the bag is looked at.
    """
    stamps = frozenset(stamp for stamp in wanted if stamp)
    found = _Frames(stamps)
    for start_ns, stop_ns in _windows(stamps):
        found.read(reader, robot, start_ns, stop_ns)
    if stamps and not found.has_any:
        found.read(reader, robot)
    return found.frames()


class _Frames:
    """What is found of some frames."""

    def __init__(self, stamps: frozenset[int]) -> None:
        self._stamps = stamps
        self._sorted = sorted(stamps)
        self._pictures: dict[int, RecordedPicture] = {}
        self._detections: dict[int, FrameDetections] = {}
        self._poses: PoseHistory[GimbalReading] = PoseHistory(readings_max=1_000_000)

    @property
    def has_any(self) -> bool:
        """Whether there is a picture of one of them."""
        return bool(self._pictures)

    def read(
        self,
        reader: BagReader,
        robot: str,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> None:
        """Take what a stretch of the bag has of them; raises as `recording`."""
        for item in recording(
            reader,
            robot,
            (PICTURES, DETECTIONS, GIMBAL),
            is_wanted=self._is_wanted,
            start_ns=start_ns,
            stop_ns=stop_ns,
        ):
            if isinstance(item, GimbalReading):
                self._poses.add(item)
            elif isinstance(item, RecordedPicture):
                self._pictures[item.stamp_ns] = item
            elif isinstance(item, FrameDetections):
                self._detections[item.stamp_ns] = item

    def frames(self) -> dict[int, EvidenceFrame]:
        """Return those whose pictures are there, by their stamps."""
        frames = {}
        for stamp, picture in sorted(self._pictures.items()):
            found = self._detections.get(stamp)
            # Frames that nobody detected in, and recordings from before poses were published.
            pose = self._poses.at(stamp) if found is None or found.pose is None else found.pose
            frames[stamp] = EvidenceFrame(picture, found, pose)
        return frames

    def _is_wanted(self, topic: str, stamp_ns: int) -> bool:
        if topic != GIMBAL:
            return stamp_ns in self._stamps
        next_one = bisect.bisect_left(self._sorted, stamp_ns - _POSE_NEAR_NS)
        return next_one < len(self._sorted) and self._sorted[next_one] <= stamp_ns + _POSE_NEAR_NS


def _windows(stamps: Iterable[int]) -> list[tuple[int, int]]:
    """Return stretches [ns] in which messages about frames were received, in order."""
    joined: list[tuple[int, int]] = []
    for stamp in sorted(stamps):
        start_ns, stop_ns = stamp - _RECEIVED_BEFORE_NS, stamp + _RECEIVED_AFTER_NS
        if joined and start_ns <= joined[-1][1]:
            joined[-1] = (joined[-1][0], stop_ns)
        else:
            joined.append((start_ns, stop_ns))
    return joined


def _frame_near(reader: BagReader, robot: str, marked_ns: int) -> set[int]:
    """Return the frame captured next to a time, of an event that somebody marked."""
    stamps = [
        item.stamp_ns
        for item in recording(reader, robot, [PICTURES])
        if isinstance(item, RecordedPicture)
    ]
    return {min(stamps, key=lambda stamp: abs(stamp - marked_ns))} if stamps else set()
