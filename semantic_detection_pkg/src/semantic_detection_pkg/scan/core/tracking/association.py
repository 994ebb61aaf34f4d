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
from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.kernels import implementation
from semantic_detection_pkg.scan.kernels.rules import PairRules

_EDGE_SHARE = 0.004  # of the picture: a box as near to its edge is cut off by it
_EDGE_PX = 1.5
_CUT_SIGMA = 0.12  # of a box's size, added where an edge is cut off
_RULES = PairRules()


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
        is_whole: (m,) whether none is.
        variances: (m, 2) [rad^2] of the bearings of their centres.
        class_names: of each.
        labels: (m,) numbers of the names.
    """

    boxes_xyxy: Matrix
    is_cut: NDArray[np.bool_]
    is_whole: NDArray[np.bool_]
    variances: Matrix
    class_names: tuple[str, ...]
    labels: NDArray[np.intp]


def to_observations(
    view: CameraView,
    detections: Detections,
    class_names: tuple[str, ...],
    labels: NDArray[np.intp],
    noise: MeasurementNoise,
    turn_rates_rad_s: tuple[float, float],
) -> Observations:
    """Return the detections of a view that turns at these rates of yaw and pitch."""
    boxes = detections.boxes_xyxy.astype(np.float64)
    near = max(_EDGE_SHARE * view.width, _EDGE_PX), max(_EDGE_SHARE * view.height, _EDGE_PX)
    sigmas = noise.box_px, noise.box_share, _CUT_SIGMA, noise.pose_rad
    yaw, pitch = (noise.pose_s * rate for rate in turn_rates_rad_s)
    is_cut, variances = implementation("tracking").observe(
        view, boxes, near, sigmas, (yaw * yaw, pitch * pitch)
    )
    return Observations(boxes, is_cut, ~is_cut.any(axis=1), variances, class_names, labels)


@dataclass(frozen=True, eq=False)
class Assignment:
    """k matched pairs of track and detection.

    Attributes:
        tracks, detections: (k,) indices, by rising tracks.
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
    expected: Matrix,
    variances: Matrix,
    labels: NDArray[np.intp],
    is_size_known: NDArray[np.bool_],
    new_share: float = 0.0,
) -> Assignment:
    """Return the best assignment of m detections to n tracks.

    The cost of a pair is twice its negative log likelihood under Gaussian errors, up to a constant:

        d^T S^-1 d + ln det S + sum (ln(size / known size) / sigma)^2

    with the innovation d and its covariance S. Without ln det S an uncertain track, for which every
    distance is few sigmas, would win over one whose position is known.

    A pair must also be likelier than a thing that has no track yet, of which `new_share` of what
    stands as densely as here are: d^T S^-1 d + ln det S <= -2 ln(2 pi new_share density), with S
    of a thing that moves or of one that stands still. Otherwise a track that was out of sight,
    hence may be anywhere, takes whoever comes next in a crowd. Things stand with a density of
    1 / (pi spacing^2), with the spacing to the nearest other of the class.

    Along an axis with one free edge the whole box ends where the track's size puts it; with none,
    or cut off along the other axis, where the track's own edges are; never inside the box that was
    seen. A part that is small for its track has no free edge either: a winding path may enter the
    picture anywhere. All that is compared as angles off the optical axis: pixels are stretched the
    more the farther outside the picture they are.

    Args:
        expected, variances: (n, 4) boxes of the tracks [px], (n, 2) of their bearings [rad^2].
        labels: (n,) numbers of their classes.
        is_size_known: (n,) whether each was ever seen whole.
    """
    cost, is_possible, boxes, off, is_part = implementation("tracking").pair_costs(
        view,
        seen.boxes_xyxy,
        seen.is_cut,
        seen.variances,
        seen.labels,
        expected,
        variances,
        labels,
        is_size_known,
        new_share,
        _RULES,
    )
    rows, columns = _assign(cost, is_possible)
    chosen = boxes[rows, columns]
    return Assignment(
        rows, columns, off[rows, columns], view.sizes_of(chosen), is_part[rows, columns]
    )


def _assign(
    cost: Matrix, is_possible: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the possible pairs of the assignment with the least total cost, by rising rows.

    Where no track and no detection has two possible partners, these pairs are all: each costs less
    than a miss.
    """
    rows, columns = np.divmod(np.flatnonzero(is_possible), max(is_possible.shape[1], 1))
    if len(set(rows.tolist())) == len(rows) == len(set(columns.tolist())):
        return rows, columns
    from scipy.optimize import linear_sum_assignment  # see `scan.preloading`

    rows, columns = linear_sum_assignment(cost)
    is_match = is_possible[rows, columns]
    return rows[is_match], columns[is_match]
