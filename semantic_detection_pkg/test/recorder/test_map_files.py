"""Map files as other people's libraries read them: fastkml, gpxpy, csv, json, GDAL."""

import csv
import io
import json
import math
import zipfile
from dataclasses import replace

import cv2
import fastkml
import gpxpy
import numpy as np
import pymap3d
import pytest
import rasterio
from fastkml.validator import validate
from lxml import etree

from semantic_detection_pkg.common.core.coordinates import mgrs_of
from semantic_detection_pkg.common.core.geojson import ellipse_rings
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.map_files.files import MAKERS, MEDIA_TYPES
from semantic_detection_pkg.recorder.map_files.geotiff import pod_raster
from semantic_detection_pkg.recorder.map_files.items import MapFinding, MapMission, numbered
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank

KML = "{http://www.opengis.net/kml/2.2}"
GPX = "{http://www.topografix.com/GPX/1/1}"
JPEG = cv2.imencode(".jpg", np.full((24, 32, 3), 90, np.uint8))[1].tobytes()
NASTY = "=cmd|' /C calc'!A0 <b>&\"tent\"</b> ]]> \ufffe\x00\x1b\u202e ä 帐篷"
PLACES = [
    (47.1234567, 8.7654321), (-33.8567844, 151.2152967), (64.5, -179.9999999), (0.0, 0.0),
    (-54.80191, -68.30295), (84.5, 12.0), (52.5, 187.25),
]  # fmt: skip


def found(number, latitude=47.1, longitude=8.7, major_m=12.0, **changes):
    position = Position(latitude, longitude, 512.3, 84.0, major_m, major_m / 3, 0.6)
    values = {
        "finding_id": f"{START_NS}-{number}",
        "class_name": "tent",
        "state": "confirmed",
        "score": 0.87,
        "time_ns": START_NS + number * NS_PER_S,
        "position": position,
        "yaw_rad": 0.3,
        "pitch_rad": 0.2,
        "decided_by": "tier 2: sure",
        "jpeg": JPEG,
    }
    return MapFinding(**{**values, **changes})


def mission(*findings, **changes):
    findings = findings or tuple(found(i, *place) for i, place in enumerate(PLACES, start=1))
    return MapMission(START_NS, START_NS + 60 * NS_PER_S, ("tent",), numbered(findings), **changes)


def longitudes_agree(one, other):
    return abs(math.remainder(one - other, 360.0)) <= 1e-7


def coverage(**changes):
    """20 by 8 cells of 2 degrees, 15..31 down, on both sides of north-east; a hole, and a gap."""
    cell = math.radians(2.0)
    pitch = math.radians(15.0) + cell * (np.repeat(np.arange(8), 20) + 0.5)
    looks = np.ones((8, 20), np.uint16)
    looks[3:5, 4:7] = 0
    looks[:, 14] = 0
    percent = (np.arange(160) % 101).astype(np.uint8)
    values = {
        "rows": 8,
        "columns": 20,
        "cell_rad": cell,
        "yaw_min_rad": -10 * cell,
        "pitch_min_rad": math.radians(15.0),
        "range_m": (40.0 / np.sin(pitch)).astype(np.float32),
        "is_range_assumed": False,
        "is_range_by_terrain": False,
        "look_counts": looks.reshape(-1),
        "classes": [
            blank("interfaces_pkg/msg/ClassCoverage", class_name=name, pod_percent=one)
            for name, one in (("person", percent), ("tent <&>", 100 - percent))
        ],
        "has_position": True,
        "latitude_deg": 47.0,
        "longitude_deg": 11.0,
        "altitude_m": 640.0,
        "orientation_xyzw": np.array([0.0, 0.0, math.sin(math.pi / 8), math.cos(math.pi / 8)]),
    }
    return blank("interfaces_pkg/msg/Coverage", **{**values, **changes})


def placemarks(data):
    """(name, geometry) as fastkml reads them."""
    document = fastkml.KML.from_string(data)
    pending, seen = list(document.features), []
    while pending:
        one = pending.pop(0)
        pending += list(getattr(one, "features", ()))
        if isinstance(one, fastkml.Placemark):
            seen.append(one)
    return seen


@pytest.mark.parametrize("kind", sorted(MAKERS.keys() - {"geotiff"}))
def test_the_same_mission_gives_the_same_bytes(kind):
    assert MAKERS[kind](mission()) == MAKERS[kind](mission())
    assert kind in MEDIA_TYPES


