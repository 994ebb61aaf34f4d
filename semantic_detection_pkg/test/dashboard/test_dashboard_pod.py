"""The probability of detection on the page: what it is given, its scale, the numbers of a cell."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import numpy as np
from dashboard_client import serve
from playwright.sync_api import Browser, Page, expect
from test_dashboard_browser import browser, page  # noqa: F401 - fixtures

from interfaces_pkg.msg import Bearing, ClassCoverage, Coverage
from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.core.pod import pod_of

ROWS, COLUMNS, CELL = 10, 40, math.radians(3.0)


def coverage() -> Coverage:
    """A map of 40 x 10 cells from yaw -60 deg; its left half was looked at."""
    percent = np.zeros((ROWS, COLUMNS), np.uint8)
    percent[:, COLUMNS // 2 :] = 87
    looks = np.where(percent > 0, 3, 0).astype(np.uint16)
    cells = ROWS * COLUMNS
    person = ClassCoverage(
        class_name="person",
        is_measured=True,
        width_m=0.5,
        height_m=1.7,
        pod=0.43,
        least_pod=0.0,
        least_bearing=Bearing(yaw_rad=-0.5, pitch_rad=0.2),
        pod_percent=percent.ravel().tolist(),
    )
    tent = ClassCoverage(class_name="tent", width_m=3.0, height_m=2.0, pod_percent=[9] * cells)
    return Coverage(
        yaw_min_rad=math.radians(-60.0),
        pitch_min_rad=0.0,
        cell_rad=CELL,
        columns=COLUMNS,
        rows=ROWS,
        age_s=[7.0] * cells,
        pixels_per_rad=[500.0] * cells,
        results=[1] * cells,
        range_m=[50.0] * cells,
        look_counts=looks.ravel().tolist(),
        finest_px_per_rad=[532.0] * cells,
        classes=[person, tent],
    )


def section(message: Coverage) -> dict[str, Any]:
    """Return the section of the page, as the feed makes it."""
    plain = as_plain(message, without=("age_s", "pixels_per_rad", "results", "classes"))
    plain["results"] = base64.b64encode(bytes(message.results)).decode()
    plain["ages_s"] = base64.b64encode(np.asarray(message.age_s, np.uint8).tobytes()).decode()
    plain["pod"] = pod_of(message)
    return plain


def test_arrays_are_packed_as_the_page_reads_them():
    told = pod_of(coverage())
    assert told is not None
    person, tent = told["classes"]
    assert (person["class_name"], person["is_measured"], tent["is_measured"]) == (
        "person",
        True,
        False,
    )
    ranges = np.frombuffer(base64.b64decode(told["ranges_m"]), "<f4")
    looks = np.frombuffer(base64.b64decode(told["looks"]), "<u2")
    assert (ranges.size, float(ranges[0])) == (ROWS * COLUMNS, 50.0)
    assert set(looks.tolist()) == {0, 3}
    assert base64.b64decode(person["percent"])[COLUMNS - 1] == 87


def test_what_does_not_fit_its_cells_is_none():
    for name in ("range_m", "look_counts", "finest_px_per_rad"):
        message = coverage()
        setattr(message, name, list(getattr(message, name))[:-1])
        assert pod_of(message) is None
    message = coverage()
    message.classes[1].pod_percent = []
    assert pod_of(message) is None
    assert pod_of(Coverage(rows=1, columns=1, age_s=[0.0], results=[0])) is None


def test_the_page_tells_the_area_s_pod_a_scale_and_the_numbers_of_a_cell(
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    with serve(tmp_path) as served:
        served.dashboard.board.put("coverage", section(coverage()))
        page.goto(served.address)
        expect(page.locator("#pod")).to_contain_text("person: 43 % in the area, least 0 %")
        # Of the person nothing is assumed, of the tent nobody has measured the detector.
        expect(page.locator("#pod")).to_have_text(
            "Would have been reported, had it been there: person: 43 % in the area, least 0 %; "
            "tent: 0 % in the area, least 0 % (assumed: detection curve or size)"
        )
        page.locator("#map-shows").select_option("person")
        expect(page.locator("#legend")).to_contain_text("80–100 %")
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
        told = page.locator("#cell")
        # 532 px/rad times 1.7 m at 50 m is 18 px; seen from above by 13 deg it is a little more.
        expect(told).to_contain_text("person 87 % (finest 19 px), tent 9 %")
        expect(told).to_contain_text("3 looks, seen 7 s ago, 50 m away over level ground")
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"])
        expect(told).to_contain_text("person 0 %")
        expect(told).to_contain_text("0 looks")
        page.locator("#map-shows").select_option("")
        expect(page.locator("#legend")).not_to_contain_text("80–100 %")


def test_the_page_says_what_is_assumed_where_distances_come_from_and_that_it_ages(
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    with serve(tmp_path) as served:

        def shown(**changes: Any) -> str:
            message = coverage()
            for name, value in changes.items():
                setattr(message, name, value)
            served.dashboard.board.put("coverage", section(message))
            return "#pod"

        page.goto(served.address)
        line = page.locator(shown(is_range_assumed=True))
        expect(line).to_contain_text("person: 43 % in the area, least 0 % (assumed: distance);")
        expect(line).to_contain_text("least 0 % (assumed: distance and detection curve or size)")
        box = page.locator("#map").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
        expect(page.locator("#cell")).to_contain_text("50 m away (assumed)")
        expect(line).not_to_contain_text("is left after")
        shown(is_range_by_terrain=True, pod_half_life_s=1800.0)
        expect(line).to_contain_text(". Half of it is left after 30 min")
        page.mouse.move(box["x"] + 0.31 * box["width"], box["y"] + 0.5 * box["height"])
        expect(page.locator("#cell")).to_contain_text("50 m away by the terrain model")
        sky = [0.0] * (ROWS * COLUMNS)
        shown(is_range_by_terrain=True, range_m=sky, pod_half_life_s=3600.0)
        expect(line).to_contain_text("after 60 min")
        page.mouse.move(box["x"] + 0.32 * box["width"], box["y"] + 0.5 * box["height"])
        expect(page.locator("#cell")).to_have_text("This cell: sky, by the terrain model")


def test_a_page_without_pod_shows_results(page: Page, browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    del browser
    message = coverage()
    message.classes = []
    with serve(tmp_path) as served:
        served.dashboard.board.put("coverage", section(message))
        page.goto(served.address)
        expect(page.locator("#map-shows option")).to_have_count(1)
        expect(page.locator("#pod")).to_have_text("")
