"""The pointing law on a gimbal that moves like the mock one."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gimbal_driver_pkg.mock.body import Body, Dynamics
from gimbal_driver_pkg.models import MODELS
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.pointing import BearingState, limit_rates, rates_towards

LIMITS = GimbalLimits((math.radians(-135), math.radians(135)), (math.radians(-25), math.pi / 2))
STEP_S = 0.05
LATENCY_S = 0.03


class PointingLoop:
    """A gimbal under the control law: steps at 20 Hz, commands take effect a latency later."""

    def __init__(self, limits: GimbalLimits = LIMITS, model: str = "zr10") -> None:
        self.limits = limits
        self.body = Body(MODELS[model], Dynamics())
        self.now_s = 0.0

    def reading(self) -> BearingState:
        yaw, pitch = self.body.yaw, self.body.pitch
        return BearingState(
            self.now_s, yaw.angle_rad, pitch.angle_rad, yaw.rate_rad_s, pitch.rate_rad_s
        )

    def step(self, target: BearingState) -> BearingState:
        """Command once, and return the state one step later."""
        rates = rates_towards(self.reading(), target, self.now_s, self.limits)
        self.body.advance(self.now_s + LATENCY_S)
        self.body.yaw.turn(rates[0])
        self.body.pitch.turn(rates[1])
        self.now_s += STEP_S
        self.body.advance(self.now_s)
        return self.reading()


@settings(max_examples=30, deadline=None)
@given(yaw=st.floats(-2.2, 2.2), pitch=st.floats(-0.4, 1.5))
def test_it_reaches_a_still_target_without_swinging(yaw, pitch):
    loop = PointingLoop()
    errors = []
    for _ in range(100):
        at = loop.step(BearingState(loop.now_s, yaw, pitch))
        errors.append((at.yaw_rad - yaw, at.pitch_rad - pitch))
    assert max(abs(part) for part in errors[-1]) < 1e-3
    # It may pass the target by a little once, and not swing about it.
    side = math.copysign(1.0, -yaw)
    assert max(-side * error for error, _ in errors) < math.radians(1.5)


def test_a_far_turn_takes_little_longer_than_the_gimbal_needs():
    loop = PointingLoop()
    while abs(loop.step(BearingState(loop.now_s, 1.5, 0.5)).yaw_rad - 1.5) > 0.02:
        assert loop.now_s < 5.0
    assert loop.now_s < 1.5 / LIMITS.rate_rad_s + 0.6


@pytest.mark.parametrize("rate_deg_s", [3.0, 10.0, 20.0, 40.0])
def test_a_moving_target_is_met_and_kept(rate_deg_s):
    loop = PointingLoop()
    rate = math.radians(rate_deg_s)
    errors = []
    while loop.now_s < 3.0:
        target = BearingState(loop.now_s, -1.0 + rate * loop.now_s, 0.3, rate)
        at = loop.step(target)
        errors.append(abs(at.yaw_rad - target.at(at.stamp_s)[0]))
    assert max(errors[-20:]) < math.radians(0.3)


def test_an_old_sighting_is_carried_forward_but_not_for_ever():
    still = BearingState(0.0, 0.0, 0.0)
    seen = BearingState(0.0, 0.1, 0.0, 0.2)
    fresh, _ = rates_towards(BearingState(0.5, 0.0, 0.0), seen, 0.5, LIMITS)
    stale, _ = rates_towards(BearingState(9.0, 0.3, 0.0), seen, 9.0, LIMITS)
    at_once, _ = rates_towards(still, seen, 0.0, LIMITS)
    assert fresh > at_once
    assert stale == pytest.approx(0.0, abs=1e-9)  # 0.1 + 0.2 * 1 s: it is there


@pytest.mark.parametrize("rate_deg_s", [20.0, 80.0])
def test_a_target_that_runs_out_of_reach_is_followed_to_the_limit_and_no_farther(rate_deg_s):
    loop = PointingLoop()
    rate = math.radians(rate_deg_s)
    while loop.now_s < 12.0:
        at = loop.step(BearingState(loop.now_s, rate * loop.now_s, 0.0, rate))
        assert at.yaw_rad <= LIMITS.yaw_rad[1] + 1e-6
    assert at.yaw_rad == pytest.approx(LIMITS.yaw_rad[1], abs=1e-3)
    assert at.yaw_rate_rad_s == pytest.approx(0.0, abs=1e-3)


def test_an_endless_axis_takes_the_short_way():
    endless = GimbalLimits(is_endless=True)
    rate, _ = rates_towards(BearingState(0.0, 3.0, 0.0), BearingState(0.0, -3.0, 0.0), 0.0, endless)
    assert rate > 0.0


@given(
    yaw=st.floats(-2.4, 2.4),
    pitch=st.floats(-0.5, 1.6),
    rates=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_no_rate_is_beyond_the_limits_or_leads_out_of_them(yaw, pitch, rates):
    kept = limit_rates(BearingState(0.0, yaw, pitch), rates, LIMITS)
    for angle, asked, rate, (low, high) in zip(
        (yaw, pitch), rates, kept, (LIMITS.yaw_rad, LIMITS.pitch_rad), strict=True
    ):
        assert abs(rate) <= LIMITS.rate_rad_s
        assert rate == 0.0 or math.copysign(1, rate) == math.copysign(1, asked)
        assert not (angle >= high and rate > 0.0)
        assert not (angle <= low and rate < 0.0)
