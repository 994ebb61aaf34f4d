"""Terrain models from GeoTIFF: projections, units, what cannot be used, the line that says so."""

import math
import sys
import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest
from patience import wait_until
from terrain_files import write_heights

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.adapters.terrain_file import check_terrain, read_terrain
from semantic_detection_pkg.scan.adapters.terrain_reader import TerrainReader
from semantic_detection_pkg.scan.core.inputs import Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import Terrain, TerrainSettings, pack_terrain
from semantic_detection_pkg.scan.core.thing_sizes import PodSettings

rasterio = pytest.importorskip(
    "rasterio", reason="rasterio, an optional extra, is not installed: pip install rasterio"
)
warp = pytest.importorskip("rasterio.warp", reason="rasterio is not installed")

PLACE = (47.3, 11.4)
UTM = "EPSG:32632"
SLOPE = 0.1  # to the east


def height(east_m, north_m):
    """What the files of these tests hold, east and north [m] of the place."""
    return 600.0 + SLOPE * east_m - 0.05 * north_m


def write(path, crs=UTM, side_m=20.0, half_m=3000.0, changes=None, **options):
    """Write a GeoTIFF around the place; `changes` may spoil its heights."""
    x, y = (one[0] for one in warp.transform("EPSG:4326", crs or UTM, [PLACE[1]], [PLACE[0]]))
    is_degrees = crs is not None and rasterio.crs.CRS.from_user_input(crs).is_geographic
    unit_x = 1.0 / (111_320.0 * math.cos(math.radians(PLACE[0]))) if is_degrees else 1.0
    unit_y = 1.0 / 111_320.0 if is_degrees else 1.0
    count = round(2 * half_m / side_m)
    axis = side_m * (np.arange(count) + 0.5) - half_m
    heights = height(axis[None, :], -axis[:, None])
    if changes is not None:
        heights = changes(heights)
    profile = {
        "driver": "GTiff",
        "height": heights.shape[-2],
        "width": heights.shape[-1],
        "count": 1 if heights.ndim == 2 else len(heights),
        "dtype": options.pop("dtype", "float32"),
        "crs": crs,
        "transform": options.pop(
            "transform",
            rasterio.transform.from_origin(
                x - half_m * unit_x, y + half_m * unit_y, side_m * unit_x, side_m * unit_y
            ),
        ),
    }
    units = options.pop("units", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **{**profile, **options}) as file:
            file.write(heights.astype(profile["dtype"]), *([1] if heights.ndim == 2 else []))
            if units:
                file.units = [units]
    return TerrainSettings(str(path))


@pytest.mark.parametrize("crs", [UTM, "EPSG:25832", "EPSG:4326", "EPSG:4258", "EPSG:3035"])
def test_heights_are_where_they_are_whatever_the_projection(tmp_path, crs):
    made = read_terrain(write(tmp_path / "dem.tif", crs), *PLACE)
    assert (made.latitude_deg, made.longitude_deg) == PLACE
    assert made.heights_m.shape[0] * made.spacing_m == pytest.approx(5000.0, rel=0.02)
    east, north = np.array([0.0, 400.0, -800.0, 0.0]), np.array([0.0, 0.0, 500.0, -900.0])
    # Grid north of a projection is up to 3 deg off: that is 5 m of height at 1000 m.
    assert made.height_m(east, north) == pytest.approx(height(east, north), abs=6.0)
    assert made.height_at((0.0, 0.0)) == pytest.approx(600.0, abs=1.5)
    assert math.isnan(made.zero_m)


def test_a_fine_file_is_thinned_and_a_coarse_one_is_taken_as_it_is(tmp_path):
    fine = read_terrain(write(tmp_path / "fine.tif", side_m=2.0, half_m=300.0), *PLACE)
    coarse = read_terrain(write(tmp_path / "coarse.tif", side_m=90.0), *PLACE)
    assert (fine.spacing_m, coarse.spacing_m) == (10.0, 90.0)
    assert fine.height_at((250.0, 0.0)) == pytest.approx(625.0, abs=0.5)
    assert math.isnan(fine.height_at((500.0, 0.0)))


def test_feet_scales_and_whole_numbers_are_metres(tmp_path):
    feet = write(tmp_path / "feet.tif", changes=lambda one: one / 0.3048, units="ft")
    assert read_terrain(feet, *PLACE).height_at((0.0, 0.0)) == pytest.approx(600.0, abs=1.0)
    whole = write(tmp_path / "whole.tif", changes=np.round, dtype="int16", nodata=-32768)
    assert read_terrain(whole, *PLACE).height_at((100.0, 0.0)) == pytest.approx(610.0, abs=1.0)


