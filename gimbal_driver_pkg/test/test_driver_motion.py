"""What moves, what stops, and how far: the driver against a mock in simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.mock.faults import InjectedFaults
from gimbal_driver_pkg.models import MODELS
from ros_support_pkg.core.words import LinkState

DEG = math.pi / 180
DriverHarness = Any
MakeRig = Callable[..., DriverHarness]
every_protocol = pytest.mark.parametrize("model", ["zr10", "a40", "mavlink"])


@every_protocol
def test_points_where_it_is_told(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.is_up())
    harness.do(lambda d, now: d.point(0.8, -0.3, now))
    harness.run_until(lambda: harness.points_at(0.8, -0.3), timeout_s=2.0)
    harness.do(lambda d, now: d.center(now))
    harness.run_until(lambda: harness.points_at(0.0, 0.0), timeout_s=2.0)
    assert (
        not harness.driver.is_moving
        or harness.run_until(lambda: not harness.driver.is_moving) < 1.0
    )


@every_protocol
def test_lost_set_point_is_said_again(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.is_up())
    harness.faults = InjectedFaults(drop=1.0)
    harness.do(lambda d, now: d.point(0.8, -0.3, now))
    harness.faults = InjectedFaults()
    harness.run_until(lambda: harness.points_at(0.8, -0.3), timeout_s=4.0)


@every_protocol
def test_dead_man_stops_a_rate_that_nobody_renews(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.is_up())
    harness.do(lambda d, now: d.turn(1.0, 0.0, now))
    harness.run(0.19)
    assert abs(harness.body.yaw.rate_rad_s) > 0.9
    assert harness.run_until(lambda: harness.body.is_still, timeout_s=0.3) < 0.11
    assert (
        not harness.driver.is_moving
        or harness.run_until(lambda: not harness.driver.is_moving) < 1.0
    )


@every_protocol
def test_lost_stop_is_said_again(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.is_up())
    harness.do(lambda d, now: d.turn(0.5, 0.0, now))
    harness.run(0.15)
    harness.is_cut = True
    harness.run(0.1)  # the stop is lost
    harness.is_cut = False
    assert not harness.body.is_still
    harness.run_until(lambda: harness.body.is_still, timeout_s=0.4)


def test_no_rate_is_sent_blind(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.conversation._handlers["request_attitude"] = lambda _f, _n: []
    harness.conversation.pushes.clear()
    harness.conversation.gimbal.streams = False
    end_s = harness.now_s + 1.5
    while harness.now_s < end_s:
        harness.do(lambda d, now: d.turn(0.3, 0.0, now))
        harness.run(0.05)
    assert harness.state.link is LinkState.STALE
    assert harness.body.is_still


def test_newest_rate_wins_and_the_line_is_not_flooded(make_rig: MakeRig) -> None:
    harness = make_rig(settings=DriverSettings(command_hz=20.0))
    harness.run_until(lambda: harness.is_up())
    harness.frames.clear()
    for i in range(200):
        harness.do(lambda d, now, i=i: d.turn(0.2 + 0.002 * i, 0.0, now))
        harness.run(0.005)
    rates = [name for name in harness.sent() if name == "gimbal_rotation"]
    assert len(rates) <= 22
    assert harness.body.yaw.rate_rad_s == pytest.approx(0.598, abs=0.05)


def test_command_leaves_at_once(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.frames.clear()
    harness.do(lambda d, now: d.point(0.5, 0.0, now))
    assert harness.sent() == ["set_angles"]


def test_rate_is_repeated_though_it_does_not_change(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.frames.clear()
    for _ in range(20):
        harness.do(lambda d, now: d.turn(0.3, 0.0, now))
        harness.run(0.05)
    assert 9 <= harness.sent().count("gimbal_rotation") <= 12


def test_rate_command_ends_an_angle_and_the_other_way_round(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    harness.do(lambda d, now: d.point(1.5, 0.0, now))
    harness.run(0.1)
    harness.do(lambda d, now: d.turn(-0.5, 0.0, now))
    harness.run(0.19)
    assert harness.body.yaw.rate_rad_s == pytest.approx(-0.5, abs=0.05)
    harness.do(lambda d, now: d.point(0.2, 0.0, now))
    harness.run(1.0)
    assert harness.points_at(0.2, 0.0)


@pytest.mark.parametrize(
    ("goal", "reached", "saturated"),
    [
        ((3.0, 0.0), (133 * DEG, 0.0), (True, False)),
        ((0.0, 2.0), (0.0, 88 * DEG), (False, True)),
        ((-9.0, -9.0), (-133 * DEG, -23 * DEG), (True, True)),
        ((1.0, 1.0), (1.0, 1.0), (False, False)),
    ],
)
def test_angle_beyond_the_limits_is_cut_and_reported(
    make_rig: MakeRig,
    goal: tuple[float, float],
    reached: tuple[float, float],
    saturated: tuple[bool, bool],
) -> None:
    harness = make_rig()
    harness.run_until(lambda: harness.is_up())
    aim = harness.do(lambda d, now: d.point(*goal, now))
    assert (aim.yaw_rad, aim.pitch_rad) == pytest.approx(reached)
    assert (aim.yaw_saturated, aim.pitch_saturated) == saturated
    assert (harness.state.yaw_saturated, harness.state.pitch_saturated) == saturated
    harness.run_until(lambda: harness.points_at(*reached), timeout_s=3.0)


def test_rate_ends_at_the_soft_limit(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run_until(lambda: harness.is_up())
    for _ in range(120):
        harness.do(lambda d, now: d.turn(1.5, 1.5, now))
        harness.run(0.05)
    assert harness.body.yaw.angle_rad == pytest.approx(133 * DEG, abs=1.5 * DEG)
    assert harness.body.pitch.angle_rad == pytest.approx(88 * DEG, abs=1.5 * DEG)
    assert harness.body.yaw.angle_rad < 134.5 * DEG
    assert (harness.state.yaw_saturated, harness.state.pitch_saturated) == (True, True)
    harness.do(lambda d, now: d.turn(-0.5, -0.5, now))
    harness.run(0.1)
    assert (harness.state.yaw_saturated, harness.state.pitch_saturated) == (False, False)


def test_endless_yaw_goes_through_half_a_turn(make_rig: MakeRig) -> None:
    harness = make_rig("zt30")
    harness.run_until(lambda: harness.is_up())
    aim = harness.do(lambda d, now: d.point(3.5, 0.0, now))
    assert not aim.yaw_saturated
    harness.run_until(lambda: not harness.driver.is_moving, timeout_s=3.0)
    assert harness.body.yaw.angle_rad == pytest.approx(3.5 - math.tau, abs=0.01)


def test_zr30_is_never_wrapped(make_rig: MakeRig) -> None:
    harness = make_rig("zr30")
    harness.run_until(lambda: harness.is_up())
    harness.do(lambda d, now: d.point(250 * DEG, 0.0, now))
    harness.run_until(lambda: harness.points_at(250 * DEG, 0.0), timeout_s=5.0)
    harness.run(0.2)
    assert harness.state.attitude.yaw_rad == pytest.approx(250 * DEG, abs=0.01)


def test_limits_of_the_parameters_replace_the_models(make_rig: MakeRig) -> None:
    settings = DriverSettings(
        yaw_min_deg=-30, yaw_max_deg=30, soft_limit_margin_deg=0, max_rate_deg_s=5
    )
    harness = make_rig(settings=settings)
    harness.run_until(lambda: harness.is_up())
    assert harness.do(lambda d, now: d.point(1.0, 0.0, now)).yaw_rad == pytest.approx(30 * DEG)
    harness.do(lambda d, now: d.turn(1.0, 0.0, now))
    harness.run(0.1)
    assert abs(harness.body.yaw.rate_rad_s) < 6 * DEG


def test_limits_that_the_gimbal_tells_itself_count(make_rig: MakeRig) -> None:
    harness = make_rig("mavlink", is_cut=True)
    harness.conversation.gimbal.model = MODELS["a8mini"]  # what it will tell
    harness.is_cut = False
    harness.run(2.0)
    assert harness.state.limits.yaw.high_rad == pytest.approx(135 * DEG)
    assert harness.state.limits.pitch.low_rad == pytest.approx(-25 * DEG)


def test_gimbal_that_turns_the_wrong_way_is_noticed(make_rig: MakeRig) -> None:
    harness = make_rig("a40")
    harness.run_until(lambda: harness.is_up())
    harness.conversation._signs = harness.conversation._signs.__class__(
        -1, 1, 1, -1, 1, -1, +1
    )  # pitch rate + down
    for _ in range(40):
        harness.do(lambda d, now: d.turn(0.2, 0.2, now))
        harness.run(0.05)
    (problem,) = harness.state.problems
    assert problem.startswith("pitch turns the other way than commanded")


@every_protocol
def test_when_a_command_left_is_known(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.is_up())
    harness.run(1.0)
    harness.do(lambda d, now: d.turn(0.4, 0.0, now))
    first_s = harness.driver.obeyed_s
    assert first_s == harness.now_s, "the line was free"
    harness.do(lambda d, now: d.turn(0.8, 0.0, now))
    assert harness.driver.obeyed_s is None, "no more leave than the line likes"
    harness.run(0.15)
    assert harness.driver.obeyed_s == pytest.approx(
        first_s + 1 / DriverSettings().command_hz, abs=2e-3
    )
    harness.do(lambda d, now: d.turn(0.8, 0.0, now))
    harness.run(0.15)
    assert harness.driver.obeyed_s is not None, "the same again is in force already"
    harness.do(lambda d, now: d.stop(now))
    harness.run_until(lambda: not harness.driver.is_moving)
    harness.do(lambda d, now: d.stop(now))
    assert harness.driver.obeyed_s == harness.now_s, "it stands: nothing is left to say"
