"""The probability of detection on the ground as GeoJSON, compared with plane trigonometry."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from semantic_detection_pkg.recorder.evidence.coverage_geojson import pod_geojson
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
