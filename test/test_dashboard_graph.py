"""The page in a real browser, over the graph of the demo: seen, steered, told apart."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_port import free_port
from launch_runner import LaunchSession
from lifecycle_msgs.msg import State, Transition
from patience import patience, wait_until
from playwright.sync_api import Browser, Page, expect, sync_playwright
from ros_graph import TIMEOUT_S, GraphProbe, isolated_domain

from interfaces_pkg.msg import Bearing, Detections, Finding, GimbalState, TierResult, VlmAnswer
from ros_support_pkg.qos import RECORD, SENSOR_DATA

pytestmark = pytest.mark.graph
CHROMIUM = shutil.which("chromium")
#: One browser without a GPU, without a sandbox (tests may run as root), without a network.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
TIMEOUT_MS = 1000 * patience(TIMEOUT_S)
#: Of the reference machine.
STOPPED_SHOWS_S = 2.0

GRAPH = """\
launch:
  - executable:
      cmd: "$(find-pkg-prefix gimbal_driver_pkg)/lib/gimbal_driver_pkg/mock_gimbal --tcp {gimbal}"
      name: mock_gimbal
  - node: {{pkg: gimbal_driver_pkg, exec: gimbal_driver, param: [
      {{name: gimbal_mode, value: mock_tcp}}, {{name: mock_address, value: "127.0.0.1:{gimbal}"}}]}}
  - node: {{pkg: semantic_detection_pkg, exec: camera, param: [
      {{name: source, value: "sim:7?width=640&height=360&rate=8"}}]}}
  - node: {{pkg: semantic_detection_pkg, exec: detector, param: [
      {{name: model, value: "$(find-pkg-share semantic_detection_pkg)/models/demo_detector.onnx"}},
      {{name: autostart, value: activate}}, {{name: threads, value: 1}}]}}
  - node: {{pkg: semantic_detection_pkg, exec: scan_controller, param: [
      {{name: gimbal_timeout_s, value: 10.0}}, {{name: detections_timeout_s, value: 60.0}},
      {{name: camera_timeout_s, value: 60.0}}]}}
  - node: {{pkg: semantic_detection_pkg, exec: dashboard, param: [
      {{name: port, value: {page}}}, {{name: output_dir, value: "{folder}", type: str}}]}}
"""


@pytest.fixture(scope="module")
def probe() -> Iterator[GraphProbe]:
    """A domain and a probe for all tests of this module: the graph starts once."""
    with isolated_domain() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        yield probe
        probe.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="module")
def address(probe: GraphProbe, folder: Path) -> Iterator[str]:
    gimbal, page = free_port(), free_port()
    file = folder / "graph.launch.yaml"
    file.write_text(GRAPH.format(gimbal=gimbal, page=page, folder=folder))
    with LaunchSession(str(file), {}) as session:
        session.wait_for_start("dashboard")
        detections = probe.listen(Detections, "detections", SENSOR_DATA)
        probe.wait_for(lambda: detections, "detections")
        probe.wait_for(lambda: is_served(page), "the page")
        yield f"http://127.0.0.1:{page}/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(
            "chromium is missing: tools/setup/browser.sh installs it, where there are apt-get and "
            "root or sudo without a password"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that holds control."""
    page = open_page(browser, address)
    page.click("#take")
    expect(page.locator("#holder")).to_have_text("you hold control")
    yield page
    page.close()


@pytest.fixture(scope="module", autouse=True)
def _patience() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


