"""The probability of detection on the ground as GeoJSON, compared with plane trigonometry."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from semantic_detection_pkg.recorder.evidence.coverage_geojson import pod_geojson
from semantic_detection_pkg.recorder.map_files.geotiff import pod_raster
from simulation_pkg.harness.recorded_messages import blank

COVERAGE, CLASS = "interfaces_pkg/msg/Coverage", "interfaces_pkg/msg/ClassCoverage"
LEVEL, NORTH = [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)]
CELL = math.radians(2.0)
METRES_PER_DEG = 111_320.0


def coverage(**changes):
    """Two cells, 20..22 deg down, on both sides of straight ahead, 40 m above the ground."""
    range_m = 40.0 / math.sin(math.radians(21.0))
    values = {
        "rows": 1,
        "columns": 2,
        "cell_rad": CELL,
        "yaw_min_rad": -CELL,
        "pitch_min_rad": math.radians(20.0),
        "range_m": np.full(2, range_m, np.float32),
        "is_range_assumed": False,
        "is_range_by_terrain": False,
        "look_counts": np.array([4, 0], np.uint16),
        "classes": [blank(CLASS, class_name="person", pod_percent=np.array([87, 0], np.uint8))],
        "has_position": True,
        "latitude_deg": 0.0,
        "longitude_deg": 11.0,
        "altitude_m": 40.0,
        "orientation_xyzw": np.array(LEVEL),
    }
    return blank(COVERAGE, **{**values, **changes})


def ring_m(document, latitude_deg=0.0, longitude_deg=11.0):
    """East and north [m] of the corners of the first polygon."""
    ring = np.array(document["features"][0]["geometry"]["coordinates"][0])
    assert ring[0].tolist() == ring[-1].tolist()
    scale = METRES_PER_DEG * np.array([math.cos(math.radians(latitude_deg)), 1.0])
    return (ring - (longitude_deg, latitude_deg)) * scale


def test_a_cell_that_was_looked_at_is_a_polygon_on_the_ground():
    document = json.loads(json.dumps(pod_geojson(coverage())))
    (feature,) = document["features"]
    assert feature["properties"]["pod_person"] == 87
    assert feature["properties"]["looks"] == 4
    east, north = ring_m(document).T
    far, near = 40.0 / math.tan(math.radians(20.0)), 40.0 / math.tan(math.radians(22.0))
    # Level, base x is east: ahead is east, the cell to the right of ahead lies south.
    assert east.max() == pytest.approx(far, rel=0.01)
    assert east.min() == pytest.approx(near * math.cos(CELL), rel=0.01)
    assert north.min() == pytest.approx(-far * math.sin(CELL), rel=0.01)
    assert north.max() == pytest.approx(0.0, abs=0.1)


def test_rings_turn_counterclockwise_and_follow_the_base():
    for turn in (LEVEL, NORTH):
        document = pod_geojson(coverage(orientation_xyzw=np.array(turn)))
        east, north = ring_m(document).T
        area = np.sum(east[:-1] * north[1:] - east[1:] * north[:-1]) / 2.0
        assert area > 0.0, "RFC 7946: exterior rings are counterclockwise"
    assert north.mean() > 90.0
    assert abs(east.mean()) < 10.0


@pytest.mark.parametrize(
    "changes",
    [
        {"has_position": False},
        {"is_range_assumed": True},
        {"classes": []},
        {"range_m": np.zeros(1, np.float32)},
        {"pitch_min_rad": math.radians(-20.0)},
    ],
)
def test_without_position_ground_or_pod_there_is_none(changes):
    assert pod_geojson(coverage(**changes)) is None


def test_a_recording_of_before_has_none():
    old = replace(coverage())
    plain = type("Old", (), {"rows": old.rows, "columns": old.columns})()
    assert pod_geojson(plain) is None


PITCH, YAW = math.radians(20.0) + CELL * (np.arange(6) + 0.5), CELL * (np.arange(8) - 3.5)


def over(slope, **changes):
    """Six by eight cells from 20 deg down on, 40 m above a ground that rises to the east."""
    fall = np.sin(PITCH)[:, None] + slope * np.cos(PITCH)[:, None] * np.cos(YAW)
    values = {
        "rows": 6,
        "columns": 8,
        "yaw_min_rad": -4 * CELL,
        "range_m": (40.0 / fall).astype(np.float32).ravel(),
        "look_counts": np.ones(48, np.uint16),
        "classes": [blank(CLASS, class_name="person", pod_percent=np.arange(48).astype(np.uint8))],
        "is_range_by_terrain": True,
    }
    return coverage(**{**values, **changes})


def corners_m(message):
    """East and north [m] of the corners of each cell."""
    features = pod_geojson(message)["features"]
    rings = np.array([one["geometry"]["coordinates"][0][:4] for one in features])
    return (rings - (11.0, 0.0)) * METRES_PER_DEG


def test_over_a_terrain_that_is_level_cells_lie_as_on_level_ground():
    by_terrain, level = corners_m(over(0.0)), corners_m(over(0.0, is_range_by_terrain=False))
    inner = [row * 8 + column for row in range(1, 5) for column in range(1, 7)]
    assert by_terrain[inner] == pytest.approx(level[inner], abs=1.0)


def test_over_a_slope_cells_lie_where_their_rays_meet_it():
    rings = corners_m(over(0.2))
    at = 2 * 8 + 4
    pitch = math.radians(20.0) + 2 * CELL  # of the corner at the less pitch; its yaw is 0
    range_m = 40.0 / (math.sin(pitch) + 0.2 * math.cos(pitch))
    assert rings[at, 0, 0] == pytest.approx(range_m * math.cos(pitch), abs=0.6)
    assert rings[at, 0, 1] == pytest.approx(0.0, abs=0.2)


def test_cells_of_the_sky_lie_nowhere_and_those_uphill_do():
    ranges = over(0.6).range_m.copy()
    ranges[:8] = 0.0
    uphill = over(0.6, range_m=ranges, pitch_min_rad=math.radians(-12.0))
    assert len(pod_geojson(uphill)["features"]) == 40
    nowhere = over(0.6, range_m=np.zeros(48, np.float32))
    assert pod_geojson(nowhere) is None


def test_a_raster_over_a_terrain_that_is_level_is_that_of_level_ground():
    by_terrain, level = (
        pod_raster(over(0.0, is_range_by_terrain=is_terrain), 300) for is_terrain in (True, False)
    )
    rows, columns = level.percent.shape[1:]
    longitude = level.west_deg + level.step_deg[0] * (np.arange(columns) + 0.5)
    latitude = level.north_deg - level.step_deg[1] * (np.arange(rows) + 0.5)
    column = ((longitude - by_terrain.west_deg) / by_terrain.step_deg[0]).astype(int)
    row = ((by_terrain.north_deg - latitude) / by_terrain.step_deg[1]).astype(int)
    last_row, last_column = np.array(by_terrain.percent.shape[1:]) - 1
    ours = by_terrain.percent[0][np.clip(row, 0, last_row)][:, np.clip(column, 0, last_column)]
    theirs = level.percent[0]
    # The outermost cells end where the next would have been as far away.
    inner = np.isin(theirs % 8, range(1, 7)) & np.isin(theirs // 8, range(1, 5)) & (theirs != 255)
    assert inner.mean() > 0.3
    assert np.mean(ours[inner] == theirs[inner]) > 0.95


def test_a_near_ridge_hides_what_lies_behind_it_on_the_raster():
    ranges = over(0.0).range_m.copy()
    ranges[24:32] *= 0.5
    raster = pod_raster(over(0.0, range_m=ranges), 300)
    assert set(np.unique(raster.percent)) - {255} <= set(range(48))