def test_kml_is_valid_and_its_points_are_where_the_findings_are(tmp_path):
    data = MAKERS["kml"](mission(coverage=coverage()))
    path = tmp_path / "findings.kml"
    path.write_bytes(data)
    assert validate(file_to_validate=path)
    points = {
        one.name: one.geometry for one in placemarks(data) if one.geometry.geom_type == "Point"
    }
    assert len(points) == len(PLACES)
    for number, (latitude, longitude) in enumerate(PLACES, start=1):
        point = points[f"{number} tent"]
        assert abs(point.y - latitude) <= 1e-7
        assert longitudes_agree(point.x, longitude)


def test_the_ellipse_of_kml_is_drawn_to_scale():
    (ellipse,) = [
        one.geometry
        for one in placemarks(MAKERS["kml"](mission(found(1))))
        if one.geometry.geom_type == "Polygon"
    ]
    east, north, _ = pymap3d.geodetic2enu(
        *np.array(ellipse.exterior.coords)[:, [1, 0]].T, 512.3, 47.1, 8.7, 512.3
    )
    away = np.hypot(east, north)
    assert away.max() == pytest.approx(12.0, abs=0.05)
    assert away.min() == pytest.approx(4.0, abs=0.05)
    long_axis = math.atan2(east[away.argmax()], north[away.argmax()])
    assert abs(math.remainder(long_axis - 0.6, math.pi)) < 0.02


def test_kmz_has_the_document_first_and_the_pictures_that_it_shows():
    data = MAKERS["kmz"](mission(found(1), found(2, jpeg=b"")))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["doc.kml", "files/1.jpg"]
        picture = cv2.imdecode(np.frombuffer(archive.read("files/1.jpg"), np.uint8), 1)
        document = archive.read("doc.kml")
    assert picture.shape == (24, 32, 3)
    shown = [one.description for one in placemarks(document) if one.description]
    assert ['<img src="files/1.jpg"' in text for text in shown] == [True, False]


def test_states_have_folders_and_colours():
    states = ("rejected", "confirmed", "candidate", "uncertain", "of tomorrow")
    data = MAKERS["kml"](mission(*(found(i, state=one) for i, one in enumerate(states, 1))))
    root = etree.fromstring(data)
    folders = [one.findtext(f"{KML}name") for one in root.iter(f"{KML}Folder")]
    assert folders == [
        "confirmed (1)",
        "uncertain (1)",
        "candidate (1)",
        "rejected (1)",
        "other (1)",
    ]
    styles = {one.get("id") for one in root.iter(f"{KML}Style")}
    assert {one.text[1:] for one in root.iter(f"{KML}styleUrl")} <= styles
    confirmed = root.find(f".//{KML}Style[@id='confirmed']/{KML}IconStyle/{KML}color").text
    assert confirmed == "ff66a82f"  # alpha, blue, green, red of the green 2fa866


def test_the_searched_area_of_kml_has_its_holes():
    data = MAKERS["kml"](mission(found(1), coverage=coverage()))
    areas = [one.geometry for one in placemarks(data) if one.name == "Searched area"]
    assert sorted(len(list(one.interiors)) for one in areas) == [0, 1]


@pytest.mark.parametrize("changes", [{"has_position": False}, {"is_range_assumed": True}])
def test_an_area_that_is_nowhere_is_not_drawn(changes):
    data = MAKERS["kml"](mission(found(1), coverage=coverage(**changes)))
    assert b"Searched" not in data


def test_gpx_is_read_with_all_waypoints_and_their_ellipses():
    text = MAKERS["gpx"](mission()).decode()
    document = gpxpy.parse(text)
    assert document.version == "1.1"
    assert [one.name for one in document.waypoints] == [f"{i} tent" for i in range(1, 8)]
    for one, (latitude, longitude) in zip(document.waypoints, PLACES, strict=True):
        assert abs(one.latitude - latitude) <= 1e-7
        assert longitudes_agree(one.longitude, longitude)
        assert -180.0 <= one.longitude < 180.0
        assert one.elevation is None  # it would be taken for a height above the sea
        assert "95 % within 29 m" in one.description
        assert one.time.timestamp() == pytest.approx(START_NS / 1e9, abs=10)
    assert len(document.tracks) == len(PLACES)
    edges = [point.longitude for track in document.tracks for point in _points(track)]
    assert all(-180.0 <= edge < 180.0 for edge in edges)


