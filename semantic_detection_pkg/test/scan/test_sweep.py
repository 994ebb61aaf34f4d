"""The sweep in closed loop with a gimbal that moves like the mock one."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gimbal_driver_pkg.mock.body import Body, Dynamics
from gimbal_driver_pkg.models import MODELS
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria, CoverageMap
from semantic_detection_pkg.scan.core.planning.swaths import SpeedProfile, half_widths, plan_swaths
from semantic_detection_pkg.scan.core.planning.sweep import SweepPlanner, SweepSettings
from semantic_detection_pkg.scan.core.pointing import BearingState

STEP_S = 0.05
ZR10 = GimbalLimits((math.radians(-135), math.radians(135)), (math.radians(-25), math.pi / 2))
ENDLESS = GimbalLimits(pitch_rad=ZR10.pitch_rad, is_endless=True)


def area_deg(*degrees: float) -> Area:
    return Area(*(math.radians(value) for value in degrees))


class Sweep:
    """A planner, a gimbal, and a camera whose pictures are counted a while after their capture."""

    def __init__(
        self,
        area: Area,
        hfov_deg: float = 62.0,
        limits: GimbalLimits = ZR10,
        frame_rate_hz: float = 8.0,
        promised_hz: float = 0.0,
        **criteria: float,
    ) -> None:
        self.lens = CameraView(0.0, 0.0, 0.0, math.radians(hfov_deg), 1280, 720)
        self.coverage = CoverageMap(area, math.radians(1.0), CoverageCriteria(**criteria))
        told = SweepSettings(frame_rate_hz=promised_hz or frame_rate_hz)
        self.planner = SweepPlanner(self.coverage, self.lens, limits, told)
        self.body = Body(MODELS["zt30" if limits.is_endless else "zr10"], Dynamics())
        self.now_s = 0.0
        self.path: list[BearingState] = []
        self._frame_s = 1.0 / frame_rate_hz
        self._delay_s = 0.15
        self._pictures: list[BearingState] = []

    def run(self, until: Callable[["Sweep"], bool] = lambda _: False, longest_s: float = 200.0):
        """Run until all is seen or `until` holds, and return whether all is seen."""
        while self.now_s < longest_s and not until(self):
            at = self._look()
            rates = self.planner.rates(self.now_s, at)
            if rates is None:
                return True
            if self.planner.task is not None:
                self.planner.add_plan(self.planner.task.number)
            self.body.yaw.turn(rates[0])
            self.body.pitch.turn(rates[1])
            self.now_s += STEP_S
            self.body.advance(self.now_s)
        return False

    def _look(self) -> BearingState:
        yaw, pitch = self.body.yaw, self.body.pitch
        at = BearingState(
            self.now_s, yaw.angle_rad, pitch.angle_rad, yaw.rate_rad_s, pitch.rate_rad_s
        )
        self.path.append(at)
        if not self._pictures or at.stamp_s >= self._pictures[-1].stamp_s + self._frame_s - 1e-9:
            self._pictures.append(at)
        for picture in self._pictures:
            if at.stamp_s - STEP_S < picture.stamp_s + self._delay_s <= at.stamp_s:
                view = CameraView(
                    picture.yaw_rad, picture.pitch_rad, 0.0, self.lens.hfov_rad, 1280, 720
                )
                rates = picture.yaw_rate_rad_s, picture.pitch_rate_rad_s
                self.coverage.add_view(view, picture.stamp_s, rates)
        return at


@settings(max_examples=12, deadline=None)
@given(
    yaw=st.tuples(st.floats(-134, 60), st.floats(3, 190)),
    pitch=st.tuples(st.floats(-25, 70), st.floats(3, 110)),
    hfov=st.floats(25, 90),
    frame_rate=st.floats(4, 15),
)
def test_after_a_full_sweep_nothing_of_the_area_is_unseen(yaw, pitch, hfov, frame_rate):
    area = area_deg(yaw[0], min(yaw[0] + yaw[1], 135), pitch[0], min(pitch[0] + pitch[1], 90))
    sweep = Sweep(area, hfov, frame_rate_hz=frame_rate)
    assert sweep.run()
    assert not sweep.coverage.unseen().any()
    assert sweep.coverage.share_seen() == 1.0


def test_a_wide_area_takes_one_strip_nearly_as_fast_as_smear_allows():
    sweep = Sweep(area_deg(-75, 75, 12, 45), max_motion_blur_px=2.5)
    assert sweep.run()
    assert sweep.now_s < 7.0
    cruise = np.median([abs(at.yaw_rate_rad_s) for at in sweep.path])
    at_pitch = CameraView(0, sweep.path[-1].pitch_rad, 0, sweep.lens.hfov_rad, 1280, 720)
    assert 0.8 <= cruise / sweep.coverage.criteria.max_sharp_yaw_rate_rad_s(at_pitch) < 1.01


def test_strips_are_gone_to_and_fro():
    sweep = Sweep(area_deg(-100, 100, -20, 60))
    assert sweep.run()
    turns = np.diff(np.sign([at.yaw_rate_rad_s for at in sweep.path if at.yaw_rate_rad_s]))
    pitches = {round(swath, 1) for swath in (at.pitch_rad for at in sweep.path[20:])}
    assert 2 <= np.count_nonzero(turns) <= 6
    assert len(pitches) > 1
    assert sweep.now_s < 25.0


def test_a_sweep_that_was_cut_off_goes_on_with_the_unseen():
    sweep = Sweep(area_deg(-75, 75, 12, 45))
    whole = Sweep(area_deg(-75, 75, 12, 45))
    assert whole.run()
    assert not sweep.run(until=lambda s: s.coverage.share_seen() > 0.6)
    seen_before = ~sweep.coverage.unseen()
    # Something else has the gimbal for a while.
    sweep.body.yaw.go_to(2.0)
    sweep.now_s += 3.0
    sweep.body.advance(sweep.now_s)
    sweep.planner.interrupt()
    resumed_s = sweep.now_s
    assert sweep.run()
    assert not sweep.coverage.unseen().any()
    legs_time_s = sweep.now_s - resumed_s
    assert legs_time_s < 0.8 * whole.now_s
    assert (sweep.coverage.last_seen_s[seen_before] < resumed_s).mean() > 0.3


def test_a_second_pass_begins_when_the_first_is_forgotten():
    sweep = Sweep(area_deg(-40, 40, 12, 45))
    assert sweep.run()
    first_s = sweep.now_s
    assert sweep.coverage.forget_older(sweep.now_s + 100.0, 60.0) > 0
    sweep.planner.restart()
    assert sweep.run()
    assert sweep.now_s > first_s + 0.5
    assert sweep.coverage.last_seen_s.min() > first_s - 0.5


def test_fewer_pictures_than_promised_only_cost_time():
    sweep = Sweep(area_deg(-60, 60, -20, 40), hfov_deg=20.0, frame_rate_hz=3.0, promised_hz=12.0)
    assert sweep.run()
    assert not sweep.coverage.unseen().any()


def test_a_camera_that_shows_nothing_ends_the_sweep_with_the_reason():
    sweep = Sweep(area_deg(-20, 20, 0, 20), pixels_per_rad=1e6)
    assert sweep.run()
    assert sweep.planner.is_stuck
    assert sweep.coverage.share_seen() == 0.0


@pytest.mark.parametrize("area", [area_deg(100, 260, 0, 40), area_deg(-180, 180, 0, 30)])
def test_an_endless_gimbal_sweeps_through_behind(area):
    sweep = Sweep(area, limits=ENDLESS)
    assert sweep.run()
    assert not sweep.coverage.unseen().any()
    assert sweep.now_s < 25.0


@pytest.mark.parametrize("hfov_deg", [62.0, 5.0])
def test_bearings_are_visited(hfov_deg):
    area = Area(bearings=((0.3, 0.4), (-1.0, 0.2), (1.2, 1.0)))
    sweep = Sweep(area, hfov_deg)
    assert sweep.run()
    assert sweep.coverage.share_seen() == 1.0
    assert sweep.now_s < 12.0


@given(
    pitch=st.floats(-89, 89), at=st.floats(-89, 89), hfov=st.floats(5, 100), edge=st.floats(0, 0.3)
)
def test_half_widths_are_those_of_the_optics(pitch, at, hfov, edge):
    view = CameraView(0.0, math.radians(pitch), 0.0, math.radians(hfov), 1280, 720)
    half = half_widths(view, edge, np.array([math.radians(at)]))[0]
    turns = np.radians(np.arange(0.0, 180.0, 0.25))
    shown = view.contains(np.stack([turns, np.full_like(turns, math.radians(at))], 1), margin=edge)
    if not shown[0]:
        # In the corners it may come into the picture farther out; that does not count.
        assert half == pytest.approx(0.0, abs=1e-6) or not view.contains(
            [[0.0, math.radians(at)]], margin=edge + 1e-6
        )
        return
    first_hidden = int(np.argmin(shown)) if not shown.all() else len(turns)
    assert turns[first_hidden - 1] - 1e-6 <= half
    assert half <= (turns[first_hidden] + 1e-6 if first_hidden < len(turns) else math.pi)


def test_nothing_is_planned_where_all_is_seen():
    coverage = CoverageMap(area_deg(-5, 5, 0, 4), math.radians(1), CoverageCriteria(min_views=1))
    view = CameraView(0.0, 0.0, 0.0, 1.0, 1280, 720)
    assert len(plan_swaths(coverage.unseen(), coverage, view, ZR10, SpeedProfile(8.0))) == 1
    coverage.add_view(view, 0.0)
    assert plan_swaths(coverage.unseen(), coverage, view, ZR10, SpeedProfile(8.0)) == ()


@pytest.mark.parametrize("values", [{"frame_rate_hz": 0.0}, {"detection_latency_s": -1.0}])
def test_senseless_settings_are_refused(values):
    ((name, value),) = values.items()
    with pytest.raises(ConfigurationError, match=f"{name}: {value}, allowed is"):
        SweepSettings(**values)
