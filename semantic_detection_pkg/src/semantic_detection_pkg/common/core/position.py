"""Where on the ground a bearing meets it: latitude, longitude, and how sure that is.

The base frame (x forward, y left, z up) is turned into east-north-up by the platform's orientation
(REP 103/105), the ray is met with a level ground at a known height, and pymap3d goes from there to
the ellipsoid. The ellipse comes from the errors of bearing, attitude, position and ground height to
first order; their sources are taken for independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pymap3d

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import Matrix, bearing, direction

_STEP_RAD = 1e-5  # of the differences that the ellipse comes from
_LEAST_DEPRESSION_RAD = math.radians(0.5)  # a flatter ray meets the ground nowhere in particular


@dataclass(frozen=True)
class Place:
    """Where the gimbal's base is and how it is turned.

    Attributes:
        latitude_deg, longitude_deg, altitude_m: WGS 84, altitude above the ellipsoid.
        quaternion_xyzw: turns vectors of the base frame into east-north-up; of any length > 0.
        sigma_horizontal_m: of each of the two horizontal coordinates.
        sigma_vertical_m: of the altitude.
        sigma_attitude_rad: of the orientation, about each axis.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    quaternion_xyzw: tuple[float, float, float, float]
    sigma_horizontal_m: float = 3.0
    sigma_vertical_m: float = 5.0
    sigma_attitude_rad: float = 0.02

    def __post_init__(self) -> None:
        check_range("latitude_deg", self.latitude_deg, -90.0, 90.0)
        check_range("longitude_deg", self.longitude_deg, -360.0, 360.0)
        values = (self.altitude_m, *self.quaternion_xyzw)
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"place: altitude and quaternion {values} must be finite")
        if math.hypot(*self.quaternion_xyzw) < 1e-6:
            raise ValueError("place: the quaternion is zero")
        for name in ("sigma_horizontal_m", "sigma_vertical_m", "sigma_attitude_rad"):
            check_range(name, getattr(self, name), 0.0)


@dataclass(frozen=True)
class RobotPlace:
    """Where the gimbal's base is; the quaternion, None: not known, turns it into east-north-up."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    sigma_horizontal_m: float
    sigma_vertical_m: float
    quaternion_xyzw: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Position:
    """Where something stands.

    Attributes:
        latitude_deg, longitude_deg, altitude_m: WGS 84; the altitude is the ground's.
        range_m: distance from the gimbal's base.
        ellipse_major_m, ellipse_minor_m: semi-axes of the 1-sigma ellipse.
        ellipse_heading_rad: of the major axis from north, clockwise, -pi/2..pi/2.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    range_m: float
    ellipse_major_m: float
    ellipse_minor_m: float
    ellipse_heading_rad: float


def known_position(
    place: tuple[float, float, float], range_m: float, ellipse: tuple[float, float, float]
) -> Position | None:
    """Return a position that came from outside; None where a number of it can be none.

    Args:
        place: latitude and longitude [deg], altitude [m].
        ellipse: as in `Position`.
    """
    if not all(map(math.isfinite, (*place, *ellipse))) or abs(place[0]) > 90.0:
        return None
    return Position(*place, range_m, *ellipse)


@dataclass(frozen=True)
class NoPosition:
    """Why there is none, in words."""

    reason: str


def locate(
    place: Place,
    yaw_rad: float,
    pitch_rad: float,
    ground_m: float,
    bearing_covariance: tuple[float, float, float] = (0.0, 0.0, 0.0),
    sigma_ground_m: float = 1.0,
) -> Position | NoPosition:
    """Return where a bearing from the gimbal's base meets the ground.

    Args:
        place: where the base is.
        yaw_rad, pitch_rad: the bearing, in the base frame.
        ground_m: height of the ground there above the ellipsoid.
        bearing_covariance: [rad^2] var(yaw), cov(yaw, pitch), var(pitch).
        sigma_ground_m: of the ground's height.
    """
    height_m = place.altitude_m - ground_m
    if height_m <= 0.0:
        return NoPosition(
            f"the camera at {place.altitude_m:.1f} m is not above the ground at {ground_m:.1f} m"
        )
    turn = quaternion_rotation(place.quaternion_xyzw)
    ray = _turned(turn, direction(yaw_rad, pitch_rad))
    depression = math.atan2(-float(ray[2]), math.hypot(float(ray[0]), float(ray[1])))
    if depression < _LEAST_DEPRESSION_RAD:
        below = math.degrees(depression)
        return NoPosition(
            f"the bearing points {below:.1f} deg below the horizon, at least "
            f"{math.degrees(_LEAST_DEPRESSION_RAD):.1f} deg are needed to meet the ground"
        )
    off = _meet(ray, height_m)
    covariance = _covariance(place, turn, yaw_rad, pitch_rad, height_m, bearing_covariance)
    slope = off / height_m  # metres along east, north for each metre of height
    covariance += (place.sigma_vertical_m**2 + sigma_ground_m**2) * np.outer(slope, slope)
    covariance += place.sigma_horizontal_m**2 * np.eye(2)
    latitude, longitude, _ = pymap3d.enu2geodetic(
        float(off[0]),
        float(off[1]),
        -height_m,
        place.latitude_deg,
        place.longitude_deg,
        place.altitude_m,
    )
    return Position(
        float(latitude),
        float(longitude),
        ground_m,
        math.hypot(float(off[0]), float(off[1]), height_m),
        *_ellipse(covariance),
    )


