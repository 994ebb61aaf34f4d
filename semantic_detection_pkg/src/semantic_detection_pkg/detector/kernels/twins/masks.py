"""Masks pixel by pixel, as they are defined: every pixel of a box is computed, then outlined."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.kernels import contours

if TYPE_CHECKING:
    from semantic_detection_pkg.detector.kernels.masks import SampleAxis

_LARGE = 1e30


class MaskTracer:
    """See `kernels.masks.MaskTracer`."""

    def polygons(
        self,
        prototypes: NDArray[np.float32],
        coefficients: NDArray[np.float32],
        boxes_xyxy: NDArray[np.float32],
        columns: SampleAxis,
        rows: SampleAxis,
        tolerance_px: float,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return outlines whose even-odd fill is exactly the mask, then simplified."""
        rings: list[NDArray[np.float32]] = []
        ring_counts = np.zeros(len(boxes_xyxy), np.uint32)
        for i, box in enumerate(boxes_xyxy.tolist()):
            field, left, top = mask_field(prototypes, coefficients[i], box, columns, rows)
            if not field.size:
                continue
            offset = np.array((left, top), np.float32)
            found = [
                contours.simplify(ring, tolerance_px, field.size) + offset
                for ring in contours.trace(field)
            ]
            ring_counts[i] = len(found)
            rings += found
        points = np.concatenate(rings) if rings else np.empty((0, 2), np.float32)
        return points, np.array([len(ring) for ring in rings], np.uint32), ring_counts


def mask_field(
    prototypes: NDArray[np.floating],
    coefficients: NDArray[np.float32],
    box_xyxy: list[float],
    columns: SampleAxis,
    rows: SampleAxis,
) -> tuple[NDArray[np.float32], int, int]:
    """Return the interpolated sum of one detection at the pixels of its box, and left and top.

    Pixels belong to the box if their index is >= its lower and < its upper bound.
    """
    left, top, right, bottom = (math.ceil(edge) for edge in box_xyxy)
    if left >= right or top >= bottom:
        return np.empty((0, 0), np.float32), left, top
    u = columns.at(np.arange(left, right) + 0.5)
    v = rows.at(np.arange(top, bottom) + 0.5)
    (u0, across), (v0, along) = _weights(u), _weights(v)
    window = prototypes[:, v0 : v0 + along.shape[1], u0 : u0 + across.shape[1]]
    # Weight columns beyond the last prototype are zero: positions end at it.
    height, width = window.shape[1:]
    with np.errstate(invalid="ignore", over="ignore"):
        logits = np.tensordot(coefficients, window.astype(np.float32), 1)
    # Finite, so that a weight of zero hides what it should; NaN becomes "not positive".
    logits = np.nan_to_num(logits, nan=-_LARGE, posinf=_LARGE, neginf=-_LARGE)
    return along[:, :height] @ logits @ across[:, :width].T, left, top


def _weights(positions: NDArray[np.float32]) -> tuple[int, NDArray[np.float32]]:
    """Return first sample and (n, samples) weights of linear interpolation at rising positions."""
    before = np.floor(positions).astype(np.intp)
    first = int(before[0])
    weights = np.zeros((len(positions), int(before[-1]) - first + 2), np.float32)
    line = np.arange(len(positions))
    share = (positions - before).astype(np.float32)
    weights[line, before - first] = 1 - share
    weights[line, before - first + 1] = share
    return first, weights
