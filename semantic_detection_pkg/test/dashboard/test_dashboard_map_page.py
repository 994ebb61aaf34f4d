"""The map on the page, in a real browser, on a desktop and on a phone."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_client import TOKEN, Served, serve
from map_tiles import make_mbtiles, make_pmtiles
from placed_coverage import COLUMNS, HEIGHT_M, NORTH_EAST, PLACE, ROWS, placed_coverage
from playwright.sync_api import Browser, Page, expect
from test_dashboard_browser import TIMEOUT_MS, browser, page, take_control  # noqa: F401 - fixtures
from test_dashboard_maps import placed
from test_dashboard_pod import section

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.common.core.position import Place, Position, RobotPlace, locate
from semantic_detection_pkg.dashboard.api import commands, ground_map
from semantic_detection_pkg.dashboard.api.app import STATIC_DIR
from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome

HERE = RobotPlace(*PLACE, 1.5, 3.0, NORTH_EAST)
BASE = Place(*PLACE, NORTH_EAST)
STATES = ("candidate", "confirmed", "rejected", "uncertain")
BEARINGS = {"candidate": (-0.4, 0.3), "confirmed": (0.1, 0.2), "rejected": (-0.2, 0.6)} | {
    "uncertain": (0.5, 0.4)
}
GIMBAL = {"yaw_rad": 0.0, "pitch_rad": 0.35, "roll_rad": 0.0, "hfov_rad": 0.6, "link": "up"}
DRAWN = re.compile(r"^([2-9]|\d\d+)$")  # more than once
STEP = re.compile("^[125]0*$")
#: As released.
LEAFLET = {
    "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
    "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
}


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()  # noqa: F811
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    context.close()


def position_of(yaw_rad: float, pitch_rad: float) -> Position:
    found = locate(BASE, yaw_rad, pitch_rad, PLACE[2] - HEIGHT_M)
    assert isinstance(found, Position)
    return found


def placed_finding(number: int, state: str, *, has_position: bool = True) -> dict[str, Any]:
    """A finding as the page has it, where its bearing meets the ground."""
    at = position_of(*BEARINGS[state])
    fields = ("latitude_deg", "longitude_deg", "ellipse_major_m", "ellipse_minor_m")
    plain: dict[str, Any] = as_plain(
        placed(
            number,
            state=STATES.index(state),
            has_position=has_position,
            ellipse_heading_rad=at.ellipse_heading_rad,
            **{name: getattr(at, name) for name in fields},
        )
    )
    yaw, pitch = BEARINGS[state]
    return {**plain, "state": state, "bearing": {"yaw_rad": yaw, "pitch_rad": pitch}}


def stand(served: Served, *, has_position: bool = True) -> None:
    """Stand somewhere with a coverage, a camera and a finding of each state."""
    dashboard = served.dashboard
    message = placed_coverage(has_position=has_position)
    if has_position:
        dashboard.map_book.where = lambda: HERE
    dashboard.map_book.take_coverage(message)
    dashboard.board.put("coverage", section(message))
    dashboard.board.put("gimbal", GIMBAL)
    dashboard.board.put("presence", {"scan": True})
    for number, state in enumerate(STATES, 1):
        dashboard.findings.add(placed_finding(number, state, has_position=has_position))


def open_map(page: Page) -> None:  # noqa: F811
    """Show the map, and wait until it has been drawn."""
    page.click("#as-map")
    expect(page.locator("#ground-map")).to_have_attribute("data-asked", DRAWN)


def seen_by(served: Served, *bearings: tuple[float, float]) -> None:
    served.robot.outcome = Outcome(CommandStatus.DONE, "", bearings)


def box_of(page: Page, selector: str) -> dict[str, float]:  # noqa: F811
    """Return where it is on the page; at a glance, as news draw the map's marks anew."""
    expect(page.locator(selector).first).to_be_visible()
    box: dict[str, float] = page.evaluate(
        "one => document.querySelector(one).getBoundingClientRect().toJSON()", selector
    )
    return box


def click(page: Page, x: float, y: float) -> None:  # noqa: F811
    """Click, or tap, the map at shares of its sides."""
    page.locator("#ground-map").scroll_into_view_if_needed()
    box = page.locator("#ground-map").bounding_box()
    assert box is not None
    at = box["x"] + x * box["width"], box["y"] + y * box["height"]
    page.mouse.click(*at)


def last(served: Served, kind: type[Command]) -> Any:
    return [one for one in served.robot.commands if isinstance(one, kind)][-1]


