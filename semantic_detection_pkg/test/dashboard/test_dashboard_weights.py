"""Likelier places: from a GeoJSON, drawn on the page, sent with the scan, refused in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_client import Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures

from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.core.weights_map import parts_of, rings_of
from semantic_detection_pkg.errors import ConfigurationError

BOW_TIE = [[11.0, 47.0], [11.001, 47.001], [11.001, 47.0], [11.0, 47.001], [11.0, 47.0]]
SQUARE = [[11.0, 47.0], [11.001, 47.0], [11.001, 47.001], [11.0, 47.001], [11.0, 47.0]]


def feature(weight: Any = 4, coordinates: Any = None, kind: str = "Polygon") -> dict[str, Any]:
    shape = {"type": kind, "coordinates": [SQUARE] if coordinates is None else coordinates}
    return {"type": "Feature", "properties": {"weight": weight}, "geometry": shape}


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **more}


def test_polygons_are_read_with_places_on_their_edges():
    (ring,) = rings_of(collection(feature(4)))
    assert (ring.name, ring.weight, len(ring.places)) == ("feature 1", 4.0, 32)
    assert ring.places[0] == (47.0, 11.0)
    assert ring.places[4] == pytest.approx((47.0, 11.0005))  # latitude first, half of an edge
    assert rings_of(feature(0.5))[0].weight == 0.5
    several = rings_of(collection(feature(2), feature(3, [[SQUARE], [SQUARE]], "MultiPolygon")))
    assert [one.weight for one in several] == [2.0, 3.0, 3.0]
    many = [[11.0 + 1e-5 * number, 47.0 + 1e-5 * number**2] for number in range(150)]
    assert len(rings_of(feature(1, [many]))[0].places) == 150


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "no GeoJSON"),
        ([], "no GeoJSON"),
        ({"type": "Polygon", "coordinates": [SQUARE]}, "no GeoJSON"),
        ({"type": "FeatureCollection"}, "no GeoJSON"),
        (collection(), "the map has no polygons"),
        (collection(feature(-1)), "feature 1 has weight -1, a property 'weight' of 0..1000"),
        (collection(feature(), feature(1e6)), "feature 2 has weight 1000000.0"),
        (collection(feature(None)), "feature 1 has weight none"),
        (collection(feature("4")), "feature 1 has weight '4'"),
        (collection(feature(True)), "feature 1 has weight True"),
        (collection(feature(float("nan"))), "feature 1 has weight nan"),
        (collection(feature(10**400)), "feature 1 has weight 1000"),
        (collection({"type": "Feature"}), "feature 1 has geometry None"),
        (collection(7), "feature 1 has geometry None"),
        (collection(feature(kind="Point")), "feature 1 has geometry 'Point', 'Polygon' and"),
        (collection(feature(coordinates=[])), "feature 1 has no coordinates of a Polygon"),
        (collection(feature(coordinates=7)), "feature 1 has no coordinates of a Polygon"),
        (collection(feature(coordinates=[[[1, 2], [3]]])), "no list of [longitude, latitude]"),
        (collection(feature(coordinates=[[["a", 2]] * 4])), "no list of [longitude, latitude]"),
        (collection(feature(coordinates=[SQUARE[:2]])), "feature 1 has 2 corners, 3..200"),
        (collection(feature(coordinates=[SQUARE, SQUARE])), "feature 1 has a hole"),
        (collection(feature(coordinates=[[[47, 110], [48, 110], [48, 111]]])), "latitude 110"),
        (collection(feature(coordinates=[[[1e9, 1], [1, 1], [2, 2]]])), "feature 1 has a ring"),
        (collection(feature(), feature(coordinates=[BOW_TIE])), "feature 2 crosses itself: its"),
        (collection(*[feature()] * 101), "weights: 101 parts are too many, at most 100"),
        (
            collection(feature(), crs={"properties": {"name": "urn:ogc:def:crs:EPSG::31467"}}),
            "of system 'urn:ogc:def:crs:EPSG::31467', longitude and latitude of WGS 84",
        ),
        (collection(feature(), crs=5), "of system None"),
    ],
)
def test_what_is_no_map_of_weights_is_refused_in_one_line(document, told):
    with pytest.raises(ConfigurationError) as caught:
        rings_of(document)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_place_all_round_the_robot_is_refused():
    rings = rings_of(feature())
    around = [(math.tau * number / 32, 0.5) for number in range(32)]
    with pytest.raises(ConfigurationError, match="feature 1 goes all round the robot"):
        parts_of(rings, around)
    beside = [(yaw / 10.0 + math.pi, pitch) for yaw, pitch in around]  # across straight behind
    (part,) = parts_of(rings, beside)
    assert part.weight == 4.0
    with pytest.raises(ConfigurationError, match="31 bearings"):
        parts_of(rings, around[1:])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as made:
        made.dashboard.board.put("presence", {"scan": True})
        yield made


def seen() -> Outcome:
    """What the robot answers: the 32 places of a square, ahead of it."""
    corners = [(0.1, 0.2), (-0.1, 0.2), (-0.1, 0.3), (0.1, 0.3)]
    return Outcome(CommandStatus.DONE, "", tuple(one for one in corners for _ in range(8)))


def test_a_map_comes_back_as_parts_as_seen_from_the_robot(served: Served) -> None:
    served.robot.outcome = seen()
    reply = served.post("/api/scan/weights", {"geojson": collection(feature(4))})
    assert reply.status == 200
    (part,) = reply.json["parts"]
    assert part["weight"] == 4.0
    assert part["vertices"][0] == {"yaw_rad": 0.1, "pitch_rad": 0.2}
    (asked,) = served.robot.commands
    assert isinstance(asked, commands.ToBearings)
    assert (asked.latitudes_deg[0], asked.longitudes_deg[4]) == (47.0, pytest.approx(11.0005))


def test_what_is_wrong_with_a_map_is_told(served: Served) -> None:
    for body in ({"geojson": collection(feature(-1))}, {"geojson": 5}, {}, {"geojson": {}, "x": 1}):
        reply = served.post("/api/scan/weights", body)
        assert reply.status == 422
        assert "\n" not in reply.json["detail"]
    reply = served.post("/api/scan/weights", {"geojson": collection(feature(-1))})
    assert reply.json["detail"].startswith("feature 1 has weight -1")
    assert served.robot.commands == []
    served.robot.outcome = Outcome(CommandStatus.REFUSED, "where the robot is is not known")
    reply = served.post("/api/scan/weights", {"geojson": collection(feature())})
    assert (reply.status, reply.json) == (409, {"detail": "where the robot is is not known"})


def start(served: Served, *weights: Any) -> Any:
    with served.page() as viewer:
        me = {"X-Viewer": viewer.news()["me"]["id"]}
        assert served.post("/api/operator", {"is_taken": True}, **me).status == 200
        return served.post("/api/scan/start", {"words": ["tent"], "weights": weights}, **me)


def part(weight: float, yaw: float = 0.0) -> dict[str, Any]:
    corners = [(yaw, 0.2), (yaw + 0.2, 0.2), (yaw + 0.1, 0.3)]
    vertices = [{"yaw_rad": one, "pitch_rad": other} for one, other in corners]
    return {"vertices": vertices, "weight": weight}


def crossing() -> dict[str, Any]:
    corners = [(0.0, 0.2), (0.2, 0.3), (0.2, 0.2), (0.0, 0.3)]
    return {"vertices": [{"yaw_rad": x, "pitch_rad": y} for x, y in corners], "weight": 2}


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([part(-1.0)], "body.weights.0.weight: Input should be greater than or equal to 0"),
        ([part(1e6)], "less than or equal to 1000"),
        ([part(2.0), part(2.0, 2.5)], "body: weights: part 2, around yaw 149"),
        ([{"vertices": part(1.0)["vertices"][:2], "weight": 1.0}], "at least 3 items"),
        ([crossing()], "body: weights: part 1 crosses itself: its edges from corner 1 and from"),
        ([part(1.0)] * 101, "at most 100 items"),
    ],
)
def test_weights_that_cannot_be_are_refused_before_the_scan_begins(served, weights, told) -> None:
    reply = start(served, *weights)
    assert reply.status == 422
    assert told in reply.json["detail"]
    assert "\n" not in reply.json["detail"]
    assert not any(isinstance(one, commands.StartScan) for one in served.robot.commands)


def test_weights_go_with_the_scan(served: Served) -> None:
    assert start(served, part(4.0)).status == 200
    command = served.robot.commands[-1]
    assert isinstance(command, commands.StartScan)
    assert command.weights[0].as_weight.vertices == ((0.0, 0.2), (0.2, 0.2), (0.1, 0.3))
    assert command.weights[0].weight == 4.0


def click(page: Page, x: float, y: float) -> None:  # noqa: F811
    """Click on the map at shares of its sides."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


