"""Reads the ground around a place from a GeoTIFF, by rasterio (an optional extra).

The heights are resampled to a grid of metres, east and north of the place. The file may be in any
projection of a datum that is WGS 84 within two metres: those of its ellipsoid or of that of GRS 80.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.terrain import Grid, Terrain, TerrainSettings, pack_terrain

REACH_M = 2500.0  # to each side
_SPACING_M = (10.0, 1000.0)  # at least the file's
_METRES = {
    **dict.fromkeys(("", "m", "metre", "meter", "metres", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
    **dict.fromkeys(("us-ft", "ftus", "us survey foot", "us survey feet"), 1200.0 / 3937.0),
}
_ELLIPSOID = re.compile(r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([\d.]+),\s*([\d.]+)')
_DATUM = re.compile(r'(?:DATUM|ENSEMBLE)\["([^"]*)"')
_HINT = "gdalwarp -t_srs EPSG:4326 makes one of it"
_LOWEST_M, _HIGHEST_M = -1000.0, 9500.0  # of ground


def check_terrain(settings: TerrainSettings) -> None:
    """Check that the file is a terrain model.

    Raises:
        ConfigurationError: it is none, or rasterio is not installed; one line.
    """
    with _opened(settings.terrain_file):
        pass


def read_terrain(settings: TerrainSettings, latitude_deg: float, longitude_deg: float) -> Terrain:
    """Return the ground around a place.

    Raises:
        ConfigurationError: see `check_terrain`; or the place is not in the file; one line.
    """
    with _opened(settings.terrain_file) as (rasterio, file):
        at = f"{latitude_deg:.5f}, {longitude_deg:.5f}"
        if not _holds(rasterio, file, latitude_deg, longitude_deg):
            raise ConfigurationError(f"the robot at {at} is outside it, {_extent(rasterio, file)}")
        low, high = _SPACING_M
        spacing_m = min(max(low, _resolution_m(file)), high)
        heights = _heights(rasterio, file, (latitude_deg, longitude_deg), spacing_m)
        place = latitude_deg, longitude_deg
        zero_m = 0.0 if _is_ellipsoidal(file) else settings.geoid_height_m
        terrain = pack_terrain(Path(settings.terrain_file).name, place, spacing_m, heights, zero_m)
        # Between heights they are linear, so those around have to be known, too.
        if terrain is None or math.isnan(terrain.height_at((0.0, 0.0))):
            raise ConfigurationError(
                f"it has no data where the robot is, at {at}, or right beside it"
            )
        return terrain


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any]]:
    """Open the file, and say in one line what it is that does not do."""
    named = f"terrain_file '{path}'"
    if not Path(path).is_file():
        raise ConfigurationError(f"{named}: there is no such file")
    try:
        rasterio, _ = import_module("rasterio"), import_module("rasterio.warp")
        errors, gdal = import_module("rasterio.errors"), import_module("rasterio._err")
    except ImportError as error:
        raise ConfigurationError(
            f"{named}: rasterio is needed, pip install rasterio brings it ({error})"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff") as file:
                _check(file)
                yield rasterio, file
    except ConfigurationError as error:
        raise ConfigurationError(f"{named}: {error}") from error
    except (errors.RasterioError, gdal.CPLE_BaseError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{named}: cannot be read as a GeoTIFF: {reason}") from error


def _check(file: Any) -> None:
    """Check georeference, datum, unit and kind of the values.

    Raises:
        ConfigurationError: one of them does not do.
    """
    if file.count != 1 or np.dtype(file.dtypes[0]).kind not in "iuf":
        raise ConfigurationError(
            f"it has {file.count} bands of {file.dtypes[0]}, one band of heights is needed"
        )
    turn = file.transform
    if file.crs is None or turn.is_identity or not abs(turn.determinant) > 0.0:
        raise ConfigurationError(f"it has no georeference, GeoTIFF keys are needed; {_HINT}")
    text = file.crs.to_wkt()
    shape, datum = _ELLIPSOID.search(text), _DATUM.search(text)
    if shape is None or not (file.crs.is_geographic or file.crs.is_projected):
        raise ConfigurationError("its coordinates are not on the Earth, latitude and longitude are")
    axis_m, flattening = float(shape[1]), float(shape[2])
    if abs(axis_m - 6378137.0) > 0.5 or abs(flattening - 298.2572) > 0.001:
        name = "unknown" if datum is None else datum[1].replace("_", " ")
        raise ConfigurationError(
            f"its datum is '{name}', WGS 84 or one like it (ETRS89, NAD83) is allowed; {_HINT}"
        )
    _metres(file)


def _metres(file: Any) -> float:
    """Return how long the unit of the heights is. [m]"""
    unit = (file.units[0] or "").strip()
    if unit.lower() not in _METRES:
        raise ConfigurationError(f"its heights are in '{unit}', metres or feet are allowed")
    return _METRES[unit.lower()]


def _is_ellipsoidal(file: Any) -> bool:
    """Return whether the file itself says that its heights count from the ellipsoid."""
    return "ellipsoidal height" in file.crs.to_wkt(version="WKT2_2019").lower()


def _holds(rasterio: Any, file: Any, latitude_deg: float, longitude_deg: float) -> bool:
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 360.0):
        return False
    xs, ys = rasterio.warp.transform("EPSG:4326", file.crs, [longitude_deg], [latitude_deg])
    if not (math.isfinite(xs[0]) and math.isfinite(ys[0])):
        return False
    back = ~file.transform
    # A file across 180 deg counts on, to 180.1, where a receiver says -179.9.
    turns = (0.0, 360.0, -360.0) if file.crs.is_geographic else (0.0,)
    for turn in turns:
        column, row = back @ (xs[0] + turn, ys[0])
        if 0.0 <= column <= file.width and 0.0 <= row <= file.height:
            return True
    return False


def _extent(rasterio: Any, file: Any) -> str:
    west, south, east, north = rasterio.warp.transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    return f"which is latitude {south:.5f}..{north:.5f}, longitude {west:.5f}..{east:.5f}"


def _resolution_m(file: Any) -> float:
    """Return the side of a cell of the file, roughly. [m]"""
    side = math.sqrt(abs(file.transform.determinant))
    if file.crs.is_geographic:
        return side * 111_320.0
    return side * float(file.crs.linear_units_factor[1])


def _heights(rasterio: Any, file: Any, place: tuple[float, float], spacing_m: float) -> Grid:
    """Return (rows, columns) of heights around a place, rows from the south; NaN: not known. [m]"""
    steps = max(1, round(REACH_M / spacing_m))
    edge_m = (steps + 0.5) * spacing_m
    heights = np.full((2 * steps + 1, 2 * steps + 1), np.nan)
    latitude, longitude = place
    rasterio.warp.reproject(
        source=rasterio.band(file, 1),
        destination=heights,
        src_nodata=file.nodata,
        dst_crs=f"+proj=aeqd +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m +no_defs",
        dst_transform=rasterio.Affine(spacing_m, 0.0, -edge_m, 0.0, -spacing_m, edge_m),
        dst_nodata=np.nan,
        resampling=rasterio.warp.Resampling.bilinear,
    )
    heights = _metres(file) * (heights * file.scales[0] + file.offsets[0])
    heights[~((heights >= _LOWEST_M) & (heights <= _HIGHEST_M))] = np.nan
    return np.ascontiguousarray(heights[::-1])
