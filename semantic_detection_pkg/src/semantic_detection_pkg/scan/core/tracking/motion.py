"""Kalman filters for the bearings and rates of many objects at once.

Yaw and pitch are two independent filters: their errors are hardly correlated (only by roll and far
off the optical axis), and everything stays elementwise, hence fast and the same in every run. Rates
decay exponentially (integrated Ornstein-Uhlenbeck process, in tracking known as Singer's model: R.
A. Singer, "Estimating Optimal Tracking Filter Performance for Manned Maneuvering Targets", 1970),
faster while an object is out of sight, so that it does not drift away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.optics import Matrix, wrapped
from semantic_detection_pkg.scan.kernels import implementation

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
    """States of n filters.

    Attributes:
        memory: (5, n, 2), for yaw and pitch: position [rad], yaw within -pi..pi, rate [rad/s],
            variances of position and of rate, covariance of both.
    """

    memory: NDArray[np.float64]

    @classmethod
    def empty(cls) -> KalmanStates:
        """Return the states of no filter."""
        return cls(np.empty((5, 0, 2)))

    def __len__(self) -> int:
        return self.memory.shape[1]

    @property
    def position(self) -> Matrix:
        """Return (n, 2) the positions."""
        return np.asarray(self.memory[0])

    @property
    def rate(self) -> Matrix:
        """Return (n, 2) the rates."""
        return np.asarray(self.memory[1])

    @property
    def position_variance(self) -> Matrix:
        """Return (n, 2) the variances of the positions."""
        return np.asarray(self.memory[2])

    def predict(
        self, duration_s: float, model: MotionModel, is_followed: NDArray[np.bool_]
    ) -> KalmanStates:
        """Return the states after a time; `is_followed` (n,): the object was in the last frame.

        Out of sight a rate only counts as far as it is significant.
        """
        terms = _terms(duration_s, model)
        most = model.position_sigma_max_rad**2
        kernel = implementation("tracking")
        return KalmanStates(kernel.predict(self.memory, is_followed, terms, _TRUST_VARIANCES, most))

    def correct(
        self,
        rows: Rows,
        innovations: Matrix,
        variances: Matrix,
        tells_rate: NDArray[np.bool_],
        is_growth: NDArray[np.bool_],
    ) -> None:
        """Correct the states in place by measurements of `rows` (k,), each at most once.

        Args:
            innovations, variances: (k, 2).
            tells_rate: (k,) where it is false only the position is corrected, and the covariance is
                cleared: the jump must not show up as a rate later.
            is_growth: (k, 2) where it is true an innovation means that more of the object came into
                view: its centre moves, the object does not.
        """
        kernel = implementation("tracking")
        kernel.correct(self.memory, rows, innovations, variances, tells_rate, is_growth)

    def restart(
        self,
        rows: Rows,
        positions: Matrix,
        positions_before: Matrix,
        variances: Matrix,
        elapsed_s: NDArray[np.float64],
    ) -> None:
        """Begin the filters `rows` (k,) anew in place, from two measurements each.

        Two-point differencing (Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to
        Tracking and Navigation", 2001, 5.5.3).

        Args:
            positions, positions_before, variances: (k, 2) now, before, and of both.
            elapsed_s: (k,) between them.
        """
        duration = elapsed_s[:, None]
        rates = wrapped(positions - positions_before) / duration
        self.memory[:, rows] = (
            positions,
            rates,
            variances,
            2.0 * variances / duration**2,
            variances / duration,
        )

    def inflate(self, least_variance: Matrix) -> None:
        """Raise the variances of positions to at least (n, 2) [rad^2], in place."""
        np.maximum(self.position_variance, least_variance, out=self.position_variance)

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
        new = np.array([positions, zeros, variances, rates, zeros])
        return KalmanStates(np.concatenate([self.memory, new], axis=1))

    def select(self, rows: Rows) -> KalmanStates:
        """Return the states `rows`, in that order."""
        return KalmanStates(self.memory.take(rows, axis=1))


def _terms(duration_s: float, model: MotionModel) -> Matrix:
    """Return what a time does to objects that are not followed, and to those that are: (2, 5).

    Of each the share of its rate that is kept, the reach of a rate [s], and the exact process noise
    of the integrated Ornstein-Uhlenbeck process: of position, of both, of rate.
    """
    memories = model.unseen_rate_memory_s, model.rate_memory_s
    sigmas = model.unseen_rate_sigma_rad_s, model.rate_sigma_rad_s
    keeps = np.exp(-duration_s / np.array(memories)).tolist()
    terms = []
    for keep, memory, sigma in zip(keeps, memories, sigmas, strict=True):
        noise, lost = sigma * sigma * memory, 1.0 - keep
        spread = noise * (2 * duration_s - memory * (3 - 4 * keep + keep * keep))
        rate_noise = sigma * sigma * (1.0 - keep * keep)
        terms.append((keep, memory * lost, spread, noise * (lost * lost), rate_noise))
    return np.array(terms)