def test_what_is_no_data_is_not_known(tmp_path):
    def holed(heights):
        heights[:, :100] = -9999.0
        return heights

    for name, options in (("told.tif", {"nodata": -9999.0}), ("untold.tif", {})):
        made = read_terrain(write(tmp_path / name, changes=holed, **options), *PLACE)
        assert math.isnan(made.height_at((-1500.0, 0.0)))
        assert made.height_at((-800.0, 0.0)) == pytest.approx(520.0, abs=3.0)


def test_heights_above_the_ellipsoid_are_known_to_be_that(tmp_path):
    told = replace(write(tmp_path / "dem.tif"), geoid_height_m=47.0)
    assert read_terrain(told, *PLACE).zero_m == 47.0
    itself = replace(write(tmp_path / "3d.tif", "EPSG:4979"), geoid_height_m=47.0)
    assert read_terrain(itself, *PLACE).zero_m == 0.0


def refusal(settings, place=PLACE):
    with pytest.raises(ConfigurationError) as caught:
        read_terrain(settings, *place)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"terrain_file '{settings.terrain_file}': ")
    return line


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"crs": None}, "no georeference"),
        ({"transform": rasterio.Affine.identity()}, "no georeference"),
        ({"crs": "EPSG:4230"}, "datum is 'European Datum 1950', WGS 84 or one like it"),
        ({"crs": "EPSG:31467"}, "datum is 'Deutsches Hauptdreiecksnetz'"),
        ({"crs": "EPSG:4267"}, "datum is 'North American Datum 1927'"),
        ({"changes": lambda one: np.stack([one] * 3), "dtype": "uint8"}, "3 bands of uint8"),
        ({"dtype": "complex64"}, "1 bands of complex64"),
        ({"units": "fathom"}, "heights are in 'fathom', metres or feet"),
        ({"changes": lambda one: one * 0 - 9999.0, "nodata": -9999.0}, "no data where the robot"),
        ({"changes": lambda one: one * np.nan}, "no data where the robot is, at 47.30000, 11.4"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path, options, told):
    assert told in refusal(write(tmp_path / "dem.tif", **options))


@pytest.mark.parametrize("side_m", [6.0, 60.0], ids=["far smaller than a step", "one cell"])
def test_a_file_that_is_too_small_to_know_the_ground_is_named(tmp_path, side_m):
    """It was taken, and the ground was level all the same, without a word."""
    tiny = write(tmp_path / "dem.tif", "EPSG:4326", side_m=side_m, half_m=side_m / 2.0)
    assert "no data where the robot is, at 47.30000, 11.4" in refusal(tiny)


@pytest.mark.parametrize("longitude_deg", [179.995, -179.995, 180.0, -180.0, 180.005])
def test_a_file_across_180_degrees_holds_both_sides(tmp_path, longitude_deg):
    count = 400
    heights = np.tile(np.linspace(100.0, 300.0, count, dtype=np.float32), (count, 1))
    path = write_heights(tmp_path / "dem.tif", heights, (179.98, -16.78), 1e-4)
    terrain = read_terrain(TerrainSettings(terrain_file=str(path)), -16.8, longitude_deg)
    per_m = 200.0 / 0.04 / (111_320.0 * math.cos(math.radians(16.8)))
    here = 200.0 + 200.0 / 0.04 * math.remainder(longitude_deg - 180.0, 360.0)
    for east_m in (-1000.0, 0.0, 1000.0):
        assert terrain.height_at((east_m, 0.0)) == pytest.approx(here + per_m * east_m, abs=2.0)


def test_a_robot_outside_is_told_where_the_file_is(tmp_path):
    line = refusal(write(tmp_path / "dem.tif"), (47.3, 12.0))
    assert "the robot at 47.30000, 12.00000 is outside it" in line
    assert "latitude 47.2" in line
    refusal(write(tmp_path / "dem.tif"), (-47.3, -168.6))


@pytest.mark.parametrize("place", [(95.0, 11.0), (47.0, 1e9), (math.nan, 11.0)])
def test_a_place_that_is_none_is_outside(tmp_path, place):
    assert "outside it" in refusal(write(tmp_path / "dem.tif"), place)


