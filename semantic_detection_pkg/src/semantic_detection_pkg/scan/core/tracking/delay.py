"""By how much pictures and poses are out of step, from what resting things seem to do.

A picture stamped t that truly shows the pose of t + d is looked up at the wrong pose while the
gimbal turns: everything in it seems to lie -d times the turning rate off. So the bearings of each
track are regressed against that rate. A course of its own (a place and a steady rate for each piece
of a track) is taken out first, hence moving things do not matter, and neither does a gimbal that
turns steadily: only changes of its rate tell anything. Outliers count little (Huber weights).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.tracking.track import Track

_BOX_PX = 1.0
_BOX_SHARE = 0.04  # standard deviation of a box's middle, of its longer side
_ZOOM_CHANGE = 0.005  # of the field of view between frames: its stamp may be off, too
_HUBER = 1.5  # sigmas from which on a residual counts less than squared
_ROUNDS = 4


@dataclass(frozen=True)
class DelaySettings:
    """What is enough to know the delay.

    Attributes:
        sigma_max_s: an estimate with a larger standard deviation is none.
        delay_max_s: a larger delay is not believed.
        frames_min: that an estimate rests on.
        every_s: between two estimates.
        piece_s: length of the pieces of a track that have a steady rate of their own.
        gap_s: a track that was not seen for longer begins a new piece.
        tracks_per_frame: that are used, the sharpest first.
        samples_max: that are kept.
    """

    sigma_max_s: float = 0.004
    delay_max_s: float = 0.5
    frames_min: int = 15
    every_s: float = 0.5
    piece_s: float = 4.0
    gap_s: float = 0.6
    tracks_per_frame: int = 8
    samples_max: int = 2400

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"delay: {name} {value} must be above 0")


@dataclass(frozen=True)
class DelayEstimate:
    """A picture stamped t shows the pose at t + delay_s. NaN, both, while unknown."""

    delay_s: float = math.nan
    sigma_s: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there is an estimate."""
        return not math.isnan(self.delay_s)


class _Sample(NamedTuple):
    piece: int
    frame: int
    time_s: float  # since the piece began
    bearing: tuple[float, float]  # yaw counted from the piece's first, without the applied delay
    rate: tuple[float, float]  # [rad/s] of the pixel's bearing as the view turns
    weight: float


@dataclass
class _Piece:
    number: int
    begin_ns: int
    last_ns: int
    first_yaw_rad: float


