"""The page's panel of proposals: what is in force, a colour picked from the live picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dashboard_client import Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page, take_control  # noqa: F401 - fixtures

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.dashboard.api import commands
from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame
from semantic_detection_pkg.dashboard.core.proposals import proposals_in_force, split_vocabulary

YELLOW_BGR = (30, 196, 232)


@pytest.mark.parametrize(
    ("text", "is_anomaly", "colours"),
    [
        ("", False, []),
        ('{"propose_anomalies": true, "propose_colours": ["red"]}', True, ["red"]),
        ("{", False, []),
        ("[1]", False, []),
        ('{"propose_colours": 3}', False, []),
        ('{"propose_anomalies": "yes"}', False, []),
    ],
)
def test_settings_of_a_message(text, is_anomaly, colours):
    told = proposals_in_force(text, ["red"])

    assert told == {"classes": ["red"], "is_anomaly": is_anomaly, "colours": colours}


@pytest.mark.parametrize(("proposed", "words"), [(0, 3), (1, 2), (3, 0), (9, 0)])
def test_a_vocabulary_is_split(proposed, words):
    vocabulary = ["person", "red", "anomaly"]

    assert split_vocabulary(vocabulary, proposed) == (vocabulary[:words], vocabulary[words:])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as started:
        yield started


def tell(served: Served, *colours: str, is_anomaly: bool = False, **counts: int) -> None:
    classes = [one.split("=")[0] for one in colours] + ["anomaly"] * is_anomaly
    proposals = {"classes": classes, "is_anomaly": is_anomaly, "colours": list(colours)}
    section = {"vocabulary": ["person"], "counts": counts, "proposals": proposals}
    served.dashboard.board.put("detector", section)


@pytest.mark.long
def test_what_is_in_force_is_shown(page: Page, served: Served) -> None:  # noqa: F811
    tell(served, "yellow", "coat=#e8c41e", is_anomaly=True, yellow=2)
    page.goto(served.address)

    expect(page.locator("#anomalies")).to_be_checked()
    expect(page.locator("#colour-list li")).to_have_count(2)
    expect(page.locator("#proposed")).to_contain_text("Proposed now: yellow 2. There is no detect")
    tell(served)
    expect(page.locator("#anomalies")).not_to_be_checked()
    expect(page.locator("#proposed")).to_have_text("Nothing is proposed.")


def test_colours_are_added_and_removed_and_a_refusal_is_said(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    page.fill("#colour-name", "coat")
    with page.expect_response("**/api/proposals"):
        page.click("#colour-add")
    assert served.robot.commands[-1] == commands.SetProposals(colours=("coat=#f0d020",))
    tell(served, "coat=#f0d020")
    expect(page.locator("#colour-list li")).to_have_count(1)
    with page.expect_response("**/api/proposals"):
        page.select_option("#colour-known", "red")
    assert served.robot.commands[-1] == commands.SetProposals(colours=("coat=#f0d020", "red"))
    with page.expect_response("**/api/proposals"):
        page.click("#colour-list button")
    assert served.robot.commands[-1] == commands.SetProposals()
    served.robot.outcome = Outcome(CommandStatus.REFUSED, "word 'red' is the name of a proposal")
    with page.expect_response("**/api/proposals"):
        page.click("#anomalies")
    expect(page.locator("#toasts")).to_contain_text("word 'red' is the name of a proposal")
    expect(page.locator("#anomalies")).not_to_be_checked()


def test_a_colour_is_picked_from_the_live_picture_and_steers_nothing(
    page: Page,  # noqa: F811
    served: Served,
) -> None:
    take_control(page, served.address)
    image = np.full((360, 640, 3), 90, np.uint8)
    image[100:260, 220:420] = YELLOW_BGR
    scene = ShownFrame(1, 0.0, image, Detections.none(640, 360), (), None)
    served.dashboard.pictures.offer(scene)
    expect(page.locator("#live")).to_have_attribute("data-stamp", "1")

    page.click("#colour-pick")
    expect(page.locator("#colour-pick")).to_have_text("Click in the picture")
    with page.expect_response("**/api/proposals"):
        page.locator("#live").click(position=inside(page))

    (command,) = served.robot.commands
    assert isinstance(command, commands.SetProposals)
    (text,) = command.colours
    red, green, blue = bytes.fromhex(text.partition("=#")[2])
    assert np.abs(np.subtract((blue, green, red), YELLOW_BGR)).max() <= 8  # JPEG
    expect(page.locator("#colour-pick")).to_have_text("Pick from the picture")


def inside(page: Page) -> dict[str, float]:  # noqa: F811
    """Return a place in the yellow part, beside the crosshair."""
    box = page.locator("#live").bounding_box()
    assert box is not None
    return {"x": 0.4 * box["width"], "y": 0.4 * box["height"]}
