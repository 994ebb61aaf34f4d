"""Missions in what the recorder has finished, and their frames with what was detected in them.

Each finished file is looked through once; frames are found through a file's index.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ros_support_pkg.core.words import Level, read
from semantic_detection_pkg.common.core.from_messages import from_detections, from_looks
from semantic_detection_pkg.common.core.serialised import byte_after_header_of
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame, make_picture
from semantic_detection_pkg.dashboard.core.labels import labels_of
from semantic_detection_pkg.dashboard.core.mission_spans import (
    MissionSpan,
    StateSeen,
    missions_of_states,
)
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from semantic_detection_pkg.recorder.evidence.search_course import key_of
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    read_segment,
)
from semantic_detection_pkg.recorder.storage.segment_search import FoundMessage, messages_in

_log = logging.getLogger(__name__)

_STATES, _PICTURES, _DETECTIONS = "scan/state", "camera/image_raw/compressed", "detections"
_PACE_NS = 2_000_000_000  # of states that are alike one is unpacked
_REST_S = 0.02  # between two files: the server's thread has the processor first
_REACH_NS = 60_000_000_000  # how far away the next frame is looked for
_FOUND_AFTER_NS = 10_000_000_000  # detections come after their frame
_WIDTH_MAX, _QUALITY = 1280, 80


@dataclass(frozen=True)
class _File:
    """A finished file."""

    path: Path
    start_ns: int
    end_ns: int
    states: tuple[StateSeen, ...]


@dataclass(frozen=True)
class RecordedFrame:
    """A frame with what was detected in it drawn in.

    Attributes:
        stamp_ns: capture stamp.
        received_ns: by which the recording is ordered.
        objects: detections drawn; None: none were recorded of it.
    """

    jpeg: bytes
    stamp_ns: int
    received_ns: int
    objects: int | None


class RecordedMissions:
    """What the recorder's ring holds of missions; it is only read, by any thread, one at a time."""

    def __init__(self, recordings: Path, robot: str) -> None:
        """Look into nothing yet.

        Args:
            robot: its namespace.
        """
        self._ring = recordings / "ring"
        prefix = f"/{robot}/" if robot else "/"
        self._topics = {name: prefix + name for name in (_STATES, _PICTURES, _DETECTIONS)}
        self._lock = threading.Lock()
        self._files: dict[Path, _File | None] = {}

    def missions(self) -> list[MissionSpan]:
        """Return the missions of all finished files, the newest first."""
        with self._lock:
            return missions_of_states(state for file in self._known() for state in file.states)

    def frame(self, at_ns: int, *, is_before: bool = False) -> RecordedFrame | None:
        """Return the first frame from a time on, or the last one before it; None: there is none.

        Args:
            at_ns: [ns] when it was received.
        """
        with self._lock:
            files = self._known()
        for file in reversed(files) if is_before else files:
            if (file.start_ns >= at_ns) if is_before else (file.end_ns < at_ns):
                continue
            found = self._frame_in(file, at_ns, is_before)
            if found is not None:
                return self._drawn(found, files)
        return None

    def frame_of(self, stamp_ns: int) -> RecordedFrame | None:
        """Return the frame of a capture stamp [ns]; None: it is not recorded, or no more."""
        with self._lock:
            files = self._known()
        window = max(0, stamp_ns - _PACE_NS), stamp_ns + _FOUND_AFTER_NS
        for file in files:
            if file.start_ns <= window[1] and file.end_ns >= window[0]:
                try:
                    for one in messages_in(file.path, [self._topics[_PICTURES]], *window):
                        if one.stamp_ns == stamp_ns:
                            return self._drawn(one, files)
                except ConfigurationError as error:
                    _log.warning("a frame is not read: %s", error)
        return None

    def _known(self) -> list[_File]:
        """Return the finished files in the order of recording; new ones are looked through."""
        paths = sorted(self._ring.glob("*.mcap"))
        for path in paths:
            if path not in self._files:
                self._files[path] = self._look_into(path)
                time.sleep(_REST_S)
        self._files = {path: file for path, file in self._files.items() if path in set(paths)}
        return [file for path in paths if (file := self._files[path]) is not None]

    def _look_into(self, path: Path) -> _File | None:
        try:
            segment = read_segment(path, 0)
            states = tuple(self._states_in(path))
            return _File(path, segment.start_ns, segment.end_ns, states)
        except (OSError, UnfinishedSegmentError, ConfigurationError) as error:
            _log.warning("%s is left out of the missions: %s", path, error)
            return None

    def _states_in(self, path: Path) -> list[StateSeen]:
        states: list[StateSeen] = []
        level, due_ns = None, 0
        for message in messages_in(path, [self._topics[_STATES]]):
            before, level = level, byte_after_header_of(message.data)
            if level == before and message.received_ns < due_ns:
                continue
            due_ns = message.received_ns + _PACE_NS
            try:
                content = message.read()
                states.append(
                    StateSeen(
                        message.received_ns,
                        key_of(content),
                        read(content, "level", Level.IDLE).word,
                        tuple(map(str, content.words)),
                        str(getattr(content, "outcome", "")),  # recordings of before have none
                    )
                )
            except (ConfigurationError, AttributeError, TypeError, ValueError) as error:
                _log.warning("%s: a state cannot be read: %s", path, error)
        return states

    def _frame_in(self, file: _File, at_ns: int, is_before: bool) -> FoundMessage | None:
        topics = [self._topics[_PICTURES]]
        window = (max(0, at_ns - _REACH_NS), at_ns) if is_before else (at_ns, at_ns + _REACH_NS)
        if not is_before and window[1] < file.start_ns:
            window = (file.start_ns, file.start_ns + _REACH_NS)
        last = None
        try:
            for message in messages_in(file.path, topics, *window):
                if not is_before:
                    return message
                last = message
        except ConfigurationError as error:
            _log.warning("a frame is not read: %s", error)
        return last

    def _drawn(self, found: FoundMessage, files: Sequence[_File]) -> RecordedFrame | None:
        stamp_ns = found.stamp_ns
        try:
            content = found.read()
            image = decode_picture(np.frombuffer(content.data, np.uint8), f"of {stamp_ns} ns")
            message = self._detections_of(stamp_ns, found.received_ns, files)
            scene = _scene(stamp_ns, image, message)
        except (ConfigurationError, FrameError, AttributeError) as error:
            _log.warning("a frame is not shown: %s", error)
            return None
        made = make_picture(scene, _WIDTH_MAX, _QUALITY)
        objects = None if message is None else made.objects
        return RecordedFrame(made.jpeg, stamp_ns, found.received_ns, objects)

    def _detections_of(self, stamp_ns: int, received_ns: int, files: Sequence[_File]) -> Any:
        window = received_ns - _PACE_NS, received_ns + _FOUND_AFTER_NS
        for file in files:
            if file.start_ns <= window[1] and file.end_ns >= window[0]:
                for one in messages_in(file.path, [self._topics[_DETECTIONS]], *window):
                    if one.stamp_ns == stamp_ns:
                        return one.read()
        return None


def _scene(stamp_ns: int, image: Any, message: Any) -> ShownFrame:
    if message is None:
        return ShownFrame(stamp_ns, 0.0, image, None, (), None)
    detections = from_detections(message)
    labels = labels_of(detections, list(message.vocabulary))
    looks = from_looks(message)
    return ShownFrame(stamp_ns, 0.0, image, detections, labels, None, looks)
