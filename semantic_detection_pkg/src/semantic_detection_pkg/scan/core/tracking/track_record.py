"""What the tracker keeps for one track besides its Kalman state: class votes, size, misses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.optics import Matrix
from semantic_detection_pkg.scan.core.tracking.motion import KalmanStates
from semantic_detection_pkg.scan.core.tracking.track import Track, TrackPoint

_VOTE_MEMORY = 0.97  # of a vote's weight with each later one: a closer view may correct the class
_SIZE_GAIN = 0.2
_HISTORY_STEP_NS = 500_000_000
_HISTORY_LENGTH = 64


@dataclass(eq=False)
class TrackRecord:
    """One track, detected for the first time at `first_ns`.

    Attributes:
        size_rad: (2,) angular width and height.
        missed_s: for how long it was expected and not detected, since its last detection.
        detection: index of its detection in the newest frame; -1: none.
        pixels_per_rad: of the network's input in the coarsest look that showed it; 0: not known.
    """

    id: int
    first_ns: int
    size_rad: Matrix
    last_ns: int = 0
    score: float = 0.0
    score_total: float = 0.0
    hits: int = 0
    is_whole: bool = False
    is_size_known: bool = False
    is_confirmed: bool = False
    missed_s: float = 0.0
    detection: int = -1
    pixels_per_rad: float = 0.0
    box_xyxy: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    history: deque[TrackPoint] = field(default_factory=lambda: deque(maxlen=_HISTORY_LENGTH))
    class_name: str = ""
    _votes: dict[str, float] = field(default_factory=dict)

    def add_hit(
        self,
        stamp_ns: int,
        detection: int,
        class_name: str,
        score: float,
        box_xyxy: Matrix,
        is_whole: bool,
    ) -> None:
        """Count a detection, and vote for its class by its score."""
        self.last_ns, self.detection, self.score = stamp_ns, detection, score
        self.score_total += score
        self.hits += 1
        self.missed_s = 0.0
        left, top, right, bottom = box_xyxy.tolist()
        self.box_xyxy = (left, top, right, bottom)
        self.is_whole = is_whole
        self.is_size_known |= is_whole
        self._votes = {name: _VOTE_MEMORY * votes for name, votes in self._votes.items()}
        self._votes[class_name] = self._votes.get(class_name, 0.0) + score
        self.class_name = max(self._votes, key=lambda name: self._votes[name])

    def update_size(self, size_rad: Matrix, is_cut: NDArray[np.bool_]) -> None:
        """Average the size with that of a completed box; along cut axes (2,) replace it."""
        gain = max(_SIZE_GAIN, 1.0 / max(self.hits, 1))
        self.size_rad = np.where(
            is_cut, size_rad, self.size_rad + gain * (size_rad - self.size_rad)
        )

    def add_history_point(self, stamp_ns: int, yaw_rad: float, pitch_rad: float) -> None:
        """Keep where it is, at most once in `_HISTORY_STEP_NS`."""
        if not self.history or stamp_ns - self.history[-1].stamp_ns >= _HISTORY_STEP_NS:
            self.history.append(TrackPoint(stamp_ns, yaw_rad, pitch_rad))

    def to_track(self, row: int, states: KalmanStates, is_lost: bool) -> Track:
        """Return it as a `Track`; `row` is its index in `states`."""
        state = TrackState.CONFIRMED if self.is_confirmed else TrackState.TENTATIVE
        yaw_variance, pitch_variance = states.position_variance[row].tolist()
        yaw_rad, pitch_rad = states.position[row].tolist()
        yaw_rate, pitch_rate = states.rate[row].tolist()
        width_rad, height_rad = self.size_rad.tolist()
        return Track(
            self.id,
            TrackState.LOST if is_lost and self.is_confirmed else state,
            self.class_name,
            self.score,
            self.score_total / self.hits,
            yaw_rad,
            pitch_rad,
            (yaw_variance, 0.0, pitch_variance),
            yaw_rate,
            pitch_rate,
            width_rad,
            height_rad,
            self.is_whole,
            self.detection >= 0,
            self.hits,
            self.first_ns,
            self.last_ns,
            self.box_xyxy,
            self.detection,
            tuple(self.history),
        )
