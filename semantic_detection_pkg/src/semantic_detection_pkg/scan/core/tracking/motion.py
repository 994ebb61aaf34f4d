"""Where things are and how they move: a Kalman filter over many bearings at once.

Yaw and pitch are two independent filters: their errors are hardly correlated (only by roll and far
off the optical axis), and everything stays elementwise, hence fast and equal in every run. Rates
die away (Ornstein-Uhlenbeck), soon where a thing is out of sight: it does not fly off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix, wrapped

_DOUBTS = 4.0  # variances at which a rate is half believed

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class MotionModel:
    """How things move.

    Attributes:
        rate_sigma_rad_s, rate_memory_s: standard deviation of the rate of a thing that was seen in
            the last frame, and the time after which a rate has died away to 1/e.
        unseen_rate_sigma_rad_s, unseen_rate_memory_s: the same of a thing that was not.
        first_rate_sigma_rad_s: of a thing that was seen once, as a whole: it may move.
        position_sigma_max_rad: what a long absence may do to what is known.
    """

    rate_sigma_rad_s: float = 0.09
    rate_memory_s: float = 30.0
    unseen_rate_sigma_rad_s: float = 0.01
    unseen_rate_memory_s: float = 3.0
    first_rate_sigma_rad_s: float = 0.15
    position_sigma_max_rad: float = 0.025

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0.0 or not math.isfinite(value):
                raise ValueError(f"motion: {name} {value} must be above 0")


@dataclass(frozen=True, eq=False)
class Motion:
    """n things; every array is (n, 2), for yaw and pitch.

    Attributes:
        position, rate: [rad], [rad/s]; yaw within -pi..pi.
        position_variance, rate_variance, covariance: of position, of rate, of both.
    """

    position: Matrix
    rate: Matrix
    position_variance: Matrix
    rate_variance: Matrix
    covariance: Matrix

    @classmethod
    def none(cls) -> Motion:
        """Nothing yet."""
        return cls(*(np.empty((0, 2)) for _ in range(5)))

    def __len__(self) -> int:
        return len(self.position)

    def predicted(
        self, duration_s: float, model: MotionModel, is_followed: NDArray[np.bool_]
    ) -> Motion:
        """After a time; `is_followed` (n,) tells what was seen at its beginning."""
        is_followed = is_followed[:, None]
        memory = np.where(is_followed, model.rate_memory_s, model.unseen_rate_memory_s)
        variance = np.where(is_followed, model.rate_sigma_rad_s, model.unseen_rate_sigma_rad_s) ** 2
        keep = np.exp(-duration_s / memory)
        reach = memory * (1.0 - keep)
        # Exact noise of the integrated Ornstein-Uhlenbeck process over the time.
        position_noise = variance * memory * (2 * duration_s - memory * (3 - 4 * keep + keep**2))
        covariance_noise = variance * memory * (1.0 - keep) ** 2
        rate_noise = variance * (1.0 - keep**2)
        position_variance = (
            self.position_variance
            + 2.0 * reach * self.covariance
            + reach**2 * self.rate_variance
            + np.maximum(position_noise, 0.0)
        )
        rate_variance = keep**2 * self.rate_variance + rate_noise
        covariance = keep * (self.covariance + reach * self.rate_variance) + covariance_noise
        position_variance = np.minimum(position_variance, model.position_sigma_max_rad**2)
        limit = 0.99 * np.sqrt(position_variance * rate_variance)  # the cap must not break it
        # Out of sight, a rate counts as far as it stands out of its own doubt.
        square = self.rate**2
        trust = np.where(is_followed, 1.0, square / (square + _DOUBTS * self.rate_variance))
        return Motion(
            _in_range(self.position + reach * self.rate * trust),
            keep * self.rate,
            position_variance,
            rate_variance,
            np.clip(covariance, -limit, limit),
        )

    def corrected(
        self,
        rows: Rows,
        innovations: Matrix,
        variances: Matrix,
        tells_rate: NDArray[np.bool_],
    ) -> Motion:
        """After seeing the things `rows` (k,) off by (k, 2) innovations of (k, 2) variances.

        Where `tells_rate` (k,) is false only the position is corrected, and what it was off by
        is not held against the rate later.
        """
        position_variance, covariance = self.position_variance[rows], self.covariance[rows]
        total = position_variance + variances
        gain = position_variance / total
        rate_gain = np.where(tells_rate[:, None], covariance / total, 0.0)
        after = Motion(*(array.copy() for array in vars(self).values()))
        after.position[rows] = _in_range(self.position[rows] + gain * innovations)
        after.rate[rows] += rate_gain * innovations
        after.position_variance[rows] = (1.0 - gain) * position_variance
        after.covariance[rows] = np.where(tells_rate[:, None], (1.0 - gain) * covariance, 0.0)
        after.rate_variance[rows] -= rate_gain * covariance
        return after

    def widened(self, least_variance: Matrix) -> Motion:
        """With positions known no better than (n, 2) variances."""
        return replace(self, position_variance=np.maximum(self.position_variance, least_variance))

    def moved(self, rows: Rows, moves: Matrix) -> Motion:
        """With the points that stand for the things `rows` (k,) moved by (k, 2) [rad]."""
        after = Motion(*(array.copy() for array in vars(self).values()))
        after.position[rows] = _in_range(self.position[rows] + moves)
        return after

    def joined(
        self, positions: Matrix, variances: Matrix, may_move: NDArray[np.bool_], model: MotionModel
    ) -> Motion:
        """With things seen for the first time at (k, 2) positions of (k, 2) variances."""
        zeros = np.zeros_like(positions)
        sigma = np.where(may_move, model.first_rate_sigma_rad_s, model.unseen_rate_sigma_rad_s)
        rates = zeros + sigma[:, None] ** 2
        new = Motion(positions, zeros, variances, rates, zeros)
        pairs = zip(vars(self).values(), vars(new).values(), strict=True)
        return Motion(*(np.concatenate(pair) for pair in pairs))

    def take(self, rows: Rows) -> Motion:
        """The things `rows`, in that order."""
        return Motion(*(array[rows] for array in vars(self).values()))


def _in_range(position: Matrix) -> Matrix:
    return np.stack([wrapped(position[:, 0]), position[:, 1]], 1)
