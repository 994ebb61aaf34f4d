"""Numbers that the kernels are given as a whole."""

from __future__ import annotations

from typing import NamedTuple


class PairRules(NamedTuple):
    """What a detection may be off a track, and what that costs; see `core.tracking.association`.

    Attributes:
        widest_rad: off the optical axis: no completed box reaches farther.
        growth_share: of the field of view: by less, a part does not extend the known size.
        small_share: of the known size: a box that is cut off and smaller is just some part of it.
        size_sigma: of the logarithm of a size: 35 % is one sigma.
        growth_sigma: the same where only a part is seen.
        unknown_sigma: the same where the object was never seen whole.
        small_px: added to sizes before they are compared: smaller ones say nothing.
        reference: variance [rad^2] at which the log determinant in the cost is zero.
        position_gate: squared Mahalanobis distance, chi-square with 2 degrees of freedom: 99.97 %.
        size_gate: the same of the two log sizes: 99.9 %.
        other_cost: of another class.
        other_gate: of position and size together: another class only where both fit well.
        miss_cost: above what any pair inside the gates costs.
        least_sizes: of its longer side: nothing stands nearer to another of its kind.
    """

    widest_rad: float = 1.4
    growth_share: float = 0.01
    small_share: float = 0.6
    size_sigma: float = 0.35
    growth_sigma: float = 0.18
    unknown_sigma: float = 0.8
    small_px: float = 2.0
    reference: float = 0.005**2
    position_gate: float = 16.0
    size_gate: float = 14.0
    other_cost: float = 6.0
    other_gate: float = 8.0
    miss_cost: float = 60.0
    least_sizes: float = 0.5


class GroupRules(NamedTuple):
    """How looks at one cell add up; see `core.look_groups.LookGroups`.

    Attributes:
        hits: looks of a group that have to find a thing.
        within: share of its exposure that a look adds to that of the best of its group.
        rest_looks: looks like the best, besides it, that the rest of a group counts for at most.
        sum_max: sums end here.
        group_s: [s] looks within this time from the first are a group.
        counts_max: counts of looks end here.
    """

    hits: int
    within: float
    rest_looks: float
    sum_max: float
    group_s: float
    counts_max: int
