"""Files of map tiles, made for tests: each tile a picture that says which one it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from math import asinh, floor, pi, radians, tan
from pathlib import Path

import cv2
import numpy as np
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import write

SIDE_PX = 256
GREEN_BGR = (140, 190, 150)


def tile_of(zoom: int, latitude_deg: float, longitude_deg: float) -> tuple[int, int]:
    """Column and row of the tile that a place lies in."""
    count = 1 << zoom
    column = (longitude_deg + 180.0) / 360.0 * count
    row = (1.0 - asinh(tan(radians(latitude_deg))) / pi) / 2.0 * count
    return floor(column), floor(row)


def picture(zoom: int, column: int, row: int, kind: str = ".png") -> bytes:
    """A green tile with its border and its numbers."""
    image = np.full((SIDE_PX, SIDE_PX, 3), GREEN_BGR, np.uint8)
    cv2.rectangle(image, (0, 0), (SIDE_PX - 1, SIDE_PX - 1), (110, 160, 120), 1)
    cv2.circle(image, (70, 90), 30, (100, 150, 110), -1)
    cv2.line(image, (0, 200), (255, 60), (190, 215, 220), 5)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, f"{zoom}/{column}/{row}", (12, 30), font, 0.55, (60, 90, 60), 1, cv2.LINE_AA)
    is_done, data = cv2.imencode(kind, image)
    assert is_done
    return bytes(data)


def around(
    place: tuple[float, float], zooms: range, reach: int = 1
) -> Iterator[tuple[int, int, int]]:
    """The tiles around a place, (zoom, column, row)."""
    for zoom in zooms:
        column, row = tile_of(zoom, *place)
        for right in range(-reach, reach + 1):
            for down in range(-reach, reach + 1):
                at = column + right, row + down
                if all(0 <= one < 1 << zoom for one in at):
                    yield (zoom, *at)


def make_mbtiles(
    path: Path,
    place: tuple[float, float],
    *,
    zooms: range = range(10, 18),
    reach: int = 1,
    kind: str = ".png",
    metadata: dict[str, str] | None = None,
) -> None:
    """Write an MBTiles file of the tiles around a place."""
    said = {"name": "test", "format": kind[1:], "attribution": "<b>&copy; Nobody</b>"}
    said |= {"minzoom": str(zooms[0]), "maxzoom": str(zooms[-1])} if metadata is None else metadata
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        base.execute(
            "CREATE TABLE tiles (zoom_level INT, tile_column INT, tile_row INT, tile_data BLOB)"
        )
        base.execute("CREATE UNIQUE INDEX tile ON tiles (zoom_level, tile_column, tile_row)")
        base.executemany("INSERT INTO metadata VALUES (?, ?)", said.items())
        for zoom, column, row in around(place, zooms, reach):
            southern = (1 << zoom) - 1 - row
            base.execute(
                "INSERT INTO tiles VALUES (?, ?, ?, ?)",
                (zoom, column, southern, picture(zoom, column, row, kind)),
            )
    base.close()


def make_pmtiles(
    path: Path,
    place: tuple[float, float],
    *,
    zooms: range = range(10, 18),
    reach: int = 1,
    tile_type: TileType = TileType.PNG,
) -> None:
    """Write a PMTiles file of the tiles around a place."""
    kind = ".jpg" if tile_type is TileType.JPEG else ".png"
    tiles = sorted(around(place, zooms, reach), key=lambda one: zxy_to_tileid(*one))
    with write(str(path)) as writer:
        for one in tiles:
            writer.write_tile(zxy_to_tileid(*one), picture(*one, kind))
        latitude, longitude = (round(1e7 * one) for one in place)
        writer.finalize(
            {
                "tile_type": tile_type,
                "tile_compression": Compression.NONE,
                "min_zoom": zooms[0],
                "max_zoom": zooms[-1],
                "min_lon_e7": longitude - 10_000_000,
                "max_lon_e7": longitude + 10_000_000,
                "min_lat_e7": latitude - 10_000_000,
                "max_lat_e7": latitude + 10_000_000,
                "center_zoom": zooms[0],
                "center_lon_e7": longitude,
                "center_lat_e7": latitude,
            },
            {"name": "test", "attribution": "© Nobody"},
        )
