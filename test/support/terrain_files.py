"""Terrain models as surveys give them out: GeoTIFF, one band of heights."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_heights(
    path: Path, heights_m: NDArray[np.float32], corner_deg: tuple[float, float], side_deg: float
) -> Path:
    """Write heights (rows from the north, columns from the west) in degrees of WGS 84.

    Args:
        corner_deg: longitude and latitude of the north-western corner.
        side_deg: of a cell.
    """
    import rasterio  # an optional extra: who calls this has it

    rows, columns = heights_m.shape
    west, north = corner_deg
    with warnings.catch_warnings():  # of rasterio about affine, which it multiplies
        warnings.simplefilter("ignore")
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=columns,
            height=rows,
            count=1,
            dtype="float32",
            crs="EPSG:4326",
            transform=rasterio.Affine(side_deg, 0.0, west, 0.0, -side_deg, north),
        ) as file:
            file.write(heights_m, 1)
    return path
