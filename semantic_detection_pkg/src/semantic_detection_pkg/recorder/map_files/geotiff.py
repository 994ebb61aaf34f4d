"""The probability of detection on the ground as GeoTIFF (OGC 19-008r4), a band for each class.

Pixels are of equal size in degrees, WGS 84. Each asks the cell that its middle lies in, so nothing
is smeared: 0..100 [%], 255 where no cell was looked at. Written by tifffile, which scikit-image
brings along; GDAL, 30 times as large, would do nothing more here.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
import pymap3d
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.coverage_ground import CoverageGround, on_ground
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.map_files.items import MapMission, clean

_SIDE_MAX_PX = 1500
_NOTHING = 255
_FINEST_M = 0.1
_METRES_PER_DEG = 111_320.0
_SUBPIXEL_BITS = 4  # of corners that are drawn
_SUBPIXEL = 1 << _SUBPIXEL_BITS

# Tags and keys of GeoTIFF, and GDAL's own two.
_PIXEL_SCALE, _TIEPOINT, _KEY_DIRECTORY = 33550, 33922, 34735
_GDAL_METADATA, _GDAL_NODATA = 42112, 42113
_GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)  # WGS 84, pixels are areas
_DOUBLE, _SHORT, _ASCII = 12, 3, 2
_NO_MARKUP = dict.fromkeys(map(ord, "<>&"))  # GDAL itself escapes them twice, others once


@dataclass(frozen=True)
class PodRaster:
    """The POD of some classes on a grid, north up.

    Attributes:
        class_names: of the bands.
        percent: (bands, rows, columns) uint8, 255: not looked at.
        west_deg, north_deg: of the outer corner.
        step_deg: (east, south), sides of a pixel.
    """

    class_names: tuple[str, ...]
    percent: NDArray[np.uint8]
    west_deg: float
    north_deg: float
    step_deg: tuple[float, float]


def geotiff(mission: MapMission) -> bytes:
    """Return the file.

    Raises:
        ConfigurationError: the mission has no POD on the ground.
    """
    raster = None if mission.coverage is None else pod_raster(mission.coverage)
    if raster is None:
        raise ConfigurationError(
            "no GeoTIFF: no probability of detection is known on the ground, which needs the "
            "robot's position and its height above the ground"
        )
    east, south = raster.step_deg
    names = "".join(
        f'<Item name="DESCRIPTION" sample="{index}" role="description">'
        f"{clean(name).translate(_NO_MARKUP)} POD %</Item>"
        for index, name in enumerate(raster.class_names)
    )
    import tifffile  # large; the page knows this module for the names of the formats

    data = io.BytesIO()
    tifffile.imwrite(
        data,
        raster.percent,
        photometric="minisblack",
        planarconfig="separate",
        compression="zlib",
        metadata=None,
        extratags=[
            (_PIXEL_SCALE, _DOUBLE, 3, (east, south, 0.0), True),
            (_TIEPOINT, _DOUBLE, 6, (0.0, 0.0, 0.0, raster.west_deg, raster.north_deg, 0.0), True),
            (_KEY_DIRECTORY, _SHORT, len(_GEO_KEYS), _GEO_KEYS, True),
            (_GDAL_METADATA, _ASCII, None, f"<GDALMetadata>{names}</GDALMetadata>", True),
            (_GDAL_NODATA, _ASCII, None, str(_NOTHING), True),
        ],
    )
    return data.getvalue()


def pod_raster(message: object, side_max_px: int = _SIDE_MAX_PX) -> PodRaster | None:
    """Return the POD of a message of type Coverage on the ground; None where it is not known."""
    ground = on_ground(message)
    if ground is None or not ground.shown.any():
        return None
    classes = getattr(message, "classes", ())
    if not classes or any(len(one.pod_percent) != ground.shown.size for one in classes):
        return None
    corners = ground.corners(np.flatnonzero(ground.shown)).reshape(-1, 2)
    latitude, longitude, _ = ground.place
    corners[:, 0] -= 360.0 * np.round((corners[:, 0] - longitude) / 360.0)  # across 180 degrees
    west, south = corners.min(axis=0)
    east, north = corners.max(axis=0)
    scale = (_METRES_PER_DEG * math.cos(math.radians(latitude)), _METRES_PER_DEG)
    sides_m = ((east - west) * scale[0], (north - south) * scale[1])
    pixel_m = max(_FINEST_M, *(side / side_max_px for side in sides_m))
    columns, rows = (max(1, math.ceil(side / pixel_m)) for side in sides_m)
    step = ((east - west) / columns, (north - south) / rows)
    if ground.log_ranges is None:
        cells = _cells_at(
            ground,
            west + step[0] * (np.arange(columns) + 0.5),
            north - step[1] * (np.arange(rows) + 0.5),
        )
    else:
        pixels = (corners - (west, north)) / (step[0], -step[1])
        cells = _cells_drawn(ground, pixels.reshape(-1, 4, 2), (rows, columns))
    known = np.append(ground.shown, False)[cells]  # -1 is no cell
    percent = np.full((len(classes), rows, columns), _NOTHING, np.uint8)
    for band, one in zip(percent, classes, strict=True):
        band[known] = np.minimum(np.asarray(one.pod_percent, np.uint8), 100)[cells[known]]
    names = tuple(str(one.class_name) for one in classes)
    return PodRaster(names, percent, float(west), float(north), step)


def _cells_drawn(
    ground: CoverageGround, rings_px: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.intp]:
    """Return (rows, columns) the cell that is drawn at each pixel, the nearer ones last; -1: none.

    Args:
        rings_px: (shown cells, 4, 2) corners.
    """
    import cv2  # as above

    cells = np.flatnonzero(ground.shown)
    drawn = np.full(shape, -1, np.int32)
    rings = np.round((rings_px - 0.5) * _SUBPIXEL).astype(np.int32)
    for at in np.argsort(-np.asarray(ground.message.range_m)[cells], kind="stable").tolist():
        cv2.fillPoly(drawn, [rings[at]], int(cells[at]), shift=_SUBPIXEL_BITS)
    return drawn.astype(np.intp)


def _cells_at(
    ground: CoverageGround, longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return (rows, columns) the cell that lies at each place [deg]; -1: none."""
    message = ground.message
    grid_latitude, grid_longitude = np.meshgrid(latitude, longitude, indexing="ij")
    base_m = ground.place[2]
    east, north, _ = pymap3d.geodetic2enu(
        grid_latitude, grid_longitude, base_m - ground.height_m, *ground.place
    )
    down = np.full_like(east, -ground.height_m)  # the ground is a plane, as in `at`
    x, y, z = np.tensordot(ground.turn.T, np.stack([east, north, down]), axes=1)
    cell = float(message.cell_rad)
    yaw = np.arctan2(y, x) - message.yaw_min_rad
    column = np.floor(np.mod(yaw, math.tau) / cell).astype(np.intp)
    pitch = np.arctan2(-z, np.hypot(x, y)) - message.pitch_min_rad
    row = np.floor(pitch / cell).astype(np.intp)
    is_inside = (column < int(message.columns)) & (row >= 0) & (row < int(message.rows))
    return np.where(is_inside, row * int(message.columns) + column, -1)
