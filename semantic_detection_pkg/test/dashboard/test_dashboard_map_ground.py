"""From bearings to places on the map, to 1e-7 deg; what is not known is said."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pymap3d
import pytest
from dashboard_client import Served, serve
from hypothesis import given, settings
from hypothesis import strategies as st
from message_strategies import messages
from patience import wait_until
from placed_coverage import CELL, COLUMNS, HEIGHT_M, NORTH_EAST, PLACE, ROWS, placed_coverage

from interfaces_pkg.msg import Coverage
from semantic_detection_pkg.common.core.position import (
    Place,
    Position,
    RobotPlace,
    bearing_to,
    locate,
)
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.core.map_ground import (
    cell_corners,
    cells_key,
    ellipse_outline,
    is_placed_coverage,
    map_ground,
)

HERE = RobotPlace(*PLACE, 1.5, 3.0, NORTH_EAST)
WITHIN_DEG = 1.5e-7  # places are rounded to 1e-7, which is half of that and a hair


def level(place: RobotPlace = HERE) -> Place:
    assert place.quaternion_xyzw is not None
    return Place(place.latitude_deg, place.longitude_deg, place.altitude_m, place.quaternion_xyzw)


@given(
    yaw=st.floats(-3.1, 3.1),
    pitch=st.floats(0.1, 1.5),
    latitude=st.floats(-80.0, 80.0),
    longitude=st.floats(-180.0, 180.0),
)
def test_a_bearing_meets_the_map_where_it_meets_the_ground(
    yaw: float, pitch: float, latitude: float, longitude: float
) -> None:
    """As the scan controller places findings, and back by the bearing of that place."""
    robot = RobotPlace(latitude, longitude, 540.0, 1.0, 1.0, NORTH_EAST)
    (place,) = map_ground(robot, placed_coverage()).places([(yaw, pitch)])
    found = locate(level(robot), yaw, pitch, 540.0 - HEIGHT_M)
    assert isinstance(found, Position)
    assert place.is_met
    assert abs(place.latitude_deg - found.latitude_deg) <= WITHIN_DEG
    off = math.remainder(place.longitude_deg - found.longitude_deg, 360.0)
    assert abs(off) <= WITHIN_DEG
    back = bearing_to(level(robot), place.latitude_deg, place.longitude_deg, 540.0 - HEIGHT_M)
    assert math.remainder(back[0] - yaw, math.tau) * math.cos(pitch) == pytest.approx(0, abs=1e-3)
    assert back[1] == pytest.approx(pitch, abs=1e-3)


def test_the_newest_fix_moves_what_is_seen_and_the_coverage_stays() -> None:
    moved = RobotPlace(PLACE[0] + 0.001, PLACE[1], PLACE[2], 1.0, 1.0, NORTH_EAST)
    bearing = (0.2, 0.4)
    (before,) = map_ground(HERE, placed_coverage()).places([bearing])
    (after,) = map_ground(moved, placed_coverage()).places([bearing])
    assert after.latitude_deg - before.latitude_deg == pytest.approx(0.001, abs=2e-7)
    turned = RobotPlace(*PLACE, 1.0, 1.0, (0.0, 0.0, 0.0, 1.0))
    ground = map_ground(turned, placed_coverage())
    assert ground.heading_rad == pytest.approx(math.radians(90.0))  # ahead is east
    (ahead,) = ground.places([(0.0, 0.5)])
    found = locate(level(turned), 0.0, 0.5, PLACE[2] - HEIGHT_M)
    assert isinstance(found, Position)
    assert ahead.latitude_deg == pytest.approx(found.latitude_deg, abs=WITHIN_DEG)
    assert ahead.longitude_deg == pytest.approx(found.longitude_deg, abs=WITHIN_DEG)


def test_what_reaches_the_horizon_is_cut_and_said_to_be() -> None:
    ground = map_ground(HERE, placed_coverage())
    met, flat, up = ground.places([(0.0, 0.2), (0.0, 0.01), (0.0, -0.5)])
    assert (met.is_met, flat.is_met, up.is_met) == (True, False, False)
    for one in (flat, up):
        east, north, _ = pymap3d.geodetic2enu(
            one.latitude_deg, one.longitude_deg, PLACE[2] - HEIGHT_M, *PLACE
        )
        assert math.hypot(east, north) == pytest.approx(30.0 * HEIGHT_M, rel=1e-3)
        assert math.atan2(east, north) == pytest.approx(math.radians(45.0), abs=1e-3)


def test_an_outline_has_places_between_its_corners() -> None:
    corners = [(0.5, 0.2), (-0.5, 0.2), (-0.5, 0.6), (0.5, 0.6)]
    found = map_ground(HERE, placed_coverage()).outline(corners)
    assert len(found) > 60
    east, north, _ = pymap3d.geodetic2enu(
        np.array([one.latitude_deg for one in found]),
        np.array([one.longitude_deg for one in found]),
        PLACE[2] - HEIGHT_M,
        *PLACE,
    )
    far_m = np.hypot(east, north)
    # The far edge is an arc around the robot, not its chord.
    assert far_m.max() == pytest.approx(HEIGHT_M / math.tan(0.2), rel=1e-3)
    assert far_m.min() == pytest.approx(HEIGHT_M / math.tan(0.6), rel=1e-3)


def test_without_the_ground_there_are_directions() -> None:
    for coverage in (None, placed_coverage(is_range_assumed=True)):
        ground = map_ground(HERE, coverage)
        assert not ground.is_ground_known
        assert ground.told == "How far the ground is is not known: only directions are shown."
        (ahead,) = ground.places([(0.0, 0.5)])
        east, north, _ = pymap3d.geodetic2enu(
            ahead.latitude_deg, ahead.longitude_deg, PLACE[2], *PLACE
        )
        assert not ahead.is_met
        assert math.atan2(east, north) == pytest.approx(math.pi / 4, abs=1e-3)
        sector = ground.outline([(0.5, 0.1), (-0.5, 0.1), (-0.5, 0.6), (0.5, 0.6)])
        assert (sector[0].latitude_deg, sector[0].longitude_deg) == PLACE[:2]


def test_without_a_position_the_map_is_local_and_says_so() -> None:
    nowhere = placed_coverage(has_position=False)
    ground = map_ground(None, nowhere)
    assert (ground.is_local, ground.is_ground_known) == (True, True)
    assert ground.told.startswith("Where the robot is is not known (no fix)")
    (ahead,) = ground.places([(0.0, math.atan2(HEIGHT_M, 100.0))])
    east, north, _ = pymap3d.geodetic2enu(
        ahead.latitude_deg, ahead.longitude_deg, -HEIGHT_M, 0.0, 0.0, 0.0
    )
    assert (east, north) == (pytest.approx(0.0, abs=0.02), pytest.approx(100.0, abs=0.02))
    (left,) = ground.places([(math.pi / 2, 0.5)])
    assert left.longitude_deg < 0.0  # left of ahead is west
    assert map_ground(None, None).is_local
    only = map_ground(None, None, is_placed=True)
    assert (only.place, only.is_local, only.places([(0.0, 0.5)])) == (None, False, [])


def test_where_it_was_is_shown_without_a_fix_and_no_bearings_without_an_attitude() -> None:
    was = map_ground(None, placed_coverage())
    assert (was.place, was.is_local) == (PLACE, False)
    assert "shown where it searched last" in was.told
    unturned = map_ground(RobotPlace(*PLACE, 1.0, 1.0), placed_coverage())
    assert (unturned.heading_rad, unturned.places([(0.0, 0.5)])) == (None, [])
    assert "no imu" in unturned.told


def test_terrain_ranges_place_bearings_as_far_as_they_say() -> None:
    ranges = np.full(ROWS * COLUMNS, 200.0, np.float32)
    ranges[:COLUMNS] = 0.0  # sky
    ground = map_ground(HERE, placed_coverage(is_range_by_terrain=True, range_m=ranges.tolist()))
    middle = math.radians(6.0) + 6.5 * CELL
    met, sky, beside = ground.places([(0.0, middle), (0.0, math.radians(7.0)), (2.0, middle)])
    assert (met.is_met, sky.is_met, beside.is_met) == (True, False, False)
    east, north, _ = pymap3d.geodetic2enu(
        met.latitude_deg, met.longitude_deg, PLACE[2] - 200.0 * math.sin(middle), *PLACE
    )
    assert math.hypot(east, north) == pytest.approx(200.0 * math.cos(middle), rel=1e-3)


@pytest.mark.parametrize("longitude", [8.5421234, 179.9999])
def test_cells_lie_where_their_corners_meet_the_ground(longitude: float) -> None:
    message = placed_coverage(longitude_deg=longitude)
    corners, is_ground = cell_corners(message, is_local=False)
    assert corners.shape == ((ROWS + 1) * (COLUMNS + 1), 2)
    assert is_ground.all()
    place = Place(PLACE[0], longitude, PLACE[2], NORTH_EAST)
    for row, column in ((0, 0), (ROWS, COLUMNS), (5, 17)):
        yaw = message.yaw_min_rad + column * CELL
        pitch = message.pitch_min_rad + row * CELL
        found = locate(place, yaw, pitch, PLACE[2] - HEIGHT_M)
        assert isinstance(found, Position)
        latitude_e7, longitude_e7 = corners[row * (COLUMNS + 1) + column].tolist()
        assert abs(latitude_e7 - 1e7 * found.latitude_deg) <= 2.0
        near = math.remainder(longitude_e7 / 1e7 - found.longitude_deg, 360.0)
        assert abs(near) <= 2e-7
        assert abs(longitude_e7 / 1e7 - longitude) < 1.0  # it does not leap at 180 deg


def test_cells_of_the_sky_are_left_out() -> None:
    message = placed_coverage(pitch_min_rad=-2.5 * CELL)
    corners, is_ground = cell_corners(message, is_local=False)
    rows = is_ground.reshape(ROWS, COLUMNS).all(axis=1)
    assert rows.tolist() == [False] * 3 + [True] * (ROWS - 3)
    assert (corners[: COLUMNS + 1] == -(2**31)).all()
    assert cell_corners(placed_coverage(is_range_assumed=True), is_local=False)[1].size == 0
    assert cell_corners(placed_coverage(has_position=False), is_local=True)[1].all()


def test_cells_are_asked_again_only_where_they_lie_elsewhere() -> None:
    same = cells_key(placed_coverage())
    assert cells_key(placed_coverage(results=[2] * ROWS * COLUMNS)) == same
    assert cells_key(placed_coverage(latitude_deg=PLACE[0] + 1e-8)) == same
    for changes in ({"latitude_deg": 47.38}, {"has_position": False}, {"columns": 41}):
        assert cells_key(placed_coverage(**changes)) != same


def test_an_ellipse_is_as_long_as_it_is_sure() -> None:
    one = Position(47.0, 179.99999, 500.0, 100.0, 6.0, 2.0, 0.0)
    outline = np.array(ellipse_outline(one))
    east, north, _ = pymap3d.geodetic2enu(*outline.T, 500.0, 47.0, 179.99999, 500.0)
    assert np.abs(north).max() == pytest.approx(6.0, abs=0.02)
    assert np.abs(east).max() == pytest.approx(2.0, abs=0.02)
    assert (np.abs(outline[:, 1] - 179.99999) < 0.1).all()
    assert ellipse_outline(Position(47.0, 8.0, 0.0, 1.0, 0.0, 0.0, 0.0)) == []


@settings(max_examples=80, deadline=None)
@given(message=messages(Coverage), is_robot=st.booleans())
def test_whatever_a_coverage_holds_is_drawn_or_left_out(message: Any, is_robot: bool) -> None:
    with np.errstate(all="ignore"):
        ground = map_ground(HERE if is_robot else None, message)
        found = ground.places([(0.0, 0.5), (1.0, -0.5)]) + ground.outline([(0.0, 0.5), (1.0, 0.2)])
        places = [(one.latitude_deg, one.longitude_deg) for one in found]
        json.dumps([ground.place, ground.heading_rad, places], allow_nan=False)
        cell_corners(message, is_local=not is_placed_coverage(message))
        cells_key(message)


def ask(served: Served, **body: Any) -> Any:
    return served.post("/api/map/places", body)


def test_places_over_http(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        told = ask(served).json
        assert (told["is_local"], told["told"]) == (True, "Asking where the robot is ...")
        assert wait_until(lambda: "no fix" in ask(served).json["told"], "its word")
        assert served.robot.is_place_watched
        served.dashboard.map_book.where = lambda: HERE
        served.dashboard.map_book.take_coverage(placed_coverage())
        told = ask(served, points=[[0.0, 0.5]], outlines=[[], [[0.1, 0.2], [0.1, 0.3], [0, 0.3]]])
        assert told.json["told"] == ""
        assert told.json["robot"]["heading_rad"] == pytest.approx(math.pi / 4)
        ((latitude, longitude, is_met),) = told.json["points"]
        found = locate(level(), 0.0, 0.5, PLACE[2] - HEIGHT_M)
        assert isinstance(found, Position)
        assert abs(latitude - found.latitude_deg) <= WITHIN_DEG
        assert abs(longitude - found.longitude_deg) <= WITHIN_DEG
        assert is_met
        assert told.json["outlines"][0] == []
        assert len(told.json["outlines"][1]) > 8
        cells = served.get("/api/map/cells").json
        assert (cells["rows"], cells["columns"]) == (ROWS, COLUMNS)
        corners = np.frombuffer(base64.b64decode(cells["corners"]), "<i4").reshape(-1, 2)
        assert corners.tolist() == cell_corners(placed_coverage(), is_local=False)[0].tolist()


def test_nobody_listens_for_fixes_while_no_map_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantic_detection_pkg.dashboard.api.map_book._OPEN_S", 0.5)
    with serve(tmp_path) as served:
        assert not served.robot.is_place_watched
        ask(served)
        assert served.robot.is_place_watched
        assert wait_until(lambda: not served.robot.is_place_watched, "the end of it")
        ask(served)
        assert served.robot.is_place_watched


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"points": [[0.0, 9.0]]}, "body.points.0.1"),
        ({"points": [[0.0]]}, "body.points.0"),
        ({"points": 7}, "body.points"),
        ({"outlines": [[[0.0, 0.1]] * 1001]}, "body.outlines.0"),
        ({"outlines": [[[0.0, 0.1]] * 600] * 2}, "outlines: 1200 corners are too many"),
        ({"more": 1}, "body.more"),
    ],
)
def test_what_is_no_bearing_is_refused_in_a_line(body: Any, told: str, tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        reply = served.post("/api/map/places", body)
        assert (reply.status, "\n" in reply.json["detail"]) == (422, False)
        assert told in reply.json["detail"]


def test_a_place_on_the_map_becomes_a_bearing(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        served.robot.outcome = Outcome(CommandStatus.DONE, "", ((0.1, 0.2),))
        reply = served.post("/api/map/bearings", {"places": [[47.0, 8.0]]})
        assert reply.json == {"bearings": [{"yaw_rad": 0.1, "pitch_rad": 0.2}]}
        (asked,) = served.robot.commands
        assert isinstance(asked, commands.ToBearings)
        assert (asked.latitudes_deg, asked.longitudes_deg) == ((47.0,), (8.0,))
        served.robot.outcome = Outcome(CommandStatus.REFUSED, "no fix has come")
        reply = served.post("/api/map/bearings", {"places": [[47.0, 8.0]]})
        assert (reply.status, reply.json["detail"]) == (409, "no fix has come")
        for bad in ([], [[91.0, 0.0]], [[0.0]], [["a", 0.0]]):
            assert served.post("/api/map/bearings", {"places": bad}).status == 422
