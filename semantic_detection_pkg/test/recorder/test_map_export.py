"""`report --export`: from a recording to files for maps, and what is said where that cannot be."""

from __future__ import annotations

import html
import json
import zipfile
from collections import deque
from pathlib import Path

import cv2
import gpxpy
import numpy as np
import pytest
import rasterio
from test_map_files import coverage

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.common.core.coordinates import (
    accuracy_text,
    mgrs_of,
    radio_text,
    utm_of,
)
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank, message, time_of
from simulation_pkg.harness.scan_recording import SETTINGS

FINDING, PICTURE = "interfaces_pkg/msg/Finding", "sensor_msgs/msg/CompressedImage"
EVENT = "20231114T221320.000Z_tent"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three findings, the last one without a position, and the frame of the first."""
    session = RecordingSession(tmp_path, SETTINGS, Disk())
    session.open()
    jpeg = cv2.imencode(".jpg", np.full((90, 160, 3), 120, np.uint8))[1].reshape(-1)
    picture = blank(PICTURE, format="jpeg", data=jpeg)
    picture.header.stamp = time_of(START_NS)
    batch = [message("/camera/image_raw/compressed", PICTURE, START_NS + 10, content=picture)]
    for number in (1, 2, 3):
        content = blank(
            FINDING,
            id=f"{START_NS}-{number}",
            state=1,
            class_name="tent",
            best_frame=time_of(START_NS + (number - 1) * NS_PER_S),
            best_box_xyxy=np.array([40, 20, 90, 60], np.float32),
            has_position=number < 3,
            latitude_deg=47.1234567 + number,
            longitude_deg=-8.7654321,
            ellipse_major_m=9.0,
            ellipse_minor_m=3.0,
            ellipse_heading_rad=0.2,
        )
        batch.append(message("/findings", FINDING, START_NS + number * NS_PER_S, content=content))
    session.write(deque(batch), 0.0)
    session.keep(Event(EVENT, "tent", START_NS, START_NS, START_NS + NS_PER_S, ()))
    session.close()
    return tmp_path


def test_all_kinds_are_written_beside_the_report_and_linked(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("kml", "kmz", "gpx", "geojson", "csv")
    assert main([str(recordings), "--export", "kml,KMZ, gpx", "--export", "geojson,csv,kml"]) == 0
    said = capsys.readouterr()
    paths = [recordings / f"findings.{kind}" for kind in kinds]
    assert said.out.splitlines()[: len(paths) + 1] == [
        str(recordings / "report.html"),
        *map(str, paths),
    ]
    assert said.err.splitlines() == ["report: 1 finding has no position: only csv has it"]
    page = (recordings / "report.html").read_text()
    for path in paths:
        assert path.stat().st_size > 0
        assert f'href="{path.name}"' in page
    with zipfile.ZipFile(recordings / "findings.kmz") as archive:
        assert archive.namelist() == ["doc.kml", "files/1.jpg"]
    points = gpxpy.parse((recordings / "findings.gpx").read_text()).waypoints
    assert [round(one.latitude, 7) for one in points] == [48.1234567, 49.1234567]
    assert {round(one.longitude, 7) for one in points} == {-8.7654321}
    features = json.loads((recordings / "findings.geojson").read_text())["features"]
    assert len(features) == 4
    assert not list(recordings.glob("*.part"))


def test_pages_have_the_positions_as_people_write_and_say_them(recordings: Path) -> None:
    assert main([str(recordings)]) == 0
    assert mgrs_of(48.1234567, -8.7654321) in (recordings / "report.html").read_text()
    position = Position(48.1234567, -8.7654321, 1.5, 1.5, 9.0, 3.0, 0.2)
    event = recordings / "events" / EVENT / "evidence.html"
    fields = json.loads((event.parent / "event.json").read_text())
    (event.parent / "event.json").write_text(json.dumps({**fields, "findings": [f"{START_NS}-1"]}))
    assert main([str(event.parent)]) == 0
    page = html.unescape(event.read_text())
    assert radio_text("tent", position) in page
    assert accuracy_text(position) in page
    assert str(utm_of(48.1234567, -8.7654321)) in page


def test_without_export_there_are_none(recordings: Path) -> None:
    assert main([str(recordings)]) == 0
    assert not list(recordings.glob("findings.*"))
    assert "findings.k" not in (recordings / "report.html").read_text()


def test_what_cannot_be_made_is_one_line_and_the_others_are_written(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recordings), "--export", "geotiff,gpx"]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 2
    assert said.err.startswith("report: no GeoTIFF: no probability of detection is known")
    assert (recordings / "findings.gpx").exists()
    assert "pod.tif" not in (recordings / "report.html").read_text()


def test_the_pod_is_a_geotiff_beside_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = RecordingSession(tmp_path, SETTINGS, Disk())
    session.open()
    content = coverage()
    session.write(
        deque([message("/scan/coverage", content.__msgtype__, START_NS, content=content)]), 0.0
    )
    session.close()
    assert main([str(tmp_path), "--export", "geotiff,kml"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[1:] == [str(tmp_path / "pod.tif"), str(tmp_path / "findings.kml")]
    with rasterio.open(tmp_path / "pod.tif") as raster:
        assert raster.count == 2
        assert set(np.unique(raster.read(1)).tolist()) <= {*range(101), 255}
    page = (tmp_path / "report.html").read_text()
    assert all(f'href="{name}"' in page for name in ("pod.tif", "coverage.geojson"))
    assert "Searched area" in (tmp_path / "findings.kml").read_text()


@pytest.mark.parametrize("kinds", ["shp", "kml,shp", "", "kml,"])
def test_an_unknown_kind_is_refused_by_name(
    kinds: str, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(recordings), "--export", kinds])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "is no kind of map file; there are kml, kmz, gpx, geojson, csv, geotiff" in last


def test_one_event_has_no_mission_to_export(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(recordings / "events" / EVENT), "--export", "kml"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "--export needs the folder of the recorder" in said.err


def test_a_file_that_cannot_be_written_is_one_line(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings / "findings.kml.part").mkdir()
    assert main([str(recordings), "--export", "kml"]) == 2
    assert "findings.kml: cannot be written: is a directory" in capsys.readouterr().err