@pytest.mark.long
def test_a_place_is_drawn_weighed_and_sent(served: Served, page: Page) -> None:  # noqa: F811
    take_control(page, served.address)
    page.fill("#words", "tent")
    page.click("#part-draw")
    expect(page.locator("#part-draw")).to_have_text("Done")
    for x, y in ((0.5, 0.5), (0.6, 0.5)):
        click(page, x, y)
    page.click("#part-draw")
    expect(page.locator("#toasts")).to_contain_text("a place needs 3 corners at least")
    click(page, 0.55, 0.8)
    page.click("#part-draw")
    expect(page.locator("#parts button")).to_have_text(["1: × 4"])
    page.locator("#part-weight").fill("8")
    expect(page.locator("#parts button")).to_have_text(["1: × 20"])
    with page.expect_response("**/api/scan/start"):
        page.click("#start")
    command = served.robot.commands[-1]
    assert isinstance(command, commands.StartScan)
    (sent,) = command.weights
    assert sent.weight == 20.0
    assert len(sent.vertices) == 3
    # The map begins at 75 deg left of ahead and ends 75 deg right of it.
    yaws = [math.degrees(one.yaw_rad) for one in sent.vertices]
    assert yaws == pytest.approx([0.0, -15.0, -7.5], abs=1.0)
    # What was drawn was no wish to look there.
    assert not any(isinstance(one, commands.Point) for one in served.robot.commands)
    page.click("#part-remove")
    expect(page.locator("#parts button")).to_have_count(0)
    with page.expect_response("**/api/gimbal/point"):
        click(page, 0.5, 0.5)
    assert isinstance(served.robot.commands[-1], commands.Point)


