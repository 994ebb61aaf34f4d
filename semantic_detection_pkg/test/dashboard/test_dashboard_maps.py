"""Map files from the page: of what it knows, by mission, with positions to the last digit."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import gpxpy
import pytest
from dashboard_client import TOKEN, Served, serve
from patience import wait_until
from test_dashboard_memory import finding, recorded

from semantic_detection_pkg.common.core.plain import as_plain
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, header_of

LATITUDE, LONGITUDE = 47.1234567, -170.7654321
LATER_NS = 1_701_000_000 * NS_PER_S  # 2023-11-26 12:00:00


def placed(number: int, mission_ns: int = START_NS, **changes: Any) -> Any:
    fields = {
        "id": f"{mission_ns}-{number}",
        "state": 1,
        "has_position": True,
        "latitude_deg": LATITUDE,
        "longitude_deg": LONGITUDE - number,
        "ellipse_major_m": 6.0,
        "ellipse_minor_m": 2.0,
        "ellipse_heading_rad": 0.1,
    }
    return finding(number, **{**fields, **changes})


def waypoints(served: Served, query: str = "") -> list[Any]:
    reply = served.get(f"/api/findings/map/gpx{query}")
    assert reply.status == 200
    return gpxpy.parse(reply.body.decode()).waypoints


def test_positions_are_equal_to_1e_7_degrees(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        served.dashboard.findings.add(as_plain(placed(1)))
        (point,) = waypoints(served)
        reply = served.get("/api/findings/map/csv")
        (row,) = csv.DictReader(io.StringIO(reply.body.decode("utf-8-sig"), newline=""))
        reply = served.get("/api/findings/map/geojson")
        marker = json.loads(reply.body)["features"][0]["geometry"]["coordinates"]
    for latitude, longitude in (
        (point.latitude, point.longitude),
        (float(row["latitude_deg"]), float(row["longitude_deg"])),
        (marker[1], marker[0]),
    ):
        assert abs(latitude - LATITUDE) <= 1e-7
        assert abs(longitude - (LONGITUDE - 1)) <= 1e-7


def test_missions_are_told_apart(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        for one in (placed(1), placed(2), placed(1, LATER_NS)):
            served.dashboard.findings.add(as_plain(one))
        assert len(waypoints(served)) == 3
        assert len(waypoints(served, f"?mission={START_NS}")) == 2
        assert len(waypoints(served, f"?mission={LATER_NS}")) == 1
        reply = served.get(f"/api/findings/map/kml?mission={LATER_NS}")
        assert reply.headers["content-disposition"] == (
            'attachment; filename="findings_20231126T120000.kml"'
        )
        assert reply.headers["content-type"] == "application/vnd.google-earth.kml+xml"
        reply = served.get("/api/findings/map/kml?mission=7")
        assert (reply.status, reply.json["detail"]) == (404, "no finding of mission 7 is known")


def test_kmz_has_the_thumbnails_that_the_page_shows(tmp_path: Path) -> None:
    recorded(tmp_path, [placed(1), placed(2)])
    with serve(tmp_path) as served:
        findings = served.dashboard.findings
        assert wait_until(lambda: sum(bool(jpeg) for _, jpeg in findings.all()) == 2, 20.0)
        reply = served.get("/api/findings/map/kmz")
        with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
            assert archive.namelist() == ["doc.kml", "files/1.jpg", "files/2.jpg"]
            shown = served.get(f"/api/findings/{START_NS}-1/thumbnail").body
            assert archive.read("files/1.jpg") == shown


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/findings/map/shp", 422),
        ("/api/findings/map/geotiff", 422),
        ("/api/findings/map/kml?mission=x", 422),
        ("/api/findings/map/kml?mission=-1", 422),
        ("/api/findings/map/kml?mission=" + "9" * 21, 422),
        ("/api/findings/map/kml?mission=" + "9" * 20, 404),
    ],
)
def test_what_is_not_there_is_refused(path: str, status: int, tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        reply = served.get(path)
        assert reply.status == status
        assert "\n" not in reply.json["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"latitude_deg": float("nan")},
        {"latitude_deg": 91.0},
        {"ellipse_major_m": float("inf")},
        {"has_position": False},
        {"id": "9" * 20 + "-1", "header": header_of(2**31 * 10**9 - 1)},
        {"tiers": [], "class_name": "\x00\ufffe<", "state": 200},
    ],
)
def test_odd_findings_do_no_harm(changes: dict[str, Any], tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        served.dashboard.findings.add(as_plain(placed(1, **changes)))
        for kind in ("kml", "kmz", "gpx", "geojson", "csv"):
            assert served.get(f"/api/findings/map/{kind}").status == 200
        assert served.get(f"/api/findings/map/csv?mission={'9' * 20}").status in (200, 404)


def test_it_needs_the_token_where_there_is_one(tmp_path: Path) -> None:
    with serve(tmp_path, token=TOKEN) as served:
        assert served.get("/api/findings/map/kml", Authorization="").status == 401
