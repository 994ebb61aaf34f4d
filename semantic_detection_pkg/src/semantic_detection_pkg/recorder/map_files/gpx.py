"""GPX 1.1 (topografix.com), for hand-held receivers: a waypoint each, its ellipse as a track.

No elevation is written: GPX counts it from the sea, ours is above the ellipsoid.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from semantic_detection_pkg.common.core.geojson import ellipse_rings, lon_lat
from semantic_detection_pkg.recorder.map_files.items import MapMission, described, time_text

_NAMESPACE = "http://www.topografix.com/GPX/1/1"
#: Names of symbols that Garmin's receivers know; others show their own.
_SYMBOLS = {
    "confirmed": "Flag, Green",
    "uncertain": "Flag, Red",
    "candidate": "Flag, Blue",
}
_OTHER_SYMBOL = "Waypoint"


def gpx(mission: MapMission) -> bytes:
    """Return the document."""
    root = Element("gpx", version="1.1", creator="semantic detection", xmlns=_NAMESPACE)
    about = SubElement(root, "metadata")
    _add(about, "name", mission.title)
    _add(about, "time", time_text(mission.end_ns))
    for one, position in mission.placed:
        longitude, latitude = lon_lat(position)
        point = SubElement(root, "wpt", lat=f"{latitude:.7f}", lon=f"{longitude:.7f}")
        text = "\n".join(f"{label}: {text}" for label, text in described(one, position))
        _add(point, "time", time_text(one.time_ns))
        _add(point, "name", one.name)
        _add(point, "cmt", text)  # receivers show the one or the other
        _add(point, "desc", text)
        _add(point, "sym", _SYMBOLS.get(one.state, _OTHER_SYMBOL))
        _add(point, "type", one.state)
    for one, position in mission.placed:
        rings = ellipse_rings(position)
        if not rings:
            continue
        track = SubElement(root, "trk")
        _add(track, "name", f"{one.name}: 1 sigma")
        for ring in rings:
            segment = SubElement(track, "trkseg")
            for longitude, latitude in ring:
                edge = _below_180(longitude)
                SubElement(segment, "trkpt", lat=f"{latitude:.7f}", lon=f"{edge:.7f}")
    ElementTree.indent(root)
    text_bytes: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text_bytes


def _below_180(longitude_deg: float) -> float:
    """Return a longitude below 180 degrees, which GPX asks for."""
    return min(longitude_deg, 179.9999999)


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text
