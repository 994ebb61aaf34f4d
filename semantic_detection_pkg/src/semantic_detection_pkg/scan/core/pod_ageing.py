"""How a probability of detection (POD) ages: who was not there when it was looked may be by now.

Somebody who is in a cell now was there at an earlier look with a chance that halves with every half
life, so the POD of that look counts by as much, and a later look adds to what is left of it. Shares
are computed in double precision and kept in single: last bits of a library do not show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Ages = NDArray[np.float64]


@dataclass(frozen=True)
class PodAgeing:
    """How fast PODs age.

    Attributes:
        half_life_s: after which they are half of what they were; 0: they do not age.
    """

    half_life_s: float = 0.0

    def exposure(self, exposure: Values, ages_s: Ages) -> Values:
        """Return what is left of an exposure after its age, which may be infinite.

        A POD is 1 - exp(-exposure), in parts of its ceiling, and falls by half in each half life.
        """
        if not self.half_life_s:
            return exposure
        kept = np.exp2(-np.maximum(ages_s, 0.0) / self.half_life_s)
        with np.errstate(divide="ignore"):
            left = -np.log1p(kept * np.expm1(-exposure.astype(np.float64)))
        return np.minimum(left.astype(np.float32), exposure)

    def parts(self, parts: list[Values], total: Values, ages_s: Ages) -> list[Values]:
        """Return what is left of the parts that an exposure `total` is made of: all alike."""
        if not self.half_life_s:
            return parts
        whole = np.where(total > 0.0, total, np.float32(1.0))
        share = self.exposure(total, ages_s) / whole
        return [part * share for part in parts]
