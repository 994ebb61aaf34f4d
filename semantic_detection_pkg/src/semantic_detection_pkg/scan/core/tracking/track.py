"""A track as the tracker gives it out: data only."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.words import TrackState


@dataclass(frozen=True)
class TrackPoint:
    """Where a track was at one moment."""

    stamp_ns: int
    yaw_rad: float
    pitch_rad: float


@dataclass(frozen=True)
class Track:
    """One object in bearing space after a frame.

    Attributes:
        id: 1.., never used twice by a tracker.
        class_name: voted by score over its detections.
        score: 0..1, of the newest detection.
        score_mean: 0..1, over its detections.
        yaw_rad, pitch_rad: bearing of its centre at the frame's stamp.
        covariance: [rad^2] of (yaw, pitch): var(yaw), cov(yaw, pitch), var(pitch).
        yaw_rate_rad_s, pitch_rate_rad_s: its own motion, not the gimbal's.
        width_rad, height_rad: angular size; a lower bound while `is_whole` is false.
        is_whole: its newest box touched no edge of the picture.
        is_seen: it was detected in this very frame.
        hits: frames in which it was detected.
        first_seen_ns, last_seen_ns: stamps of its first and newest frame with a detection.
        box_xyxy: [px] its box in the frame of `last_seen_ns`.
        detection: index of its detection in this frame; -1 unless `is_seen`.
        history: where it was, thinned, oldest first.
    """

    id: int
    state: TrackState
    class_name: str
    score: float
    score_mean: float
    yaw_rad: float
    pitch_rad: float
    covariance: tuple[float, float, float]
    yaw_rate_rad_s: float
    pitch_rate_rad_s: float
    width_rad: float
    height_rad: float
    is_whole: bool
    is_seen: bool
    hits: int
    first_seen_ns: int
    last_seen_ns: int
    box_xyxy: tuple[float, float, float, float]
    detection: int
    history: tuple[TrackPoint, ...]
