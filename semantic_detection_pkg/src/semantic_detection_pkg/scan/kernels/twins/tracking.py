"""What the tracker computes of all tracks and detections of a frame; see `core.tracking`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView, Matrix, wrapped
from semantic_detection_pkg.scan.kernels.rules import PairRules

Flags = NDArray[np.bool_]
Labels = NDArray[np.intp]
_LOG_HALF = np.log(0.5)


def predict(states: Matrix, is_followed: Flags, terms: Matrix, trust: float, most: float) -> Matrix:
    """Return the states of filters after a time; see `motion.KalmanStates.predict`.

    Args:
        states: (5, n, 2) position, rate, position variance, rate variance, covariance.
        terms: (2, 5) of objects that are not followed and of those that are: share of the rate that
            is kept, reach of a rate [s], noise of position, of covariance, of rate.
        trust: a rate squared of so many variances is half trusted out of sight.
        most: greatest variance of a position [rad^2].
    """
    position, rate, position_variance, rate_variance, covariance = states
    keep, reach, position_noise, covariance_noise, rate_noise = terms.T[:, is_followed.astype(int)]
    keep, reach = keep[:, None], reach[:, None]
    position_variance = (
        position_variance
        + 2.0 * reach * covariance
        + reach**2 * rate_variance
        + np.maximum(position_noise, 0.0)[:, None]
    )
    square = rate**2
    with np.errstate(invalid="ignore"):
        trusted = np.where(is_followed[:, None], 1.0, square / (square + trust * rate_variance))
    covariance = keep * (covariance + reach * rate_variance) + covariance_noise[:, None]
    rate_variance = keep**2 * rate_variance + rate_noise[:, None]
    position_variance = np.minimum(position_variance, most)
    limit = 0.99 * np.sqrt(position_variance * rate_variance)  # keeps it positive definite
    return np.array(
        [
            _in_range(position + reach * rate * trusted),
            keep * rate,
            position_variance,
            rate_variance,
            np.clip(covariance, -limit, limit),
        ]
    )


def correct(
    states: Matrix, rows: Labels, innovations: Matrix, variances: Matrix,
    tells_rate: Flags, is_growth: Flags,
) -> None:  # fmt: skip
    """Correct the states of `rows` in place; see `motion.KalmanStates.correct`."""
    position, rate, position_variance, rate_variance, covariance = states
    position[rows] = _in_range(position[rows] + np.where(is_growth, innovations, 0.0))
    measured = np.where(is_growth, 0.0, innovations)
    before, shared = position_variance[rows], covariance[rows]
    total = before + variances
    gain = before / total
    rate_gain = np.where(tells_rate[:, None], shared / total, 0.0)
    position[rows] = _in_range(position[rows] + gain * measured)
    rate[rows] += rate_gain * measured
    position_variance[rows] = (1.0 - gain) * before
    covariance[rows] = np.where(tells_rate[:, None], (1.0 - gain) * shared, 0.0)
    rate_variance[rows] -= rate_gain * shared


def observe(
    view: CameraView, boxes: Matrix, near_px: tuple[float, float],
    noise: tuple[float, float, float, float], turn_variances: tuple[float, float],
) -> tuple[Flags, Matrix]:  # fmt: skip
    """Return which edges of boxes are cut off, and the variances of the bearings of their centres.

    Args:
        boxes: (m, 4) [px].
        near_px: along x and y; an edge as near to that of the picture is cut off.
        noise: standard deviation of a centre in pixels, in longer sides, in sides where the box is
            cut off, and of the pose [rad].
        turn_variances: [rad^2] of yaw and pitch, by how the view turns.

    Returns:
        (m, 4) of left, top, right, bottom; (m, 2) [rad^2].
    """
    box_px, box_share, cut_share, pose_rad = noise
    near, size = np.array(near_px), np.array([view.width, view.height], np.float64)
    is_cut = np.concatenate([boxes[:, :2] <= near, boxes[:, 2:] >= size - near], axis=1)
    sizes = boxes[:, 2:] - boxes[:, :2]
    sigma = np.repeat(box_px + box_share * sizes.max(axis=1, initial=0.0)[:, None], 2, 1)
    sigma += sizes * np.where(is_cut.any(axis=1), cut_share, 0.0)[:, None]
    covariances = view.bearing_covariance(_middles(boxes), sigma, pose_rad)
    variances = np.stack([covariances[:, 0, 0], covariances[:, 1, 1]], 1)
    return is_cut, variances + np.array(turn_variances)


def expect(
    view: CameraView, positions: Matrix, sizes_rad: Matrix, variances: Matrix, margin: float,
    least_px: float,
) -> tuple[Matrix, Flags, Flags]:  # fmt: skip
    """Return where tracks are expected, which are near the picture, and which are to be detected.

    Args:
        positions, sizes_rad, variances: (n, 2) of the tracks.
        margin: of the picture: what is as far outside is still near.
        least_px: longer side from which on a detection is to be expected.

    Returns:
        (n, 4) boxes [px], NaN behind the camera; (n,); (n,).
    """
    expected = view.boxes_of(positions, sizes_rad)
    size = np.array([view.width, view.height])
    with np.errstate(invalid="ignore"):  # NaN, behind the camera, is neither
        middles = _middles(expected)
        sides = expected[:, 2:] - expected[:, :2]
        off = np.abs(middles - size / 2.0) - sides / 2.0
        is_near = (off <= (0.5 + margin) * size).all(axis=1)
        doubt = np.sqrt(variances) * view.pixels_per_rad
        inside = np.minimum(middles, size - middles) - doubt
        is_due = (inside > 0.0).all(axis=1) & (sides.max(axis=1, initial=-np.inf) >= least_px)
    return expected, is_near, is_due


def pair_costs(
    view: CameraView, boxes: Matrix, is_cut: Flags, variances: Matrix, labels: Labels,
    expected: Matrix, track_variances: Matrix, track_labels: Labels, is_size_known: Flags,
    new_share: float, rules: PairRules,
) -> tuple[Matrix, Flags, Matrix, Matrix, Flags]:  # fmt: skip
    """Return what it costs if m detections were n tracks; see `core.tracking.association`.

    Args:
        boxes, is_cut, variances, labels: (m, 4), (m, 4), (m, 2), (m,) of the detections.
        expected, track_variances, track_labels, is_size_known: (n, 4), (n, 2), (n,), (n,) of the
            tracks.
        new_share: see `associate`.
        rules: of pairs.

    Returns:
        (n, m) costs, that of a miss where a pair is impossible; (n, m) whether it is possible;
        (n, m, 4) completed boxes [px], (n, m, 2) innovations [rad], (n, m, 2) whether it is only a
        part along x, along y: of impossible pairs they may be anything.
    """
    middle = np.array([view.width, view.height] * 2) / 2.0
    found = np.arctan((boxes - middle) / view.pixels_per_rad)
    known = np.arctan((expected - middle) / view.pixels_per_rad)
    angles, is_part = _complete(view, is_cut, found, known, is_size_known, rules)
    tangents = np.tan(np.clip(angles, -rules.widest_rad, rules.widest_rad))
    completed = middle + tangents * view.pixels_per_rad
    there = view.bearings_of(_middles(completed).reshape(-1, 2))
    here = view.bearings_of(_middles(expected))
    off = wrapped(there.reshape(*completed.shape[:2], 2) - here[:, None])
    total = track_variances[:, None] + variances[None]
    distance = (off**2 / total).sum(axis=2)
    small = rules.small_px / view.pixels_per_rad
    sizes = np.maximum(angles[..., 2:] - angles[..., :2], 0.0) + small
    known_sizes = known[:, 2:] - known[:, :2] + small
    # A known size hardly changes where only a part is seen.
    sigma = np.where(is_part, rules.growth_sigma, rules.size_sigma)
    sigma = np.where(is_size_known[:, None, None], sigma, rules.unknown_sigma)
    misfit = ((np.log(sizes / known_sizes[:, None]) / sigma) ** 2).sum(axis=2)
    is_other = track_labels[:, None] != labels[None]
    cost = distance + misfit + np.log(total / rules.reference).sum(axis=2)
    cost += np.where(is_other, rules.other_cost, 0.0)
    is_possible = (distance <= rules.position_gate) & (misfit <= rules.size_gate)
    is_possible &= cost < rules.miss_cost
    # A box that is cut off fits nearly every track, so it cannot change a class.
    is_alike = (distance + misfit <= rules.other_gate) & ~is_cut.any(axis=1)[None]
    is_possible &= ~is_other | is_alike
    if new_share > 0.0:
        spacing = _spacings(found, known, is_other, rules.least_sizes)
        limit = 2.0 * np.log(spacing**2 / (2.0 * new_share))
        # Half of all things have not moved, however little is known of how they move.
        still = np.minimum(2.0 * variances[None], total)
        likelihoods = (distance, total), ((off**2 / still).sum(axis=2) - 2.0 * _LOG_HALF, still)
        is_possible &= np.logical_or(
            *(far + np.log(variance).sum(axis=2) <= limit for far, variance in likelihoods)
        )
    return np.where(is_possible, cost, rules.miss_cost), is_possible, completed, off, is_part


def _complete(
    view: CameraView, is_cut: Flags, found: Matrix, known: Matrix, is_size_known: Flags,
    rules: PairRules,
) -> tuple[Matrix, Flags]:  # fmt: skip
    """Return (n, m, 4) the whole boxes and (n, m, 2) where they are only parts; angles off axis."""
    is_low, is_high = is_cut[None, :, :2], is_cut[None, :, 2:]
    low_known, high_known = known[:, None, :2], known[:, None, 2:]
    size = high_known - low_known
    is_small = (found[:, 2:] - found[:, :2])[None] < rules.small_share * size
    is_small &= is_size_known[:, None, None]
    is_cut_along = is_low | is_high
    is_part = (is_low & is_high) | is_cut_along[..., ::-1] | (is_small & is_cut_along)
    # Noise of the box must not make the object grow.
    slack = np.where(is_part, rules.growth_share * np.array([view.hfov_rad, view.vfov_rad]), 0.0)
    low, high = found[None, :, :2] + slack, found[None, :, 2:] - slack
    low_edge = np.where(is_part, low_known, high - size)
    high_edge = np.where(is_part, high_known, low + size)
    angles = np.concatenate(
        [
            np.where(is_low | is_part, np.minimum(low, low_edge), low),
            np.where(is_high | is_part, np.maximum(high, high_edge), high),
        ],
        axis=2,
    )
    return angles, is_part


def _spacings(found: Matrix, known: Matrix, is_other: Flags, least_sizes: float) -> Matrix:
    """Return (n, m) how far off the nearest other thing of the class is; see `PairRules`."""
    here, expected = _middles(found), _middles(known)
    among = np.linalg.norm(here[:, None] - here[None], axis=2)
    # Detections are of one class where the same tracks are of another.
    np.fill_diagonal(among, np.inf)
    if len(is_other):
        among[(is_other[:, :, None] != is_other[:, None, :]).any(axis=0)] = np.inf
    beside = np.where(is_other, np.inf, np.linalg.norm(expected[:, None] - here[None], axis=2))
    nearest = np.full(beside.shape, np.inf)
    if len(beside) > 1:  # the nearest track beside the one at hand
        two = np.partition(beside, 1, axis=0)[:2]
        nearest = np.where(beside == two[0], two[1], two[0])
    sides = (found[:, 2:] - found[:, :2]).max(axis=1, initial=0.0)
    least = np.minimum(nearest, among.min(axis=1, initial=np.inf)[None])
    return np.maximum(least, least_sizes * sides[None])


def _middles(boxes: Matrix) -> Matrix:
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2.0)


def _in_range(position: Matrix) -> Matrix:
    """Wrap the yaw of positions in place, and return them."""
    position[:, 0] = wrapped(position[:, 0])
    return position
