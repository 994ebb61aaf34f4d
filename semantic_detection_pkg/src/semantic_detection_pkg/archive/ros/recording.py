"""What was found as a recording like a mission's: its pages and map files are made the same way."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from interfaces_pkg.msg import ScanState
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.archive.search import Outcome, Shown
from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.detector.core.detection_result import DetectionResult, ElapsedMs
from semantic_detection_pkg.detector.ros.conversions import to_detections, to_pose_at_capture
from semantic_detection_pkg.errors import FrameError, StorageError
from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message, Topic
from semantic_detection_pkg.recorder.ros.findings import confirmed_finding
from semantic_detection_pkg.recorder.ros.topics import bag_format, definition, type_hash
from semantic_detection_pkg.recorder.storage.bag_messages import DETECTIONS, PICTURES
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.review_log import FILE as REVIEWS
from semantic_detection_pkg.recorder.storage.searched import Searched, write_searched
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.ros.outputs import to_finding

_STATE, _FINDINGS = "scan/state", "findings"
_BASE_FRAME, _CAMERA_FRAME = "gimbal_base", "camera"
_FRAMES_OF_TIER = 2  # that pages show of each
_MOST_BYTES = 1 << 46  # nothing that was found is let go
_NEW, _OLD = ".new", ".old"
_DIGEST, _ASIDE = "findings.sha256", "reviews_before.jsonl"


class _OneFile(RingRules):
    """A ring of one segment: pauses between files would divide a search into missions."""

    def is_full(self, segment_bytes: int, age_s: float) -> bool:  # noqa: ARG002
        """Return False."""
        return False


def write_findings(
    folder: Path,
    outcome: Outcome,
    words: Sequence[str],
    say: Callable[[str], object] = lambda _: None,
) -> list[str]:
    """Write what was found into a folder; what is there is replaced when all is written.

    What people said of findings stays: in the log where the findings are the same, else beside it,
    as numbers name other things then.

    Args:
        say: is told a line where their words are put aside.

    Returns:
        What pictures could not be read any more, a line each.

    Raises:
        StorageError: the disk refuses.
    """
    new, old = folder.with_name(folder.name + _NEW), folder.with_name(folder.name + _OLD)
    problems: list[str] = []
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        _record(new, outcome, words, problems)
        write_searched(new, _searched(outcome))
        (new / _DIGEST).write_text(f"{outcome.digest}\n", encoding="ascii")
        _keep_reviews(folder if folder.exists() else old, new, say)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        FileSystem().sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{error.filename or folder}: cannot be written: {reason}") from error
    return problems


def _keep_reviews(before: Path, now: Path, say: Callable[[str], object]) -> None:
    """Take over what was said of the findings of before."""
    log, aside = _bytes(before / REVIEWS), _bytes(before / _ASIDE)
    if log and _bytes(before / _DIGEST) != _bytes(now / _DIGEST):
        say(f"the findings are others than before: what was said of those is kept in {_ASIDE}")
        log, aside = b"", aside + log.rstrip(b"\n") + b"\n"
    for name, kept in ((REVIEWS, log), (_ASIDE, aside)):
        if kept:
            FileSystem().write_atomically(now / name, kept)


def _searched(outcome: Outcome) -> Searched:
    shown = ((one.finding_id, outcome.frames.get(one.best_frame_ns)) for one in outcome.findings)
    places = {name: frame.told_place for name, frame in shown if frame is not None}
    return Searched(outcome.pictures, outcome.unread, tuple(outcome.problems), places)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _record(folder: Path, outcome: Outcome, words: Sequence[str], problems: list[str]) -> None:
    settings = SessionSettings(
        # No room is asked for beyond what is written, and none made by letting go of it.
        _OneFile(max_ring_bytes=_MOST_BYTES, min_free_bytes=0, segment_bytes=1),
        EventRules(_MOST_BYTES, 1.0, 1.0),
        bag_format=bag_format("auto"),
    )
    session = RecordingSession(folder, settings, Disk(), finding_of=confirmed_finding)
    session.open()
    session.write(deque(_messages(outcome, words, problems)), 0.0)
    marks = [
        mark
        for finding in outcome.findings
        if (mark := confirmed_finding(_finding(finding))) is not None
    ]
    for mark in marks:
        session.keep_finding(mark)
    session.close()


def _messages(outcome: Outcome, words: Sequence[str], problems: list[str]) -> Iterator[Message]:
    yield _state(outcome, words)
    shown = {
        stamp_ns for finding in outcome.findings for stamp_ns in _shown_of(finding)
    } & outcome.frames.keys()
    for stamp_ns in sorted(shown):
        frame = outcome.frames[stamp_ns]
        try:
            jpeg = frame.jpeg()
        except FrameError as error:
            problems.append(str(error))
            continue
        header = Header(stamp=to_time(stamp_ns), frame_id=_CAMERA_FRAME)
        picture = CompressedImage(header=header, format="jpeg", data=jpeg)
        yield _message(PICTURES, "sensor_msgs/msg/CompressedImage", stamp_ns, picture)
        yield _message(
            DETECTIONS, "interfaces_pkg/msg/Detections", stamp_ns, _detections(frame, header)
        )
    for finding in outcome.findings:
        yield _finding(finding)


def _shown_of(finding: Finding) -> list[int]:
    stamps = [finding.best_frame_ns]
    for tier in finding.tiers:
        stamps += tier.frames_ns[:_FRAMES_OF_TIER]
    return stamps


def _state(outcome: Outcome, words: Sequence[str]) -> Message:
    """Return the one message that tells what was looked for; more would divide the search."""
    start_ns = outcome.started_ns
    state = ScanState(
        header=Header(stamp=to_time(start_ns), frame_id=_BASE_FRAME),
        level=ScanState.LEVEL_SWEEP,
        reason=f"{outcome.pictures} recorded pictures looked through",
        findings=len(outcome.findings),
        words=list(words),
    )
    return _message(_STATE, "interfaces_pkg/msg/ScanState", start_ns, state)


def _detections(frame: Shown, header: Header) -> Any:
    result = DetectionResult(
        frame.frame.detections,
        frame.vocabulary,
        ElapsedMs(0.0, 0.0, 0.0),
        0,
        frame.frame.looks,
    )
    pose = to_pose_at_capture(frame.pose, frame.pose)
    return to_detections(result, frame.model, header, pose)


def _finding(finding: Finding) -> Message:
    content = to_finding(finding, _BASE_FRAME)
    return _message(_FINDINGS, "interfaces_pkg/msg/Finding", finding.stamp_ns, content)


def _message(name: str, type_name: str, time_ns: int, content: Any) -> Message:
    topic = Topic(f"/{name}", type_name, type_hash(type_name))
    return Message(topic, definition(type_name), time_ns, time_ns, serialize_message(content))