class DelayEstimator:
    """Feed every frame; once known, an estimate stays until a better founded one replaces it."""

    def __init__(self, settings: DelaySettings | None = None) -> None:
        """Start without knowing anything."""
        self._settings = DelaySettings() if settings is None else settings
        self._samples: deque[_Sample] = deque(maxlen=self._settings.samples_max)
        self._pieces: dict[int, _Piece] = {}
        self._next_piece = 0
        self._frame = 0
        self._hfov_rad = math.nan
        self._estimated_ns: int | None = None
        self._estimate = DelayEstimate()

    @property
    def estimate(self) -> DelayEstimate:
        """The newest one."""
        return self._estimate

    @property
    def applied_s(self) -> float:
        """With which to look up the pose of the next frame; 0 while unknown."""
        return self._estimate.delay_s if self._estimate.is_known else 0.0

    def update(
        self,
        stamp_ns: int,
        view: CameraView,
        yaw_rate_rad_s: float,
        pitch_rate_rad_s: float,
        tracks: Sequence[Track],
        applied_s: float,
    ) -> DelayEstimate:
        """Take one frame, after the tracker.

        Args:
            stamp_ns: its capture, as stamped.
            view: that the tracker was given.
            yaw_rate_rad_s, pitch_rate_rad_s: of the gimbal at that moment.
            tracks: the tracker's.
            applied_s: delay with which `view` was looked up.
        """
        is_steady = abs(view.hfov_rad - self._hfov_rad) <= _ZOOM_CHANGE * view.hfov_rad
        self._hfov_rad = view.hfov_rad
        if is_steady:
            self._frame += 1
            self._take(stamp_ns, view, (yaw_rate_rad_s, pitch_rate_rad_s), tracks, applied_s)
        every_ns = round(self._settings.every_s * 1e9)
        if self._estimated_ns is None or stamp_ns - self._estimated_ns >= every_ns:
            self._estimated_ns = stamp_ns
            self._forget_pieces(stamp_ns)
            self._judge()
        return self._estimate

    def _take(
        self,
        stamp_ns: int,
        view: CameraView,
        rates: tuple[float, float],
        tracks: Sequence[Track],
        applied_s: float,
    ) -> None:
        """Samples of the sharpest tracks that are seen whole."""
        seen = [track for track in tracks if track.is_seen and track.is_whole]
        seen.sort(key=lambda track: (max(track.width_rad, track.height_rad), track.id))
        seen = seen[: self._settings.tracks_per_frame]
        if not seen:
            return
        boxes = np.array([track.box_xyxy for track in seen])
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2.0
        turning = view.bearing_rates(middles, *rates)
        bearings = view.bearings_of(middles) - applied_s * turning
        sigmas = _BOX_PX + _BOX_SHARE * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        weights = (view.pixels_per_rad / sigmas) ** 2
        for track, (yaw, pitch), (yaw_turn, pitch_turn), weight in zip(
            seen, bearings.tolist(), turning.tolist(), weights.tolist(), strict=True
        ):
            piece = self._piece(track.id, stamp_ns, yaw)
            off = math.remainder(yaw - piece.first_yaw_rad, math.tau)
            time_s = (stamp_ns - piece.begin_ns) * 1e-9
            self._samples.append(
                _Sample(
                    piece.number, self._frame, time_s, (off, pitch), (yaw_turn, pitch_turn), weight
                )
            )

    def _piece(self, track_id: int, stamp_ns: int, yaw_rad: float) -> _Piece:
        settings = self._settings
        piece = self._pieces.get(track_id)
        if (
            piece is None
            or (stamp_ns - piece.last_ns) * 1e-9 > settings.gap_s
            or (stamp_ns - piece.begin_ns) * 1e-9 > settings.piece_s
        ):
            piece = _Piece(self._next_piece, stamp_ns, stamp_ns, yaw_rad)
            self._next_piece += 1
            self._pieces[track_id] = piece
        piece.last_ns = stamp_ns
        return piece

    def _forget_pieces(self, stamp_ns: int) -> None:
        oldest_ns = stamp_ns - round(self._settings.gap_s * 1e9)
        self._pieces = {
            track_id: piece
            for track_id, piece in self._pieces.items()
            if piece.last_ns >= oldest_ns
        }

    def _judge(self) -> None:
        """A new estimate, if the samples are enough for one."""
        frames = len({sample.frame for sample in self._samples})
        if frames < self._settings.frames_min:
            return
        found = _regress(self._samples, frames)
        if (
            found.sigma_s <= self._settings.sigma_max_s
            and abs(found.delay_s) <= self._settings.delay_max_s
        ):
            self._estimate = found


def _regress(samples: Sequence[_Sample], frames: int) -> DelayEstimate:
    """The delay that explains the bearings best; sigma infinite without any change of rates."""
    _, groups = np.unique([sample.piece for sample in samples], return_inverse=True)
    # Each sample gives two equations, of yaw and of pitch, each in a group of its own.
    groups = np.concatenate([groups, groups + groups.max() + 1])
    times = np.tile([sample.time_s for sample in samples], 2)
    bearings = np.array([sample.bearing for sample in samples]).T.ravel()
    rates = np.array([sample.rate for sample in samples]).T.ravel()
    base = np.tile([sample.weight for sample in samples], 2)
    weights, delay, sigma = base, math.nan, math.inf
    for _ in range(_ROUNDS):
        x = _without_course(rates, times, groups, weights)
        y = _without_course(bearings, times, groups, weights)
        information = float((weights * x * x).sum())
        if information <= 1e-9:
            return DelayEstimate(math.nan, math.inf)
        delay = -float((weights * x * y).sum()) / information
        scaled = np.abs(y + delay * x) * np.sqrt(base)
        # Robust, and not below the boxes' own noise: what a course fits exactly says nothing.
        spread = max(1.4826 * float(np.median(scaled)), 0.3)
        weights = base * np.minimum(1.0, _HUBER * spread / np.maximum(scaled, 1e-12))
        # The pose's error is common to all things in a frame: frames count, not samples.
        sigma = spread * math.sqrt(len(samples) / frames / information)
    return DelayEstimate(delay, sigma)


def _without_course(
    values: Matrix, times: Matrix, groups: NDArray[np.intp], weights: Matrix
) -> Matrix:
    """Values less the straight line over time that fits those of their group best."""

    def mean(array: Matrix) -> Matrix:
        return np.asarray((np.bincount(groups, weights * array) / sums)[groups])

    sums = np.bincount(groups, weights)
    late, off = times - mean(times), values - mean(values)
    slopes = np.bincount(groups, weights * late * off) / np.maximum(
        np.bincount(groups, weights * late * late), 1e-12
    )
    return np.asarray(off - slopes[groups] * late)
