"""Which detection is which track: boxes that reach beyond the picture, costs, the assignment.

A long thing, such as a footpath, may span the whole picture and more; its box then tells nothing
about the edges that the picture cuts off. Those edges are completed from what is known of the
track before anything is compared, so that the free edges alone decide. A slanted thing that is cut
off on one side shows only a part of its extent along the other side, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView, Matrix, wrapped
from semantic_detection_pkg.scan.core.tracking.motion import Motion

_EDGE_SHARE = 0.004  # of the picture: a box that comes as near to an edge is cut off by it
_EDGE_PX = 1.5
_CUT_SIGMA = 0.12  # of a box's size, added where an edge is cut off
_SMALL_SHARE = 0.6  # of a thing's size: what is cut off and smaller is only some part of it
_GROWTH_SHARE = 0.01  # of the field of view: a part must reach farther beyond what is known
_WIDEST_RAD = 1.4  # off the optical axis: nothing is guessed to reach farther
_SIZE_SIGMA = 0.35  # of the logarithm of a size
_GROWTH_SIGMA = 0.18
_UNKNOWN_SIZE_SIGMA = 0.8  # where a thing was never seen whole
_SMALL_PX = 2.0  # sizes below say nothing
_REFERENCE_VARIANCE = 0.005**2  # [rad^2] at which the determinant's part of the cost is zero
_POSITION_GATE = 16.0  # squared Mahalanobis distance of 2 degrees of freedom: 99.97 %
_SIZE_GATE = 14.0
_OTHER_CLASS_COST = 6.0
_OTHER_CLASS_GATE = 8.0  # of position and size together
_MISS_COST = 60.0  # above what any pair inside the gates costs


@dataclass(frozen=True)
class Noise:
    """How far off detections and poses are, one sigma each.

    Attributes:
        box_px: of a box's middle [px].
        box_share: the same, as a share of its longer side.
        pose_rad: of the view.
        pose_s: of the stamps: counts while the view turns.
    """

    box_px: float = 1.0
    box_share: float = 0.04
    pose_rad: float = 0.0015
    pose_s: float = 0.01

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0.0:
                raise ValueError(f"noise: {name} {value} must be 0 or more")


@dataclass(frozen=True, eq=False)
class Observations:
    """m detections as the tracker takes them.

    Attributes:
        boxes_xyxy: (m, 4) [px].
        is_cut: (m, 4) whether each edge of the box is cut off by the picture.
        variances: (m, 2) [rad^2] of the bearings of their middles.
        class_names: of each.
    """

    boxes_xyxy: Matrix
    is_cut: NDArray[np.bool_]
    variances: Matrix
    class_names: tuple[str, ...]

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """(m,) whether no edge is cut off."""
        return np.asarray(~self.is_cut.any(axis=1))

    @property
    def is_part(self) -> NDArray[np.bool_]:
        """(m, 2) whether the box is only a part along x, along y, with no free edge to go by.

        Both edges are cut off, or one along the other axis.
        """
        is_low, is_high = self.is_cut[:, :2], self.is_cut[:, 2:]
        return np.asarray((is_low & is_high) | (is_low | is_high)[:, ::-1])


def observe(
    view: CameraView,
    detections: Detections,
    class_names: tuple[str, ...],
    noise: Noise,
    turn_rates_rad_s: tuple[float, float],
) -> Observations:
    """The detections of a view that turns at these rates of yaw and pitch."""
    boxes = detections.boxes_xyxy.astype(np.float64)
    near = np.maximum(_EDGE_SHARE * np.array([view.width, view.height]), _EDGE_PX)
    is_cut = np.concatenate(
        [boxes[:, :2] <= near, boxes[:, 2:] >= (view.width, view.height) - near], axis=1
    )
    sizes = boxes[:, 2:] - boxes[:, :2]
    sigma = np.repeat(
        noise.box_px + noise.box_share * sizes.max(axis=1, initial=0.0)[:, None], 2, 1
    )
    sigma += sizes * np.where(is_cut.any(axis=1), _CUT_SIGMA, 0.0)[:, None]
    covariances = view.bearing_covariance(_middles(boxes), sigma, noise.pose_rad)
    variances = np.stack([covariances[:, 0, 0], covariances[:, 1, 1]], 1)
    variances += (noise.pose_s * np.array(turn_rates_rad_s)) ** 2
    return Observations(boxes, is_cut, variances, class_names)


def completed(
    view: CameraView, seen: Observations, expected: Matrix, is_size_known: NDArray[np.bool_]
) -> tuple[Matrix, NDArray[np.bool_]]:
    """The boxes of m detections, were each that of the n tracks expected at (n, 4) [px].

    Along an axis with one free edge the other lies where the track's size puts it; with none, see
    `Observations.is_part`, where the track's own edges are; never inside the box that was seen.

    Returns:
        (n, m, 4) in angles off the optical axis [rad], see `_angles`: pixels stretch a thing the
        more the farther outside it is guessed to be; and (n, m, 2) whether each is only a part
        along x, along y. A part that is small for the thing has no free edge either: where it
        winds it may come into the picture anywhere.
    """
    boxes, tracks = _angles(view, seen.boxes_xyxy), _angles(view, expected)
    is_low_cut, is_high_cut = seen.is_cut[None, :, :2], seen.is_cut[None, :, 2:]
    track_low, track_high = tracks[:, None, :2], tracks[:, None, 2:]
    size = track_high - track_low
    is_small = (boxes[:, 2:] - boxes[:, :2])[None] < _SMALL_SHARE * size
    is_small &= is_size_known[:, None, None]
    is_part = seen.is_part[None] | (is_small & (is_low_cut | is_high_cut))
    # What noise adds to a part is no growth.
    slack = np.where(is_part, _GROWTH_SHARE * np.array([view.hfov_rad, view.vfov_rad]), 0.0)
    low, high = boxes[None, :, :2] + slack, boxes[None, :, 2:] - slack
    low_edge = np.where(is_part, track_low, high - size)
    high_edge = np.where(is_part, track_high, low + size)
    angles = np.concatenate(
        [
            np.where(is_low_cut | is_part, np.minimum(low, low_edge), low),
            np.where(is_high_cut | is_part, np.maximum(high, high_edge), high),
        ],
        axis=2,
    )
    return angles, is_part


def innovations(view: CameraView, boxes_xyxy: Matrix, expected: Matrix) -> Matrix:
    """(n, m, 2) [rad] from the middles of n expected boxes to those of (n, m, 4) boxes [px]."""
    there = view.bearings_of(_middles(boxes_xyxy).reshape(-1, 2))
    here = view.bearings_of(_middles(expected))
    return wrapped(there.reshape(*boxes_xyxy.shape[:2], 2) - here[:, None])


def _middles(boxes: Matrix) -> Matrix:
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2.0)


def _angles(view: CameraView, boxes_xyxy: Matrix) -> Matrix:
    """Edges of boxes [px] as angles [rad] off the optical axis, to the right and down."""
    middle = np.array([view.width, view.height] * 2) / 2.0
    return np.asarray(np.arctan((boxes_xyxy - middle) / view.pixels_per_rad))


def _pixels(view: CameraView, angles: Matrix) -> Matrix:
    """The inverse of `_angles`."""
    middle = np.array([view.width, view.height] * 2) / 2.0
    tangents = np.tan(np.clip(angles, -_WIDEST_RAD, _WIDEST_RAD))
    return np.asarray(middle + tangents * view.pixels_per_rad)


@dataclass(frozen=True, eq=False)
class Pairs:
    """k matches of tracks and detections.

    Attributes:
        tracks, detections: (k,) indices.
        innovations: (k, 2) [rad] by which each track was off.
        sizes_rad: (k, 2) of the completed boxes.
        is_part: (k, 2) whether the detection is only a part along x, along y.
    """

    tracks: NDArray[np.intp]
    detections: NDArray[np.intp]
    innovations: Matrix
    sizes_rad: Matrix
    is_part: NDArray[np.bool_]


def associate(
    view: CameraView,
    seen: Observations,
    motion: Motion,
    expected: Matrix,
    track_classes: tuple[str, ...],
    is_size_known: NDArray[np.bool_],
) -> Pairs:
    """The best assignment of m detections to the n tracks expected at (n, 4) boxes [px].

    The cost of a pair is its negative log likelihood: distance and size in sigmas, and the
    determinant, so that a track that could be anywhere does not win over one that knows.
    """
    angles, is_part = completed(view, seen, expected, is_size_known)
    known = _angles(view, expected)
    boxes = _pixels(view, angles)
    off = innovations(view, boxes, expected)
    total = motion.position_variance[:, None] + seen.variances[None]
    distance = (off**2 / total).sum(axis=2)
    small = _SMALL_PX / view.pixels_per_rad
    sizes = np.maximum(angles[..., 2:] - angles[..., :2], 0.0) + small
    known_sizes = known[:, 2:] - known[:, :2] + small
    # What was seen whole does not grow where only a part is seen.
    sigma = np.where(is_part, _GROWTH_SIGMA, _SIZE_SIGMA)
    sigma = np.where(is_size_known[:, None, None], sigma, _UNKNOWN_SIZE_SIGMA)
    misfit = ((np.log(sizes / known_sizes[:, None]) / sigma) ** 2).sum(axis=2)
    is_other = np.array(track_classes, object)[:, None] != np.array(seen.class_names, object)[None]
    cost = distance + misfit + np.log(total / _REFERENCE_VARIANCE).sum(axis=2)
    cost += np.where(is_other, _OTHER_CLASS_COST, 0.0)
    is_possible = (distance <= _POSITION_GATE) & (misfit <= _SIZE_GATE) & (cost < _MISS_COST)
    # Of another class only if it fits well; what is cut off fits nearly everywhere.
    is_alike = (distance + misfit <= _OTHER_CLASS_GATE) & seen.is_whole[None]
    is_possible &= ~is_other | is_alike
    cost = np.where(is_possible, cost, _MISS_COST)
    rows, columns = linear_sum_assignment(cost)
    is_match = is_possible[rows, columns]
    rows, columns = rows[is_match], columns[is_match]
    chosen = boxes[rows, columns]
    return Pairs(rows, columns, off[rows, columns], view.sizes_of(chosen), is_part[rows, columns])
