"""What does not belong, or has a colour that is looked for: proposals beside the detections.

No word is needed. Two ways, on the frame at reduced size: the RX detector of anomalies, and ranges
of colours. A frame gives few proposals; each is a box with a score, and what looks closer decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.frame import check_image
from semantic_detection_pkg.detector.core.colour_range import ANOMALY, colour_table
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.kernels.proposals import (
    MOST_REDUCTION,
    AnomalyMeter,
    FrameReducer,
    blobs,
    look_up_colours,
)
from semantic_detection_pkg.errors import FrameError

#: Half a side of the window [px] of the reduced frame: 31 of 480 px.
_RADIUS = 15
#: Differences that are usual whatever the picture shows [levels of 255]: noise, light and shade.
_NOISE, _BRIGHTNESS = 4.0, 20.0
#: A thing reaches as far as its colour is this share of the threshold off.
_EDGE_SHARE = 0.5
#: What is larger than the window is measured on a frame reduced by so much more, against nearly all
#: of that, and without what is so many sigmas off: a share p of a frame is never farther from it
#: than 1 / sqrt(p) sigmas, so by itself something large would hide.
_COARSER, _COARSE_RADIUS, _USUAL_UP_TO = 4, 100, 4.0
#: Sides from which on [px of the coarser frame] its boxes are exact enough.
_COARSE_LEAST_PX = 6
#: At most one pixel in so many is odd: where more are, none is.
_MOST_ODD = 8
_SAME = 0.5  # share of the smaller box within the other, from which on two are one thing
_LEAST_PIXELS = 2  # of a reduced frame: one alone is noise
#: Detections from this score on name a thing: others come before it.
_NAMED_SCORE = 0.5


@dataclass(frozen=True, eq=False)
class Proposals:
    """n proposals in one frame, the first one first.

    Attributes:
        class_names: what they may be: the last words of the frame's vocabulary.
        class_ids: (n,) index into class_names.
        scores: (n,) float32, 0.5..1.
        boxes_xyxy: (n, 4) float32 [px] of the frame.
    """

    class_names: tuple[str, ...]
    class_ids: NDArray[np.uint16]
    scores: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]

    @classmethod
    def none(cls) -> Proposals:
        """Return what is proposed where nothing is to be."""
        empty = np.empty(0, np.float32)
        return cls((), empty.astype(np.uint16), empty, empty.reshape(0, 4))

    def __len__(self) -> int:
        return len(self.class_ids)


def with_proposals(
    detections: Detections, words: tuple[str, ...], proposals: Proposals
) -> tuple[Detections, tuple[str, ...]]:
    """Return detections with the proposals among them by score, and the vocabulary of both.

    Args:
        words: of the model, which the detections' class ids index; the proposals' come after them.
    """
    vocabulary = (*words, *proposals.class_names)
    proposed = Detections(
        detections.width,
        detections.height,
        proposals.class_ids + np.uint16(len(words)),
        proposals.scores,
        proposals.boxes_xyxy,
    )
    return detections.joined(proposed), vocabulary


@dataclass(frozen=True)
class _Blob:
    """A group of pixels, box [px] of the frame."""

    class_id: int
    score: float
    box: tuple[float, float, float, float]

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height [px]."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def shares(self, box: Sequence[float]) -> float:
        """Return how much of the smaller of two boxes lies within the other, 0..1."""
        x0, y0, x1, y1 = self.box
        areas = (self.sides[0] * self.sides[1], (box[2] - box[0]) * (box[3] - box[1]))
        common = max(min(x1, box[2]) - max(x0, box[0]), 0.0)
        common *= max(min(y1, box[3]) - max(y0, box[1]), 0.0)
        return common / min(areas) if min(areas) > 0.0 else 0.0


class Proposer:
    """Makes proposals as its settings say. `propose` belongs to one thread.

    Nothing is kept from frame to frame: the same frame and settings give the same proposals.
    """

    def __init__(
        self, settings: ProposalSettings | None = None, version: ModuleType | None = None
    ) -> None:
        """Args: settings: left out: nothing is proposed; version: of the kernels."""
        self._version = version
        self._reducer, self._coarser = FrameReducer(version), FrameReducer(version)
        self._fine = AnomalyMeter(_RADIUS, _NOISE, _BRIGHTNESS, version)
        self._coarse = AnomalyMeter(
            _COARSE_RADIUS, _NOISE, _BRIGHTNESS, version, usual_up_to=_USUAL_UP_TO
        )
        self.change(settings or ProposalSettings())

    def change(self, settings: ProposalSettings) -> None:
        """Go by other settings from the next frame on."""
        colours = settings.colours()
        table = colour_table(colours) if colours else None
        self._used = (settings, settings.class_names, table)

    @property
    def settings(self) -> ProposalSettings:
        """The settings in force."""
        return self._used[0]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of what is proposed; empty: nothing is."""
        return self._used[1]

    def propose(self, image: NDArray[np.uint8], detections: Detections | None = None) -> Proposals:
        """Propose what a frame shows.

        Args:
            image: (height, width, 3) uint8, BGR, any strides.
            detections: of the model, in the same frame: what it names surely comes last.

        Raises:
            FrameError: the picture has another form.
        """
        settings, class_names, table = self._used
        if not class_names:
            return Proposals.none()
        try:
            check_image(image)
        except ValueError as error:
            raise FrameError(str(error)) from None
        height, width = image.shape[:2]
        factor = min(-(-max(height, width) // settings.proposal_frame_px), MOST_REDUCTION)
        planes = self._reducer.reduce(image, factor)
        found: list[_Blob] = []
        if table is not None:
            found += self._of_colours(planes, table, len(class_names), factor)
        if settings.propose_anomalies:
            found += self._anomalies(
                planes, class_names.index(ANOMALY), factor, settings.anomaly_threshold
            )
        is_right_size = _SizeRule(settings, width, height)
        kept = _first_ones(
            [one for one in found if is_right_size(one)], detections, settings.max_proposals
        )
        edges = np.array((width, height, width, height), np.float32)
        boxes = np.array([one.box for one in kept], np.float32).reshape(-1, 4)
        return Proposals(
            class_names,
            np.array([one.class_id for one in kept], np.uint16),
            np.array([one.score for one in kept], np.float32),
            np.minimum(boxes, edges),
        )

    def _of_colours(
        self, planes: NDArray[np.uint8], table: NDArray[np.uint16], names: int, factor: int
    ) -> list[_Blob]:
        """Return groups of pixels of one colour; their score says how near it they are."""
        found = look_up_colours(planes, table, self._version)
        which = found >> 8
        shown = np.flatnonzero(np.bincount(which.reshape(-1), minlength=names + 1))
        blobs_found = []
        for index in shown[shown > 0].tolist():
            boxes, places, groups = blobs(which == index)
            closeness = (found.reshape(-1)[places] & 255) / 255.0
            counts = np.bincount(groups)
            scores = 0.5 + 0.5 * np.bincount(groups, closeness) / counts
            for at in np.flatnonzero(counts >= _LEAST_PIXELS).tolist():
                blobs_found.append(_blob(index - 1, float(scores[at]), boxes[at], factor))
        return blobs_found

    def _anomalies(
        self, planes: NDArray[np.uint8], class_id: int, factor: int, threshold: float
    ) -> list[_Blob]:
        """Return groups of pixels that are odd: large ones, and small ones that are not in them.

        A thing larger than the window is like its own surroundings: the finer frame shows its edges
        only.
        """
        fine = _odd(self._fine.measure(planes), class_id, factor, threshold)
        coarser = factor * _COARSER
        coarse_planes = self._coarser.reduce(planes.transpose(1, 2, 0), _COARSER)
        coarse = [
            one
            for one in _odd(self._coarse.measure(coarse_planes), class_id, coarser, threshold)
            if max(one.sides) >= _COARSE_LEAST_PX * coarser
        ]
        return coarse + [
            one for one in fine if all(one.shares(other.box) <= _SAME for other in coarse)
        ]


def _odd(squared: NDArray[np.float32], class_id: int, factor: int, threshold: float) -> list[_Blob]:
    """Return the groups of pixels that are odd where one of them is beyond the threshold."""
    is_odd = squared > (_EDGE_SHARE * threshold) ** 2
    if np.count_nonzero(is_odd) * _MOST_ODD > squared.size:
        return []
    boxes, places, groups = blobs(is_odd)
    peaks = np.zeros(len(boxes), np.float32)
    np.maximum.at(peaks, groups, squared.reshape(-1)[places])
    counts = np.bincount(groups, minlength=len(boxes))
    chosen = np.flatnonzero((peaks >= threshold**2) & (counts >= _LEAST_PIXELS))
    scores = 1.0 - threshold / (2.0 * np.sqrt(peaks[chosen], dtype=np.float64))
    return [
        _blob(class_id, score, boxes[at], factor)
        for at, score in zip(chosen.tolist(), scores.tolist(), strict=True)
    ]


class _SizeRule:
    """Tells what is neither a speck nor a field."""

    def __init__(self, settings: ProposalSettings, width: int, height: int) -> None:
        self._least_px = settings.min_proposal_px
        self._most_px2 = settings.max_proposal_share * width * height

    def __call__(self, one: _Blob) -> bool:
        width, height = one.sides
        return max(width, height) >= self._least_px and width * height <= self._most_px2


def _blob(class_id: int, score: float, box: NDArray[np.intp], factor: int) -> _Blob:
    x0, y0, x1, y1 = (float(factor * edge) for edge in box.tolist())
    return _Blob(class_id, min(max(score, 0.0), 1.0), (x0, y0, x1, y1))


def _first_ones(found: list[_Blob], detections: Detections | None, most: int) -> list[_Blob]:
    """Return the proposals that are made: colours that somebody named before what is only odd.

    What the model names surely comes last, the least surely named first: it has its candidate, and
    yet may be something else.
    """
    named: list[tuple[float, list[float]]] = []
    if detections is not None:
        named = [
            (score, box)
            for score, box in zip(
                detections.scores.tolist(), detections.boxes_xyxy.tolist(), strict=True
            )
            if score >= _NAMED_SCORE
        ]

    def order(one: _Blob) -> tuple[float, int, float]:
        sure = max((score for score, box in named if one.shares(box) > _SAME), default=0.0)
        return sure, one.class_id, -one.score

    kept: list[_Blob] = []
    for one in sorted(found, key=order):
        if all(one.shares(other.box) <= _SAME for other in kept):
            kept.append(one)
        if len(kept) == most:
            break
    return kept
