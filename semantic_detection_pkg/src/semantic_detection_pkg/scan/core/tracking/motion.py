"""Kalman filters for the bearings and rates of many objects at once.

Yaw and pitch are two independent filters: their errors are hardly correlated (only by roll and far
off the optical axis), and everything stays elementwise, hence fast and the same in every run. Rates
decay exponentially (integrated Ornstein-Uhlenbeck process, in tracking known as Singer's model: R.
A. Singer, "Estimating Optimal Tracking Filter Performance for Manned Maneuvering Targets", 1970),
faster while an object is out of sight, so that it does not drift away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.optics import Matrix, wrapped

_TRUST_VARIANCES = 4.0  # a rate squared of so many variances is half trusted

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class MotionModel:
    """How objects move.

    Attributes:
        rate_sigma_rad_s, rate_memory_s: standard deviation of the rate of an object that was seen
            in the last frame, and the time in which a rate decays to 1/e.
        unseen_rate_sigma_rad_s, unseen_rate_memory_s: the same of an object that was not.
        first_rate_sigma_rad_s: of an object that was seen once, whole: it may move.
        first_rate_sigma_sizes_s: the same in its own longer sides a second: people, animals and
            vehicles move a few of their sizes a second, however far away they are. The lesser of
            both counts; without this one a small thing in a crowd is taken for its neighbours.
        position_sigma_max_rad: upper bound of the standard deviation of a bearing.
    """

    rate_sigma_rad_s: float = 0.09
    rate_memory_s: float = 30.0
    unseen_rate_sigma_rad_s: float = 0.01
    unseen_rate_memory_s: float = 3.0
    first_rate_sigma_rad_s: float = 0.15
    first_rate_sigma_sizes_s: float = constant(2.0, before=1e9)
    position_sigma_max_rad: float = 0.025

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_range(name, value, above=0.0)


@dataclass(frozen=True, eq=False)
class KalmanStates:
    """States of n filters; every array is (n, 2), for yaw and pitch.

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
    def empty(cls) -> KalmanStates:
        """Return the states of no filter."""
        return cls(*(np.empty((0, 2)) for _ in range(5)))

    def __len__(self) -> int:
        return len(self.position)

    def predict(
        self, duration_s: float, model: MotionModel, is_followed: NDArray[np.bool_]
    ) -> KalmanStates:
        """Return the states after a time; `is_followed` (n,): the object was in the last frame."""
        is_followed = is_followed[:, None]
        memory = np.where(is_followed, model.rate_memory_s, model.unseen_rate_memory_s)
        variance = np.where(is_followed, model.rate_sigma_rad_s, model.unseen_rate_sigma_rad_s) ** 2
        keep = np.exp(-duration_s / memory)
        reach = memory * (1.0 - keep)
        # Exact process noise of the integrated Ornstein-Uhlenbeck process over this time.
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
        limit = 0.99 * np.sqrt(position_variance * rate_variance)  # keeps it positive definite
        # Out of sight a rate only counts as far as it is significant.
        square = self.rate**2
        trust = np.where(
            is_followed, 1.0, square / (square + _TRUST_VARIANCES * self.rate_variance)
        )
        return KalmanStates(
            _in_range(self.position + reach * self.rate * trust),
            keep * self.rate,
            position_variance,
            rate_variance,
            np.clip(covariance, -limit, limit),
        )

    def correct(
        self,
        rows: Rows,
        innovations: Matrix,
        variances: Matrix,
        tells_rate: NDArray[np.bool_],
    ) -> KalmanStates:
        """Return the states after measurements of `rows` (k,): innovations and variances (k, 2).

        Where `tells_rate` (k,) is false only the position is corrected, and the covariance is
        cleared: the jump must not show up as a rate later.
        """
        position_variance, covariance = self.position_variance[rows], self.covariance[rows]
        total = position_variance + variances
        gain = position_variance / total
        rate_gain = np.where(tells_rate[:, None], covariance / total, 0.0)
        after = KalmanStates(*(array.copy() for array in vars(self).values()))
        after.position[rows] = _in_range(after.position[rows] + gain * innovations)
        after.rate[rows] += rate_gain * innovations
        after.position_variance[rows] = (1.0 - gain) * position_variance
        after.covariance[rows] = np.where(tells_rate[:, None], (1.0 - gain) * covariance, 0.0)
        after.rate_variance[rows] -= rate_gain * covariance
        return after

    def inflate(self, least_variance: Matrix) -> KalmanStates:
        """Return the states with position variances of at least (n, 2) [rad^2]."""
        return replace(self, position_variance=np.maximum(self.position_variance, least_variance))

    def shift(self, rows: Rows, moves: Matrix) -> KalmanStates:
        """Return the states with the positions of `rows` (k,) moved by (k, 2). [rad]"""
        position = self.position.copy()
        position[rows] = _in_range(position[rows] + moves)
        return replace(self, position=position)

    def append_new(
        self,
        positions: Matrix,
        variances: Matrix,
        sizes_rad: NDArray[np.float64],
        may_move: NDArray[np.bool_],
        model: MotionModel,
    ) -> KalmanStates:
        """Return the states with k new ones appended.

        Args:
            positions, variances: (k, 2).
            sizes_rad: (k,) their longer sides.
            may_move: (k,) whether a rate can be told.
        """
        zeros = np.zeros_like(positions)
        moving = np.minimum(
            model.first_rate_sigma_rad_s, model.first_rate_sigma_sizes_s * sizes_rad
        )
        sigma = np.where(
            may_move,
            np.maximum(moving, model.unseen_rate_sigma_rad_s),
            model.unseen_rate_sigma_rad_s,
        )
        rates = zeros + sigma[:, None] ** 2
        new = KalmanStates(positions, zeros, variances, rates, zeros)
        pairs = zip(vars(self).values(), vars(new).values(), strict=True)
        return KalmanStates(*(np.concatenate(pair) for pair in pairs))

    def select(self, rows: Rows) -> KalmanStates:
        """Return the states `rows`, in that order."""
        return KalmanStates(*(array[rows] for array in vars(self).values()))


def _in_range(position: Matrix) -> Matrix:
    """Wrap the yaw of positions in place, and return them."""
    position[:, 0] = wrapped(position[:, 0])
    return position
