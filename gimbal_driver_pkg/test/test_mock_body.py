"""The mock gimbal moves like a gimbal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gimbal_driver_pkg.mock.body import Body, Dynamics
from gimbal_driver_pkg.models import MODELS, GimbalModel

SLEW = Dynamics().slew_rad_s
ACCELERATION = Dynamics().acceleration_rad_s2


def body_of(model: GimbalModel = MODELS["zr10"], dynamics: Dynamics | None = None) -> Body:
    return Body(model, dynamics or Dynamics())


def run(body: Body, start_s: float, end_s: float, dt_s: float = 0.01) -> list[tuple[float, float]]:
    """Return (yaw, yaw rate) after every dt_s."""
    samples = []
    for i in range(1, round((end_s - start_s) / dt_s) + 1):
        body.advance(start_s + i * dt_s)
        samples.append((body.yaw.angle_rad, body.yaw.rate_rad_s))
    return samples


def test_point_arrives_without_overshoot_within_its_limits_of_speed() -> None:
    body = body_of()
    goal = math.radians(100.0)
    body.yaw.go_to(goal)
    samples = run(body, 0.0, 2.0)
    assert samples[-1] == (goal, 0.0)
    assert max(yaw for yaw, _ in samples) <= goal + 1e-9
    assert max(abs(rate) for _, rate in samples) <= SLEW + 1e-9
    rates = [rate for _, rate in samples]
    steps = [abs(b - a) for a, b in zip(rates, rates[1:], strict=False)]
    assert max(steps) <= ACCELERATION * 0.01 * 1.3
    arrival = next(i for i, (yaw, _) in enumerate(samples) if yaw == goal) * 0.01
    assert arrival == pytest.approx(goal / SLEW + SLEW / ACCELERATION, abs=0.05)


def test_rate_persists_until_told_otherwise_and_then_stops_in_time() -> None:
    body = body_of()
    body.yaw.turn(0.5)
    assert run(body, 0.0, 2.0)[-1][1] == 0.5
    body.yaw.turn(0.0)
    samples = run(body, 2.0, 2.2)
    assert samples[-1][1] == 0.0
    assert body.is_still


def test_speed_may_change_on_the_way() -> None:
    body = body_of(dynamics=Dynamics().times(0.1))
    body.yaw.go_to(2.0)
    assert run(body, 0.0, 2.0)[-1][1] == pytest.approx(SLEW / 10)
    body.dynamics = Dynamics().times(10.0)
    assert run(body, 2.0, 2.3)[-1] == (2.0, 0.0)


def test_full_speed_stops_within_150_ms() -> None:
    body = body_of()
    body.yaw.turn(SLEW)
    run(body, 0.0, 0.5)
    body.yaw.turn(0.0)
    run(body, 0.5, 0.65)
    assert body.is_still


@pytest.mark.parametrize("sign", [1, -1])
def test_limits_hold(sign: int) -> None:
    body = body_of()
    body.yaw.turn(sign * SLEW)
    body.pitch.go_to(sign * 10.0)
    run(body, 0.0, 3.0)
    assert body.yaw.angle_rad == pytest.approx(sign * math.radians(135.0), abs=1e-4)
    assert body.pitch.angle_rad == pytest.approx(math.radians(90.0 if sign > 0 else -25.0))
    assert body.is_still


def test_endless_yaw_wraps_and_takes_the_short_way() -> None:
    body = body_of(MODELS["zt30"])
    body.yaw.go_to(math.radians(170.0))
    run(body, 0.0, 3.0)
    body.yaw.go_to(math.radians(-170.0))
    run(body, 3.0, 3.5)
    assert body.yaw.angle_rad == pytest.approx(math.radians(-170.0))
    body.yaw.turn(1.0)
    yaws = [yaw for yaw, _ in run(body, 3.5, 13.5)]
    assert max(map(abs, yaws)) <= math.pi


def test_zoom_takes_its_time_and_ends_at_its_ends() -> None:
    body = body_of()
    body.zoom_to(100.0)
    body.advance(2.0)
    assert body.zoom == pytest.approx(15.5)
    body.advance(4.1)
    assert body.zoom == 30.0
    assert not body.is_zooming
    body.zoom_towards(-1)
    body.advance(5.1)
    body.zoom_towards(0)
    body.advance(9.0)
    assert body.zoom == pytest.approx(30.0 - 29.0 / 4, abs=0.01)


def test_frozen_body_stays_where_it_is() -> None:
    body = body_of()
    body.yaw.turn(1.0)
    body.advance(0.5)
    angle = body.yaw.angle_rad
    body.freeze(1.5)
    assert body.yaw.angle_rad == angle
    body.advance(1.4)
    assert body.yaw.angle_rad == angle


@given(
    goal=st.floats(-3.0, 3.0),
    times=st.lists(st.floats(0.0, 1.5), max_size=20).map(sorted),
)
def test_where_it_is_does_not_depend_on_how_often_one_looks(
    goal: float, times: list[float]
) -> None:
    often, once = body_of(), body_of()
    often.yaw.go_to(goal)
    once.yaw.go_to(goal)
    for now in times:
        often.advance(now)
    often.advance(1.5)
    once.advance(1.5)
    assert often.yaw.angle_rad == pytest.approx(once.yaw.angle_rad, abs=0.02)


def test_factor_makes_time_run_faster() -> None:
    fast = body_of(dynamics=Dynamics().times(10.0))
    fast.yaw.go_to(1.0)
    fast.advance(0.1)
    slow = body_of()
    slow.yaw.go_to(1.0)
    slow.advance(1.0)
    assert fast.yaw.angle_rad == pytest.approx(slow.yaw.angle_rad, abs=0.05)
