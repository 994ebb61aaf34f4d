"""Events without a server: what is told when, XML of strangers, addresses, files, multicast."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tak_server import event, place_of
from test_tak_server import ROBOT, finding

from semantic_detection_pkg.common.core.optics import direction
from semantic_detection_pkg.common.core.position import (
    Place,
    Position,
    RobotPlace,
    bearing_to,
    heading,
    locate,
)
from semantic_detection_pkg.tak.core.events import CotEvent, camera_event
from semantic_detection_pkg.tak.core.outbox import STANDING_MAX, Outbox
from semantic_detection_pkg.tak.core.requests import Heard, Requests
from semantic_detection_pkg.tak.core.search_map import SearchMap, Telling
from semantic_detection_pkg.tak.cot_xml import EventStream, parse_event, to_xml
from simulation_pkg.harness.recorded_messages import START_NS, blank

FINDING, COVERAGE = "interfaces_pkg/msg/Finding", "interfaces_pkg/msg/Coverage"
EAST = (0.0, 0.0, 0.0, 1.0)
PLACE = RobotPlace(47.0, 8.0, 540.0, 1.5, 3.0, EAST)
CELL = math.radians(2.0)


def search_map(**changes: Any) -> SearchMap:
    return SearchMap(
        ROBOT,
        **{
            "states": ("confirmed",),
            "page_url": "http://robot:8080/",
            "update_period_s": 1.0,
            "finding_lifetime_s": 600.0,
            **changes,
        },
    )


def found(**changes: Any) -> Any:
    fields = {
        "id": f"{START_NS}-3",
        "state": 1,
        "class_name": "tent",
        "has_position": True,
        "latitude_deg": 47.1234567,
        "longitude_deg": -188.7654321,
        "altitude_m": 512.3,
        "range_m": 80.0,
        "ellipse_major_m": 12.0,
        "ellipse_minor_m": 4.0,
        "ellipse_heading_rad": 0.6,
    }
    return blank(FINDING, **{**fields, **changes})


def coverage(**changes: Any) -> Any:
    """10 by 4 cells from 20 degrees down, ahead and to the left, 40 m above level ground."""
    pitch = math.radians(20.0) + CELL * (np.repeat(np.arange(4), 10) + 0.5)
    fields = {
        "rows": 4,
        "columns": 10,
        "cell_rad": CELL,
        "yaw_min_rad": 0.0,
        "pitch_min_rad": math.radians(20.0),
        "range_m": (40.0 / np.sin(pitch)).astype(np.float32),
        "is_range_assumed": False,
        "is_range_by_terrain": False,
        "look_counts": np.ones(40, np.uint16),
        "has_position": True,
        "latitude_deg": 47.0,
        "longitude_deg": 8.0,
        "altitude_m": 540.0,
        "orientation_xyzw": np.array(EAST),
    }
    known = {name for name, _ in _fields_of(COVERAGE)}
    return blank(COVERAGE, **{k: v for k, v in {**fields, **changes}.items() if k in known})


def _fields_of(name: str) -> Any:
    from simulation_pkg.harness.recorded_messages import typestore

    return typestore().get_msgdef(name).fields


def parsed(one: CotEvent, now_ns: int = START_NS) -> ElementTree.Element:
    return ElementTree.fromstring(to_xml(one, now_ns))


def test_a_finding_is_told_where_it_is_to_1e_7_degrees() -> None:
    (told,) = search_map().finding(found()).events
    latitude, longitude = place_of(parsed(told))
    assert abs(latitude - 47.1234567) <= 1e-7
    assert abs(math.remainder(longitude + 188.7654321, 360.0)) <= 1e-7
    links = [one.attrib for one in parsed(told).findall("detail/link")]
    url = f"http://robot:8080/api/findings/{START_NS}-3/thumbnail"
    assert [one["url"] for one in links if "url" in one] == [url]
    assert parsed(told).attrib["time"] == "2023-11-14T22:13:20.000Z"
    assert parsed(told).attrib["stale"] == "2023-11-14T22:23:20.000Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": 2},
        {"state": 0},
        {"has_position": False},
        {"latitude_deg": math.nan},
        {"latitude_deg": 90.1},
        {"ellipse_major_m": math.inf},
    ],
)
def test_what_is_no_finding_any_more_or_nowhere_is_withdrawn(changes: dict[str, Any]) -> None:
    one = search_map()
    (told,) = one.finding(found()).events
    assert one.finding(found(**changes)) == Telling(withdrawn=(told.uid,))


def test_without_a_page_there_are_no_links() -> None:
    (told,) = search_map(page_url="").finding(found()).events
    assert "url" not in to_xml(told, START_NS).decode()


def test_the_outbox_tells_the_newest_once_and_again_in_time() -> None:
    box = Outbox()
    box.put(finding(latitude=1.0), 0.0)
    box.put(finding(latitude=2.0), 0.0)
    assert [one.latitude_deg for one in box.due(0.0, 10)] == [2.0]
    box.put(finding(latitude=2.0), 1.0)
    assert box.due(299.0, 10) == []
    assert len(box.due(300.0, 10)) == 1  # half of its lifetime
    box.withdraw(finding().uid, 400.0)
    box.withdraw("never put", 400.0)
    (gone,) = box.due(400.0, 10)
    assert gone.lifetime_s == 0.0
    assert box.due(900.0, 10) == []
    box.tell_all_again()
    assert len(box.due(900.0, 10)) == 1  # a server that was away may still show it
    assert box.due(1000.0, 10) == []
    assert len(box) == 0
    box.put(finding(), 1001.0)  # and back
    assert [one.lifetime_s for one in box.due(1001.0, 10)] == [600.0]


def test_where_the_robot_was_is_not_told_late() -> None:
    box = Outbox()
    moving = replace(finding(), is_standing=False, lifetime_s=10.0)
    box.put(moving, 0.0)
    assert box.due(10.0, 10) == []
    box.put(moving, 20.0)
    assert len(box.due(21.0, 10)) == 1
    box.tell_all_again()
    assert box.due(30.0, 10) == []


def test_the_outbox_has_an_end_and_gives_portions() -> None:
    box = Outbox()
    for number in range(STANDING_MAX + 10):
        box.put(finding(number), 0.0)
    assert len(box) == STANDING_MAX
    assert len(box.due(0.0, 50)) == 50
    assert box.due(0.0, 50)[0].uid == finding(60).uid


@pytest.mark.parametrize("yaw_deg", [-170.0, -30.0, 0.0, 45.0, 120.0])
@pytest.mark.parametrize("turn_deg", [0.0, 90.0, 200.0])
def test_the_camera_looks_by_the_compass(yaw_deg: float, turn_deg: float) -> None:
    half = math.radians(turn_deg) / 2.0  # from east, to the left
    place = replace(PLACE, quaternion_xyzw=(0.0, 0.0, math.sin(half), math.cos(half)))
    told = camera_event(ROBOT, place, (math.radians(yaw_deg), 0.5, 0.6), 100.0, 10.0)
    assert told is not None
    sensor = parsed(told).find("detail/sensor")
    assert sensor is not None
    wanted = 90.0 - turn_deg - yaw_deg
    off_deg = math.remainder(float(sensor.attrib["azimuth"]) - wanted, 360.0)
    assert off_deg == pytest.approx(0.0, abs=0.06)
    assert float(sensor.attrib["elevation"]) == pytest.approx(-math.degrees(0.5), abs=0.06)
    assert float(sensor.attrib["fov"]) == pytest.approx(math.degrees(0.6), abs=0.06)
    assert float(sensor.attrib["range"]) == pytest.approx(100 * math.cos(0.5), abs=0.6)


def test_a_robot_without_an_attitude_has_no_camera_on_the_map() -> None:
    blind = replace(PLACE, quaternion_xyzw=None)
    events = search_map().whereabouts(blind, (0.0, 0.3, 0.6)).events
    assert [one.uid for one in events] == [ROBOT.uid]
    assert parsed(events[0]).find("detail/track") is None


def test_the_camera_s_wedge_ends_on_the_ground_where_that_is_known() -> None:
    one = search_map()

    def sensor() -> dict[str, str]:
        events = one.whereabouts(PLACE, (0.1, math.radians(23.0), 0.6)).events
        found_sensor = parsed(events[1]).find("detail/sensor")
        assert found_sensor is not None
        return found_sensor.attrib

    assert "range" not in sensor()
    assert sensor()["hideFov"] == "true"
    one.coverage(coverage())
    assert float(sensor()["range"]) == pytest.approx(40.0 / math.tan(math.radians(23.0)), abs=0.6)
    one.coverage(coverage(is_range_assumed=True))
    assert "range" not in sensor()


def test_the_searched_area_is_a_shape_its_holes_are_shapes_and_what_is_gone_is_withdrawn() -> None:
    one = search_map()
    assert one.area() == Telling()
    looks = np.ones((4, 10), np.uint16)
    looks[1:3, 3:6] = 0
    one.coverage(coverage(look_counts=looks.reshape(-1)))
    told = one.area()
    names = [parsed(event).find("detail/contact").attrib["callsign"] for event in told.events]  # type: ignore[union-attr]
    assert names == ["searched by finder", "not searched"]
    corners = [
        [float(value) for value in link.attrib["point"].split(",")]
        for link in parsed(told.events[0]).findall("detail/link")
    ]
    assert corners[0] == corners[-1]
    for yaw, pitch in ((0.0, 20.0), (20.0, 20.0), (20.0, 28.0), (0.0, 28.0)):
        away = 40.0 / math.tan(math.radians(pitch))
        east, north = away * math.cos(math.radians(yaw)), away * math.sin(math.radians(yaw))
        off = min(
            math.hypot((lon - 8.0) * 75_900 - east, (lat - 47.0) * 111_170 - north)
            for lat, lon in corners
        )
        assert off < 3.0  # corners are cut by less than a cell
    one.coverage(coverage())
    again = one.area()
    assert [event.uid for event in again.events] == [told.events[0].uid]
    assert again.withdrawn == (told.events[1].uid,)


def test_many_parts_are_few_shapes_and_no_hole_is_alone() -> None:
    looks = np.zeros((40, 60), np.uint16)
    looks[::2, ::2] = 1
    rows = {"rows": 40, "columns": 60, "cell_rad": math.radians(0.5)}
    one = search_map()
    one.coverage(
        coverage(**rows, look_counts=looks.reshape(-1), range_m=np.full(2400, 80.0, np.float32))
    )
    assert 1 <= len(one.area().events) <= 60


def ask(**changes: Any) -> bool:
    fields = {"uid": "x", "kind": "b-m-p-s-m", "callsign": "", "remarks": "", "sent_to": ()}
    return search_map().is_look_here(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"sent_to": ("finder",)}, True),
        ({"sent_to": ("other", " Finder ")}, True),
        ({"sent_to": ("finder",), "kind": "a-u-G"}, True),
        ({"callsign": "Look here, please"}, True),
        ({"remarks": "look here"}, True),
        ({"sent_to": ("other",), "callsign": "look here"}, False),
        ({"callsign": "tent"}, False),  # what is put on the map for all turns no camera
        ({"sent_to": ("finder",), "kind": "t-x-c-t"}, False),
        ({"sent_to": ("finder",), "kind": "b-t-f"}, False),  # a chat
        ({"sent_to": ("finder",), "uid": f"{ROBOT.uid}.finding.1-1"}, False),  # ours, come back
    ],
)
def test_only_who_asks_is_looked_for(changes: dict[str, Any], wanted: bool) -> None:
    assert ask(**changes) is wanted


def test_a_request_is_heard_once_and_not_when_it_is_old() -> None:
    now_ns = 10**18
    requests = Requests()
    assert requests.hear("a", now_ns - 10**9, now_ns) == Heard(True)
    assert requests.hear("a", now_ns - 10**9, now_ns) == Heard(False)
    assert requests.hear("a", now_ns, now_ns) == Heard(True)  # moved
    assert not requests.hear("b", now_ns - 61 * 10**9, now_ns).is_new
    for number in range(5000):
        assert requests.hear(f"n{number}", now_ns, now_ns).is_new


@pytest.mark.parametrize(
    ("ahead_s", "now_s", "said"),
    [
        (61, 1.8e9, "its sender's clock is 61 s ahead of ours, allowed is 60 s"),
        (7200, 1.8e9, "its sender's clock is 2 h ahead of ours, allowed is 60 s"),
        (
            -61,
            1.8e9,
            "it was said 61 s ago by its sender's clock, allowed is 60 s: a server tells it again, "
            "or that clock is behind",
        ),
        (
            1.8e9,
            100.0,
            "its sender's clock is 57 years ahead of ours, allowed is 60 s; ours was never "
            "set, it is 56 years before this software was made: set it",
        ),
    ],
)
def test_a_request_off_our_clock_says_how_far(ahead_s: float, now_s: float, said: str) -> None:
    """On a board whose clock begins in 1970 that is every request: it was dropped in silence."""
    now_ns = round(now_s * 1e9)
    time_ns = now_ns + round(ahead_s * 1e9)
    requests = Requests()
    assert requests.hear("a", time_ns, now_ns) == Heard(False, said)
    assert requests.hear("a", time_ns, now_ns) == Heard(False), "once: a server tells it again"
    assert requests.off_clock == 1
    assert requests.hear("a", time_ns, time_ns) == Heard(True), "the clock was set meanwhile"


@given(st.floats(-3.0, 3.0), st.floats(0.1, 1.4), st.floats(-3.0, 3.0))
def test_the_bearing_of_a_place_is_the_one_that_leads_there(
    yaw: float, pitch: float, turn: float
) -> None:
    quaternion = (0.0, 0.0, math.sin(turn / 2), math.cos(turn / 2))
    base = Place(47.0, 8.0, 540.0, quaternion)
    there = locate(base, yaw, pitch, 500.0)
    assert isinstance(there, Position)
    # The ground curves away from the plane that `locate` meets: 1 cm at 400 m.
    back = bearing_to(base, there.latitude_deg, there.longitude_deg, 500.0)
    assert np.allclose(direction(*back[:2]), direction(yaw, pitch), atol=3e-4)
    place = RobotPlace(47.0, 8.0, 540.0, 1.0, 1.0, quaternion)
    one = search_map()
    one.coverage(coverage())
    known = one.bearing_of(place, there.latitude_deg, there.longitude_deg, math.nan)
    assert np.allclose(direction(*known), direction(yaw, pitch), atol=1e-3)


def test_a_point_without_a_height_over_unknown_ground_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="height above the ground is not known"):
        search_map().bearing_of(PLACE, 47.0, 8.001, math.nan)
    with pytest.raises(ValueError, match="attitude is not known"):
        search_map().bearing_of(replace(PLACE, quaternion_xyzw=None), 47.0, 8.001, 500.0)


def test_headings_are_azimuth_and_elevation() -> None:
    assert heading(EAST, 0.0, 0.0) == pytest.approx((math.pi / 2, 0.0))
    assert heading(EAST, math.pi / 2, 0.25) == pytest.approx((0.0, -0.25), abs=1e-9)


def test_texts_of_strangers_are_harmless() -> None:
    nasty = "<event>\x00\x1b\ufffe ]]> & \"' \ud800"
    told = search_map().finding(found(class_name=nasty)).events[0]
    told = replace(told, uid=nasty)
    root = parsed(told)
    assert root.find("detail/contact").attrib["callsign"].startswith("3 <event>")  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_stream_is_events_however_it_is_cut(size: int) -> None:
    texts = [
        event("a", "a-f-G", 1.5, 2.5, "A", sent_to="x"),
        "<?xml version='1.0'?>\n" + event("b", "b-m-p", -3.0, 179.0, "B", hae="123.4"),
        "garbage &&& <event",
        event("c", "t-x", remarks="r &amp; s"),
    ]
    data = "".join(texts).encode()
    stream = EventStream()
    heard = [one for i in range(0, len(data), size) for one in stream.feed(data[i : i + size])]
    assert [one.uid for one in heard] == ["a", "b", "c"]
    assert (heard[0].latitude_deg, heard[0].longitude_deg, heard[0].sent_to) == (1.5, 2.5, ("x",))
    assert math.isnan(heard[0].hae_m)
    assert heard[1].hae_m == 123.4
    assert heard[2].remarks == "r & s"
    assert abs(heard[0].time_ns - time.time_ns()) < 60e9


@pytest.mark.parametrize(
    "text",
    [
        "<event/>",
        "<event uid='a' type='b'></event>",
        event("a", "b", math.nan),
        event("a", "b", 91.0),
        event("a", "b", longitude=math.inf),
        event("", "b"),
        event("a", ""),
        event("a", "b").replace("lat=", "lot="),
        event("a", "b").replace('time="2', 'time="x'),
        event("a", "b").replace("<detail>", "<detail"),
        event("a", "b").replace("<detail>", "<!DOCTYPE x><detail>"),
        event("a", "b").replace("<detail>", "<![CDATA[<detail>]]>"),
        event("a", "b").replace("<detail>", "&undefined;<detail>"),
        event("a", "b", remarks="x" * 300_000),
    ],
)
def test_what_is_no_event_is_counted(text: str) -> None:
    stream = EventStream()
    assert list(stream.feed(text.encode())) == []
    assert stream.refused >= 1
    assert [one.uid for one in stream.feed(event("z", "b").encode())] == ["z"]


@given(st.binary(max_size=300))
def test_bytes_of_anybody_raise_nothing(data: bytes) -> None:
    stream = EventStream()
    list(stream.feed(data))
    list(stream.feed(b"<event" + data + b"</event>"))
    parse_event(data)


def test_endless_bytes_take_no_room() -> None:
    stream = EventStream()
    for _ in range(100):
        list(stream.feed(b"<event>" + b"x" * 10_000))
    assert len(stream._rest) <= 270_000
    assert stream.refused > 0
