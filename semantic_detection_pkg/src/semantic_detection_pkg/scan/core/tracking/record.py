"""What the tracker remembers of one thing besides its motion: votes, looks, misses."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.optics import Matrix
from semantic_detection_pkg.scan.core.tracking.motion import Motion
from semantic_detection_pkg.scan.core.tracking.track import Sight, Track

_VOTE_MEMORY = 0.97  # of a vote at each later one: what a thing looks like close up may correct it
_SIZE_GAIN = 0.2
_HISTORY_STEP_NS = 500_000_000
_HISTORY_LENGTH = 64


@dataclass(eq=False)
class Record:
    """One thing, seen for the first time at `first_ns`.

    Attributes:
        size_rad: (2,) angular width and height.
        missed_s: for how long it ought to have been seen and was not, since it was seen.
        detection: its index in the newest frame, -1: none.
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
    box_xyxy: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    history: deque[Sight] = field(default_factory=lambda: deque(maxlen=_HISTORY_LENGTH))
    class_name: str = ""
    _votes: dict[str, float] = field(default_factory=dict)

    def hit(
        self,
        stamp_ns: int,
        detection: int,
        class_name: str,
        score: float,
        box_xyxy: Matrix,
        is_whole: bool,
    ) -> None:
        """It was detected."""
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

    def resize(self, size_rad: Matrix, is_cut: NDArray[np.bool_]) -> None:
        """Take a completed box's size; (2,) along cut axes it counts at once, as it only grows."""
        gain = max(_SIZE_GAIN, 1.0 / max(self.hits, 1))
        self.size_rad = np.where(
            is_cut, size_rad, self.size_rad + gain * (size_rad - self.size_rad)
        )

    def note(self, stamp_ns: int, yaw_rad: float, pitch_rad: float) -> None:
        """Remember where it is, at most every _HISTORY_STEP_NS."""
        if not self.history or stamp_ns - self.history[-1].stamp_ns >= _HISTORY_STEP_NS:
            self.history.append(Sight(stamp_ns, yaw_rad, pitch_rad))

    def track(self, row: int, motion: Motion, is_lost: bool) -> Track:
        """As others see it; `row` is its own in `motion`."""
        state = TrackState.CONFIRMED if self.is_confirmed else TrackState.TENTATIVE
        yaw_variance, pitch_variance = motion.position_variance[row].tolist()
        yaw_rad, pitch_rad = motion.position[row].tolist()
        yaw_rate, pitch_rate = motion.rate[row].tolist()
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
