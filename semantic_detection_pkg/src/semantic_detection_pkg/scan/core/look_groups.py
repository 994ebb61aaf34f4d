"""How looks at one cell add up: the best of a group, groups, and how many looks have to find it.

A thing counts as reported once it is a track that was confirmed, which takes some detections that
follow each other. As what is found in one look is found in the next one, too, or in neither, the
chance that so many looks of a group find it is that of the worst of the best so many.

What is known of a cell are parts: the exposures of the best looks of the group in hand, the best
first, the sum of all its looks, the best of the groups before, and their sum. Only additions,
products and comparisons: the same bits on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detection_curve import GROUP_LOOKS, Dependence
from semantic_detection_pkg.scan.kernels.rules import GroupRules

Values = NDArray[np.float32]

OTHER_PARTS = 3  # besides the best looks
_SUM_MAX = 1e6


@dataclass(frozen=True)
class LookGroups:
    """Adds up looks; parts are arrays of one shape.

    Attributes:
        hits: looks of a group that have to find a thing for it to be reported, >= 1; at most as
            many as there are best looks among the parts.
    """

    dependence: Dependence
    hits: int = 1

    def rules(self, counts_max: int) -> GroupRules:
        """Return the same for the kernels; `counts_max`: counts of looks end there."""
        dependence = self.dependence
        return GroupRules(
            self.hits,
            dependence.within,
            GROUP_LOOKS - 1,
            _SUM_MAX,
            dependence.group_s,
            counts_max,
        )

    def add_look(self, parts: list[Values], added: Values) -> None:
        """Change the parts to those after one more look of the group in hand; 0: none."""
        *best, total, _, _ = parts
        np.minimum(total + added, np.float32(_SUM_MAX), out=total)
        left = added
        for one in best:  # the new one takes its place, the others move down
            worse = np.minimum(one, left)
            np.maximum(one, left, out=one)
            left = worse

    def closed(self, parts: list[Values]) -> list[Values]:
        """Return the parts after the group in hand has become one of those before."""
        *best, total, past_best, past_sum = parts
        group = self.group(parts)
        nothing = np.zeros_like(total)
        past_sum = np.minimum(past_sum + group, np.float32(_SUM_MAX))
        return [*(nothing for _ in best), nothing, np.maximum(past_best, group), past_sum]

    def group(self, parts: list[Values]) -> Values:
        """Return the exposure of the group in hand."""
        *best, total, _, _ = parts
        counted = best[: self.hits]
        rest = np.maximum(total - reduce(np.add, counted), np.float32(0.0))
        rest = np.minimum(rest, np.float32(GROUP_LOOKS - 1) * counted[-1])
        return np.asarray(counted[-1] + np.float32(self.dependence.within) * rest)

    def total(self, parts: list[Values]) -> Values:
        """Return the exposure of all groups, that in hand included."""
        *_, past_best, past_sum = parts
        group = self.group(parts)
        highest = np.maximum(past_best, group)
        between = np.float32(self.dependence.between)
        return np.asarray(highest + between * (past_sum + group - highest), np.float32)
