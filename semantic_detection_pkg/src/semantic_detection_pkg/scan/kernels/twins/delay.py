"""The regression of bearings against turning rates; see `core.tracking.delay`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import CameraView

Values = NDArray[np.float64]
Groups = NDArray[np.intp]


def turn(
    view: CameraView, boxes: Values, yaw_rate_rad_s: float, pitch_rate_rad_s: float
) -> tuple[Values, Values]:
    """Return bearings of the centres of boxes, and their rates as the view turns: (n, 2) each.

    Args:
        boxes: (n, 4) [px].
    """
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    return view.bearings_of(middles), view.bearing_rates(middles, yaw_rate_rad_s, pitch_rate_rad_s)


def regress(
    groups: Groups, times: Values, bearings: Values, rates: Values, own_weights: Values,
    frames: int, huber: float, iterations: int,
) -> tuple[float, float]:  # fmt: skip
    """Return delay and sigma [s]; NaN and infinite where the rates do not change.

    Args:
        groups: (n,) the segment of each sample, 0..; not all need have samples.
        times: (n,) [s] since the segment began.
        bearings, rates: (2, n) of yaw and pitch [rad], [rad/s].
        own_weights: (n,) of the samples.
        frames: that they come from.
        huber: sigmas beyond which a residual counts linearly.
    """
    # Each sample gives two equations, of yaw and of pitch, each with a course of its own.
    both = np.concatenate([groups, groups + groups.max() + 1])
    late, base = np.tile(times, 2), np.tile(own_weights, 2)
    weights, delay, sigma = base, math.nan, math.inf
    for _ in range(iterations):
        x = _detrended(rates.ravel(), late, both, weights)
        y = _detrended(bearings.ravel(), late, both, weights)
        information = float((weights * x * x).sum())
        if information <= 1e-9:
            return math.nan, math.inf
        delay = -float((weights * x * y).sum()) / information
        scaled = np.abs(y + delay * x) * np.sqrt(base)
        # 1.4826 MAD estimates sigma robustly; the floor is for samples that a course fits exactly.
        spread = max(1.4826 * float(np.median(scaled)), 0.3)
        weights = base * np.minimum(1.0, huber * spread / np.maximum(scaled, 1e-12))
        # The pose's error is common to all objects in a frame: frames count, not samples.
        sigma = spread * math.sqrt(len(times) / frames / information)
    return delay, sigma


def _detrended(values: Values, times: Values, groups: Groups, weights: Values) -> Values:
    """Return values minus the straight line over time that fits those of their group best."""

    def mean(array: Values) -> Values:
        with np.errstate(invalid="ignore"):  # of groups without samples
            return np.asarray((np.bincount(groups, weights * array) / sums)[groups])

    sums = np.bincount(groups, weights)
    late, off = times - mean(times), values - mean(values)
    slopes = np.bincount(groups, weights * late * off) / np.maximum(
        np.bincount(groups, weights * late * late), 1e-12
    )
    return np.asarray(off - slopes[groups] * late)
