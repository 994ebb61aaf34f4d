"""Masks from mask coefficients and prototypes, only inside the boxes, as polygons.

The mask of a detection is where sum_k(coefficient_k * prototype_k), interpolated bilinearly to the
picture's pixels, is > 0 inside its box: the definition of Ultralytics' `process_mask_native`.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation
from semantic_detection_pkg.detector.kernels.buffers import Float32Buffer


class SampleAxis(NamedTuple):
    """Which prototype column (or row) a place in the picture samples, fractional.

    At x px it is `gain * x + offset`, cut to `low`..`high`; the centre of pixel i is at i + 1/2.

    Attributes:
        gain: prototypes per pixel, > 0.
        offset: prototypes.
        low, high: prototypes, 0 <= low <= high <= number of columns (or rows) - 1.
    """

    gain: float
    offset: float
    low: float
    high: float

    def at(self, positions_px: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the samples at some places."""
        samples = self.gain * positions_px + self.offset
        return np.clip(samples, self.low, self.high).astype(np.float32)


class MaskTracer:
    """Finds the outlines of masks; keeps the buffers for it. Belongs to one thread.

    Nothing but the result is allocated once the buffers are large enough.
    """

    def __init__(self, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._kernel = (version or implementation("masks")).MaskTracer()
        self._single = Float32Buffer()

    def polygons(
        self,
        prototypes: NDArray[np.floating],
        coefficients: NDArray[np.float32],
        boxes_xyxy: NDArray[np.float32],
        columns: SampleAxis,
        rows: SampleAxis,
        tolerance_px: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return polygons of n masks. A pixel is in a box if lower <= its index < upper bound.

        Args:
            prototypes: (nm, mh, mw).
            coefficients: (n, nm).
            boxes_xyxy: (n, 4) pixels of the picture, inside it.
            columns, rows: which prototypes the picture's pixels sample.
            tolerance_px: outlines may be simplified by this much [px], >= 0; small masks are
                simplified less, by 1/200 of the square root of their box's area.

        Returns:
            points (p, 2), ring sizes (r,), rings of each detection (n,): see
            `core.detections.MaskRings`.

        Raises:
            ValueError: an argument is none of these.
        """
        count, channels = coefficients.shape
        if prototypes.ndim != 3 or len(prototypes) != channels or not prototypes.size:
            raise ValueError(f"masks: prototypes {prototypes.shape} must be ({channels}, h, w)")
        if boxes_xyxy.shape != (count, 4) or not np.isfinite(boxes_xyxy).all():
            raise ValueError(f"masks: boxes {boxes_xyxy.shape} must be ({count}, 4) and finite")
        for axis, length in ((columns, prototypes.shape[2]), (rows, prototypes.shape[1])):
            is_within = 0 <= axis.low <= axis.high <= length - 1
            if not (is_within and 0 < axis.gain < math.inf and math.isfinite(axis.offset)):
                raise ValueError(f"masks: {axis} does not fit {length} prototypes")
        return self._kernel.polygons(
            self._single.of(prototypes),
            np.ascontiguousarray(coefficients, np.float32),
            np.ascontiguousarray(boxes_xyxy, np.float32),
            columns,
            rows,
            tolerance_px,
        )
