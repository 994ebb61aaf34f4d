"""Masks from mask coefficients and prototypes, only inside the boxes, as polygons.

The mask of a detection is where sum_k(coefficient_k * prototype_k), interpolated bilinearly to the
picture's pixels, is > 0 inside its box: the definition of Ultralytics' `process_mask_native`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.kernels import contours

_LARGE = 1e30


def mask_polygons(
    prototypes: NDArray[np.floating],
    coefficients: NDArray[np.float32],
    boxes_xyxy: NDArray[np.float32],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    tolerance_px: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Polygons of n masks.

    Args:
        prototypes: (nm, mh, mw).
        coefficients: (n, nm).
        boxes_xyxy: (n, 4) pixels of the picture, inside it.
        columns: (width,) which column of the prototypes each pixel column of the picture samples,
            fractional, rising, 0..mw-1.
        rows: (height,) likewise rows.
        tolerance_px: outlines may be simplified by this much [px], >= 0.

    Returns:
        points (p, 2), ring sizes (r,), rings of each detection (n,): see
        `core.detections.MaskRings`.
    """
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
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
) -> tuple[NDArray[np.float32], int, int]:
    """The interpolated sum of one detection at the pixels of its box, with the box's left and top.

    Pixels belong to the box if their index is >= its lower and < its upper bound.
    """
    left, top, right, bottom = (math.ceil(edge) for edge in box_xyxy)
    u, v = columns[left:right], rows[top:bottom]
    if not len(u) or not len(v):
        return np.empty((0, 0), np.float32), left, top
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
    """First sample and the (n, samples) weights of linear interpolation at rising positions."""
    before = np.floor(positions).astype(np.intp)
    first = int(before[0])
    weights = np.zeros((len(positions), int(before[-1]) - first + 2), np.float32)
    line = np.arange(len(positions))
    share = (positions - before).astype(np.float32)
    weights[line, before - first] = 1 - share
    weights[line, before - first + 1] = share
    return first, weights