def is_served(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def open_page(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    expect_new_picture(page)
    assert errors == []
    return page


def expect_new_picture(page: Page) -> None:
    before = page.get_attribute("#live", "data-stamp")
    expect(page.locator("#live")).to_have_attribute("data-stamp", re.compile(r"\d{19}"))
    expect(page.locator("#live")).not_to_have_attribute("data-stamp", before or "")


def middle_of(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.long
def test_two_viewers_see_the_picture_move(page: Page, browser: Browser, address: str) -> None:
    other = open_page(browser, address)
    for each in (page, other):
        expect_new_picture(each)
        expect(each.locator('[data-part="camera"]')).to_have_class("good")
        expect(each.locator('[data-part="gimbal"]')).to_have_class("good")
        expect(each.locator('[data-part="recorder"]')).to_contain_text("absent")
    expect(other.locator("#holder")).to_contain_text("holds control")
    other.close()


def test_drag_turns_the_gimbal_and_space_stops_it(page: Page, probe: GraphProbe) -> None:
    states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)

    def rests() -> bool:
        return len(states) > 10 and all(abs(state.yaw_rate_rad_s) < 0.01 for state in states[-10:])

    probe.wait_for(rests, "the gimbal to rest")
    start_rad = states[-1].yaw_rad
    x, y = middle_of(page, "#live")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 200, y, steps=4)
    probe.wait_for(lambda: states[-1].yaw_rad < start_rad - 0.2, "a turn to the right")
    page.keyboard.press("Space")
    states.clear()
    probe.wait_for(rests, "rest, with the button still down")
    page.mouse.up()


def test_words_change_what_is_detected(page: Page, probe: GraphProbe) -> None:
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    page.fill("#words", "unicorn")
    page.click("#words-form button")
    expect(page.locator("#toasts .bad")).to_contain_text("'unicorn' is unknown")
    page.fill("#words", "shelter=tent, smoke")
    page.click("#words-form button")
    expect(page.locator("#word-list b")).to_have_text(["shelter", "smoke"])
    probe.wait_for(lambda: list(detections[-1].vocabulary) == ["shelter", "smoke"], "the new words")


def test_finding_appears_with_its_evidence(page: Page, probe: GraphProbe, folder: Path) -> None:
    event = folder / "events" / "20260101T000000.000Z_tent"
    event.mkdir(parents=True)
    (event / "index.html").write_text("<h1>What was seen</h1>")
    described = {"label": "tent", "marked_ns": 0, "findings": ["mission-1"]}
    (event / "event.json").write_text(json.dumps(described))

    finding = Finding(
        id="mission-1",
        state=Finding.STATE_CONFIRMED,
        class_name="tent",
        score=0.93,
        bearing=Bearing(yaw_rad=0.2, pitch_rad=0.1),
        best_box_xyxy=[200.0, 100.0, 280.0, 160.0],
        tiers=[TierResult(tier=1, verdict=TierResult.VERDICT_YES, score=0.9)],
        answers=[VlmAnswer(verdict=VlmAnswer.VERDICT_YES, reason="a green tent", model="stub")],
    )
    publisher = probe.node.create_publisher(Finding, "findings", RECORD)
    probe.wait_for(publisher.get_subscription_count, "the dashboard to listen")

    def publish() -> None:
        """Revise it, so that its picture is cut from what is shown now."""
        shown_ns = int(page.get_attribute("#live", "data-stamp") or 0)
        finding.best_frame.sec, finding.best_frame.nanosec = divmod(shown_ns, 1_000_000_000)
        finding.revision += 1
        publisher.publish(finding)

    publish()
    card = page.locator(".finding.confirmed")
    expect(card).to_contain_text("tent")
    expect(card).to_contain_text("detector: yes 90 %")
    expect(card).to_contain_text("a green tent")

    def has_thumbnail() -> bool:
        # Not wait_for_function: it evaluates a text in the page, which the page's policy forbids.
        if page.evaluate("document.querySelector('.finding img')?.naturalWidth >= 100"):
            return True
        publish()  # the picture may have been forgotten before the finding came
        return False

    wait_until(has_thumbnail, "a thumbnail", timeout_s=20.0, poll_s=1.0)
    with page.context.expect_page() as opened:
        card.get_by_text("evidence").click()
    expect(opened.value.locator("h1")).to_have_text("What was seen")
    opened.value.close()


@pytest.mark.long
def test_scan_is_started_paused_by_hand_and_ended(page: Page) -> None:
    level, pause = page.locator("#level"), page.locator("#pause")
    page.fill("#words", "tent")
    page.click("#start")
    expect(level).to_have_text("level 1: sweep")
    expect(page.locator('[data-part="scan"]')).to_have_class("good")
    # Who steers during a scan pauses it.
    x, y = middle_of(page, "#pad")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=2)
    expect(page.locator("#reason")).to_contain_text("paused")
    page.mouse.up()
    expect(pause).to_have_text("Go on")
    pause.click()
    expect(page.locator("#reason")).not_to_contain_text("paused")
    page.click("#end")
    expect(level).to_have_text("idle")


@pytest.mark.long
def test_stopped_detector_shows(page: Page, probe: GraphProbe) -> None:
    chip = page.locator('[data-part="detector"]')
    expect(chip).to_have_class("good")
    arrivals_s: list[float] = []
    probe.node.create_subscription(
        Detections, "detections", lambda _: arrivals_s.append(time.monotonic()), SENSOR_DATA
    )
    probe.wait_for(lambda: arrivals_s, "detections")
    probe.change_state("detector", Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE)
    page.wait_for_selector('[data-part="detector"].bad')
    assert time.monotonic() - arrivals_s[-1] < patience(STOPPED_SHOWS_S)
    # The picture goes on, bare.
    expect_new_picture(page)
    probe.change_state("detector", Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE)
    expect(chip).to_have_class("good")
