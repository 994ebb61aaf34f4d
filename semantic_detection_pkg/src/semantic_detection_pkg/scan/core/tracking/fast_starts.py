"""Start tracks of what crosses the picture fast: three detections, evenly on a line.

A thing that was seen once is looked for within a few of its own sizes only, as in a crowd anything
farther off is likelier to be somebody else (`MotionModel.first_rate_sigma_sizes_s`). A bird, or
what a turning boat's camera passes, goes farther than that from one frame to the next. Two
detections cannot tell it from two things; a third one can, when it goes on as the first two went.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.optics import Matrix, wrapped

_SIGMAS = 3.0


@dataclass(frozen=True)
class FastStartSettings:
    """When three detections are one thing that moves.

    Attributes:
        rate_max_rad_s: faster ones are not looked for; 0: none is.
        change_share: sigma of how far a step differs from the one before, as a share of it.
        size_ratio_max: of the longer sides.
        spacing_steps: the nearest other of the class is at least so many steps away: one who
            stands nearer may be who was there before.
    """

    rate_max_rad_s: float = constant(1.5, before=0.0)
    change_share: float = 0.1
    size_ratio_max: float = 1.5
    spacing_steps: float = 2.0

    def __post_init__(self) -> None:
        for name in ("rate_max_rad_s", "change_share", "spacing_steps"):
            check_range(name, getattr(self, name), 0.0)
        check_range("size_ratio_max", self.size_ratio_max, 1.0)


@dataclass(frozen=True, eq=False)
class Sightings:
    """n detections.

    Attributes:
        stamps_ns, labels: (n,).
        bearings: (n, 2) [rad].
        sizes_rad: (n,) longer sides.
    """

    stamps_ns: NDArray[np.int64]
    labels: NDArray[np.intp]
    bearings: Matrix
    sizes_rad: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


def find_fast_starts(
    once: Sightings,
    now: Sightings,
    variances: Matrix,
    is_new: NDArray[np.bool_],
    settings: FastStartSettings,
) -> list[tuple[int, int, int]]:
    """Return (first, second, now) of each thing that moves, as indices, each at most once.

    Args:
        once: what was detected once, in frames before.
        now: all m detections of a frame.
        variances: (m, 2) [rad^2] of their bearings.
        is_new: (m,) which of them belong to no track.
        settings: when they are one.
    """
    found: list[tuple[int, int, int]] = []
    for last in np.flatnonzero(is_new).tolist():
        size = now.sizes_rad[last]
        is_alike = once.labels == now.labels[last]
        is_alike &= np.maximum(once.sizes_rad, size) <= settings.size_ratio_max * np.minimum(
            once.sizes_rad, size
        )
        rows = np.flatnonzero(is_alike).tolist()
        ways = [
            (first, second, last)
            for first in rows
            for second in rows
            if once.stamps_ns[first] < once.stamps_ns[second] < now.stamps_ns[last]
            and _goes_on(once, first, second, now, last, variances[last], settings)
        ]
        if len(ways) == 1:  # of two ways to have come nobody knows which
            found += ways
    rows = [row for first, second, _ in found for row in (first, second)]
    return [way for way in found if rows.count(way[0]) == rows.count(way[1]) == 1]


def _goes_on(
    once: Sightings,
    first: int,
    second: int,
    now: Sightings,
    last: int,
    variance: Matrix,
    settings: FastStartSettings,
) -> bool:
    """Return whether the second step is the first one again, for the time that it took."""
    before_s = float(once.stamps_ns[second] - once.stamps_ns[first]) * 1e-9
    after_s = float(now.stamps_ns[last] - once.stamps_ns[second]) * 1e-9
    ratio = after_s / before_s
    step = wrapped(once.bearings[second] - once.bearings[first])
    length_rad = float(np.hypot(step[0], step[1]))
    if length_rad > settings.rate_max_rad_s * before_s:
        return False
    off = wrapped(now.bearings[last] - once.bearings[second] - ratio * step)
    noise = variance * (1.0 + (1.0 + ratio) ** 2 + ratio**2)
    spread = noise + (settings.change_share * ratio * length_rad) ** 2
    if float((off * off / spread).sum()) > _SIGMAS**2:
        return False
    alike = now.bearings[(now.labels == now.labels[last]) & (np.arange(len(now)) != last)]
    away = wrapped(alike - now.bearings[last])
    spacing_rad = float(np.hypot(away[:, 0], away[:, 1]).min(initial=np.inf))
    return spacing_rad >= settings.spacing_steps * ratio * length_rad