@pytest.mark.long
def test_the_library_is_the_released_one_and_is_loaded_when_it_is_needed(
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    for name, digest in LEAFLET.items():
        content = (STATIC_DIR / "leaflet" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    assert "BSD 2-Clause" in (STATIC_DIR / "leaflet" / "LICENSE").read_text()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with serve(tmp_path) as served:
        stand(served)
        page.goto(served.address)
        expect(page.locator("#finding-count")).to_have_text("1 confirmed of 4")
        assert not any("leaflet" in url or "/api/map/" in url for url in asked)
        open_map(page)
        assert any(url.endswith("leaflet.js") for url in asked)
        # Nothing comes from elsewhere.
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {served.host}
        page.click("#as-panorama")
        expect(page.locator("#map")).to_be_visible()
        expect(page.locator("#ground-map")).to_be_hidden()
        page.reload()
        expect(page.locator("#map")).to_be_visible()


@pytest.mark.parametrize("on", ["page", "phone"])
def test_findings_robot_view_and_cells_are_shown(
    on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page: Page = request.getfixturevalue(on)  # noqa: F811
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    with serve(tmp_path) as served:
        stand(served)
        page.goto(served.address)
        open_map(page)
        for state in STATES:
            expect(page.locator(f".finding-mark .pin.{state}")).to_have_count(1)
            expect(page.locator(f"#ground-map path.ellipse.{state}")).to_have_count(1)
            expect(page.locator(f"#ground-legend .pin.{state}")).to_have_count(1)
        signs = page.locator(".finding-mark .pin b").all_inner_texts()
        assert sorted(signs) == sorted("?✓×!")
        expect(page.locator("#ground-map .robot")).to_have_count(1)
        expect(page.locator("#ground-map path.view")).to_have_count(1)
        expect(page.locator("#ground-map path.area-asked")).to_have_count(1)
        expect(page.locator("#ground-told")).to_have_text("")
        seen = sum(one > 0 for one in placed_coverage().results)
        expect(page.locator(".ground-cells")).to_have_attribute("data-cells", str(seen))
        page.select_option("#map-shows", "person")  # what was never looked at has a colour, too
        expect(page.locator(".ground-cells")).to_have_attribute("data-cells", str(ROWS * COLUMNS))
        expect(page.locator("#ground-legend")).to_contain_text("80–100 %")
        angle = page.locator("#ground-map .robot").evaluate("one => one.style.transform")
        assert float(angle[7:-4]) == pytest.approx(math.pi / 4, abs=1e-3)
        # As large as a finger, and nothing is wider than the page.
        for name in ("#ground-area", "#ground-part", "#ground-fit", ".leaflet-control-zoom-in"):
            assert box_of(page, name)["height"] >= 44.0
        assert box_of(page, ".finding-mark")["width"] >= 44.0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator(".finding-mark", has=page.locator(".confirmed")).click()
        told = page.locator(".finding-told")
        expect(told).to_contain_text("2 tent")
        at = position_of(*BEARINGS["confirmed"])
        expect(told).to_contain_text(f"{at.latitude_deg:.6f}, {at.longitude_deg:.6f}, accuracy")
    assert failures == []


def test_marks_stand_where_the_findings_are(page: Page, tmp_path: Path) -> None:  # noqa: F811
    with serve(tmp_path) as served:
        stand(served)
        page.goto(served.address)
        open_map(page)
        expect(page.locator(".finding-mark")).to_have_count(4)
        middles = {}
        for name in (*(f".pin.{state}" for state in STATES), ".robot"):
            box = box_of(page, f"#ground-map {name}")
            middles[name] = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        robot = middles[".robot"]
        for state in STATES:
            at = position_of(*BEARINGS[state])
            east = (at.longitude_deg - PLACE[1]) * math.cos(math.radians(PLACE[0]))
            north = at.latitude_deg - PLACE[0]
            x, y = middles[f".pin.{state}"]
            seen = math.atan2(x - robot[0], robot[1] - y)
            off = math.remainder(seen - math.atan2(east, north), math.tau)
            assert off == pytest.approx(0.0, abs=math.radians(5.0))


@pytest.mark.long
@pytest.mark.parametrize("make", [make_mbtiles, make_pmtiles])
def test_tiles_are_shown_behind_the_token(make: Any, page: Page, tmp_path: Path) -> None:  # noqa: F811
    make(tmp_path / "map", PLACE[:2], zooms=range(12, 19), reach=2)
    with serve(tmp_path, token=TOKEN, map_tiles_file=str(tmp_path / "map")) as served:
        stand(served)
        page.goto(served.address)
        page.fill("#token", TOKEN)
        page.click("#sign-in button")
        expect(page.locator("#sign-in")).to_be_hidden()
        open_map(page)
        tile = page.locator("#ground-map img.leaflet-tile-loaded").first
        expect(tile).to_be_visible()
        assert tile.evaluate("one => one.naturalWidth") == 256
        expect(page.locator(".leaflet-control-attribution")).to_have_text("© Nobody")
        expect(page.locator(".ground-cells")).not_to_have_attribute("data-step", STEP)


@pytest.mark.long
def test_a_file_that_is_none_is_told_and_a_grid_shown(page: Page, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "map").write_text("<b>no tiles</b>")
    with serve(tmp_path, map_tiles_file=str(tmp_path / "map")) as served:
        stand(served)
        page.goto(served.address)
        open_map(page)
        expect(page.locator("#tiles-told")).to_contain_text("it is no file of tiles")
        expect(page.locator(".ground-cells")).to_have_attribute("data-step", STEP)
        expect(page.locator("#ground-map img.leaflet-tile")).to_have_count(0)
        make_mbtiles(tmp_path / "made", PLACE[:2], zooms=range(12, 19))
        (tmp_path / "made").replace(tmp_path / "map")
        served.dashboard.tiles.look()
        expect(page.locator("#ground-map img.leaflet-tile-loaded").first).to_be_visible()
        expect(page.locator("#tiles-told")).to_have_text("")


@pytest.mark.long
@pytest.mark.parametrize("on", ["page", "phone"])
def test_without_a_position_the_map_says_so_in_a_line(
    on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page: Page = request.getfixturevalue(on)  # noqa: F811
    make_mbtiles(tmp_path / "map", (0.0, 0.0), zooms=range(12, 19))
    with serve(tmp_path, map_tiles_file=str(tmp_path / "map")) as served:
        stand(served, has_position=False)
        take_control(page, served.address) if on == "page" else page.goto(served.address)
        open_map(page)
        expect(page.locator("#ground-told")).to_have_text(
            "Where the robot is is not known (no fix): all is shown as seen from it, ahead is up."
        )
        expect(page.locator(".finding-mark")).to_have_count(4)
        expect(page.locator("#ground-map path.ellipse")).to_have_count(0)
        expect(page.locator("#ground-map img.leaflet-tile")).to_have_count(0)  # it is not there
        page.click("#ground-area")  # of no place an area can be drawn
        expect(page.locator("#ground-done")).to_be_hidden()
        expect(page.locator("#toasts")).to_contain_text("Where the robot is is not known")
        if on == "page":
            seen_by(served, (0.0, 0.2))
            click(page, 0.2, 0.3)
            page.wait_for_function("document.querySelectorAll('#toasts .bad').length === 2")
            assert not any(isinstance(one, commands.Point) for one in served.robot.commands)


@pytest.mark.long
def test_without_the_ground_only_directions_are_shown(page: Page, tmp_path: Path) -> None:  # noqa: F811
    with serve(tmp_path) as served:
        served.dashboard.map_book.where = lambda: HERE
        served.dashboard.board.put("gimbal", GIMBAL)
        served.dashboard.findings.add(placed_finding(1, "confirmed", has_position=False))
        page.goto(served.address)
        open_map(page)
        expect(page.locator("#ground-told")).to_have_text(
            "How far the ground is is not known: only directions are shown."
        )
        expect(page.locator("#ground-map path.view")).to_have_count(1)
        page.locator(".finding-mark").click()
        expect(page.locator(".finding-told")).to_contain_text("how far away it is is not known")


@pytest.mark.long
def test_a_click_on_the_map_looks_there(page: Page, tmp_path: Path) -> None:  # noqa: F811
    with serve(tmp_path) as served:
        stand(served)
        page.goto(served.address)
        open_map(page)
        click(page, 0.15, 0.5)
        expect(page.locator("#toasts")).to_contain_text("take control first")
        assert served.robot.commands == []
        take_control(page, served.address)
        expect(page.locator("#ground-map")).to_have_attribute("data-asked", DRAWN)
        seen_by(served, (0.3, 0.2))
        with page.expect_response("**/api/gimbal/point"):
            click(page, 0.15, 0.5)
        point = last(served, commands.Point)
        assert (type(point), point.yaw_rad, point.pitch_rad) == (commands.Point, 0.3, 0.2)
        place = last(served, commands.ToBearings)
        assert abs(place.latitudes_deg[0] - PLACE[0]) < 0.02
        served.dashboard.board.put("scan", {**SCAN, "level": "sweep"})
        expect(page.locator("#level")).to_have_text("level 1: sweep")
        with page.expect_response("**/api/scan/look"):
            click(page, 0.85, 0.5)
        assert isinstance(last(served, commands.Point), commands.PointScan)
        served.robot.outcome = Outcome(CommandStatus.REFUSED, "no fix has come")
        click(page, 0.15, 0.5)
        expect(page.locator("#toasts")).to_contain_text("no fix has come")


@pytest.mark.long
@pytest.mark.parametrize("on", ["page", "phone"])
def test_area_and_likely_places_are_drawn_and_sent(
    on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page: Page = request.getfixturevalue(on)  # noqa: F811
    with serve(tmp_path) as served:
        stand(served)
        take_control_on(page, served)
        page.fill("#words", "tent")
        open_map(page)
        page.click("#ground-area")
        expect(page.locator("#ground-area")).to_be_hidden()
        click(page, 0.3, 0.2)
        page.click("#ground-done")
        expect(page.locator("#toasts")).to_contain_text("opposite corners of a rectangle")
        click(page, 0.7, 0.6)
        expect(page.locator("#ground-map path.drawn")).to_have_count(1)
        corners = [(0.4, 0.2), (-0.3, 0.2), (-0.2, 0.5), (0.3, 0.5)]
        seen_by(served, *(one for one in corners for _ in range(8)))
        page.click("#ground-done")
        expect(page.locator("#ground-done")).to_be_hidden()
        # The least range of pan and tilt that holds it, in tenths of a degree.
        for name, value in (("yaw-max", 23.0), ("yaw-min", -17.2), ("pitch-max", 28.7)):
            expect(page.locator(f"#{name}")).to_have_value(f"{value:g}")
        page.click("#ground-part")
        for x, y in ((0.4, 0.3), (0.6, 0.3), (0.5, 0.5), (0.2, 0.9)):
            click(page, x, y)
        page.click("#ground-undo")
        expect(page.locator("#ground-map path.drawn")).to_have_count(1)
        inside = [(0.1, 0.3), (-0.1, 0.3), (0.0, 0.4)]
        seen_by(served, *(one for one in inside for _ in range(8)))
        page.click("#ground-done")
        expect(page.locator("#parts button")).to_have_text(["1: × 4"])
        expect(page.locator("#ground-map .part-label")).to_have_text("1: × 4")
        page.locator("#part-weight").fill("8")
        expect(page.locator("#ground-map .part-label")).to_have_text("1: × 20")
        served.robot.outcome = Outcome(CommandStatus.DONE, "begun")
        with page.expect_response("**/api/scan/start") as started:
            page.click("#start")
        assert started.value.status == 200
        goal = last(served, commands.StartScan)
        assert goal.yaw_max_rad == pytest.approx(math.radians(23.0))
        (part,) = goal.weights
        assert (part.weight, part.origin, len(part.vertices)) == (20.0, "drawn on the map", 24)
        # What was drawn was no wish to look there.
        assert not any(isinstance(one, commands.Point) for one in served.robot.commands)


def take_control_on(page: Page, served: Served) -> None:  # noqa: F811
    page.goto(served.address)
    page.click("#take")
    expect(page.locator("#take")).to_have_text("Give back")


@pytest.mark.long
def test_a_drawing_that_is_refused_stays_to_be_mended(page: Page, tmp_path: Path) -> None:  # noqa: F811
    with serve(tmp_path) as served:
        stand(served)
        page.goto(served.address)
        open_map(page)
        page.click("#ground-part")
        for x, y in ((0.3, 0.3), (0.6, 0.7), (0.6, 0.3), (0.3, 0.7)):
            click(page, x, y)
        page.click("#ground-done")
        expect(page.locator("#toasts")).to_contain_text("feature 1 crosses itself")
        expect(page.locator("#ground-drop")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#ground-drop")).to_be_hidden()
        expect(page.locator("#ground-map path.drawn")).to_have_count(0)
        expect(page.locator("#parts button")).to_have_count(0)


@pytest.mark.parametrize("on", ["page", "phone"])
def test_the_colours_fit_into_their_panel(
    on: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page: Page = request.getfixturevalue(on)  # noqa: F811
    with serve(tmp_path) as served:
        page.goto(served.address)
        inside = """() => {
          const panel = document.querySelector("#mission").getBoundingClientRect();
          const parts = [...document.querySelectorAll("#proposals .row > *")];
          const isWide = (one) => one.getBoundingClientRect().right > panel.right - 8;
          return parts.filter(isWide).map((one) => one.id);
        }"""
        assert page.evaluate(inside) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


#: What the page reads of a scan's state.
SCAN: dict[str, Any] = {
    "level": "idle",
    "tier": 0,
    "is_paused": False,
    "leaf": "",
    "reason": "",
    "coverage": 0.5,
    "candidates": 0,
    "findings": 0,
    "track_id": 0,
    "area": {},
}
assert ground_map.CORNERS_MAX >= 900  # as many as the page asks for at once
