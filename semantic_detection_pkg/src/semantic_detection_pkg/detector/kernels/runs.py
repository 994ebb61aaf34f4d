"""Run lengths of masks that are kept as polygons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation

_implementation = implementation("runs")


def outline_runs(
    points: NDArray[np.floating], ring_sizes: NDArray[np.integer], width: int, height: int
) -> NDArray[np.int32]:
    """Return the pixels whose centres lie inside an odd number of rings, as runs.

    Equal to `kernels.contours.fill`, without a picture: what a mask's area, centre of mass, overlap
    with another one or COCO's run lengths are made of.

    Args:
        points: (p, 2) x, y [px], ring after ring, finite.
        ring_sizes: (r,) points of each ring.
        width, height: of the picture [px], >= 1.

    Returns:
        (k, 3) row, first column, column after the last one; by row, then column; runs of one row
        do not touch.

    Raises:
        ValueError: an argument is none of these.
    """
    places = np.ascontiguousarray(points, np.float64)
    sizes = np.ascontiguousarray(ring_sizes, np.intp)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ValueError(f"runs: points {places.shape} must be (n, 2) and finite")
    if sizes.ndim != 1 or (sizes.size and sizes.min() < 1) or sizes.sum() != len(places):
        raise ValueError(f"runs: ring sizes {sizes} must be >= 1 and add up to {len(places)}")
    if min(width, height) < 1:
        raise ValueError(f"runs: picture {width}x{height} must be at least 1x1")
    return _implementation.outline_runs(places, sizes, width, height)
