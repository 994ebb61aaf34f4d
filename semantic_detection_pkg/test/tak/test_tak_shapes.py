"""Shapes that people draw: read from their words, asked of us or not, the range that holds one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tak_server import circle_drawn, corners_drawn, event
from test_tak_events import search_map
from test_tak_server import ROBOT

from semantic_detection_pkg.common.core.position import Place, bearing_to
from semantic_detection_pkg.tak.core.shapes import (
    CORNERS_MAX,
    along_edges,
    ellipse,
    polygon,
    range_of,
)
from semantic_detection_pkg.tak.cot_xml import parse_event

SQUARE = ((47.0, 8.0), (47.0, 8.001), (47.001, 8.001), (47.001, 8.0))
METRES_PER_DEG = 111_200.0


def shape_of(kind: str, drawn: str) -> Any:
    told = parse_event(event("x", kind, 47.0, 8.0, drawn=drawn).encode())
    assert told is not None
    return told.shape


@pytest.mark.parametrize("kind", ["u-d-f", "u-d-r"])
def test_a_polygon_has_its_corners_once(kind: str) -> None:
    assert shape_of(kind, corners_drawn(SQUARE)) == SQUARE


def test_a_circle_is_a_polygon_of_its_outermost_ring() -> None:
    corners = shape_of("u-d-c-c", circle_drawn(50.0, 120.0, 80.0))
    assert len(corners) >= 24
    for latitude, longitude in corners:
        north = (latitude - 47.0) * METRES_PER_DEG
        east = (longitude - 8.0) * METRES_PER_DEG * math.cos(math.radians(47.0))
        assert math.hypot(north, east) == pytest.approx(120.0, rel=0.01)


def test_an_ellipse_lies_as_it_is_turned() -> None:
    corners = ellipse((0.0, 0.0), 1000.0, 100.0, 90.0)  # the long axis to the east
    assert max(abs(lat) for lat, _ in corners) == pytest.approx(100.0 / 110_574.0, rel=0.01)
    assert max(abs(lon) for _, lon in corners) == pytest.approx(1000.0 / 111_320.0, rel=0.01)


@pytest.mark.parametrize(
    "drawn",
    [
        "",
        corners_drawn(SQUARE[:2]),
        '<link point="47"/><link point="47.0,8.0"/><link point="47.1,8.0"/>',
        '<link point="a,b"/><link point="47.0,8.0"/><link point="47.1,8.0"/>',
        corners_drawn(((91.0, 8.0), *SQUARE)),
        corners_drawn(((math.nan, 8.0), *SQUARE)),
        circle_drawn(0.0),
        circle_drawn(-5.0),
        circle_drawn(math.nan),
        circle_drawn(1e9),
        '<shape><ellipse major="10"/></shape>',
    ],
)
def test_what_is_no_shape_is_none(drawn: str) -> None:
    assert shape_of("u-d-f", drawn) == ()


def test_a_freehand_line_of_hundreds_keeps_its_form() -> None:
    ring = [(math.sin(i / 100.0), math.cos(i / 100.0)) for i in range(628)]
    kept = polygon(ring)
    assert 50 <= len(kept) <= CORNERS_MAX
    assert max(lat for lat, _ in kept) == pytest.approx(1.0, abs=0.01)


def asked(**changes: Any) -> bool:
    fields = {"uid": "x", "kind": "u-d-f", "callsign": "", "remarks": "", "sent_to": ()}
    return search_map().is_search_here(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"sent_to": ("finder",)}, True),
        ({"sent_to": ("finder",), "kind": "u-d-r"}, True),
        ({"sent_to": ("finder",), "kind": "u-d-c-c"}, True),
        ({"callsign": "Search here, please"}, True),
        ({"sent_to": ("other",), "callsign": "search here"}, False),
        ({"callsign": "sector 4"}, False),  # what is drawn for all begins no search
        ({"sent_to": ("finder",), "kind": "b-m-p-s-m"}, False),
        ({"sent_to": ("finder",), "kind": "u-rb-a"}, False),  # a range and bearing line
        ({"sent_to": ("finder",), "uid": f"{ROBOT.uid}.area.0"}, False),  # ours, come back
    ],
)
def test_only_who_asks_is_searched_for(changes: dict[str, Any], wanted: bool) -> None:
    assert asked(**changes) is wanted


def test_a_shape_is_no_point_to_look_at() -> None:
    fields = {"uid": "x", "callsign": "look here", "remarks": "", "sent_to": ("finder",)}
    assert not search_map().is_look_here(kind="u-d-f", **fields)


def seen_from(base: Place, corners: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    ground_m = base.altitude_m - 30.0
    return [bearing_to(base, lat, lon, ground_m)[:2] for lat, lon in along_edges(corners)]


def test_the_range_holds_what_lies_between_the_corners() -> None:
    """An edge that passes close by is nearest in its middle."""
    base = Place(47.0, 8.0, 530.0, (0.0, 0.0, 0.0, 1.0))  # ahead is east
    near, far = 8.0003, 8.01
    field = ((46.99, near), (47.01, near), (47.01, far), (46.99, far))
    found = range_of(seen_from(base, field))
    middle_m = 0.0003 * METRES_PER_DEG * math.cos(math.radians(47.0))
    assert found.pitch_max_rad == pytest.approx(math.atan2(30.0, middle_m), abs=0.02)
    assert found.yaw_max_rad == pytest.approx(math.radians(88.8), abs=0.02)
    assert found.yaw_min_rad == pytest.approx(-found.yaw_max_rad, abs=0.02)


def test_a_range_may_lie_across_straight_behind() -> None:
    base = Place(47.0005, 8.01, 530.0, (0.0, 0.0, 0.0, 1.0))
    found = range_of(seen_from(base, SQUARE))  # to the west
    assert found.yaw_min_rad < math.pi < found.yaw_max_rad
    assert found.yaw_max_rad - found.yaw_min_rad < 0.3


def test_around_the_robot_is_all_around_and_down_to_its_feet() -> None:
    base = Place(47.0005, 8.0005, 530.0, (0.0, 0.0, 0.0, 1.0))
    found = range_of(seen_from(base, SQUARE))
    assert found.yaw_max_rad - found.yaw_min_rad == pytest.approx(2.0 * math.pi)
    assert found.pitch_max_rad == pytest.approx(math.pi / 2.0)
    assert 0.0 < found.pitch_min_rad < 0.6


def test_a_field_far_away_is_not_less_than_can_be_searched() -> None:
    found = range_of([(0.1, 0.01), (0.1, 0.0101), (0.1001, 0.0101)])
    assert found.yaw_max_rad - found.yaw_min_rad >= math.radians(0.99)
    assert found.pitch_max_rad - found.pitch_min_rad >= math.radians(0.99)


@pytest.mark.parametrize("outline", [[], [(0.0, 0.0)] * 2, [(0.0, 0.0), (math.nan, 0.0), (1, 1)]])
def test_no_outline_is_no_range(outline: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="no outline"):
        range_of(outline)


@given(st.lists(st.tuples(st.floats(-8.0, 8.0), st.floats(-1.5, 1.5)), min_size=3, max_size=20))
def test_any_outline_is_held(outline: list[tuple[float, float]]) -> None:
    found = range_of(outline)
    assert found.yaw_max_rad > found.yaw_min_rad
    assert -math.pi <= (found.yaw_min_rad + found.yaw_max_rad) / 2.0 <= math.pi
    assert found.pitch_min_rad < found.pitch_max_rad <= math.pi / 2.0
    for yaw, pitch in outline:
        middle = (found.yaw_min_rad + found.yaw_max_rad) / 2.0
        turn = abs(math.remainder(yaw - middle, math.tau))
        assert turn <= (found.yaw_max_rad - found.yaw_min_rad) / 2.0 + 1e-9
        assert found.pitch_min_rad <= pitch <= found.pitch_max_rad


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["point", "major", "angle"]))
def test_words_of_anybody_raise_nothing(text: str, other: str, name: str) -> None:
    clean = "".join(c for c in text + other if c.isalnum() or c in ",.-+ eE")
    for drawn in (f'<link {name}="{clean}"/>' * 3, f'<shape><ellipse {name}="{clean}"/></shape>'):
        parse_event(event("x", "u-d-f", drawn=drawn).encode())
