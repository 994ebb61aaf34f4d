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
Rig = Any
MakeRig = Callable[..., Rig]
every_protocol = pytest.mark.parametrize("model", ["zr10", "a40", "mavlink"])


@every_protocol
def test_points_where_it_is_told(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: rig.is_up())
    rig.do(lambda d, now: d.point(0.8, -0.3, now))
    rig.run_until(lambda: rig.points_at(0.8, -0.3), timeout_s=2.0)
    rig.do(lambda d, now: d.center(now))
    rig.run_until(lambda: rig.points_at(0.0, 0.0), timeout_s=2.0)
    assert not rig.driver.is_moving or rig.run_until(lambda: not rig.driver.is_moving) < 1.0


@every_protocol
def test_lost_set_point_is_said_again(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: rig.is_up())
    rig.faults = InjectedFaults(drop=1.0)
    rig.do(lambda d, now: d.point(0.8, -0.3, now))
    rig.faults = InjectedFaults()
    rig.run_until(lambda: rig.points_at(0.8, -0.3), timeout_s=4.0)


@every_protocol
def test_dead_man_stops_a_rate_that_nobody_renews(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: rig.is_up())
    rig.do(lambda d, now: d.turn(1.0, 0.0, now))
    rig.run(0.19)
    assert abs(rig.body.yaw.rate_rad_s) > 0.9
    assert rig.run_until(lambda: rig.body.is_still, timeout_s=0.3) < 0.11
    assert not rig.driver.is_moving or rig.run_until(lambda: not rig.driver.is_moving) < 1.0


@every_protocol
def test_lost_stop_is_said_again(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: rig.is_up())
    rig.do(lambda d, now: d.turn(0.5, 0.0, now))
    rig.run(0.15)
    rig.is_cut = True
    rig.run(0.1)  # the stop is lost
    rig.is_cut = False
    assert not rig.body.is_still
    rig.run_until(lambda: rig.body.is_still, timeout_s=0.4)


