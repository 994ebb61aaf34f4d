"""Boards as the camera sees them, all at once: which are in view, where they are, what is true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix, direction
from simulation_pkg.core.world.geometry import (
    NEAREST,
    CameraPose,
    Lens,
    angular_extents,
    board_vectors,
    homogeneous,
    inverse,
    standing_pictures,
)
from simulation_pkg.core.world.things import Board
from simulation_pkg.core.world.truth import Seen, share_inside
from simulation_pkg.kernels.scene import Sprite, sprite_size

_UNIT_SQUARE = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
_UNIT_CIRCLE = np.array(
    [(math.cos(angle), math.sin(angle)) for angle in np.linspace(0.0, 2.0 * math.pi, 20, False)]
)
_NO_SHADOW = ("smoke", "boat")  # of what does not stand on land
_SHADOW_RADIUS = 0.45  # in widths


class Shown(NamedTuple):
    """Boards of which something is in the picture, the farthest first.

    Attributes:
        boards: the boards.
        feet: (n, 2) x, y [m] now.
        homographies: (n, 3, 3), a board's unit square (x right, y down) to pixels.
        extents_px: (n,) length of the right edge.
        windows: (n, 4) x0, y0, x1, y1 [px], what they may cover.
    """

    boards: list[Board]
    feet: NDArray[np.float64]
    homographies: NDArray[np.float64]
    extents_px: NDArray[np.float64]
    windows: NDArray[np.int64]


class Standing:
    """All boards of a world."""

    def __init__(self, boards: Sequence[Board], camera_height_m: float) -> None:
        self._boards = sorted(boards, key=lambda board: -math.hypot(board.x_m, board.y_m))
        self._camera_height_m = camera_height_m
        rows = [(b.x_m, b.y_m, b.height_m / 2 - camera_height_m) for b in self._boards]
        self._middles = np.array(rows).reshape(-1, 3)
        # How far from its middle a board reaches, strolling included; and a bit for the shutter.
        self._reaches = np.array([b.width_m + b.height_m + b.stroll_m + 1.0 for b in self._boards])
        self._on_land = np.array([b.class_name not in _NO_SHADOW for b in self._boards], bool)
        self._sizes = np.array([(b.width_m, b.height_m) for b in self._boards]).reshape(-1, 2)

    def in_view(self, lens: Lens, pose: CameraPose) -> NDArray[np.intp]:
        """Return which boards may be in the picture, the farthest first."""
        half_diagonal = math.hypot(lens.width, lens.height) / 2.0 / lens.focal_px(pose.zoom)
        ahead = (self._middles * direction(pose.yaw_rad, pose.pitch_rad)).sum(axis=1)
        distance = np.linalg.norm(self._middles, axis=1)
        angle = np.arccos(np.clip(ahead / distance, -1.0, 1.0))
        is_near = angle < math.atan(half_diagonal) + np.arctan2(self._reaches, distance)
        return np.flatnonzero(is_near)

    def rings(self, chosen: NDArray[np.intp], feet: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (k, 20, 2) x, y [m] around the feet of those that darken the ground."""
        is_on_land = self._on_land[chosen]
        radii = _SHADOW_RADIUS * self._sizes[chosen, :1][is_on_land]
        return np.asarray(feet[is_on_land, None] + radii[:, None] * _UNIT_CIRCLE)

    def feet(self, chosen: NDArray[np.intp], time_s: float) -> NDArray[np.float64]:
        """Return (n, 2) x, y [m] where they stand at a time."""
        return np.array([self._boards[index].foot(time_s) for index in chosen]).reshape(-1, 2)

    def shown(
        self, chosen: NDArray[np.intp], feet: NDArray[np.float64], to_pixels: Matrix, lens: Lens
    ) -> Shown:
        """Return those of some boards of which something is inside the picture."""
        sizes = self._sizes[chosen]
        vectors = standing_pictures(feet, sizes, self._camera_height_m)
        # Written out, as in `project`.
        homographies = np.einsum("ij,njk->nik", to_pixels, vectors)
        x, y, depth = np.einsum("nij,jk->ink", homographies, _UNIT_SQUARE)
        is_ahead = (depth > NEAREST).all(axis=1)
        depth[~is_ahead] = 1.0
        x, y = x / depth, y / depth
        low = np.column_stack([x.min(axis=1), y.min(axis=1)])
        high = np.column_stack([x.max(axis=1), y.max(axis=1)])
        limits = (lens.width, lens.height)
        is_inside = (np.minimum(high, limits) > np.maximum(low, 0.0)).all(axis=1) & is_ahead
        keep = np.flatnonzero(is_inside)
        windows = np.concatenate(
            [
                np.maximum(np.floor(low[keep]) - 1, 0),
                np.minimum(np.ceil(high[keep]) + 1, limits),
            ],
            axis=1,
        )
        extents = np.hypot(x[keep, 2] - x[keep, 1], y[keep, 2] - y[keep, 1])
        boards = [self._boards[index] for index in chosen[keep]]
        return Shown(boards, feet[keep], homographies[keep], extents, windows.astype(np.int64))

    def truth(
        self, shown: Shown, outlines: Sequence[NDArray[np.float64]], lens: Lens
    ) -> list[Seen]:
        """Return what is true of the boards with a number that the picture shows.

        Args:
            outlines: of each board (k, 2) hull of what it covers, in its unit square.
        """
        numbered = [index for index, board in enumerate(shown.boards) if board.id]
        if not numbered:
            return []
        counts = [len(outlines[index]) for index in numbered]
        starts = np.cumsum([0, *counts[:-1]])
        owner = np.repeat(numbered, counts)
        points = np.concatenate([outlines[index] for index in numbered])
        nearest, boxes = _bounds(shown.homographies[owner], points, starts)
        sizes = np.array([(b.width_m, b.height_m) for b in shown.boards])[owner]
        right_up = np.column_stack([points[:, 0] - 0.5, 1.0 - points[:, 1]]) * sizes
        feet = shown.feet[owner]
        vectors = board_vectors(right_up, self._camera_height_m, feet[:, 0], feet[:, 1])
        extents = angular_extents(vectors, starts)
        seen = []
        for index, depth, (x0, y0, x1, y1), (yaw, pitch, width, height) in zip(
            numbered, nearest.tolist(), boxes.tolist(), extents.tolist(), strict=True
        ):
            board, box = shown.boards[index], (x0, y0, x1, y1)
            visible = share_inside(box, lens.width, lens.height)
            if depth > NEAREST and visible > 0.0:
                size = (yaw, pitch, width, height)
                seen.append(Seen(board.id, board.class_name, board.is_decoy, *size, box, visible))
        return seen


