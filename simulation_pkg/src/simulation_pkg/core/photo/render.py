"""A still picture seen through a camera that turns and zooms before it.

The picture is either flat, as a camera took it (a pinhole whose axis is straight ahead), or
equirectangular, as panoramas are. Where the camera shows it smaller it is averaged over the area
of each pixel, where larger interpolated bicubically.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix, bearing
from simulation_pkg.core.photo.labels import Box, Labels
from simulation_pkg.core.world.geometry import CameraPose, Lens, image_velocity, projection
from simulation_pkg.core.world.truth import Seen, Truth, View, share_inside
from simulation_pkg.kernels import photo
from simulation_pkg.kernels.raster import add_noise, motion_blur

Image = NDArray[np.uint8]
_NOISE_MARGIN = 64
_EDGE_POINTS = 5  # of each side of a box: equirectangular sides are bent


class Projection(Enum):
    """How a picture shows directions."""

    FLAT = "flat"
    EQUIRECTANGULAR = "equirectangular"


@dataclass(frozen=True)
class PhotoEffects:
    """How imperfect the camera is; zeros give a clean picture.

    Attributes:
        noise: standard deviation of the sensor's noise, in grey levels.
        blur_px: sigma of the lens's blur [px].
    """

    noise: float = 3.0
    blur_px: float = 0.4


class PhotoRenderer:
    """Pictures of one photograph through one lens. Equal arguments give equal pixels."""

    def __init__(
        self,
        image: Image,
        hfov_rad: float,
        kind: Projection,
        lens: Lens,
        labels: Labels | None = None,
        effects: PhotoEffects | None = None,
    ) -> None:
        """Hang the picture up straight ahead, its middle at yaw 0 and pitch 0.

        Args:
            image: (height, width, 3) uint8, BGR.
            hfov_rad: that its width shows, at most a turn; flat: below pi.
            lens: of the camera.
            labels: what is truly in it; None: nobody knows.
        """
        self._lens, self._kind = lens, kind
        self._effects = effects or PhotoEffects()
        height, width = image.shape[:2]
        self._size = width, height
        self._focal_px = width / hfov_rad
        if kind is Projection.FLAT:
            self._focal_px = width / 2.0 / math.tan(hfov_rad / 2.0)
        self._hfov_rad = hfov_rad
        # Beyond straight up and down nothing is shown.
        shown = height if kind is Projection.FLAT else min(math.pi * self._focal_px, height)
        above = (height - shown) / 2.0
        self._labels = (labels or Labels()).within((0.0, above, float(width), above + shown))
        self._levels = photo.pyramid(image)
        rng = np.random.default_rng(3)
        shape = (lens.height + _NOISE_MARGIN, lens.width + _NOISE_MARGIN, 3)
        noise = rng.standard_normal(shape, np.float32) * np.float32(self._effects.noise)
        self._noise = np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8)

    @property
    def extent_rad(self) -> tuple[float, float]:
        """Return how much yaw and pitch the picture shows through its middle. [rad]"""
        width, height = self._size
        if self._kind is Projection.FLAT:
            return self._hfov_rad, 2.0 * math.atan(height / 2.0 / self._focal_px)
        return self._hfov_rad, min(height / self._focal_px, math.pi)

    def shows(self, pose: CameraPose) -> bool:
        """Return whether the middle of what a camera sees lies in the photograph."""
        middle = np.array([[math.remainder(pose.yaw_rad, math.tau), pose.pitch_rad]])
        x, y = self.boxes_in_photo(middle)[0]
        return bool(0.0 <= x <= self._size[0] and 0.0 <= y <= self._size[1])

    @property
    def things(self) -> tuple[Seen, ...]:
        """Return all that is truly in it, with bearings; boxes are those in the photograph."""
        return tuple(
            self._seen(number, label.class_name, label.box_xyxy, label.box_xyxy, 1.0)
            for number, label in enumerate(self._labels.things, 1)
        )

    def boxes_in_photo(self, bearings: Matrix) -> Matrix:
        """Return where (n, 2) bearings [rad] are in the photograph: (n, 2) [px]; NaN: nowhere."""
        width, height = self._size
        yaw, pitch = bearings[:, 0], bearings[:, 1]
        if self._kind is Projection.FLAT:
            ahead = np.cos(pitch) * np.cos(yaw)
            ahead = np.where(ahead > 1e-6, ahead, np.nan)
            x = -np.cos(pitch) * np.sin(yaw) / ahead
            y = np.sin(pitch) / ahead
        else:
            x, y = -yaw, pitch
        return np.stack([width / 2.0 + self._focal_px * x, height / 2.0 + self._focal_px * y], 1)

    def render(self, pose: CameraPose, time_s: float = 0.0, seed: int = 0) -> View:
        """Return the picture of a pose, and what is truly in it.

        Args:
            time_s: nothing moves.
            seed: >= 0, decides the sensor's noise.
        """
        del time_s
        lens, effects = self._lens, self._effects
        to_pixels = projection(lens, pose)
        picture = self._resampled(to_pixels, lens.focal_px(pose.zoom))
        speed_x, speed_y = image_velocity(lens, pose)
        if effects.blur_px > 0.0:
            picture = photo.blur(picture, effects.blur_px)
        picture = motion_blur(picture, (speed_x * lens.exposure_s, speed_y * lens.exposure_s))
        if effects.noise > 0.0:
            rng = np.random.default_rng((seed, 1))
            x, y = (int(value) for value in rng.integers(0, _NOISE_MARGIN, 2))
            picture = add_noise(picture, self._noise, (x, y), 1.0)
        objects = self._in_view(to_pixels)
        truth = Truth(lens.width, lens.height, pose, lens.hfov_rad(pose.zoom), objects)
        return View(picture, truth, None)

    def _resampled(self, to_pixels: Matrix, focal_px: float) -> Image:
        """Return the photograph through the camera, without its faults."""
        lens = self._lens
        # Pixels of the first level for one of the picture; it may be smaller than the photograph.
        finest = max(self._levels[0].shape[:2]) / max(self._size)
        shrink = finest * self._focal_px / focal_px
        level = min(max(math.floor(math.log2(shrink)), 0), len(self._levels) - 1)
        # Twice as many samples each way, averaged: what is left is at most two to one.
        samples = 2 if shrink / 2**level > 1.01 else 1
        scale = np.array([[samples, 0.0, 0.0], [0.0, samples, 0.0], [0.0, 0.0, 1.0]])
        size = lens.width * samples, lens.height * samples
        source = self._levels[level]
        zoom = source.shape[1] / self._size[0], source.shape[0] / self._size[1]
        if self._kind is Projection.FLAT:
            picture = self._flat(scale @ to_pixels, source, zoom, size)
        else:
            picture = self._unrolled(scale @ to_pixels, source, zoom, size)
        return picture if samples == 1 else photo.shrink(picture, (lens.width, lens.height))

    def _flat(
        self, to_pixels: Matrix, source: Image, zoom: tuple[float, float], size: tuple[int, int]
    ) -> Image:
        width, height = self._size
        f = self._focal_px
        # (u, v, 1) of the photograph to a vector: forward, left, up.
        to_vector = np.array(
            [[0.0, 0.0, 1.0], [-1.0 / f, 0.0, width / 2.0 / f], [0.0, -1.0 / f, height / 2.0 / f]]
        )
        from_level = np.diag([1.0 / zoom[0], 1.0 / zoom[1], 1.0])
        half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])  # pixel centres
        homography = np.linalg.inv(half) @ to_pixels @ to_vector @ from_level @ half
        # What lies behind the camera would come out mirrored.
        middle = to_pixels @ to_vector @ np.array([width / 2.0, height / 2.0, 1.0])
        if middle[2] <= 0.0 and not self._is_any_ahead(to_pixels @ to_vector):
            return photo.nothing(size)
        return photo.warp(source, homography, size)

    def _is_any_ahead(self, to_pixels: Matrix) -> bool:
        width, height = self._size
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float)
        return bool((corners @ to_pixels[2] > 0.0).any())

    def _unrolled(
        self, to_pixels: Matrix, source: Image, zoom: tuple[float, float], size: tuple[int, int]
    ) -> Image:
        x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
        back = np.linalg.inv(to_pixels)
        forward, left, up = (row[0] * x + row[1] * y + row[2] for row in back)
        yaw = np.arctan2(left, forward)
        pitch = np.arctan2(-up, np.hypot(forward, left))
        width, height = self._size
        u = (width / 2.0 - yaw * self._focal_px) * zoom[0] - 0.5
        v = (height / 2.0 + pitch * self._focal_px) * zoom[1] - 0.5
        return photo.remap(source, u, v, is_closed=self._hfov_rad > math.tau - 1e-3)

    def _in_view(self, to_pixels: Matrix) -> tuple[Seen, ...]:
        seen = []
        for number, label in enumerate(self._labels.things, 1):
            vectors = self._vectors(_outline(label.box_xyxy))
            right, down, depth = (vectors @ row for row in to_pixels)
            if (depth <= 1e-6).any():
                continue
            x, y = right / depth, down / depth
            box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
            visible = share_inside(box, self._lens.width, self._lens.height)
            if visible > 0.0:
                seen.append(self._seen(number, label.class_name, label.box_xyxy, box, visible))
        return tuple(seen)

    def _seen(self, number: int, name: str, in_photo: Box, box: Box, visible: float) -> Seen:
        vectors = self._vectors(_outline(in_photo))
        bearings = np.array([bearing(vector) for vector in vectors])
        x0, y0, x1, y1 = in_photo
        yaw, pitch = bearing(self._vectors(np.array([[(x0 + x1) / 2, (y0 + y1) / 2]]))[0])
        turns = np.abs(np.remainder(bearings[:, 0] - yaw + math.pi, math.tau) - math.pi)
        size = 2.0 * float(turns.max()) * math.cos(pitch), float(np.ptp(bearings[:, 1]))
        return Seen(number, name, False, yaw, pitch, *size, box, visible)

    def _vectors(self, points: Matrix) -> Matrix:
        """Return (n, 3) directions of (n, 2) points [px] of the photograph."""
        x = (points[:, 0] - self._size[0] / 2.0) / self._focal_px
        y = (points[:, 1] - self._size[1] / 2.0) / self._focal_px
        if self._kind is Projection.FLAT:
            return np.stack([np.ones(len(points)), -x, -y], 1)
        return np.stack([np.cos(y) * np.cos(x), -np.cos(y) * np.sin(x), -np.sin(y)], 1)


def _outline(box: Box) -> Matrix:
    """Return points along the sides of a box."""
    x0, y0, x1, y1 = box
    share = np.linspace(0.0, 1.0, _EDGE_POINTS)
    xs, ys = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
    sides = [
        np.stack([xs, np.full_like(xs, y0)], 1),
        np.stack([xs, np.full_like(xs, y1)], 1),
        np.stack([np.full_like(ys, x0), ys], 1),
        np.stack([np.full_like(ys, x1), ys], 1),
    ]
    return np.concatenate(sides)