@pytest.mark.parametrize("by", ["the button", "Escape"])
def test_a_drawing_can_be_dropped(served: Served, page: Page, by: str) -> None:  # noqa: F811
    page.goto(served.address)
    expect(page.locator("#part-drop")).to_be_hidden()
    page.click("#part-draw")
    click(page, 0.5, 0.5)
    if by == "Escape":
        page.keyboard.press("Escape")
    else:
        page.click("#part-drop")
    expect(page.locator("#part-drop")).to_be_hidden()
    expect(page.locator("#part-draw")).to_have_text("Draw likely place")
    expect(page.locator("#parts button")).to_have_count(0)


def test_a_drawing_that_crosses_itself_is_no_place(served: Served, page: Page) -> None:  # noqa: F811
    page.goto(served.address)
    page.click("#part-draw")
    for x, y in ((0.4, 0.4), (0.6, 0.8), (0.6, 0.4), (0.4, 0.8)):
        click(page, x, y)
    page.click("#part-draw")
    expect(page.locator("#toasts")).to_contain_text("crosses itself after corners 1 and 3")
    expect(page.locator("#parts button")).to_have_count(0)
    expect(page.locator("#part-draw")).to_have_text("Done")


def test_a_map_is_loaded_on_the_page_or_refused_there(
    served: Served,
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    good, bad, none = (tmp_path / name for name in ("good.geojson", "bad.geojson", "none.json"))
    good.write_text(json.dumps(collection(feature(30))))
    bad.write_text(json.dumps(collection(feature(-2))))
    none.write_text("{")
    page.goto(served.address)
    served.robot.outcome = seen()
    page.set_input_files("#part-file", good)
    expect(page.locator("#parts button")).to_have_text(["1: × 30"])
    # The slider does not change it before it is chosen.
    expect(page.locator("#part-remove")).to_be_disabled()
    page.locator("#part-weight").fill("2")
    expect(page.locator("#parts button")).to_have_text(["1: × 30"])
    page.click("#parts button")
    expect(page.locator("#part-weight-value")).to_have_text("× 30")
    page.locator("#part-weight").fill("4")
    expect(page.locator("#parts button")).to_have_text(["1: × 1"])
    page.set_input_files("#part-file", bad)
    expect(page.locator("#toasts")).to_contain_text("feature 1 has weight -2, a property 'weight'")
    page.set_input_files("#part-file", none)
    expect(page.locator("#toasts")).to_contain_text("none.json: no JSON")
    served.robot.outcome = Outcome(CommandStatus.REFUSED, "no fix has come")
    page.set_input_files("#part-file", good)
    expect(page.locator("#toasts")).to_contain_text("no fix has come")
    expect(page.locator("#parts button")).to_have_count(1)


@pytest.mark.long
def test_weights_outside_the_area_are_told_on_the_page(
    served: Served,
    page: Page,  # noqa: F811
) -> None:
    take_control(page, served.address)
    page.fill("#words", "tent")
    page.fill("#yaw-min", "30")
    page.click("#part-draw")
    for x, y in ((0.8, 0.4), (0.9, 0.4), (0.85, 0.8)):
        click(page, x, y)
    page.click("#part-draw")
    page.click("#start")
    expect(page.locator("#toasts")).to_contain_text("weights: part 1, around yaw -52")
    expect(page.locator("#toasts")).to_contain_text("lies outside the area")
    assert not any(isinstance(one, commands.StartScan) for one in served.robot.commands)