def _bounds(
    homographies: NDArray[np.float64], points: NDArray[np.float64], starts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return of each group of points (n, 2) the least depth, and x0, y0, x1, y1 [px].

    Args:
        homographies: (n, 3, 3) of each point.
        starts: (k,) first point of each group.
    """
    x, y, depth = homogeneous(np.moveaxis(homographies, 0, -1), points)
    pixels = np.column_stack([x, y]) / np.where(depth > NEAREST, depth, 1.0)[:, None]
    low, high = np.minimum.reduceat(pixels, starts), np.maximum.reduceat(pixels, starts)
    return np.minimum.reduceat(depth, starts), np.concatenate([low, high], axis=1)


def sprite_matrices(
    homographies: NDArray[np.float64], sprites: Sequence[Sprite]
) -> NDArray[np.float64]:
    """Return (n, 3, 3), indices of a pixel of the picture to those of a sprite.

    Args:
        homographies: (n, 3, 3), unit squares to pixels.
        sprites: of each of them.
    """
    sizes = np.array([sprite_size(sprite) for sprite in sprites], np.float64)
    unit_from_index = np.ascontiguousarray(inverse(homographies))
    unit_from_index[:, :, 2] += 0.5 * (unit_from_index[:, :, 0] + unit_from_index[:, :, 1])
    unit_from_index[:, :2] *= sizes[:, :, None]
    unit_from_index[:, :2] -= 0.5 * unit_from_index[:, 2:]
    return unit_from_index