def bearing_to(
    place: Place, latitude_deg: float, longitude_deg: float, altitude_m: float
) -> tuple[float, float, float]:
    """Return yaw and pitch [rad] of a point from the gimbal's base, and its distance [m]."""
    enu = np.array(
        pymap3d.geodetic2enu(
            latitude_deg,
            longitude_deg,
            altitude_m,
            place.latitude_deg,
            place.longitude_deg,
            place.altitude_m,
        )
    )
    yaw_rad, pitch_rad = bearing(quaternion_rotation(place.quaternion_xyzw).T @ enu)
    return yaw_rad, pitch_rad, float(np.linalg.norm(enu))


def heading(
    quaternion_xyzw: tuple[float, float, float, float], yaw_rad: float, pitch_rad: float
) -> tuple[float, float]:
    """Return (azimuth from true north, clockwise, 0..2 pi; elevation) [rad] of a bearing."""
    east, north, up = quaternion_rotation(quaternion_xyzw) @ direction(yaw_rad, pitch_rad)
    return math.atan2(east, north) % math.tau, math.atan2(up, math.hypot(east, north))


def _covariance(
    place: Place,
    turn: Matrix,
    yaw_rad: float,
    pitch_rad: float,
    height_m: float,
    bearing_covariance: tuple[float, float, float],
) -> Matrix:
    """Return (2, 2) of east, north [m^2] from the errors of bearing and attitude."""
    step = _STEP_RAD
    ray = _turned(turn, direction(yaw_rad, pitch_rad))
    here = _meet(ray, height_m)
    yawed = _turned(turn, direction(yaw_rad + step, pitch_rad))
    pitched = _turned(turn, direction(yaw_rad, pitch_rad + step))
    moves = np.stack([_meet(yawed, height_m) - here, _meet(pitched, height_m) - here], 1) / step
    yaw_variance, shared, pitch_variance = bearing_covariance
    spread = np.array([[yaw_variance, shared], [shared, pitch_variance]])
    covariance = moves @ spread @ moves.T
    for axis in np.eye(3):
        move = (_meet(ray + step * np.cross(axis, ray), height_m) - here) / step
        covariance += place.sigma_attitude_rad**2 * np.outer(move, move)
    return np.asarray(covariance)


def _meet(ray: Matrix, height_m: float) -> Matrix:
    """Return (2,) east, north [m] where a falling ray meets the ground `height_m` below."""
    return np.asarray(ray[:2] * (height_m / -ray[2]))


def _turned(turn: Matrix, vector: Matrix) -> Matrix:
    return np.asarray((turn * vector).sum(axis=1))


def quaternion_rotation(quaternion_xyzw: tuple[float, float, float, float]) -> Matrix:
    """Return the (3, 3) rotation of a quaternion of any length."""
    x, y, z, w = np.array(quaternion_xyzw) / math.hypot(*quaternion_xyzw)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _ellipse(covariance: Matrix) -> tuple[float, float, float]:
    """Return (major, minor, heading of the major axis) of a (2, 2) covariance of east, north."""
    east, shared, north = (float(covariance[i]) for i in ((0, 0), (0, 1), (1, 1)))
    middle, half = (east + north) / 2.0, math.hypot((east - north) / 2.0, shared)
    # The axis at angle a from north, clockwise, has the variance
    # middle + (north - east) / 2 cos 2a + shared sin 2a.
    heading = 0.5 * math.atan2(2.0 * shared, north - east)
    return math.sqrt(middle + half), math.sqrt(max(middle - half, 0.0)), heading
