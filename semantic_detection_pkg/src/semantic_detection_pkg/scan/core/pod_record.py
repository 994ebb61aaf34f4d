"""What a map of the POD knows, for a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PodRecord:
    """What a map knows, for a checkpoint.

    Attributes:
        class_names: of the first axis of `exposures`.
        exposures: (classes, hits + 3, rows, columns) float32: best looks and sum of looks of the
            group in hand, best group and sum of the groups before.
        group_since_s, last_look_s: (rows, columns) float64; -inf: never.
        finest: (rows, columns) float32, [px of the network's input per rad].
        look_counts: (rows, columns) uint16.
    """

    class_names: tuple[str, ...]
    exposures: NDArray[np.float32]
    group_since_s: NDArray[np.float64]
    last_look_s: NDArray[np.float64]
    finest: NDArray[np.float32]
    look_counts: NDArray[np.uint16]

    def of(self, class_names: Sequence[str]) -> PodRecord:
        """Return what is known of those of its classes that are among others."""
        kept = [index for index, name in enumerate(self.class_names) if name in class_names]
        names = tuple(self.class_names[index] for index in kept)
        return replace(self, class_names=names, exposures=self.exposures[kept])

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arrays in the order of the fields."""
        exposures, since = self.exposures, self.group_since_s
        return exposures, since, self.last_look_s, self.finest, self.look_counts
