"""Where one picture looked: between its pixels and bearings from the gimbal's base.

Angles are REP 103 from the gimbal's base: x forward, y left, z up; yaw + is left, pitch + is nose
down, roll + is right side down; they turn in the order yaw, roll, pitch (312), each about the axes
that the one before has turned, as in interfaces_pkg/GimbalState and config/gimbal.urdf. Pixels: x
right, y down, the centre of the top left pixel is at (0.5, 0.5). The lens is a pinhole without
distortion with square pixels and the optical axis in the middle; the camera only turns. A bearing
is (yaw, pitch) [rad], yaw within -pi..pi.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

_WIDEST_BOX_RAD = 1.5
_LEAST_DEPTH = 1e-6  # of a unit vector: what is nearer to the camera's plane counts as behind it
_DOUBT = 1e-6  # of depth, and of the picture: as near to a bound last bits might decide


def direction(yaw_rad: float, pitch_rad: float) -> Matrix:
    """Return the unit vector (3,) of a bearing, in the base frame."""
    return np.array(
        [
            math.cos(pitch_rad) * math.cos(yaw_rad),
            math.cos(pitch_rad) * math.sin(yaw_rad),
            -math.sin(pitch_rad),
        ]
    )


def bearing(vector: Matrix) -> tuple[float, float]:
    """Return (yaw, pitch) [rad] of a vector in the base frame: the inverse of `direction`."""
    x, y, z = (float(value) for value in vector)
    return math.atan2(y, x), math.atan2(-z, math.hypot(x, y))


def rotation(yaw_rad: float, pitch_rad: float, roll_rad: float) -> Matrix:
    """Return the (3, 3) rotation of the base to the optical frame (x right, y down, z ahead).

    Its rows are the optical axes in the base frame: of Rz(yaw) Rx(roll) Ry(pitch), with x ahead and
    y left, the third row here is the first column and the first row the second column reversed.
    """
    sin_yaw, cos_yaw = math.sin(yaw_rad), math.cos(yaw_rad)
    sin_pitch, cos_pitch = math.sin(pitch_rad), math.cos(pitch_rad)
    sin_roll, cos_roll = math.sin(roll_rad), math.cos(roll_rad)
    forward = (
        cos_pitch * cos_yaw - sin_roll * sin_pitch * sin_yaw,
        cos_pitch * sin_yaw + sin_roll * sin_pitch * cos_yaw,
        -cos_roll * sin_pitch,
    )
    right = cos_roll * sin_yaw, -cos_roll * cos_yaw, -sin_roll
    return np.array([right, _cross(forward, right), forward])


def _cross(first: Iterable[Any], second: Iterable[Any]) -> tuple[Any, Any, Any]:
    """Return the cross product of vectors by their components, numbers or arrays."""
    (ax, ay, az), (bx, by, bz) = first, second
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def axis_bearing(yaw_rad: float, pitch_rad: float, roll_rad: float) -> tuple[float, float]:
    """Return the bearing (yaw, pitch) [rad] of the optical axis of a gimbal with these angles.

    Without roll it is the gimbal's yaw and pitch; with roll yaw goes on by how far pitch swings the
    axis aside. Yaw is continuous in `yaw_rad`, not wrapped.
    """
    if not roll_rad:
        return yaw_rad, pitch_rad
    sin_pitch = math.sin(pitch_rad)
    aside_rad = math.atan2(math.sin(roll_rad) * sin_pitch, math.cos(pitch_rad))
    return yaw_rad + aside_rad, math.asin(math.cos(roll_rad) * sin_pitch)


def wrapped(angles_rad: Matrix) -> Matrix:
    """Return the same angles within -pi..pi."""
    return np.asarray((angles_rad + math.pi) % math.tau - math.pi)


@dataclass(frozen=True)
class CameraView:
    """Where one picture looked, and how wide.

    Attributes:
        yaw_rad, pitch_rad, roll_rad: of the gimbal at the capture; without roll yaw and pitch are
            the bearing of the optical axis.
        hfov_rad: horizontal field of view, edge to edge, above 0 and below pi.
        width, height: of the picture [px], >= 1.

    Raises:
        ValueError: on construction, if a value is out of its range.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float
    hfov_rad: float
    width: int
    height: int

    def __post_init__(self) -> None:
        angles = (self.yaw_rad, self.pitch_rad, self.roll_rad)
        if not all(math.isfinite(angle) for angle in angles):
            raise ValueError(f"view {angles}: yaw, pitch and roll must be finite")
        if not 0.0 < self.hfov_rad < math.pi:
            raise ValueError(f"view: hfov {self.hfov_rad} rad must be above 0 and below pi")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"view: picture {self.width}x{self.height} must be at least 1x1")

    @cached_property
    def pixels_per_rad(self) -> float:
        """Pixels for each radian at the middle of the picture: the focal length [px]."""
        return self.width / 2.0 / math.tan(self.hfov_rad / 2.0)

    @property
    def axis(self) -> tuple[float, float]:
        """Bearing (yaw, pitch) [rad] of the middle of the picture; yaw is not wrapped."""
        return axis_bearing(self.yaw_rad, self.pitch_rad, self.roll_rad)

    @cached_property
    def vfov_rad(self) -> float:
        """Vertical field of view [rad], edge to edge."""
        return 2.0 * math.atan(self.height / 2.0 / self.pixels_per_rad)

    def bearings_of(self, points_xy: ArrayLike) -> Matrix:
        """Return (n, 2) bearings [rad] of (n, 2) points [px], inside the picture or beyond it."""
        return _bearings(self._rays(points_xy))

    def project(self, bearings: ArrayLike) -> Matrix:
        """Return (n, 2) points [px] of (n, 2) bearings [rad]; NaN for those behind the camera."""
        yaw, pitch = _columns(bearings, 2)
        level = np.cos(pitch)
        x, y, z = level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)
        # Written out: a matrix product goes to a BLAS, whose last bits may differ between runs.
        right, down, depth = (row[0] * x + row[1] * y + row[2] * z for row in self.rotation)
        depth = np.where(depth > _LEAST_DEPTH, depth, np.nan)
        scale = self.pixels_per_rad / depth
        return _pairs(self.width / 2.0 + right * scale, self.height / 2.0 + down * scale)

    def contains(self, bearings: ArrayLike, margin: float = 0.0) -> NDArray[np.bool_]:
        """Return (n,) whether (n, 2) bearings [rad] lie in the picture.

        Args:
            margin: how far inside, as a share of the picture's width and height; negative
                reaches beyond its edges.
        """
        share = self.project(bearings) / (self.width, self.height)
        return np.asarray(((share >= margin) & (share <= 1.0 - margin)).all(axis=1))

    def shows(self, bearing: tuple[float, float], margin: float = 0.0) -> bool:
        """Return whether one bearing [rad] lies in the picture: `contains` without arrays."""
        yaw, pitch = bearing
        level = math.cos(pitch)
        x, y, z = level * math.cos(yaw), level * math.sin(yaw), -math.sin(pitch)
        right, down, depth = (row[0] * x + row[1] * y + row[2] * z for row in self._rotation_rows)
        if depth < _LEAST_DEPTH - _DOUBT:
            return False
        if depth > _LEAST_DEPTH + _DOUBT:
            scale = self.pixels_per_rad / depth
            # Below 0 it lies outside.
            inside = min(
                0.5 - margin - abs(right * scale / self.width),
                0.5 - margin - abs(down * scale / self.height),
            )
            if abs(inside) > _DOUBT:
                return inside > 0.0
        return bool(self.contains([bearing], margin)[0])

    def sizes_of(self, boxes_xyxy: ArrayLike) -> Matrix:
        """Return (n, 2) angular widths and heights [rad] of (n, 4) boxes [px] at their middles."""
        left, top, right, bottom = _columns(boxes_xyxy, 4)
        focal = self.pixels_per_rad
        x = (left + right - self.width) / 2.0
        y = (top + bottom - self.height) / 2.0
        across = np.hypot(focal, y)
        along = np.hypot(focal, x)
        half_x, half_y = (right - left) / 2.0, (bottom - top) / 2.0
        widths = np.arctan((x + half_x) / across) - np.arctan((x - half_x) / across)
        heights = np.arctan((y + half_y) / along) - np.arctan((y - half_y) / along)
        return _pairs(widths, heights)

    def boxes_of(self, bearings: ArrayLike, sizes_rad: ArrayLike) -> Matrix:
        """Return (n, 4) boxes [px] around (n, 2) bearings with (n, 2) angular sizes [rad].

        The inverse of `bearings_of` and `sizes_of`; NaN behind the camera. Boxes may reach beyond
        the picture.
        """
        points = self.project(bearings)
        tangents = np.tan(np.clip(np.asarray(sizes_rad, np.float64), 0.0, _WIDEST_BOX_RAD))
        offsets = points - (self.width / 2.0, self.height / 2.0)
        # From sizes_of, with h the half size, t its tangent, a the depth along the other axis:
        # t (a^2 + x^2 - h^2) = 2 h a.
        depths = np.hypot(self.pixels_per_rad, offsets[:, ::-1])
        squares = depths**2 + offsets**2
        halves = tangents * squares / (depths + np.sqrt(depths**2 + tangents**2 * squares))
        return np.concatenate([points - halves, points + halves], axis=1)

    def bearing_covariance(
        self, points_xy: ArrayLike, sigma_px: ArrayLike, pose_sigma_rad: float = 0.0
    ) -> Matrix:
        """Return (n, 2, 2) covariance [rad^2] of the bearings (yaw, pitch) of (n, 2) points [px].

        Args:
            sigma_px: standard deviation of the points along x and y: one number, or (n, 2).
            pose_sigma_rad: of the view's own yaw and pitch, independent of each other.
        """
        rays = self._rays(points_xy)
        rows = self.rotation / self.pixels_per_rad
        # Columns of the Jacobian: how the bearing moves with a pixel to the right, and down.
        moves = np.empty((rays.shape[1], 2, 2))
        moves[..., 0], moves[..., 1] = _bearing_moves(rays, rows[0]), _bearing_moves(rays, rows[1])
        sigma = np.broadcast_to(np.asarray(sigma_px, np.float64), (len(moves), 2))
        spread = moves * sigma[:, None, :]
        covariance = np.einsum("nij,nkj->nik", spread, spread)
        return np.asarray(covariance + pose_sigma_rad**2 * np.eye(2))

    def bearing_rates(
        self, points_xy: ArrayLike, yaw_rate_rad_s: float, pitch_rate_rad_s: float
    ) -> Matrix:
        """Return (n, 2) rates [rad/s] of the bearings of fixed pixels while the view turns."""
        rays = self._rays(points_xy)
        # Yaw turns about the base's z, pitch about the y that yaw and roll have turned.
        level = math.cos(self.roll_rad) * pitch_rate_rad_s
        axis = (
            -math.sin(self.yaw_rad) * level,
            math.cos(self.yaw_rad) * level,
            yaw_rate_rad_s + math.sin(self.roll_rad) * pitch_rate_rad_s,
        )
        return _bearing_moves(rays, _cross(axis, rays))

    @cached_property
    def rotation(self) -> Matrix:
        """The (3, 3) rotation of the base to the optical frame."""
        return rotation(self.yaw_rad, self.pitch_rad, self.roll_rad)

    @cached_property
    def _rotation_rows(self) -> list[list[float]]:
        rows: list[list[float]] = self.rotation.tolist()
        return rows

    def _rays(self, points_xy: ArrayLike) -> Matrix:
        """Return (3, n) vectors of points [px], in the base frame, of depth 1; C-contiguous."""
        x, y = _columns(points_xy, 2)
        right = (x - self.width / 2.0) / self.pixels_per_rad
        down = (y - self.height / 2.0) / self.pixels_per_rad
        rows = self.rotation[:, :, None]
        return np.asarray(right * rows[0] + down * rows[1] + rows[2])


