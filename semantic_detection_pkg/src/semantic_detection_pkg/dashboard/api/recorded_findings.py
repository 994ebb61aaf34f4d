"""Findings and their pictures in what the recorder has kept: its ring and its events.

Each finished file is looked through once, by its index; pictures are read where they are needed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.common.kernels.crops import encode_jpeg, resized
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.dashboard.api.finding_store import is_finding
from semantic_detection_pkg.dashboard.api.pictures import EncodedPicture, cut
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from semantic_detection_pkg.recorder.storage.event_store import FINDING_FILE, is_unfinished
from semantic_detection_pkg.recorder.storage.segment_reader import (
    UnfinishedSegmentError,
    read_segment,
)
from semantic_detection_pkg.recorder.storage.segment_search import messages_in

_log = logging.getLogger(__name__)

#: Where finished files lie in the recorder's folder; of the same file under two names one is read.
_PLACES = ("events/*/bag/*.mcap", f"events/*/{FINDING_FILE}", "ring/*.mcap")
_FINDINGS, _PICTURES = "findings", "camera/image_raw/compressed"
_Key = tuple[int, int]
#: A picture is received some time after its capture [ns].
_BEFORE_NS, _AFTER_NS = 1_000_000_000, 5_000_000_000
_WHOLE_SIDE_PX, _QUALITY = 192, 82  # of a picture whose part is not known
#: Of a finding that the page gets no track.
WITHOUT = ("track_bearings", "track_stamps")


@dataclass(frozen=True)
class _File:
    """A finished file: where it lies, what time it covers [ns], whether it has pictures."""

    path: Path
    start_ns: int
    end_ns: int
    has_pictures: bool

    def may_have(self, stamp_ns: int) -> bool:
        """Return whether something of a capture time may be in it."""
        return self.start_ns - _AFTER_NS <= stamp_ns <= self.end_ns + _BEFORE_NS


class RecordedFindings:
    """What the recorder's folder holds of findings; it is only read."""

    def __init__(self, folder: Path, robot: str) -> None:
        """Look into nothing yet.

        Args:
            folder: of the recordings.
            robot: its namespace.
        """
        self._folder = folder
        prefix = f"/{robot}/" if robot else "/"
        self._findings, self._pictures = prefix + _FINDINGS, prefix + _PICTURES
        self._files: dict[_Key, _File | None] = {}
        self._events: dict[str, Path] = {}  # folder of a finding's event
        self._without: set[tuple[_Key, int]] = set()  # files that have not a frame, by its stamp

    def news(self) -> Iterator[dict[str, Any] | None]:
        """Yield the findings of files that have come since the last call.

        None stands between two files, where the caller may rest or end.
        """
        there: dict[_Key, Path] = {}
        for place in _PLACES:
            for path in self._folder.glob(place):
                if any(map(is_unfinished, path.relative_to(self._folder).parents)):
                    continue
                try:
                    stat = path.stat()
                except OSError:  # the ring has just let it go
                    continue
                there.setdefault((stat.st_dev, stat.st_ino), path)
        self._files = {
            key: file and replace(file, path=there[key])  # the event's name outlives the ring's
            for key, file in self._files.items()
            if key in there
        }
        self._without = {one for one in self._without if one[0] in there}
        for key, path in sorted(there.items(), key=lambda item: item[1].name, reverse=True):
            if key not in self._files:
                yield from self._look_into(key, path)
                yield None

    def picture(self, finding_id: str, stamp_ns: int, box_xyxy: tuple[float, ...]) -> bytes | None:
        """Return the thumbnail of a part [px] of a frame; None: the frame is not there any more.

        It is looked for in files of about its time; where stamps are of a simulated clock, in all
        of the finding's own event.

        Args:
            stamp_ns: capture stamp.
        """
        event = self._events.get(finding_id)
        for key, file in self._files.items():
            if file is None or not file.has_pictures or (key, stamp_ns) in self._without:
                continue
            window: tuple[int | None, int | None] = (None, None)
            if file.may_have(stamp_ns):
                window = (max(0, stamp_ns - _BEFORE_NS), stamp_ns + _AFTER_NS)
            elif event is None or event not in file.path.parents:
                continue
            jpeg = self._cut_from(file.path, stamp_ns, box_xyxy, window)
            if jpeg is not None:
                return jpeg
            self._without.add((key, stamp_ns))
        return None

    def _look_into(self, key: _Key, path: Path) -> Iterator[dict[str, Any]]:
        self._files[key] = None
        try:
            segment = read_segment(path, 0)
            names = {topic.name for topic, count in segment.counts.items() if count}
            self._files[key] = _File(
                path, segment.start_ns, segment.end_ns, self._pictures in names
            )
            if self._findings in names:
                yield from self._findings_in(path)
        except FileNotFoundError:  # the ring has just let it go
            del self._files[key]
        except (OSError, UnfinishedSegmentError, ConfigurationError) as error:
            _log.warning("findings of before are not read: %s", error)

    def _findings_in(self, path: Path) -> Iterator[dict[str, Any]]:
        for message in messages_in(path, [self._findings]):
            try:
                plain = as_plain(message.read(), without=WITHOUT)
            except (ConfigurationError, AttributeError, TypeError, ValueError) as error:
                _log.warning("%s: a finding cannot be read: %s", path, error)
                continue
            if is_finding(plain):
                if path.name == FINDING_FILE:
                    self._events[plain["id"]] = path.parent
                yield plain

    def _cut_from(
        self,
        path: Path,
        stamp_ns: int,
        box_xyxy: tuple[float, ...],
        window: tuple[int | None, int | None],
    ) -> bytes | None:
        try:
            for message in messages_in(path, [self._pictures], *window):
                if message.stamp_ns == stamp_ns:
                    return _cut(bytes(message.read().data), stamp_ns, box_xyxy)
        except (ConfigurationError, FrameError, AttributeError) as error:
            _log.warning("a finding's picture is not read: %s", error)
        return None


def _cut(jpeg: bytes, stamp_ns: int, box_xyxy: tuple[float, ...]) -> bytes:
    """Return the thumbnail of a part of a picture; of all of it where the part is not known.

    Raises:
        FrameError: the picture cannot be decoded.
    """
    image = decode_picture(np.frombuffer(jpeg, np.uint8), f"of {stamp_ns} ns")
    height, width = image.shape[:2]
    picture = EncodedPicture(stamp_ns, 0.0, jpeg, width, height, 1.0, None, 0)
    part = cut(picture, box_xyxy) if _is_box(box_xyxy) else None
    return part or encode_jpeg(resized(image, 1, _WHOLE_SIDE_PX), _QUALITY)


def _is_box(box: tuple[float, ...]) -> bool:
    is_finite = len(box) == 4 and all(map(math.isfinite, box))
    return is_finite and box[0] < box[2] and box[1] < box[3]
