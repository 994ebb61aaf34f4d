"""Data association: which detection belongs to which track.

One global nearest-neighbour assignment per frame (Y. Bar-Shalom and T. Fortmann, "Tracking and Data
Association", 1988): gates exclude impossible pairs, the others are assigned at the least total cost
by SciPy's `linear_sum_assignment` (D. F. Crouse, "On Implementing 2D Rectangular Assignment
Algorithms", 2016).

A long object, such as a footpath, may span the whole picture and more; its box then says nothing
about the edges that the picture cuts off. Those edges are completed from the track before boxes are
compared, so that the free edges alone decide. A slanted object that is cut off on one side shows
only a part of its extent along the other side, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView, Matrix, wrapped
from semantic_detection_pkg.scan.core.tracking.motion import KalmanStates

_EDGE_SHARE = 0.004  # of the picture: a box as near to its edge is cut off by it
_EDGE_PX = 1.5
_CUT_SIGMA = 0.12  # of a box's size, added where an edge is cut off
_SMALL_SHARE = 0.6  # of the known size: a box that is cut off and smaller is just some part of it
_GROWTH_SHARE = 0.01  # of the field of view: by less, a part does not extend the known size
_WIDEST_RAD = 1.4  # off the optical axis: no completed box reaches farther
_SIZE_SIGMA = 0.35  # of the logarithm of a size: 35 % is one sigma
_GROWTH_SIGMA = 0.18
_UNKNOWN_SIZE_SIGMA = 0.8  # where the object was never seen whole
_SMALL_PX = 2.0  # added to sizes before they are compared: smaller ones say nothing
_REFERENCE_VARIANCE = 0.005**2  # [rad^2] at which the log determinant in the cost is zero
_POSITION_GATE = 16.0  # squared Mahalanobis distance, chi-square with 2 degrees of freedom: 99.97 %
_SIZE_GATE = 14.0  # the same of the two log sizes: 99.9 %
_OTHER_CLASS_COST = 6.0
_OTHER_CLASS_GATE = 8.0  # of position and size together: another class only where both fit well
_MISS_COST = 60.0  # above what any pair inside the gates costs
_LEAST_SPACING_SIZES = 0.5  # of its longer side: nothing stands nearer to another of its kind


@dataclass(frozen=True)
class MeasurementNoise:
    """Standard deviations of detections and poses.

    Attributes:
        box_px: of the centre of a box [px].
        box_share: the same, as a share of its longer side; both add up.
        pose_rad: of the view.
        pose_s: of its stamp, which matters while the view turns.
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
    """m detections with what the tracker needs to know of each.

    Attributes:
        boxes_xyxy: (m, 4) [px].
        is_cut: (m, 4) whether each edge of the box is cut off by the picture.
        variances: (m, 2) [rad^2] of the bearings of their centres.
        class_names: of each.
    """

    boxes_xyxy: Matrix
    is_cut: NDArray[np.bool_]
    variances: Matrix
    class_names: tuple[str, ...]

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Return whether no edge is cut off: (m,)."""
        return np.asarray(~self.is_cut.any(axis=1))

    @property
    def is_part(self) -> NDArray[np.bool_]:
        """Return whether the box is only a part along x, along y, without a free edge: (m, 2).

        Both edges are cut off, or one along the other axis.
        """
        is_low, is_high = self.is_cut[:, :2], self.is_cut[:, 2:]
        return np.asarray((is_low & is_high) | (is_low | is_high)[:, ::-1])


def to_observations(
    view: CameraView,
    detections: Detections,
    class_names: tuple[str, ...],
    noise: MeasurementNoise,
    turn_rates_rad_s: tuple[float, float],
) -> Observations:
    """Return the detections of a view that turns at these rates of yaw and pitch."""
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


def complete_boxes(
    view: CameraView,
    seen: Observations,
    boxes: Matrix,
    tracks: Matrix,
    is_size_known: NDArray[np.bool_],
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Return the whole box of each of m detections, if it were each of n tracks.

    Along an axis with one free edge the other lies where the track's size puts it; with none (see
    `Observations.is_part`) where the track's own edges are; never inside the box that was seen.

    Args:
        boxes: (m, 4) of the detections, in angles.
        tracks: (n, 4) of the tracks, in angles.
        is_size_known: (n,) whether each track was ever seen whole.

    Returns:
        (n, m, 4) in angles off the optical axis [rad], see `_angles`: pixels are stretched the more
        the farther outside the picture they are; and (n, m, 2) whether each is only a part along x,
        along y. A part that is small for its track has no free edge either: a winding path may
        enter the picture anywhere.
    """
    is_low_cut, is_high_cut = seen.is_cut[None, :, :2], seen.is_cut[None, :, 2:]
    track_low, track_high = tracks[:, None, :2], tracks[:, None, 2:]
    size = track_high - track_low
    is_small = (boxes[:, 2:] - boxes[:, :2])[None] < _SMALL_SHARE * size
    is_small &= is_size_known[:, None, None]
    is_part = seen.is_part[None] | (is_small & (is_low_cut | is_high_cut))
    # Noise of the box must not make the object grow.
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
    """Return bearings from n expected centres to those of (n, m, 4) boxes [px]: (n, m, 2) [rad]."""
    there = view.bearings_of(_middles(boxes_xyxy).reshape(-1, 2))
    here = view.bearings_of(_middles(expected))
    return wrapped(there.reshape(*boxes_xyxy.shape[:2], 2) - here[:, None])


def _middles(boxes: Matrix) -> Matrix:
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2.0)


