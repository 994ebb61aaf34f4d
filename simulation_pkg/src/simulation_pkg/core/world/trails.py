"""Footpaths and ditches as polygons on the ground: the same course, other details close up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix
from simulation_pkg.core.world.geometry import NEAREST, angular_extents, homogeneous, project
from simulation_pkg.core.world.things import Footpath
from simulation_pkg.core.world.truth import Seen, box_of, share_inside


class Strip(NamedTuple):
    """Polygons on the ground to tint alike.

    Attributes:
        outlines: (k, n, 2) [m], k polygons of n corners; they do not overlap.
        bgr: colour.
        share: 0..1, how much of the ground it covers.
        is_body: whether it bounds the path; the others are details within.
    """

    outlines: NDArray[np.float64]
    bgr: tuple[int, int, int]
    share: float
    is_body: bool


_EARTH = (120, 160, 190)
_PATH_CORE = (150, 190, 215)
_PRINT = (75, 105, 130)
_BANK = (150, 185, 205)
_DITCH_CORE = (50, 60, 60)
_GLINT = (215, 200, 170)


class Trail:
    """A footpath as the camera sees it."""

    def __init__(self, path: Footpath, camera_height_m: float) -> None:
        """Args: camera_height_m: of the mast."""
        self.strips = trail_strips(path)
        self._path = path
        self._points = np.concatenate([strip.outlines.reshape(-1, 2) for strip in self.strips])
        sizes = [strip.outlines.size // 2 for strip in self.strips]
        self._ends = np.cumsum(sizes)[:-1]
        self._outline = np.concatenate(
            [strip.outlines[0] for strip in self.strips if strip.is_body]
        )
        drop = np.full(len(self._outline), -camera_height_m)
        vectors = np.column_stack([self._outline, drop])
        yaw, pitch, width, height = angular_extents(vectors, np.zeros(1, np.intp))[0].tolist()
        self._extent = (yaw, pitch, width, height)

    def seen(self, pixels_from_ground: Matrix, width: int, height: int) -> Seen | None:
        """Return what is true of it in a picture of this size; None: it is not in it."""
        shore = project(pixels_from_ground, self._outline)
        if shore is None:
            return None
        box = box_of(shore)
        visible = share_inside(box, width, height)
        if visible <= 0.0:
            return None
        path = self._path
        return Seen(path.id, path.class_name, path.is_decoy, *self._extent, box, visible)

    def polygons(self, pixels_from_ground: Matrix) -> Iterator[tuple[Strip, Matrix]]:
        """Yield strips that are in front of the camera, with their polygons (k, n, 2) [px]."""
        x, y, depth = homogeneous(pixels_from_ground, self._points)
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = np.stack([x, y], axis=-1) / depth[:, None]
        for strip, part, depths in zip(
            self.strips, np.split(pixels, self._ends), np.split(depth, self._ends), strict=True
        ):
            if (depths > NEAREST).all():
                yield strip, part.reshape(strip.outlines.shape)


def trail_strips(path: Footpath) -> list[Strip]:
    """Return all polygons of a footpath or ditch in the order of painting, by its look alone."""
    rng = np.random.default_rng(path.look_seed)
    widths = [path.width_m * rng.uniform(0.88, 1.12, len(line)) for line in path.lines]
    courses = list(zip(path.lines, widths, strict=True))
    strips = [Strip(_ribbon(line, width), _EARTH, 0.9, True) for line, width in courses]
    if path.is_decoy:
        strips += [Strip(_ribbon(line, 0.75 * w), _BANK, 0.7, False) for line, w in courses]
        strips += [Strip(_ribbon(line, 0.3 * w), _DITCH_CORE, 0.9, False) for line, w in courses]
        strips += [
            Strip(_dashes(rng, line, 0.05, 0.05, 0.35), _GLINT, 0.75, False) for line, _ in courses
        ]
    else:
        strips += [Strip(_ribbon(line, 0.5 * w), _PATH_CORE, 0.6, False) for line, w in courses]
        strips += [
            Strip(_dashes(rng, line, 0.16, 0.1, 0.28), _PRINT, 0.75, False) for line, _ in courses
        ]
    return strips


def _normals(line: NDArray[np.float64]) -> NDArray[np.float64]:
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return np.asarray(np.stack([-along[:, 1], along[:, 0]], axis=1))


def _ribbon(line: NDArray[np.float64], width_m: NDArray[np.float64]) -> NDArray[np.float64]:
    side = 0.5 * width_m[:, None] * _normals(line)
    return np.concatenate([line + side, (line - side)[::-1]])[None]


def _dashes(
    rng: np.random.Generator,
    line: NDArray[np.float64],
    offset_m: float,
    width_m: float,
    length_m: float,
) -> NDArray[np.float64]:
    """Return short marks left and right of the middle in turn: footprints, glints of water."""
    inner = line[1:-1]
    side = _normals(line)[1:-1] * np.where(np.arange(len(inner)) % 2, 1.0, -1.0)[:, None]
    along = np.stack([side[:, 1], -side[:, 0]], axis=1)
    centres = inner + offset_m * side + rng.uniform(-0.06, 0.06, inner.shape)
    angles = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)[None, :, None]
    length, width = length_m * np.cos(angles), width_m * np.sin(angles)
    return np.asarray(centres[:, None] + 0.5 * (length * along[:, None] + width * side[:, None]))
