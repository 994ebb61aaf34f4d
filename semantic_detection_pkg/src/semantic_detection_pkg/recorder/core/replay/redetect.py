"""The recorded pictures detected again, in the place of what was detected then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.recorder.core.replay.player import Recorded
from semantic_detection_pkg.scan.core.inputs import FrameDetections

#: Two boxes of a class are of one thing where they overlap by this much, as in COCO's AP50.
_SAME_IOU = 0.5


@dataclass(frozen=True, eq=False)
class RecordedPicture:
    """One recorded frame: its capture stamp and its JPEG."""

    stamp_ns: int
    jpeg: bytes


#: Detects in a picture as it was then: for the same words, at the same parts of it, with proposals
#: by the same settings; None: it was not, so for all that is known, as the detector is set.
Detect = Callable[[RecordedPicture, FrameDetections | None], FrameDetections]


@dataclass
class Comparison:
    """How today's detections differ from the recorded ones.

    Attributes:
        frames: pictures detected again.
        without_picture: recorded detections that are taken as they are.
        compared, same: frames that both have, and those with equal classes, scores and boxes.
        found_again, lost, new: detections.
        score_off: greatest difference of the score of one found again.
    """

    frames: int = 0
    without_picture: int = 0
    compared: int = 0
    same: int = 0
    found_again: int = 0
    score_off: float = 0.0
    lost: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)

    def add(self, then: FrameDetections, now: FrameDetections) -> None:
        """Take the next frame."""
        self.compared += 1
        pairs = _pairs(then, now)
        self.found_again += len(pairs)
        offs = [abs(float(then.detections.scores[i] - now.detections.scores[j])) for i, j in pairs]
        self.score_off = max([self.score_off, *offs])
        names_then, names_now = _names(then), _names(now)
        for index in {i for i, _ in pairs} ^ set(range(len(names_then))):
            self.lost[names_then[index]] += 1
        for index in {j for _, j in pairs} ^ set(range(len(names_now))):
            self.new[names_now[index]] += 1
        self.same += (
            names_then == names_now
            and np.array_equal(then.detections.scores, now.detections.scores)
            and np.array_equal(then.detections.boxes_xyxy, now.detections.boxes_xyxy)
        )


def detected_again(
    recorded: Iterable[Recorded | RecordedPicture],
    known: Mapping[int, FrameDetections],
    pictures: frozenset[int],
    detect: Detect,
    comparison: Comparison,
) -> Iterator[Recorded]:
    """Yield the recording with detections made anew from its pictures.

    Args:
        known: recorded detections by stamp. A picture without any was not looked at then and is
            not looked at now, unless there are no detections at all.
        pictures: stamps of all pictures; recorded detections without one stay.
        comparison: is told of each frame.
    """
    for item in recorded:
        if isinstance(item, FrameDetections):
            if item.stamp_ns not in pictures:
                comparison.without_picture += 1
                yield item
        elif not isinstance(item, RecordedPicture):
            yield item
        elif not known or item.stamp_ns in known:
            then = known.get(item.stamp_ns)
            now = detect(item, then)
            comparison.frames += 1
            if then is not None:
                comparison.add(then, now)
                now = replace(now, pose=then.pose, words_since_ns=then.words_since_ns)
            yield now


def _names(frame: FrameDetections) -> list[str]:
    return [frame.vocabulary[class_id] for class_id in frame.detections.class_ids]


def _pairs(then: FrameDetections, now: FrameDetections) -> list[tuple[int, int]]:
    """Return detections of one thing in both, best overlap first."""
    overlap = _iou(then.detections.boxes_xyxy, now.detections.boxes_xyxy)
    is_same_class = np.array(_names(then))[:, None] == np.array(_names(now))[None, :]
    overlap = np.where(is_same_class, overlap, 0.0) if overlap.size else overlap
    pairs: list[tuple[int, int]] = []
    while overlap.size and overlap.max() >= _SAME_IOU:
        i, j = np.unravel_index(int(overlap.argmax()), overlap.shape)
        pairs.append((int(i), int(j)))
        overlap[i, :] = overlap[:, j] = 0.0
    return pairs


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the (n, m) intersection over union of boxes (n, 4) and (m, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=2, dtype=np.float64)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64) for boxes in (a, b)]
    total = areas[0][:, None] + areas[1][None, :] - common
    return common / np.maximum(total, 1e-9)
