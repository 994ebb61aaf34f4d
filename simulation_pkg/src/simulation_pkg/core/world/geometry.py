"""The pinhole camera of the simulated world: poses, lenses, exact projections.

Angles are REP 103 from the gimbal's base: x forward, y left, z up; yaw + is left, pitch + is nose
down, roll + is right side down. Pixels: x right, y down, the centre of the top left pixel is at
(0.5, 0.5). The camera stands at (0, 0, height) over the plane z = 0 and only turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import Matrix, rotation

NEAREST = 1e-6
"""Depth from which on something is in front of the camera."""


@dataclass(frozen=True)
class CameraPose:
    """Where the camera looked at one moment, and how it turned."""

    yaw_rad: float
    pitch_rad: float
    roll_rad: float = 0.0
    zoom: float = 1.0  # >= 1, of the widest field of view
    yaw_rate_rad_s: float = 0.0
    pitch_rate_rad_s: float = 0.0

    def __post_init__(self) -> None:
        values = (self.yaw_rad, self.pitch_rad, self.roll_rad, self.zoom)
        rates = (self.yaw_rate_rad_s, self.pitch_rate_rad_s)
        if not all(math.isfinite(value) for value in values + rates):
            raise ValueError(f"pose {values} with rates {rates}: every value must be finite")
        check_range("zoom", self.zoom, 1.0)


@dataclass(frozen=True)
class Lens:
    """Picture size and widest field of view, and the shutter's two times."""

    width: int = 1280  # [px]
    height: int = 720  # [px]
    hfov_wide_rad: float = math.radians(62.0)  # [rad] horizontal, at zoom 1
    exposure_s: float = 0.004  # [s] open time of a row: motion blur
    readout_s: float = 0.012  # [s] from the first row to the last: rolling shutter

    def __post_init__(self) -> None:
        if self.width < 32 or self.height < 32:
            raise ValueError(f"picture {self.width}x{self.height}: at least 32x32 pixels")
        check_range("hfov_wide_rad", self.hfov_wide_rad, 0.01, 2.6)
        check_range("exposure_s", self.exposure_s, 0.0)
        check_range("readout_s", self.readout_s, 0.0)

    def hfov_rad(self, zoom: float) -> float:
        """Return the horizontal field of view [rad] at a zoom: zoom scales the focal length."""
        return 2.0 * math.atan(math.tan(self.hfov_wide_rad / 2.0) / zoom)

    def focal_px(self, zoom: float) -> float:
        """Return the focal length [px]; pixels are square."""
        return self.width / 2.0 / math.tan(self.hfov_wide_rad / 2.0) * zoom


def image_velocity(lens: Lens, pose: CameraPose) -> tuple[float, float]:
    """Return (x, y) [px/s] at which the scene crosses the middle of the picture.

    Turning left moves the scene right, nose down moves it up; yaw counts by the pitch's cosine.
    Pitch is the last to turn (yaw, roll, pitch): its axis lies across the picture at any roll.
    """
    focal = lens.focal_px(pose.zoom)
    cos_roll, sin_roll = math.cos(pose.roll_rad), math.sin(pose.roll_rad)
    across = focal * pose.yaw_rate_rad_s * math.cos(pose.pitch_rad) * cos_roll
    along = -focal * (pose.pitch_rate_rad_s + pose.yaw_rate_rad_s * sin_roll)
    return across, along


def projection(lens: Lens, pose: CameraPose) -> Matrix:
    """Return the (3, 3) projection of a vector in the base frame to homogeneous pixels.

    The rolling shutter is part of it, to first order: a row that is read `dt` after the middle row
    sees the scene moved by `image_velocity * dt`, so the picture is sheared about its middle row.
    """
    focal = lens.focal_px(pose.zoom)
    centre_x, centre_y = lens.width / 2.0, lens.height / 2.0
    intrinsics = np.array([[focal, 0.0, centre_x], [0.0, focal, centre_y], [0.0, 0.0, 1.0]])
    speed_x, speed_y = image_velocity(lens, pose)
    skew_x = speed_x * lens.readout_s / lens.height
    skew_y = speed_y * lens.readout_s / lens.height
    shutter = np.array(
        [
            [1.0, skew_x, -skew_x * centre_y],
            [0.0, 1.0 + skew_y, -skew_y * centre_y],
            [0.0, 0.0, 1.0],
        ]
    )
    return np.asarray(shutter @ intrinsics @ rotation(pose.yaw_rad, pose.pitch_rad, pose.roll_rad))