def test_no_rate_is_sent_blind(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.conversation._handlers["request_attitude"] = lambda _f, _n: []
    rig.conversation.pushes.clear()
    rig.conversation.gimbal.streams = False
    end_s = rig.now_s + 1.5
    while rig.now_s < end_s:
        rig.do(lambda d, now: d.turn(0.3, 0.0, now))
        rig.run(0.05)
    assert rig.state.link is LinkState.STALE
    assert rig.body.is_still


def test_newest_rate_wins_and_the_line_is_not_flooded(make_rig: MakeRig) -> None:
    rig = make_rig(settings=DriverSettings(command_hz=20.0))
    rig.run_until(lambda: rig.is_up())
    rig.frames.clear()
    for i in range(200):
        rig.do(lambda d, now, i=i: d.turn(0.2 + 0.002 * i, 0.0, now))
        rig.run(0.005)
    rates = [name for name in rig.sent() if name == "gimbal_rotation"]
    assert len(rates) <= 22
    assert rig.body.yaw.rate_rad_s == pytest.approx(0.598, abs=0.05)


def test_command_leaves_at_once(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.frames.clear()
    rig.do(lambda d, now: d.point(0.5, 0.0, now))
    assert rig.sent() == ["set_angles"]


def test_rate_is_repeated_though_it_does_not_change(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.frames.clear()
    for _ in range(20):
        rig.do(lambda d, now: d.turn(0.3, 0.0, now))
        rig.run(0.05)
    assert 9 <= rig.sent().count("gimbal_rotation") <= 12


def test_rate_command_ends_an_angle_and_the_other_way_round(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.do(lambda d, now: d.point(1.5, 0.0, now))
    rig.run(0.1)
    rig.do(lambda d, now: d.turn(-0.5, 0.0, now))
    rig.run(0.19)
    assert rig.body.yaw.rate_rad_s == pytest.approx(-0.5, abs=0.05)
    rig.do(lambda d, now: d.point(0.2, 0.0, now))
    rig.run(1.0)
    assert rig.points_at(0.2, 0.0)


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
    rig = make_rig()
    rig.run_until(lambda: rig.is_up())
    aim = rig.do(lambda d, now: d.point(*goal, now))
    assert (aim.yaw_rad, aim.pitch_rad) == pytest.approx(reached)
    assert (aim.yaw_saturated, aim.pitch_saturated) == saturated
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == saturated
    rig.run_until(lambda: rig.points_at(*reached), timeout_s=3.0)


def test_rate_ends_at_the_soft_limit(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run_until(lambda: rig.is_up())
    for _ in range(120):
        rig.do(lambda d, now: d.turn(1.5, 1.5, now))
        rig.run(0.05)
    assert rig.body.yaw.angle_rad == pytest.approx(133 * DEG, abs=1.5 * DEG)
    assert rig.body.pitch.angle_rad == pytest.approx(88 * DEG, abs=1.5 * DEG)
    assert rig.body.yaw.angle_rad < 134.5 * DEG
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == (True, True)
    rig.do(lambda d, now: d.turn(-0.5, -0.5, now))
    rig.run(0.1)
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == (False, False)


def test_endless_yaw_goes_through_half_a_turn(make_rig: MakeRig) -> None:
    rig = make_rig("zt30")
    rig.run_until(lambda: rig.is_up())
    aim = rig.do(lambda d, now: d.point(3.5, 0.0, now))
    assert not aim.yaw_saturated
    rig.run_until(lambda: not rig.driver.is_moving, timeout_s=3.0)
    assert rig.body.yaw.angle_rad == pytest.approx(3.5 - math.tau, abs=0.01)


def test_zr30_is_never_wrapped(make_rig: MakeRig) -> None:
    rig = make_rig("zr30")
    rig.run_until(lambda: rig.is_up())
    rig.do(lambda d, now: d.point(250 * DEG, 0.0, now))
    rig.run_until(lambda: rig.points_at(250 * DEG, 0.0), timeout_s=5.0)
    rig.run(0.2)
    assert rig.state.attitude.yaw_rad == pytest.approx(250 * DEG, abs=0.01)


def test_limits_of_the_parameters_replace_the_models(make_rig: MakeRig) -> None:
    settings = DriverSettings(
        yaw_min_deg=-30, yaw_max_deg=30, soft_limit_margin_deg=0, max_rate_deg_s=5
    )
    rig = make_rig(settings=settings)
    rig.run_until(lambda: rig.is_up())
    assert rig.do(lambda d, now: d.point(1.0, 0.0, now)).yaw_rad == pytest.approx(30 * DEG)
    rig.do(lambda d, now: d.turn(1.0, 0.0, now))
    rig.run(0.1)
    assert abs(rig.body.yaw.rate_rad_s) < 6 * DEG


def test_limits_that_the_gimbal_tells_itself_count(make_rig: MakeRig) -> None:
    rig = make_rig("mavlink", is_cut=True)
    rig.conversation.gimbal.model = MODELS["a8mini"]  # what it will tell
    rig.is_cut = False
    rig.run(2.0)
    assert rig.state.limits.yaw.high_rad == pytest.approx(135 * DEG)
    assert rig.state.limits.pitch.low_rad == pytest.approx(-25 * DEG)


def test_gimbal_that_turns_the_wrong_way_is_noticed(make_rig: MakeRig) -> None:
    rig = make_rig("a40")
    rig.run_until(lambda: rig.is_up())
    rig.conversation._signs = rig.conversation._signs.__class__(
        -1, 1, 1, -1, 1, -1, +1
    )  # pitch rate + down
    for _ in range(40):
        rig.do(lambda d, now: d.turn(0.2, 0.2, now))
        rig.run(0.05)
    (problem,) = rig.state.problems
    assert problem.startswith("pitch turns the other way than commanded")
