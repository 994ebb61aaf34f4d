"""A target that goes to and fro, followed by the mock gimbal's dynamics under one law or another.

20 steps and 10 pictures a second, each 0.1 s late, one in twenty lost, boxes wrong by a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gimbal_driver_pkg.mock.body import Body, Dynamics
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.pointing import BearingState, rates_towards
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.harness.robot import COMMAND_DELAY_S, GIMBAL, PICTURE_DELAY_S

ZOOM = 4.0  # of the simulated camera: 17 deg across
_LENS = Lens()
_TURN_S = 3.0  # in which the target turns round
_STEP_S = 0.05
_FRAME_STEPS = 2
_LOST_SHARE = 0.05
_SIZE_RAD = 0.02
_LASTS_S = 60.0
_SETTLES_S = 1.5  # until it has met the target
_GIVES_UP_S = 1.0  # without a sight of the target the axis stops
_DEAD_ZONE = 0.15  # of the picture, to each side of its middle
_WAIT_S = 0.4  # of the step-and-wait follower, after each move

LIMITS = GimbalLimits(
    (math.radians(GIMBAL.yaw_deg[0]), math.radians(GIMBAL.yaw_deg[1])),
    (math.radians(GIMBAL.pitch_deg[0]), math.radians(GIMBAL.pitch_deg[1])),
    rate_rad_s=math.radians(GIMBAL.max_rate_deg_s),
)

Law = Callable[[Body, float, Track | None, float], None]
"""Commands a body at a time [s], from the newest track and the stamp [s] it stands for."""


@dataclass(frozen=True)
class FollowingResult:
    """How well it was followed.

    Attributes:
        p95_fov, max_fov: error of the axis in fields of view, over time.
        lost: how often the target's track ended.
        beyond_limit_deg: greatest way of the axis beyond the gimbal's limits.
    """

    p95_fov: float
    max_fov: float
    lost: int
    beyond_limit_deg: float


@dataclass(frozen=True)
class Target:
    """Goes to and fro at a constant speed, with smooth turns."""

    speed_rad_s: float
    reach_rad: float

    def yaw_rad(self, time_s: float) -> float:
        """Return where the target is; in the middle at 0. [rad]"""
        leg_s = 2.0 * self.reach_rad / self.speed_rad_s
        half_s = leg_s + _TURN_S
        phase = (time_s + leg_s / 2.0) % (2.0 * half_s)
        sign = 1.0 if phase < half_s else -1.0
        phase %= half_s
        if phase <= leg_s:
            return sign * (self.speed_rad_s * phase - self.reach_rad)
        turning = phase - leg_s
        return sign * (self.reach_rad + self.speed_rad_s * turning * (1.0 - turning / _TURN_S))


def follow(law: Law, speed_deg_s: float, reach_deg: float = 60.0) -> FollowingResult:
    """Follow for a minute of simulated time."""
    target = Target(math.radians(speed_deg_s), math.radians(reach_deg))
    hfov_rad = _LENS.hfov_rad(ZOOM)
    rng = np.random.default_rng(5)
    body, tracker = Body(GIMBAL, Dynamics()), Tracker()
    pending: list[tuple[float, CameraView, Detections]] = []
    errors: list[float] = []
    ids: list[int] = []
    track, stamp_s, beyond_rad = None, 0.0, 0.0
    for step in range(round(_LASTS_S / _STEP_S)):
        now_s = step * _STEP_S
        body.advance(now_s)
        yaw = target.yaw_rad(now_s)
        at_yaw, at_pitch = body.yaw.angle_rad, body.pitch.angle_rad
        if now_s >= _SETTLES_S:
            errors.append(math.hypot(at_yaw - yaw, at_pitch) / hfov_rad)
        beyond_rad = max(beyond_rad, abs(at_yaw) - LIMITS.yaw_rad[1])
        if step % _FRAME_STEPS == 0 and rng.random() >= _LOST_SHARE:
            view = CameraView(at_yaw, at_pitch, 0.0, hfov_rad, _LENS.width, _LENS.height)
            pending.append((now_s, view, _boxes(view, yaw, rng)))
        while pending and pending[0][0] + PICTURE_DELAY_S <= now_s + 1e-9:
            stamp_s, view, boxes = pending.pop(0)
            tracks = tracker.update(round(stamp_s * 1e9), view, boxes, ("target",))
            track = max(tracks, key=lambda one: (one.last_seen_ns, one.hits), default=None)
            if track is not None and track.id not in ids:
                ids.append(track.id)
        body.advance(now_s + COMMAND_DELAY_S)
        law(body, now_s, track, stamp_s)
    return FollowingResult(
        float(np.percentile(errors, 95)),
        max(errors),
        max(0, len(ids) - 1),
        math.degrees(max(0.0, beyond_rad)),
    )


def smooth(body: Body, now_s: float, track: Track | None, stamp_s: float) -> None:
    """Turn by the scan controller's pointing law."""
    yaw, pitch = body.yaw, body.pitch
    axis = BearingState(now_s, yaw.angle_rad, pitch.angle_rad, yaw.rate_rad_s, pitch.rate_rad_s)
    if track is None or now_s - track.last_seen_ns * 1e-9 > _GIVES_UP_S:
        goal = BearingState(now_s, axis.yaw_rad, axis.pitch_rad)
    else:
        goal = BearingState(
            stamp_s, track.yaw_rad, track.pitch_rad, track.yaw_rate_rad_s, track.pitch_rate_rad_s
        )
    yaw_rate, pitch_rate = rates_towards(axis, goal, now_s, LIMITS)
    body.yaw.turn(yaw_rate)
    body.pitch.turn(pitch_rate)


class StepAndWait:
    """Goes to where the target was seen once that is outside a dead zone, then waits."""

    def __init__(self) -> None:
        self._free_s = 0.0

    def __call__(self, body: Body, now_s: float, track: Track | None, stamp_s: float) -> None:
        zone_rad = _DEAD_ZONE * _LENS.hfov_rad(ZOOM)
        if track is None or now_s < self._free_s or stamp_s < self._free_s - PICTURE_DELAY_S:
            return
        if abs(track.yaw_rad - body.yaw.angle_rad) > zone_rad:
            body.yaw.go_to(track.yaw_rad)
            body.pitch.go_to(track.pitch_rad)
            self._free_s = now_s + _WAIT_S


def _boxes(view: CameraView, yaw_rad: float, rng: np.random.Generator) -> Detections:
    """Return the target's box, if it is in the picture."""
    x, y = view.project([(yaw_rad, 0.0)])[0] + rng.normal(0.0, 1.0, 2)
    half = _SIZE_RAD * view.pixels_per_rad / 2.0
    box = np.clip([x - half, y - half, x + half, y + half], 0, [view.width, view.height] * 2)
    is_in = bool(np.isfinite(box).all() and min(box[2] - box[0], box[3] - box[1]) > half)
    count = int(is_in)
    return Detections(
        view.width,
        view.height,
        np.zeros(count, np.uint16),
        np.full(count, 0.9, np.float32),
        np.array([box] * count, np.float32).reshape(-1, 4),
    )