def test_files_that_are_none(tmp_path):
    assert "there is no such file" in refusal(TerrainSettings(str(tmp_path / "none.tif")))
    assert "there is no such file" in refusal(TerrainSettings(str(tmp_path)))
    (tmp_path / "text.tif").write_text("heights")
    assert "cannot be read as a GeoTIFF" in refusal(TerrainSettings(str(tmp_path / "text.tif")))
    whole = tmp_path / "dem.tif"
    write(whole)
    data = whole.read_bytes()
    for size in (0, 100, len(data) // 2):
        (tmp_path / "torn.tif").write_bytes(data[:size])
        refusal(TerrainSettings(str(tmp_path / "torn.tif")))


def test_without_rasterio_the_line_names_it(tmp_path, monkeypatch):
    settings = write(tmp_path / "dem.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    line = refusal(settings)
    assert "rasterio is needed, pip install rasterio brings it" in line


KNOWN_HEIGHT = replace(ScanSettings(), pod=PodSettings(camera_height_m=30.0))


def followed(reader: TerrainReader, fix: Fix | None) -> Terrain | None:
    """What the reader gives for a fix once its thread has come to an end."""
    wait_until(lambda: not reader.is_reading, "the reader")
    found = [reader.follow(fix)]
    wait_until(lambda: not reader.is_reading, "the reader")
    found.append(reader.follow(None))
    return next((one for one in reversed(found) if one is not None), None)


def test_the_reader_reads_for_the_first_fix_and_again_far_away(tmp_path):
    reader = TerrainReader(write(tmp_path / "dem.tif"), KNOWN_HEIGHT)
    assert followed(reader, None) is None
    first = followed(reader, Fix(1, *PLACE, 640.0))
    assert first.name == "dem.tif"
    assert followed(reader, Fix(2, PLACE[0] + 0.002, PLACE[1], 640.0)) is None
    again = followed(reader, Fix(3, PLACE[0] + 0.01, PLACE[1], 640.0))
    assert again.latitude_deg == PLACE[0] + 0.01
    assert reader.notices == []


def test_the_reader_says_once_why_the_ground_is_level(tmp_path):
    reader = TerrainReader(write(tmp_path / "dem.tif", "EPSG:4230"), KNOWN_HEIGHT)
    assert followed(reader, None) is None
    (line,) = reader.notices
    assert "European Datum 1950" in line
    assert line.endswith("; the ground is taken for level")
    assert followed(reader, Fix(1, *PLACE, 640.0)) is None
    assert reader.notices == [line]


def test_a_terrain_that_does_not_tell_the_camera_s_height_is_said(tmp_path):
    settings = write(tmp_path / "dem.tif")
    reader = TerrainReader(settings, ScanSettings())
    assert followed(reader, Fix(1, *PLACE, 640.0)) is not None
    (line,) = reader.notices
    assert "give camera_height_m, ground_height_m or geoid_height_m" in line
    known = TerrainReader(replace(settings, geoid_height_m=47.0), ScanSettings())
    assert followed(known, Fix(1, *PLACE, 680.0)) is not None
    assert known.notices == []


def test_a_fix_below_the_terrain_is_said(tmp_path):
    settings = replace(write(tmp_path / "dem.tif"), geoid_height_m=47.0)
    reader = TerrainReader(settings, replace(ScanSettings(), ground_height_m=600.0))
    assert followed(reader, Fix(1, *PLACE, 640.0)) is not None
    (line,) = reader.notices
    assert "fix at 640.0 m is not above the ground at 647" in line
    assert "it is not used" in line
    for scan in (KNOWN_HEIGHT, ScanSettings()):
        above = TerrainReader(settings, scan)
        assert followed(above, Fix(1, *PLACE, 680.0)) is not None
        assert above.notices == []


def test_reading_does_not_hold_up_the_caller():
    may_go_on = threading.Event()

    def slow(settings, latitude_deg, longitude_deg):
        assert may_go_on.wait(60.0)
        made = pack_terrain("a", (latitude_deg, longitude_deg), 10.0, np.zeros((3, 3)))
        assert made is not None
        return made

    reader = TerrainReader(TerrainSettings("a.tif"), KNOWN_HEIGHT, slow, lambda _: None)
    wait_until(lambda: not reader.is_reading, "the reader")
    assert reader.follow(Fix(1, *PLACE, 640.0)) is None
    assert reader.is_reading
    may_go_on.set()
    wait_until(lambda: not reader.is_reading, "the reader")
    assert reader.follow(None) is not None


def test_without_a_file_nothing_is_read():
    reader = TerrainReader(TerrainSettings(), ScanSettings(), check=check_terrain)
    assert followed(reader, Fix(1, *PLACE, 640.0)) is None
    assert reader.notices == []