def test_the_order_of_gpx_elements_is_that_of_its_schema():
    root = etree.fromstring(MAKERS["gpx"](mission()))
    assert [one.tag for one in root] == [f"{GPX}metadata", *[f"{GPX}wpt"] * 7, *[f"{GPX}trk"] * 7]
    names = [one.tag.removeprefix(GPX) for one in root[1]]
    assert names == ["time", "name", "cmt", "desc", "sym", "type"]


def _points(track):
    return [point for segment in track.segments for point in segment.points]


def test_geojson_is_what_caltopo_takes():
    document = json.loads(MAKERS["geojson"](mission(coverage=coverage())))
    assert document["type"] == "FeatureCollection"
    by_class = {}
    for feature in document["features"]:
        by_class.setdefault(feature["properties"]["class"], []).append(feature)
    assert {one["geometry"]["type"] for one in by_class["Marker"]} == {"Point"}
    shapes = {one["geometry"]["type"] for one in by_class["Shape"]}
    assert shapes <= {"Polygon", "MultiPolygon"}
    assert len(by_class["Marker"]) == len(PLACES)
    for feature, (latitude, longitude) in zip(by_class["Marker"], PLACES, strict=True):
        east, north, _ = feature["geometry"]["coordinates"]
        assert abs(north - latitude) <= 1e-7
        assert longitudes_agree(east, longitude)
        about = feature["properties"]
        assert about["title"].endswith(" tent")
        assert about["class_name"] == "tent"
        assert about["marker-color"] == "#2fa866"
        assert about["sigma_major_m"] == 12.0
        assert about["radius_95_m"] == pytest.approx(29.37, abs=0.01)
        assert "Accuracy" in about["description"]
    assert all("fill" in one["properties"] for one in by_class["Shape"])


def test_what_crosses_the_date_line_is_cut_there():
    for longitude in (179.9999, -179.9999, 180.0, -180.0, 539.9999):
        position = found(1, -17.0, longitude, major_m=60.0).position
        rings = ellipse_rings(position)
        assert len(rings) == 2
        for ring in rings:
            edges = np.array(ring)[:, 0]
            assert np.ptp(edges) < 0.01
            assert np.abs(edges).max() <= 180.0
            assert ring[0] == ring[-1]
        document = json.loads(MAKERS["geojson"](mission(found(1, -17.0, longitude, major_m=60.0))))
        assert document["features"][1]["geometry"]["type"] == "MultiPolygon"
    assert len(ellipse_rings(found(1, -17.0, 179.0).position)) == 1


def test_no_size_no_ellipse():
    for major_m in (0.0, math.nan, math.inf):
        assert ellipse_rings(found(1, major_m=major_m).position) == []


def rows_of(data):
    assert data.startswith(b"\xef\xbb\xbf")  # or spreadsheets read Latin-1
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_csv_has_all_notations_and_the_accuracy():
    rows = rows_of(MAKERS["csv"](mission()))
    assert len(rows) == len(PLACES)
    for row, (latitude, longitude) in zip(rows, PLACES, strict=True):
        assert abs(float(row["latitude_deg"]) - latitude) <= 1e-7
        assert longitudes_agree(float(row["longitude_deg"]), longitude)
        assert row["mgrs"] == mgrs_of(latitude, longitude)
        assert (row["utm_easting_m"] == "") == (latitude > 84.0)
        assert float(row["sigma_major_m"]) == 12.0
        assert row["radio"].endswith("95 percent.")


def test_findings_without_a_position_are_in_the_table_and_on_no_map():
    one = mission(found(1), found(2, position=None))
    rows = rows_of(MAKERS["csv"](one))
    assert [row["latitude_deg"] != "" for row in rows] == [True, False]
    assert rows[1]["yaw_deg"] == "17.19"
    assert len(gpxpy.parse(MAKERS["gpx"](one).decode()).waypoints) == 1
    assert b"2 tent" not in MAKERS["kml"](one) + MAKERS["geojson"](one)