def ground_homography(to_pixels: Matrix, camera_height_m: float) -> Matrix:
    """Return the (3, 3) homography of (x, y, 1) [m] on the ground to homogeneous pixels."""
    return np.asarray(to_pixels @ np.diag([1.0, 1.0, -camera_height_m]))


def standing_pictures(feet: Matrix, sizes_m: Matrix, camera_height_m: float) -> Matrix:
    """Return (n, 3, 3), points of a picture's unit square (x right, y down, 1) to vectors [m].

    The pictures stand on the ground and face the camera's mast; the vectors are from the camera.

    Args:
        feet: (n, 2) x, y [m] of the middle of their lower edges.
        sizes_m: (n, 2) width, height.
    """
    (x, y), (width, height) = feet.T, sizes_m.T
    yaw = np.arctan2(y, x)
    right_x, right_y = width * np.sin(yaw), -width * np.cos(yaw)
    nothing = np.zeros_like(x)
    columns = [
        [right_x, right_y, nothing],
        [nothing, nothing, -height],
        [x - right_x / 2, y - right_y / 2, height - camera_height_m],
    ]
    return np.ascontiguousarray(np.array(columns).T)


def board_vectors(
    points: Matrix, camera_height_m: float, x_m: float | Matrix, y_m: float | Matrix
) -> Matrix:
    """Return (n, 3) vectors from the camera to (n, 2) points (right, up) [m] of boards.

    Args:
        x_m, y_m: foot of the board, or (n,) of the board of each point.
    """
    yaw = np.arctan2(y_m, x_m)
    right, up = points[:, 0], points[:, 1]
    return np.column_stack(
        [x_m + right * np.sin(yaw), y_m - right * np.cos(yaw), up - camera_height_m]
    )


def angular_extents(vectors: Matrix, starts: NDArray[np.intp]) -> Matrix:
    """Return (k, 4) yaw, pitch, width, height [rad]: middle and angular size of groups of vectors.

    Args:
        vectors: (n, 3), group after group.
        starts: (k,) first vector of each group.
    """
    counts = np.diff(starts, append=len(vectors))
    sums = np.add.reduceat(vectors, starts)
    middle_yaw = np.arctan2(sums[:, 1], sums[:, 0])
    cos_yaw, sin_yaw = (np.repeat(f(middle_yaw), counts) for f in (np.cos, np.sin))
    ahead = vectors[:, 0] * cos_yaw + vectors[:, 1] * sin_yaw
    left = vectors[:, 1] * cos_yaw - vectors[:, 0] * sin_yaw
    yaw = np.arctan2(left, ahead)
    pitch = np.arctan2(-vectors[:, 2], np.hypot(ahead, left))
    (low_yaw, high_yaw), (low_pitch, high_pitch) = (
        (np.minimum.reduceat(angle, starts), np.maximum.reduceat(angle, starts))
        for angle in (yaw, pitch)
    )
    middle_pitch = (low_pitch + high_pitch) / 2.0
    return np.column_stack(
        [
            middle_yaw + (low_yaw + high_yaw) / 2.0,
            middle_pitch,
            (high_yaw - low_yaw) * np.cos(middle_pitch),
            high_pitch - low_pitch,
        ]
    )


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverses of (..., 3, 3).

    Written out: a library's threads need not wake up for it, nor spin after it.
    """
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(np.asarray(matrix), (-2, -1), (0, 1))
    minors = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    determinant = a * minors[0][0] + b * minors[1][0] + c * minors[2][0]
    return np.moveaxis(np.array(minors) / determinant, (0, 1), (-2, -1))


def homogeneous(homography: Matrix, points: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Return x, y and depth, (...) each, of (..., 2) plane points; pixels are x and y by depth."""
    # Written out: a matrix product goes to a BLAS, whose threads spin and whose last bits differ.
    x, y = points[..., 0], points[..., 1]
    u, v, depth = (row[0] * x + row[1] * y + row[2] for row in homography)
    return u, v, depth


def project(homography: Matrix, points: Matrix) -> Matrix | None:
    """Return (..., 2) pixels of (..., 2) plane points; None if one is not in front."""
    u, v, depth = homogeneous(homography, points)
    if np.any(depth <= NEAREST):
        return None
    return np.stack([u / depth, v / depth], axis=-1)
