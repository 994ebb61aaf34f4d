"""The page in a real browser, without a graph: what is remembered, late, refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_client import TOKEN, serve
from patience import patience, wait_until
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright
from test_dashboard_maps import LATER_NS, placed
from test_dashboard_memory import finding, recorded

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.core.guesses import FREE_GUESSES
from simulation_pkg.harness.recorded_messages import START_NS

CHROMIUM = shutil.which("chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
TIMEOUT_MS = 1000 * patience(15.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(
            "chromium is missing: tools/setup/browser.sh installs it, where there are apt-get and "
            "root or sudo without a password"
        )
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    page.close()


def take_control(page: Page, address: str) -> None:
    """Open the page and hold control."""
    page.goto(address)
    page.click("#take")
    expect(page.locator("#holder")).to_have_text("you hold control")


@pytest.mark.long
def test_findings_of_before_are_shown_after_a_restart(page: Page, tmp_path: Path) -> None:
    recorded(tmp_path, [finding(number) for number in range(4)])
    for _ in range(2):  # by the recording, then by what the page kept
        with serve(tmp_path) as served:
            page.goto(served.address)
            expect(page.locator(".finding img.shot")).to_have_count(4)
            expect(page.locator("#finding-count")).to_have_text("1 confirmed of 4")
            for state in ("confirmed", "rejected", "uncertain", "candidate"):
                expect(page.locator(f".finding.{state}")).to_have_count(1)
            expect(page.locator(".finding.confirmed .meta")).to_contain_text("14/11/2023")
        for name in ("ring", "events"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)


@pytest.mark.long
def test_a_picture_that_comes_late_is_shown(page: Page, tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        page.goto(served.address)
        served.dashboard.findings.add(as_plain(finding(1)))
        expect(page.locator(".finding .shot.none")).to_have_text("no picture kept")
        recorded(tmp_path, [])
        expect(page.locator(".finding img.shot")).to_be_visible()
        expect(page.locator(".finding .shot.none")).to_have_count(0)


def test_slow_and_late_are_seen_in_the_head(page: Page, tmp_path: Path) -> None:
    reason = "detections are slow, 1.0 a second, at least 3 are wanted and late, 1.4 s"
    with serve(tmp_path) as served:
        board = served.dashboard.board
        board.put("health", {"level": "warn", "reasons": [reason], "shed": []})
        board.put("detector", {"rate_hz": 1, "looks": 1, "looks_given_up": 0})
        page.goto(served.address)
        expect(page.locator('[data-part="health"]')).to_have_class("warn")
        expect(page.locator('[data-part="health"]')).to_contain_text("detections are slow")
        expect(page.locator("#health-reasons")).to_have_text(reason)
        detector = page.locator('[data-part="detector"]').filter(has_text="slow, late")
        board.put("detector", {"rate_hz": 1, "looks": 1, "looks_given_up": 0})
        expect(detector).to_have_class("warn")


def test_control_is_asked_for_only_when_it_is_known_who_may(page: Page, tmp_path: Path) -> None:
    """A click before the first news asked for a token, also where none is needed."""
    held: list[WebSocketRoute] = []
    page.route_web_socket("**/api/live", lambda socket: held.append(socket))
    with serve(tmp_path) as served:
        page.goto(served.address)
        wait_until(lambda: page.wait_for_timeout(20.0) or held, "the page to connect")
        expect(page.locator("#take")).to_be_disabled()
        expect(page.locator("dialog[open]")).to_have_count(0)
        held[0].connect_to_server()
        page.click("#take")
        expect(page.locator("#holder")).to_have_text("you hold control")


@pytest.mark.long
def test_who_guesses_is_told_to_wait(page: Page, tmp_path: Path) -> None:
    with serve(tmp_path, token=TOKEN) as served:
        page.goto(served.address)
        for number in range(FREE_GUESSES + 1):
            page.fill("#token", f"a wrong token {number}")
            with page.expect_response("**/api/session"):
                page.click("#sign-in button")
        expect(page.locator("#sign-in-note")).to_contain_text("too many wrong tokens")


@pytest.mark.long
def test_map_files_of_the_newest_mission_or_of_all(page: Page, tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        page.goto(served.address)
        expect(page.locator("#finding-maps")).to_be_hidden()
        for one in (placed(1), placed(2), placed(1, LATER_NS)):
            served.dashboard.findings.add(as_plain(one))
        link = page.locator("#map-links a", has_text="GPX")
        expect(link).to_have_attribute("href", f"/api/findings/map/gpx?mission={LATER_NS}")
        page.select_option("#map-mission", str(START_NS))
        with page.expect_download() as download:
            link.click()
        assert download.value.suggested_filename == "findings_20231114T221320.gpx"
        assert download.value.path().read_text().count("<wpt ") == 2
        page.select_option("#map-mission", "all")
        expect(link).to_have_attribute("href", "/api/findings/map/gpx")
        served.dashboard.findings.add(as_plain(placed(3)))  # a choice stays
        expect(page.locator("#finding-count")).to_have_text("4 confirmed of 4")
        expect(page.locator("#map-mission")).to_have_value("all")
