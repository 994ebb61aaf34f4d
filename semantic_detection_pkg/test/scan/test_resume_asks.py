"""A resumed mission that stays paused until an operator agrees, and what no longer fits.

`ExactScan` plays the robot; a crash is a new `ScanController` over the same robot.
"""

import dataclasses

import pytest
from resumed_scan import crash
from scan_things import PERSON, TENT, run_to_end

from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Cancel, Fix, Pause
from simulation_pkg.harness.exact_scan import ExactScan


def test_it_stays_paused_until_an_operator_agrees_and_says_why() -> None:
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(1.0)
    coverage = made.controller.coverage
    assert coverage is not None
    share = coverage.share_seen()
    crash(made, reasons_to_ask=("the computer was started again", "it is late"))
    for _ in range(60):
        decision = made.step()
        assert made.controller.is_paused
        assert decision.rate is None
        assert decision.angle is None
        assert decision.vocabulary is None
    assert decision.status.reason == (
        "resumed, waits for an operator to go on or end it: the computer was started again; it is"
        " late"
    )
    assert made.controller.coverage is not None
    assert made.controller.coverage.share_seen() == share == decision.status.coverage
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert made.result is not None
    assert made.result.findings == 2


def test_an_operator_ends_what_was_resumed() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("why not",))
    made.run(1.0)
    made.inbox.append(Cancel("g"))
    run_to_end(made, 1.0)
    assert made.result is not None
    assert (made.result.outcome, made.result.goal_id) == ("cancelled", "g")
    assert made.controller.checkpoint() is None


def test_another_goal_takes_over() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("why not",))
    made.run(1.0)
    made.start(goal_id="h")
    run_to_end(made, 1.0)
    assert made.result is not None
    assert (made.result.outcome, made.result.goal_id) == ("aborted", "g")
    assert made.controller.goal is not None
    assert made.controller.goal.goal_id == "h"
    assert not made.controller.is_paused


def test_what_was_paused_stays_paused() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(2.0)
    made.inbox.append(Pause(True))
    made.run(0.5)
    crash(made)
    made.run(1.0)
    assert made.controller.is_paused
    assert made.decisions[-1].status.reason == "resumed, paused as it was before"


FIX = Fix(1, 47.0, 8.0, 400.0)
LEVEL = BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (dataclasses.replace(FIX, latitude_deg=47.00003), ""),
        (dataclasses.replace(FIX, latitude_deg=47.001), "the base has moved by 111 m"),
        (dataclasses.replace(FIX, longitude_deg=8.001), "the base has moved by 76 m"),
        (BaseAttitude(1, (0.0, 0.0, 0.0, -1.0)), ""),
        (BaseAttitude(1, (0.0, 0.0, 0.5**0.5, 0.5**0.5)), "the base has turned by 90 deg"),
    ],
)
def test_at_another_place_it_asks(now: Fix | BaseAttitude, words: str) -> None:
    made = ExactScan([PERSON])
    made.inbox += [FIX, LEVEL]
    made.start()
    made.run(1.0)
    crash(made)
    made.run(0.5)
    assert not made.controller.is_paused
    made.inbox.append(now)
    made.run(0.2)
    assert made.controller.is_paused == bool(words)
    assert words in made.decisions[-1].status.reason
    made.inbox.append(Pause(False))
    made.run(0.2)
    made.inbox.append(now)  # it has agreed to that
    made.run(0.2)
    assert not made.controller.is_paused


def test_at_another_place_it_asks_after_a_second_crash_too() -> None:
    """The second controller had not heard where it is."""
    made = ExactScan([PERSON])
    made.inbox += [FIX, LEVEL]
    made.start()
    made.run(1.0)
    crash(made)
    made.run(0.2)
    crash(made)
    made.run(0.2)
    assert not made.controller.is_paused
    made.inbox.append(dataclasses.replace(FIX, latitude_deg=47.001))
    made.run(0.2)
    assert "the base has moved by 111 m" in made.decisions[-1].status.reason


def test_a_crash_while_it_asks_is_no_answer() -> None:
    made = ExactScan([PERSON])
    made.start()
    made.run(1.0)
    crash(made, reasons_to_ask=("it is late",))
    made.run(0.5)
    crash(made)
    made.run(0.5)
    assert made.controller.is_paused


@pytest.mark.parametrize("change", ["limits", "camera", "cells"])
def test_what_no_longer_fits_is_seen_anew_and_the_findings_stay(change: str) -> None:
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(60.0, until=lambda d: d.status.findings == 1)
    (found,) = made.controller.findings
    if change == "cells":
        made.settings = dataclasses.replace(made.settings, cell_size_rad=0.02)
    item = crash(made)
    if change == "limits":
        made.limits = (-0.5, 0.5, -0.5, 1.5)
    if change == "camera":
        made.width, made.height = 640, 360
    made.step()
    resumed = made.controller.coverage
    assert resumed is not None
    if change != "cells":  # that can be told from the settings, before
        made.run(2.0, until=lambda d: d.status.reason.startswith("the camera, or what the gimbal"))
        assert made.controller.is_paused
        made.inbox.append(Pause(False))
        made.run(2.0, until=lambda d: d.status.leaf == "sweep area")
        assert made.controller.coverage is not resumed
    assert made.controller.findings[0].finding_id == found.finding_id
    made.result = None
    run_to_end(made)
    assert made.result is not None
    assert made.result.outcome == "succeeded"
    assert found.finding_id in {one.finding_id for one in made.findings.values()}
    assert item.reasons_to_ask == ()


def test_what_the_gimbal_tells_a_little_differently_still_fits() -> None:
    """The wide field of view is computed from that at the zoom in force, which is rounded."""
    made = ExactScan([PERSON, TENT])
    made.start()
    made.run(1.0)
    crash(made)
    made.zoom = 1.02
    run_to_end(made)
    assert not any("the camera, or" in d.status.reason for d in made.decisions)
