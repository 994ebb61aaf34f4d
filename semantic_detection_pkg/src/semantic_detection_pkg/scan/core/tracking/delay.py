"""Estimate by how much pictures and poses are out of step, from the apparent motion of objects.

A picture stamped t that truly shows the pose of t + d is looked up at the wrong pose while the
gimbal turns: everything in it appears -d times the turning rate away from where it is. So the
bearings of each track are regressed against that rate. A straight line over time (a bearing and a
constant rate for each segment of a track) is subtracted first, so objects that move do not matter,
and neither does a gimbal that turns steadily: only changes of its rate carry information. Outliers
count little (Huber weights).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.kernels import implementation

_BOX_PX = 1.0
_BOX_SHARE = 0.04  # standard deviation of a box's centre, as a share of its longer side
_ZOOM_CHANGE = (
    0.005  # of the field of view between frames: more is zooming, whose stamp may be off, too
)
_HUBER = 1.5  # sigmas beyond which a residual counts linearly (P. J. Huber, 1964)
_ITERATIONS = 4


@dataclass(frozen=True)
class DelaySettings:
    """When an estimate of the delay is accepted.

    Attributes:
        max_sigma_s: an estimate with a larger standard deviation is rejected.
        max_delay_s: a larger delay is rejected.
        min_frames: fewer frames are not enough.
        update_interval_s: time between two estimates.
        segment_s: length of the segments of a track over which its rate is taken as constant.
        gap_s: a track that was not seen for longer begins a new segment.
        tracks_per_frame: how many are used, the sharpest first.
        max_samples: how many are kept.
    """

    max_sigma_s: float = 0.004
    max_delay_s: float = 0.5
    min_frames: int = 15
    update_interval_s: float = 0.5
    segment_s: float = 4.0
    gap_s: float = 0.6
    tracks_per_frame: int = 8
    max_samples: int = 2400

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_range(name, value, above=0.0)


@dataclass(frozen=True)
class DelayEstimate:
    """A picture stamped t shows the pose at t + delay_s; both are NaN while unknown."""

    delay_s: float = math.nan
    sigma_s: float = math.nan

    @property
    def is_known(self) -> bool:
        """Return whether there is an estimate."""
        return not math.isnan(self.delay_s)


_FIELDS = 8


class _Samples:
    """The newest samples, as rows of one array that is filled up before it is moved.

    Attributes of each, in this order: number of its segment, of its frame, time since the segment
    began [s], bearing (yaw counted from the segment's first, pitch; without the applied delay)
    [rad], rates of the pixel's bearing as the view turns (yaw, pitch) [rad/s], weight.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._memory = np.empty((_FIELDS, 2 * most))
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    def append(self, sample: tuple[float, ...]) -> None:
        """Take a sample; the oldest is forgotten where there is no room."""
        if self._end == self._memory.shape[1]:
            kept = self._memory[:, self._begin : self._end].copy()
            self._begin, self._end = 0, kept.shape[1]
            self._memory[:, : self._end] = kept
        self._memory[:, self._end] = sample
        self._end += 1
        self._begin = max(self._begin, self._end - self._most)

    @property
    def columns(self) -> Matrix:
        """Return (8, n) the samples, oldest first."""
        return self._memory[:, self._begin : self._end]

    @property
    def frames(self) -> int:
        """Return in how many frames they were."""
        return 1 + int(np.count_nonzero(np.diff(self.columns[1]))) if len(self) else 0


@dataclass
class _Segment:
    number: int
    begin_ns: int
    last_ns: int
    first_yaw_rad: float


class DelayEstimator:
    """Estimates the delay from all frames; an accepted estimate stays until the next one."""

    def __init__(self, settings: DelaySettings | None = None) -> None:
        """Begin without an estimate."""
        self._settings = DelaySettings() if settings is None else settings
        self._samples = _Samples(self._settings.max_samples)
        self._segments: dict[int, _Segment] = {}
        self._next_segment = 0
        self._frame = 0
        self._hfov_rad = math.nan
        self._estimated_ns: int | None = None
        self._estimate = DelayEstimate()

    @property
    def estimate(self) -> DelayEstimate:
        """Return the newest accepted estimate."""
        return self._estimate

    @property
    def applied_s(self) -> float:
        """Return the delay for the next frame's pose, 0 while unknown. [s]"""
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
        """Add one frame after the tracker has had it, and return the estimate.

        Args:
            stamp_ns: of its capture.
            view: what the tracker was given.
            yaw_rate_rad_s, pitch_rate_rad_s: of the gimbal at that moment.
            tracks: the tracker's.
            applied_s: delay with which `view` was looked up.
        """
        is_steady = abs(view.hfov_rad - self._hfov_rad) <= _ZOOM_CHANGE * view.hfov_rad
        self._hfov_rad = view.hfov_rad
        if is_steady:
            self._frame += 1
            self._add_samples(stamp_ns, view, (yaw_rate_rad_s, pitch_rate_rad_s), tracks, applied_s)
        every_ns = round(self._settings.update_interval_s * 1e9)
        if self._estimated_ns is None or stamp_ns - self._estimated_ns >= every_ns:
            self._estimated_ns = stamp_ns
            self._drop_old_segments(stamp_ns)
            self._update_estimate()
        return self._estimate

    def _add_samples(
        self,
        stamp_ns: int,
        view: CameraView,
        rates: tuple[float, float],
        tracks: Sequence[Track],
        applied_s: float,
    ) -> None:
        """Add samples of the sharpest tracks that are seen whole."""
        seen = [track for track in tracks if track.is_seen and track.is_whole]
        seen.sort(key=lambda track: (max(track.width_rad, track.height_rad), track.id))
        seen = seen[: self._settings.tracks_per_frame]
        if not seen:
            return
        boxes = np.array([track.box_xyxy for track in seen])
        bearings, turning = implementation("delay").turn(view, boxes, *rates)
        bearings -= applied_s * turning
        sigmas = _BOX_PX + _BOX_SHARE * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        weights = (view.pixels_per_rad / sigmas) ** 2
        for track, (yaw, pitch), (yaw_turn, pitch_turn), weight in zip(
            seen, bearings.tolist(), turning.tolist(), weights.tolist(), strict=True
        ):
            segment = self._segment(track.id, stamp_ns, yaw)
            off = math.remainder(yaw - segment.first_yaw_rad, math.tau)
            time_s = (stamp_ns - segment.begin_ns) * 1e-9
            self._samples.append(
                (segment.number, self._frame, time_s, off, pitch, yaw_turn, pitch_turn, weight)
            )

    def _segment(self, track_id: int, stamp_ns: int, yaw_rad: float) -> _Segment:
        settings = self._settings
        segment = self._segments.get(track_id)
        if (
            segment is None
            or (stamp_ns - segment.last_ns) * 1e-9 > settings.gap_s
            or (stamp_ns - segment.begin_ns) * 1e-9 > settings.segment_s
        ):
            segment = _Segment(self._next_segment, stamp_ns, stamp_ns, yaw_rad)
            self._next_segment += 1
            self._segments[track_id] = segment
        segment.last_ns = stamp_ns
        return segment

    def _drop_old_segments(self, stamp_ns: int) -> None:
        oldest_ns = stamp_ns - round(self._settings.gap_s * 1e9)
        self._segments = {
            track_id: segment
            for track_id, segment in self._segments.items()
            if segment.last_ns >= oldest_ns
        }

    def _update_estimate(self) -> None:
        """Accept a new estimate, if the samples are enough for one."""
        frames = self._samples.frames
        if frames < self._settings.min_frames:
            return
        found = _regress(self._samples.columns, frames)
        if (
            found.sigma_s <= self._settings.max_sigma_s
            and abs(found.delay_s) <= self._settings.max_delay_s
        ):
            self._estimate = found


def _regress(samples: Matrix, frames: int) -> DelayEstimate:
    """Return the delay that explains the bearings best; sigma is infinite at constant rates.

    Weighted least squares of bearing = course - delay * turning rate, the course taken out of both
    sides first (Frisch-Waugh-Lovell theorem), reweighted for Huber's loss.

    Args:
        samples: (8, n) as `_Samples` has them.
        frames: in which they were: the pose's error is common to all objects in one.
    """
    segments = samples[0].astype(np.intp)
    return DelayEstimate(
        *implementation("delay").regress(
            segments - segments.min(),
            np.ascontiguousarray(samples[2]),
            np.ascontiguousarray(samples[3:5]),
            np.ascontiguousarray(samples[5:7]),
            np.ascontiguousarray(samples[7]),
            frames,
            _HUBER,
            _ITERATIONS,
        )
    )