def _angles(view: CameraView, boxes_xyxy: Matrix) -> Matrix:
    """Return edges of boxes [px] as angles off the optical axis, to the right and down. [rad]"""
    middle = np.array([view.width, view.height] * 2) / 2.0
    return np.asarray(np.arctan((boxes_xyxy - middle) / view.pixels_per_rad))


def _pixels(view: CameraView, angles: Matrix) -> Matrix:
    """Return the inverse of `_angles`. [px]"""
    middle = np.array([view.width, view.height] * 2) / 2.0
    tangents = np.tan(np.clip(angles, -_WIDEST_RAD, _WIDEST_RAD))
    return np.asarray(middle + tangents * view.pixels_per_rad)


def _spacings(
    detections: Matrix, tracks: Matrix, is_other: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return how far off the nearest other thing of its class is, where n tracks meet m detections.

    Args:
        detections: (m, 4) boxes in angles.
        tracks: (n, 4) of the tracks.
        is_other: (n, m) whether the classes differ.

    Returns:
        (n, m) [rad], inf without any: things stand there with a density of 1 / (pi spacing^2).
    """
    found, expected = _middles(detections), _middles(tracks)
    among = np.linalg.norm(found[:, None] - found[None], axis=2)
    # Detections are of one class where the same tracks are of another.
    np.fill_diagonal(among, np.inf)
    if len(is_other):
        among[(is_other[:, :, None] != is_other[:, None, :]).any(axis=0)] = np.inf
    beside = np.where(is_other, np.inf, np.linalg.norm(expected[:, None] - found[None], axis=2))
    nearest = np.full(beside.shape, np.inf)
    if len(beside) > 1:  # the nearest track beside the one at hand
        two = np.partition(beside, 1, axis=0)[:2]
        nearest = np.where(beside == two[0], two[1], two[0])
    sides = (detections[:, 2:] - detections[:, :2]).max(axis=1, initial=0.0)
    least = np.minimum(nearest, among.min(axis=1, initial=np.inf)[None])
    return np.maximum(least, _LEAST_SPACING_SIZES * sides[None])


@dataclass(frozen=True, eq=False)
class Assignment:
    """k matched pairs of track and detection.

    Attributes:
        tracks, detections: (k,) indices.
        innovations: (k, 2) [rad] detected minus predicted bearing.
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
    states: KalmanStates,
    expected: Matrix,
    track_classes: tuple[str, ...],
    is_size_known: NDArray[np.bool_],
    new_share: float = 0.0,
) -> Assignment:
    """Return the best assignment of m detections to the n tracks expected at (n, 4) boxes [px].

    The cost of a pair is twice its negative log likelihood under Gaussian errors, up to a constant:

        d^T S^-1 d + ln det S + sum (ln(size / known size) / sigma)^2

    with the innovation d and its covariance S. Without ln det S an uncertain track, for which every
    distance is few sigmas, would win over one whose position is known.

    A pair must also be likelier than a thing that has no track yet, of which `new_share` of what
    stands as densely as here are: d^T S^-1 d + ln det S <= -2 ln(2 pi new_share density), with S
    of a thing that moves or of one that stands still. Otherwise a track that was out of sight,
    hence may be anywhere, takes whoever comes next in a crowd.
    """
    found, known = _angles(view, seen.boxes_xyxy), _angles(view, expected)
    angles, is_part = complete_boxes(view, seen, found, known, is_size_known)
    boxes = _pixels(view, angles)
    off = innovations(view, boxes, expected)
    total = states.position_variance[:, None] + seen.variances[None]
    distance = (off**2 / total).sum(axis=2)
    small = _SMALL_PX / view.pixels_per_rad
    sizes = np.maximum(angles[..., 2:] - angles[..., :2], 0.0) + small
    known_sizes = known[:, 2:] - known[:, :2] + small
    # A known size hardly changes where only a part is seen.
    sigma = np.where(is_part, _GROWTH_SIGMA, _SIZE_SIGMA)
    sigma = np.where(is_size_known[:, None, None], sigma, _UNKNOWN_SIZE_SIGMA)
    misfit = ((np.log(sizes / known_sizes[:, None]) / sigma) ** 2).sum(axis=2)
    is_other = np.array(track_classes, object)[:, None] != np.array(seen.class_names, object)[None]
    cost = distance + misfit + np.log(total / _REFERENCE_VARIANCE).sum(axis=2)
    cost += np.where(is_other, _OTHER_CLASS_COST, 0.0)
    is_possible = (distance <= _POSITION_GATE) & (misfit <= _SIZE_GATE) & (cost < _MISS_COST)
    # A box that is cut off fits nearly every track, so it cannot change a class.
    is_alike = (distance + misfit <= _OTHER_CLASS_GATE) & seen.is_whole[None]
    is_possible &= ~is_other | is_alike
    if new_share > 0.0:
        spacing = _spacings(found, known, is_other)
        limit = 2.0 * np.log(spacing**2 / (2.0 * new_share))
        # Half of all things have not moved, however little is known of how they move.
        still = np.minimum(2.0 * seen.variances[None], total)
        likelihoods = (distance, total), ((off**2 / still).sum(axis=2) - 2.0 * np.log(0.5), still)
        is_possible &= np.logical_or(
            *(far + np.log(variance).sum(axis=2) <= limit for far, variance in likelihoods)
        )
    from scipy.optimize import linear_sum_assignment  # see `scan.preloading`

    cost = np.where(is_possible, cost, _MISS_COST)
    rows, columns = linear_sum_assignment(cost)
    is_match = is_possible[rows, columns]
    rows, columns = rows[is_match], columns[is_match]
    chosen = boxes[rows, columns]
    return Assignment(
        rows, columns, off[rows, columns], view.sizes_of(chosen), is_part[rows, columns]
    )
