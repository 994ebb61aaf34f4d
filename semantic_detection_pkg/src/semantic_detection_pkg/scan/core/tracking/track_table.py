"""What the tracker keeps of all tracks besides their Kalman states, as columns: a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.optics import Matrix
from semantic_detection_pkg.scan.core.tracking.association import Observations
from semantic_detection_pkg.scan.core.tracking.frame_tracks import FrameTracks
from semantic_detection_pkg.scan.core.tracking.motion import KalmanStates
from semantic_detection_pkg.scan.core.tracking.track import TrackPoint

_VOTE_MEMORY = 0.97  # of a vote's weight with each later one: a closer view may correct the class
_SIZE_GAIN = 0.2
_HISTORY_STEP_NS = 500_000_000
_HISTORY_LENGTH = 64
_NEVER_NS = -(2**62)

Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Values = NDArray[np.float64]

#: Columns of each memory, by their names and how many numbers of a track they are: attributes of
#: `TrackTable`.
_COLUMNS: dict[type, tuple[tuple[str, int], ...]] = {
    np.int64: (
        ("ids", 1),
        ("first_ns", 1),
        ("last_ns", 1),
        ("history_ns", 1),
        ("hits", 1),
        ("detections", 1),
        ("labels", 1),
    ),
    np.float64: (
        ("scores", 1),
        ("score_totals", 1),
        ("missed_s", 1),
        ("pixels_per_rad", 1),
        ("sizes_rad", 2),
        ("boxes_xyxy", 4),
    ),
    np.bool_: (("is_whole", 1), ("is_size_known", 1), ("is_confirmed", 1)),
}


class TrackTable:
    """n tracks by rising id; every column is (n,) or (n, k).

    Attributes:
        first_ns, last_ns: stamps of the first and the newest frame with a detection.
        history_ns: of the newest point of the history.
        hits: frames in which it was detected.
        detections: index of its detection in the newest frame; -1: none.
        labels: numbers of the class names.
        scores, score_totals: of the newest detection, and of all.
        missed_s: for how long it was expected and not detected, since its last detection.
        pixels_per_rad: of the network's input in the coarsest look that showed it; 0: not known.
        is_whole: no edge of its newest box was cut off.
        is_size_known: it was so at least once.
        sizes_rad: (n, 2) angular width and height.
        boxes_xyxy: (n, 4) [px] of the newest detections.
        class_names: voted.
    """

    ids: Counts
    first_ns: Counts
    last_ns: Counts
    history_ns: Counts
    hits: Counts
    detections: Counts
    labels: Rows
    scores: Values
    score_totals: Values
    missed_s: Values
    pixels_per_rad: Values
    is_whole: Flags
    is_size_known: Flags
    is_confirmed: Flags
    sizes_rad: Matrix
    boxes_xyxy: Matrix

    def __init__(self) -> None:
        self._take([np.zeros((_width(kind), 0), kind) for kind in _COLUMNS])
        self.class_names: list[str] = []
        self._votes: list[dict[str, float]] = []
        self._histories: list[tuple[TrackPoint, ...]] = []
        self._numbers: dict[str, int] = {}  # of class names

    def __len__(self) -> int:
        return len(self.ids)

    def numbers_of(self, class_names: Sequence[str]) -> Rows:
        """Return numbers of class names, (m,), as `labels` has them."""
        numbers = self._numbers
        return np.array([numbers.setdefault(name, len(numbers)) for name in class_names], np.intp)

    def add_hits(
        self, rows: Rows, columns: Rows, stamp_ns: int, seen: Observations, scores: Values
    ) -> None:
        """Count the detections `columns` (k,) of a frame, and vote for their classes by score."""
        is_whole, own = seen.is_whole[columns], scores[columns]
        self.last_ns[rows], self.detections[rows], self.scores[rows] = stamp_ns, columns, own
        self.score_totals[rows] += own
        self.hits[rows] += 1
        self.missed_s[rows] = 0.0
        self.boxes_xyxy[rows] = seen.boxes_xyxy[columns]
        self.is_whole[rows] = is_whole
        self.is_size_known[rows] |= is_whole
        for row, column, score in zip(rows.tolist(), columns.tolist(), own.tolist(), strict=True):
            self._vote(row, seen.class_names[column], score)

    def join(self, rows: Rows, others: Rows, hits_wanted: int) -> None:
        """Count the detections of `others` (k,) as those of `rows`, which they turned out to be."""
        self.hits[rows] += self.hits[others]
        self.score_totals[rows] += self.score_totals[others]
        self.is_confirmed[rows] |= self.hits[rows] >= hits_wanted

    def update_sizes(self, rows: Rows, sizes_rad: Matrix, is_cut: Flags) -> None:
        """Average sizes with those of completed boxes (k, 2); along cut axes replace them."""
        gains = np.maximum(_SIZE_GAIN, 1.0 / np.maximum(self.hits[rows], 1))[:, None]
        before = self.sizes_rad[rows]
        self.sizes_rad[rows] = np.where(is_cut, sizes_rad, before + gains * (sizes_rad - before))

    def add_new(self, first_id: int, stamp_ns: int, sizes_rad: Matrix) -> Rows:
        """Append tracks that begin now, with the ids from `first_id` on; return their rows."""
        count, before = len(sizes_rad), len(self)
        self._take(
            [
                np.concatenate([memory, np.zeros((len(memory), count), memory.dtype)], axis=1)
                for memory in self._memories
            ]
        )
        self.ids[before:] = first_id + np.arange(count)
        self.first_ns[before:], self.history_ns[before:] = stamp_ns, _NEVER_NS
        self.sizes_rad[before:] = sizes_rad
        self.class_names += [""] * count
        self._votes += [{} for _ in range(count)]
        self._histories += [()] * count
        return np.arange(before, before + count)

    def keep(self, rows: Rows) -> None:
        """Keep the tracks `rows`, by rising id."""
        self._take([memory.take(rows, axis=1) for memory in self._memories])
        kept = rows.tolist()
        self.class_names = [self.class_names[row] for row in kept]
        self._votes = [self._votes[row] for row in kept]
        self._histories = [self._histories[row] for row in kept]

    def add_history_points(self, stamp_ns: int, positions: Matrix) -> None:
        """Keep where those are that were detected, at most once in `_HISTORY_STEP_NS`."""
        is_due = (self.detections >= 0) & (stamp_ns - self.history_ns >= _HISTORY_STEP_NS)
        for row in np.flatnonzero(is_due).tolist():
            yaw_rad, pitch_rad = positions[row].tolist()
            point = TrackPoint(stamp_ns, yaw_rad, pitch_rad)
            self._histories[row] = (*self._histories[row][1 - _HISTORY_LENGTH :], point)
            self.history_ns[row] = stamp_ns

    def tracks(self, states: KalmanStates, lost_ns: int) -> FrameTracks:
        """Return the tracks as they are now.

        Args:
            states: of the tracks.
            lost_ns: stamp; a confirmed track that was last detected before is lost.
        """
        tentative, confirmed, lost = TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.LOST
        yaws, pitches = states.position.T.tolist()
        yaw_variances, pitch_variances = states.position_variance.T.tolist()
        yaw_rates, pitch_rates = states.rate.T.tolist()
        widths, heights = self.sizes_rad.T.tolist()
        return FrameTracks(
            {
                "id": self.ids.tolist(),
                "state": [
                    tentative if not is_confirmed else lost if last_ns < lost_ns else confirmed
                    for is_confirmed, last_ns in zip(
                        self.is_confirmed.tolist(), self.last_ns.tolist(), strict=True
                    )
                ],
                "class_name": list(self.class_names),
                "score": self.scores.tolist(),
                "score_mean": (self.score_totals / self.hits).tolist(),
                "yaw_rad": yaws,
                "pitch_rad": pitches,
                "covariance": [
                    (yaw, 0.0, pitch)
                    for yaw, pitch in zip(yaw_variances, pitch_variances, strict=True)
                ],
                "yaw_rate_rad_s": yaw_rates,
                "pitch_rate_rad_s": pitch_rates,
                "width_rad": widths,
                "height_rad": heights,
                "is_whole": self.is_whole.tolist(),
                "is_seen": (self.detections >= 0).tolist(),
                "hits": self.hits.tolist(),
                "first_seen_ns": self.first_ns.tolist(),
                "last_seen_ns": self.last_ns.tolist(),
                "box_xyxy": list(map(tuple, self.boxes_xyxy.tolist())),
                "detection": self.detections.tolist(),
                "history": list(self._histories),
            }
        )

    def _take(self, memories: list[NDArray[Any]]) -> None:
        """Take memories (columns, n), and the columns out of them, each contiguous."""
        self._memories = memories
        for memory, columns in zip(memories, _COLUMNS.values(), strict=True):
            begin = 0
            for name, width in columns:
                part = memory[begin] if width == 1 else memory[begin : begin + width].T
                setattr(self, name, part)
                begin += width

    def _vote(self, row: int, class_name: str, score: float) -> None:
        votes = {name: _VOTE_MEMORY * vote for name, vote in self._votes[row].items()}
        votes[class_name] = votes.get(class_name, 0.0) + score
        self._votes[row] = votes
        voted = class_name if len(votes) == 1 else max(votes, key=lambda name: votes[name])
        if voted != self.class_names[row]:
            self.class_names[row] = voted
            self.labels[row] = self._numbers[voted]


def _width(kind: type) -> int:
    """Return how many numbers a track has in a memory."""
    return sum(width for _, width in _COLUMNS[kind])