def _columns(array: ArrayLike, count: int) -> Matrix:
    """Return a (count, n) copy of the columns of (n, count), each contiguous.

    For functions such as arctan2 NumPy takes vector code, whose last bits differ from the plain
    one's, unless input and output seem to overlap; a strided input seems to reach beyond its end,
    so where the allocator puts the output would decide.
    """
    columns = np.asarray(array, np.float64).reshape(-1, count).T
    return np.array(columns, order="C")  # not ascontiguousarray: it keeps the strides of one column


def _bearings(rays: Matrix) -> Matrix:
    x, y, z = rays
    return _pairs(np.arctan2(y, x), np.arctan2(-z, np.hypot(x, y)))


def _bearing_moves(rays: Matrix, moves: Iterable[Any]) -> Matrix:
    """Return the (n, 2) derivative of the bearings of (3, n) rays.

    Args:
        moves: x, y, z of how they move: numbers, or (n,) each.
    """
    (x, y, z), (dx, dy, dz) = rays, moves
    level = np.maximum(np.hypot(x, y), _LEAST_DEPTH)  # straight up or down has no yaw
    yaw = (x * dy - y * dx) / level**2
    pitch = (z * (x * dx + y * dy) / level - level * dz) / (level**2 + z**2)
    return _pairs(yaw, pitch)


def _pairs(first: Matrix, second: Matrix) -> Matrix:
    """Return (n, 2) of (n,) and (n,)."""
    pairs = np.empty((len(first), 2))
    pairs[:, 0], pairs[:, 1] = first, second
    return pairs
