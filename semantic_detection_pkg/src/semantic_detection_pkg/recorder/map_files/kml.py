"""KML 2.2 (OGC 07-147r2), for Google Earth, QGIS, ATAK: points and ellipses in folders by state.

Heights are left out: KML counts them from the sea, ours are above the ellipsoid, so everything lies
on the ground. KMZ is a ZIP of the document and its pictures.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from html import escape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ros_support_pkg.core.words import CellResult, FindingState
from semantic_detection_pkg.common.core.coverage_ground import Outline
from semantic_detection_pkg.common.core.geojson import Ring, ellipse_rings, lon_lat
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, FINDING_COLOURS
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.map_files.items import (
    STATES,
    MapFinding,
    MapMission,
    described,
    time_text,
)

_NAMESPACE = "http://www.opengis.net/kml/2.2"
_COLOURS = {state.word: colour for state, colour in FINDING_COLOURS.items()}
_SEARCHED_COLOUR = CELL_COLOURS[CellResult.EMPTY]
_PICTURE_WIDTH = 240  # [px] in the balloon
#: ZIP has no time zone and no time before 1980: the same mission gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def kml(mission: MapMission) -> bytes:
    """Return the document alone, which has no room for pictures."""
    return _document(mission, {})


def kmz(mission: MapMission) -> bytes:
    """Return the document with the findings' thumbnails."""
    pictures = {one.number: f"files/{one.number}.jpg" for one in mission.findings if one.jpeg}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # Readers take the first document that they meet.
        info = zipfile.ZipInfo("doc.kml", _ZIP_TIME)
        archive.writestr(info, _document(mission, pictures), zipfile.ZIP_DEFLATED)
        for one in mission.findings:
            if one.jpeg:
                archive.writestr(zipfile.ZipInfo(pictures[one.number], _ZIP_TIME), one.jpeg)
    return packed.getvalue()


def _document(mission: MapMission, pictures: dict[int, str]) -> bytes:
    root = Element("kml", xmlns=_NAMESPACE)
    document = SubElement(root, "Document")
    _add(document, "name", mission.title)
    for state in STATES:
        _add_style(document, state, _COLOURS[state])
    _add_style(document, "searched", _SEARCHED_COLOUR)
    for state in (*STATES, ""):
        found = [
            (one, position)
            for one, position in mission.placed
            if (one.state if one.state in STATES else "") == state
        ]
        if not found:
            continue
        folder = SubElement(document, "Folder")
        _add(folder, "name", f"{state or 'other'} ({len(found)})")
        for one, position in found:
            _add_point(folder, one, position, pictures.get(one.number, ""))
            _add_ellipse(folder, one, position)
    if mission.searched:
        folder = SubElement(document, "Folder")
        _add(folder, "name", "Searched area")
        for outline in mission.searched:
            _add_area(folder, outline)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _add_point(parent: Element, one: MapFinding, position: Position, picture: str) -> None:
    placemark = SubElement(parent, "Placemark")
    _add(placemark, "name", one.name)
    lines = described(one, position)
    html = "<br/>".join(f"<b>{escape(label)}:</b> {escape(text)}" for label, text in lines)
    if picture:
        html = f'<img src="{picture}" width="{_PICTURE_WIDTH}"/><br/>{html}'
    _add(placemark, "description", html)
    _add(SubElement(placemark, "TimeStamp"), "when", time_text(one.time_ns))
    _add(placemark, "styleUrl", f"#{_style(one)}")
    data = SubElement(placemark, "ExtendedData")
    values = {"id": one.finding_id, "class": one.class_name, "state": one.state}
    for label, text in {**values, **dict(lines[1:])}.items():
        _add(SubElement(data, "Data", name=label), "value", text)
    point = SubElement(placemark, "Point")
    _add(point, "altitudeMode", "clampToGround")
    _add(point, "coordinates", _coordinates([lon_lat(position)]))


def _add_ellipse(parent: Element, one: MapFinding, position: Position) -> None:
    rings = ellipse_rings(position)
    if not rings:
        return
    placemark = SubElement(parent, "Placemark")
    _add(placemark, "name", f"{one.name}: 1 sigma")
    _add(placemark, "styleUrl", f"#{_style(one)}")
    shape = placemark if len(rings) == 1 else SubElement(placemark, "MultiGeometry")
    for ring in rings:
        _add_polygon(shape, Outline(ring))


def _add_area(parent: Element, outline: Outline) -> None:
    placemark = SubElement(parent, "Placemark")
    _add(placemark, "name", "Searched area")
    _add(placemark, "styleUrl", "#searched")
    _add_polygon(placemark, outline)


def _add_polygon(parent: Element, outline: Outline) -> None:
    polygon = SubElement(parent, "Polygon")
    _add(polygon, "altitudeMode", "clampToGround")
    borders = [("outerBoundaryIs", outline.outer)]
    borders += [("innerBoundaryIs", hole) for hole in outline.holes]
    for kind, ring in borders:
        border = SubElement(SubElement(polygon, kind), "LinearRing")
        _add(border, "coordinates", _coordinates(ring))


def _add_style(document: Element, name: str, colour: int) -> None:
    style = SubElement(document, "Style", id=name)
    _add(SubElement(style, "IconStyle"), "color", _abgr(colour, 0xFF))
    line = SubElement(style, "LineStyle")
    _add(line, "color", _abgr(colour, 0xFF))
    _add(line, "width", "2")
    _add(SubElement(style, "PolyStyle"), "color", _abgr(colour, 0x40))


def _style(one: MapFinding) -> str:
    return one.state if one.state in STATES else FindingState.CANDIDATE.word


def _abgr(colour: int, alpha: int) -> str:
    """Return a colour as KML writes it: alpha, blue, green, red."""
    red, green, blue = colour >> 16, colour >> 8 & 0xFF, colour & 0xFF
    return f"{alpha:02x}{blue:02x}{green:02x}{red:02x}"


def _coordinates(ring: Ring | Iterable[list[float]]) -> str:
    return " ".join(f"{longitude:.7f},{latitude:.7f}" for longitude, latitude in ring)


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = text
