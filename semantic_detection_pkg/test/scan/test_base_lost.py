"""A fix or an attitude that is lost, or too old: nothing gets a position that nobody knows."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from sensor_msgs.msg import Imu, NavSatFix

from semantic_detection_pkg.archive.core.surroundings import Timeline
from semantic_detection_pkg.archive.sources.bag import _Told
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    BaseLost,
    Fix,
    Input,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.journal import (
    RecordedStep,
    inputs_from_json,
    inputs_to_json,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.standing_inputs import StandingInputs
from semantic_detection_pkg.scan.ros.journal import to_journal
from semantic_detection_pkg.scan.ros.whereabouts import Whereabouts, follow_base

FIX = Fix(1, 47.0, 8.0, 434.0)
ATTITUDE = BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))
NEAR = [(47.0003, 8.0003)]


def controller() -> ScanController:
    made = ScanController(ScanSettings(ground_height_m=408.0))
    made.step(1, [FIX, ATTITUDE])
    return made


@pytest.mark.parametrize(
    ("what", "back", "told"),
    [
        ("fix", FIX, "no fix has come, or none lately"),
        ("imu", ATTITUDE, "how the robot is turned is not known"),
    ],
)
def test_what_is_lost_is_not_used_until_it_comes_again(what: str, back: Input, told: str) -> None:
    made = controller()
    assert made.bearings_of(NEAR)
    made.step(2, [BaseLost(what)])
    with pytest.raises(ConfigurationError, match=told):
        made.bearings_of(NEAR)
    assert made.base == (FIX, ATTITUDE)  # the area stays where it was searched from
    made.step(3, [back])
    assert made.bearings_of(NEAR)


def test_a_loss_is_journalled() -> None:
    plain = input_to_plain(BaseLost("fix"))
    assert plain == {"type": "BaseLost", "what": "fix"}
    assert input_from_plain(plain) == BaseLost("fix")


# ------------------------------------------------------------------- from messages, by age


def a_fix(latitude_deg: float) -> NavSatFix:
    message = NavSatFix(latitude=latitude_deg, longitude=8.0, altitude=434.0)
    message.status.status = 0
    return message


def no_fix() -> NavSatFix:
    message = NavSatFix(latitude=math.nan, longitude=math.nan, altitude=math.nan)
    message.status.status = -1
    return message


def heard() -> tuple[Whereabouts, StandingInputs, float]:
    where, standing, before_s = Whereabouts(), StandingInputs(), time.monotonic()
    where.take_fix(a_fix(47.0))
    imu = Imu()
    imu.orientation.w = 1.0
    where.take_imu(imu)
    assert follow_base(where, standing, before_s) == []
    assert [type(one) for one in standing.news()] == [Fix, BaseAttitude]
    return where, standing, before_s


def test_what_is_old_is_lost_once_and_a_controller_that_begins_is_not_told_it() -> None:
    where, standing, before_s = heard()
    assert follow_base(where, standing, before_s + 4.9) == []
    after_s = time.monotonic() + 5.1
    assert follow_base(where, standing, after_s) == [BaseLost("fix"), BaseLost("imu")]
    assert follow_base(where, standing, after_s) == []
    standing.tell_all_again()
    assert standing.news() == []


def test_a_receiver_without_a_fix_has_lost_it_at_once() -> None:
    where, standing, before_s = heard()
    where.take_fix(no_fix())
    assert follow_base(where, standing, before_s) == [BaseLost("fix")]
    where.take_fix(a_fix(47.5))
    assert follow_base(where, standing, before_s) == []
    assert standing.news() == [Fix(0, 47.5, 8.0, 434.0)]


# ----------------------------------------------------------------------------- recordings


def step(number: int, *inputs: Input) -> RecordedStep:
    return RecordedStep(number, number, (), (), inputs_to_json(None, inputs), "{}")


def test_the_archive_takes_each_of_them_from_steps_of_their_own() -> None:
    told = _Told()
    turned = BaseAttitude(3, (0.0, 0.0, 1.0, 0.0))
    for one in (
        step(1, FIX),
        step(2, ATTITUDE),
        step(3, turned),
        step(5, BaseLost("fix")),
        step(6, BaseLost("imu")),
        step(8, FIX),
        step(9, turned),
    ):
        told.add(one)

    def at(line: Timeline[Any], *times_ns: int) -> list[object]:
        return [line.at(time_ns) for time_ns in times_ns]

    assert at(told.fixes, 1, 4, 5, 7, 8) == [FIX, FIX, None, None, FIX]
    assert at(told.attitudes, 2, 4, 6, 8, 9) == [ATTITUDE, turned, None, None, turned]


def test_the_archive_knows_the_settings_of_a_ring_that_has_let_go_of_its_beginning() -> None:
    """A journal tells them again now and then; a replay does not begin anew there."""
    settings = ScanSettings(ground_height_m=408.0)
    told = _Told()
    for number in range(301, 502):  # the ring begins in the middle
        message = to_journal(number, number, None, [], Decision(), settings)
        assert inputs_from_json(message.inputs).settings is None
        told.add(RecordedStep(number, number, (), (), message.inputs, message.decision))
    assert told.settings.at(301) == settings
    first = to_journal(0, 1, settings, [], Decision(), settings)
    assert inputs_from_json(first.inputs).settings == settings
    assert first.inputs.count("ground_height_m") == 1
