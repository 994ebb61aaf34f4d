"""A bad line and bad arguments: the driver against a mock in simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.mock.faults import InjectedFaults
from ros_support_pkg.core.words import LinkState

DriverHarness = Any
MakeRig = Callable[..., DriverHarness]
every_protocol = pytest.mark.parametrize("model", ["zr10", "a40", "mavlink"])


def test_silence_is_noticed(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.is_cut = True
    harness.run(0.7)
    assert harness.state.link is LinkState.STALE
    assert not harness.driver.is_silent(harness.now_s)
    harness.run(0.4)
    assert harness.driver.is_silent(harness.now_s)


def test_reconnect_stops_first_and_says_the_angle_again(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.do(lambda d, now: d.point(1.0, 0.0, now))
    harness.is_cut = True
    harness.run(0.3)
    harness.reopen()
    harness.is_cut = False
    harness.run_until(lambda: harness.points_at(1.0, 0.0))
    harness.do(lambda d, now: d.turn(0.5, 0.0, now))
    harness.reopen()
    harness.run(0.3)
    assert harness.body.is_still


def test_commands_on_their_way_fail_with_the_line(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    ticket = harness.do(lambda d, now: d.take_photo(now))
    harness.driver.closed()
    assert ticket.outcome.message == "photo: the line to the gimbal is lost"
    assert harness.state.link is LinkState.DOWN
    for late in (GimbalDriver.take_photo, GimbalDriver.center):
        with pytest.raises(LinkError, match="no line to the gimbal"):
            harness.do(late)


def test_angle_of_long_ago_is_not_said_on_a_new_line(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.do(lambda d, now: d.point(0.5, 0.0, now))
    harness.run(11.0)
    harness.conversation.gimbal.body.yaw.go_to(0.0)  # somebody else
    harness.run(2.0)
    harness.reopen()
    harness.run(2.0)
    assert harness.points_at(0.0, 0.0)


@every_protocol
def test_works_over_a_line_with_every_fault_at_once(make_rig: MakeRig, model: str) -> None:
    faults = InjectedFaults(
        noise=1e-3, drop=1e-3, bad_length=0.05, bad_checksum=0.05, split=True, delay_s=0.01
    )
    harness = make_rig(model, faults=faults)
    harness.run_until(lambda: harness.is_up(), timeout_s=5.0)
    for goal in ((0.5, 0.2), (-0.5, 0.4), (1.5, -0.3)):
        harness.do(lambda d, now, goal=goal: d.point(*goal, now))
        harness.run_until(lambda goal=goal: harness.points_at(*goal), timeout_s=8.0)
    assert harness.driver.counts()["bad_frames"] > 0


def test_wrong_baud_rate_is_named(make_rig: MakeRig) -> None:
    driver = build_driver("siyi", "/dev/ttyUSB0")
    driver.opened(0.0)
    driver.receive(bytes(range(1, 251)), 0.5)
    assert driver.state(0.5).problems == ("bytes come, but no frame: wrong baud rate or protocol?",)


@pytest.mark.parametrize(
    "command",
    [
        lambda d: d.point(math.nan, 0.0, 1.0),
        lambda d: d.turn(0.0, math.inf, 1.0),
        lambda d: d.zoom_to(math.nan, 1.0),
        lambda d: d.zoom_at(2.0, 1.0, 1.0),
        lambda d: d.zoom_at(1.0, 0.0, 1.0),
        lambda d: d.zoom_at(1.0, math.nan, 1.0),
    ],
)
def test_bad_argument_is_refused_and_nothing_is_sent(
    make_rig: MakeRig, command: Callable[[GimbalDriver], Any]
) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.driver.take_frames()
    with pytest.raises(InvalidValueError, match="allowed is"):
        command(harness.driver)
    assert harness.driver.take_frames() == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("smoke", "auto"), "protocol: 'smoke', allowed are siyi, viewpro, mavlink"),
        (("siyi", "zr99"), "model: 'zr99', allowed are a2mini, a40"),
        (("siyi", "a40"), "model: a40 speaks viewpro, not siyi"),
    ],
)
def test_unknown_names_are_refused(names: tuple[str, str], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        build_driver(names[0], "udp://", names[1])
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"attitude_hz": 0.0}, "parameter 'attitude_hz' is 0.0, allowed is a decimal"),
        ({"rate_timeout_s": math.nan}, "parameter 'rate_timeout_s' is nan, allowed is a decimal"),
        ({"yaw_min_deg": 10.0, "yaw_max_deg": -10.0}, "yaw_min_deg: 10.0, allowed is less than"),
    ],
)
def test_settings_are_checked(changed: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        DriverSettings(**changed)
    assert str(raised.value).startswith(words)