@pytest.mark.parametrize("first", list("=+-@\t\uff1d\uff0b\uff0d\uff20"))
def test_no_cell_of_the_table_is_a_formula(first):
    one = found(1, class_name=f"{first}1+1", decided_by=f" {first}cmd|' /C calc'!A0")
    rows = csv.reader(io.StringIO(MAKERS["csv"](mission(one)).decode("utf-8-sig")))
    texts = [cell for row in rows for cell in row if "1+1" in cell or "calc" in cell]
    assert len(texts) >= 2
    assert not [cell for cell in texts if cell[0] in "=+-@\t\uff1d\uff0b\uff0d\uff20"]


@pytest.mark.parametrize("kind", ["kml", "gpx", "geojson", "csv"])
def test_words_of_strangers_do_no_harm(kind):
    one = found(1, class_name=NASTY, state=NASTY, decided_by=NASTY, finding_id=NASTY)
    data = MAKERS[kind](replace(mission(one), words=(NASTY, "tent")))
    text = data.decode("utf-8")
    assert not set(text) & set("\x00\x1b\ufffe\u202e")
    if kind in ("kml", "gpx"):
        root = etree.fromstring(data)  # strict
        name = root.find(
            f".//{KML}Placemark/{KML}name" if kind == "kml" else f".//{GPX}wpt/{GPX}name"
        )
        assert name.text.startswith("1 =cmd|")
        if kind == "kml":
            description = root.find(f".//{KML}description").text
            assert "<b>&" not in description  # it is shown as HTML
    if kind == "csv":
        (row,) = rows_of(data)
        cells = [row[name] for name in ("name", "class_name", "state", "decided_by", "id")]
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    if kind == "geojson":
        json.loads(text)


def test_numbers_stay_when_others_are_gone_and_tell_missions_apart():
    early, late = found(2), found(11)
    assert [one.number for one in numbered([late, early])] == [2, 11]
    other = found(2, finding_id=f"{START_NS + 5}-2")
    assert [one.number for one in numbered([other, late, early])] == [1, 2, 3]
    assert [
        one.number for one in numbered([found(1, finding_id="a"), found(1, finding_id="b")])
    ] == [1, 2]


def test_a_mission_without_findings_is_an_empty_map():
    empty = replace(mission(), findings=())
    assert len(gpxpy.parse(MAKERS["gpx"](empty).decode()).waypoints) == 0
    assert placemarks(MAKERS["kml"](empty)) == []
    assert rows_of(MAKERS["csv"](empty)) == []


def test_gdal_reads_the_pod_where_the_cells_are(tmp_path):
    path = tmp_path / "pod.tif"
    path.write_bytes(MAKERS["geotiff"](mission(coverage=coverage())))
    message = coverage()
    with rasterio.open(path) as raster:
        assert raster.crs.to_epsg() == 4326
        assert raster.descriptions == ("person POD %", "tent  POD %")
        assert raster.nodata == 255
        assert max(raster.shape) <= 1500
        bands = raster.read()
        cell, checked = message.cell_rad, 0
        for row, column in ((0, 0), (7, 19), (2, 9), (5, 5), (3, 5), (6, 14)):
            at = row * 20 + column
            yaw = message.yaw_min_rad + cell * (column + 0.5) + math.pi / 4  # from east, to north
            pitch = message.pitch_min_rad + cell * (row + 0.5)
            away = 40.0 / math.tan(pitch)
            latitude, longitude, _ = pymap3d.enu2geodetic(
                away * math.cos(yaw), away * math.sin(yaw), -40.0, 47.0, 11.0, 640.0
            )
            line, dot = raster.index(longitude, latitude)
            pixel = bands[:, line, dot].tolist()
            percent = at % 101
            wanted = [percent, 100 - percent] if message.look_counts[at] else [255, 255]
            assert pixel == wanted, (row, column)
            checked += 1
        assert checked == 6


def test_a_raster_across_the_date_line_is_small():
    raster = pod_raster(coverage(longitude_deg=179.9999))
    assert raster.step_deg[0] * raster.percent.shape[2] < 0.01


@pytest.mark.parametrize("message", [None, coverage(has_position=False), coverage(classes=[])])
def test_without_a_pod_there_is_no_raster_and_one_line_says_so(message):
    with pytest.raises(ConfigurationError, match=r"^no GeoTIFF: [^\n]+$"):
        MAKERS["geotiff"](mission(coverage=message))
