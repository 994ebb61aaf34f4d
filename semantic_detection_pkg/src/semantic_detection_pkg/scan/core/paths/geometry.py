"""The course of a footpath in bearings and angles, as the gimbal sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView, Matrix, wrapped
from semantic_detection_pkg.scan.core.paths.skeleton import trace_skeleton

Bearing = tuple[float, float]  # yaw, pitch [rad]

_EXIT_SHARE = 0.025  # of the picture: an end as near to its edge is where the path is cut off


@dataclass(frozen=True)
class PathTrace:
    """The course of one footpath as far as it was seen.

    Attributes:
        ends: where it ends.
        exits: where it leaves the picture.
        branches: where it forks.
        length_rad: of its longest way, whether that begins at an end or an exit.
        width_rad: mean width.
        straightness: 0..1, distance between the ends of the longest way over its length.
        lines: its centre lines, as bearings.
    """

    ends: tuple[Bearing, ...]
    exits: tuple[Bearing, ...]
    branches: tuple[Bearing, ...]
    length_rad: float
    width_rad: float
    straightness: float
    lines: tuple[tuple[Bearing, ...], ...]


def trace_path(rings: Sequence[NDArray[np.floating]], view: CameraView) -> PathTrace | None:
    """Return the path that a mask shows; None: it is too small to have a course.

    Args:
        rings: (k, 2) [px] of the mask, `Detections.masks.rings(index)`.
        view: of the picture.
    """
    skeleton = trace_skeleton(rings)
    if skeleton is None:
        return None
    lines = [view.bearings_of(line) for line in skeleton.lines]
    total_px = sum(_pixel_length(line) for line in skeleton.lines)
    total_rad = sum(angular_length_rad(line) for line in lines)
    longest = view.bearings_of(skeleton.longest)
    length = angular_length_rad(longest)
    share = skeleton.ends / (view.width, view.height)
    is_exit = ((share < _EXIT_SHARE) | (share > 1.0 - _EXIT_SHARE)).any(axis=1)
    ends = view.bearings_of(skeleton.ends)
    return PathTrace(
        to_bearings(ends[~is_exit]),
        to_bearings(ends[is_exit]),
        to_bearings(view.bearings_of(skeleton.branches)),
        length,
        skeleton.width_px * total_rad / max(total_px, 1e-9),
        min(bearing_distance_rad(longest[0], longest[-1]) / max(length, 1e-9), 1.0),
        tuple(to_bearings(line) for line in lines),
    )


def bearing_distance_rad(
    first: Sequence[float] | Matrix, second: Sequence[float] | Matrix
) -> float:
    """Return the angle between two bearings that are near each other. [rad]"""
    return angular_length_rad(np.array([first, second], np.float64))


def angular_length_rad(line: Matrix) -> float:
    """Return the angle along (k, 2) bearings that are near each other. [rad]"""
    yaw = wrapped(np.diff(line[:, 0])) * np.cos((line[1:, 1] + line[:-1, 1]) / 2.0)
    return float(np.hypot(yaw, np.diff(line[:, 1])).sum())


def to_bearings(array: Matrix) -> tuple[Bearing, ...]:
    """Return an array (n, 2) as pairs."""
    return tuple((float(yaw), float(pitch)) for yaw, pitch in array.tolist())


def _pixel_length(line: Matrix) -> float:
    steps = np.diff(line, axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())
