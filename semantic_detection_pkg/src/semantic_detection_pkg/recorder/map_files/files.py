"""The kinds of map files by name, and how they are written beside a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semantic_detection_pkg.recorder.evidence.rendering import write_bytes
from semantic_detection_pkg.recorder.map_files.geojson_file import geojson
from semantic_detection_pkg.recorder.map_files.geotiff import geotiff
from semantic_detection_pkg.recorder.map_files.gpx import gpx
from semantic_detection_pkg.recorder.map_files.items import MapMission
from semantic_detection_pkg.recorder.map_files.kml import kml, kmz
from semantic_detection_pkg.recorder.map_files.table import table

MAKERS: dict[str, Callable[[MapMission], bytes]] = {
    "kml": kml,
    "kmz": kmz,
    "gpx": gpx,
    "geojson": geojson,
    "csv": table,
    "geotiff": geotiff,
}
#: As IANA or the format's owner has it.
MEDIA_TYPES = {
    "kml": "application/vnd.google-earth.kml+xml",
    "kmz": "application/vnd.google-earth.kmz",
    "gpx": "application/gpx+xml",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
}


_POD_FILE = "pod.tif"


def file_name(kind: str) -> str:
    """Return what a file of a kind is called."""
    return _POD_FILE if kind == "geotiff" else f"findings.{kind}"


def write_map_file(mission: MapMission, kind: str, folder: Path) -> Path:
    """Write one of the kinds into a folder; what was there is replaced.

    Raises:
        ConfigurationError: the mission has nothing of that kind.
        StorageError: it cannot be written.
    """
    path = folder / file_name(kind)
    write_bytes(path, MAKERS[kind](mission))
    return path
