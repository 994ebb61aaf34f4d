"""Where the gimbal pointed at a moment: between readings, beyond them, in gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.pose_history import Pose, PoseHistory, hfov_at_zoom

S = 1_000_000_000


def reading(stamp_s: float, yaw: float = 0.0, **changes: float) -> Pose:
    return replace(Pose(round(stamp_s * S), yaw, 0.1, hfov_rad=1.0), **changes)  # type: ignore[arg-type]


def history_of(*readings: Pose) -> PoseHistory[Pose]:
    history: PoseHistory[Pose] = PoseHistory()
    for one in readings:
        history.add(one)
    return history


def yaw_at(history: PoseHistory[Pose], stamp_s: float) -> float | None:
    found = history.at(round(stamp_s * S))
    return None if found is None else found.yaw_rad


def test_between_readings_it_is_interpolated_and_beyond_them_guessed_a_little() -> None:
    history = history_of(
        reading(1.0, 0.0, yaw_rate_rad_s=1.0, zoom=1.0),
        reading(1.1, 0.1, yaw_rate_rad_s=1.0, zoom=2.0),
    )
    between = history.at(round(1.05 * S))
    assert between is not None
    assert (between.yaw_rad, between.zoom) == pytest.approx((0.05, 1.5))
    assert yaw_at(history, 1.2) == pytest.approx(0.2)
    assert yaw_at(history, 0.95) == pytest.approx(-0.05)
    assert yaw_at(history, 1.4) is None
    assert yaw_at(history, 0.0) is None


def test_a_reading_is_its_own_pose() -> None:
    readings = [reading(1.0 + 0.02 * number, 0.3 * number) for number in range(5)]
    history = history_of(*readings)
    assert [history.at(one.stamp_ns) for one in readings] == readings


def test_a_gap_is_not_bridged() -> None:
    """A gimbal that was silent for seconds may have been anywhere in between."""
    history = history_of(reading(1.0, 0.0, yaw_rate_rad_s=0.5), reading(3.0, 2.0))
    assert yaw_at(history, 1.1) == pytest.approx(0.05)
    assert yaw_at(history, 2.0) is None
    assert yaw_at(history, 2.9) == pytest.approx(2.0)
    assert yaw_at(history_of(reading(1.0, 0.0), reading(1.5, 1.0)), 1.25) == pytest.approx(0.5)


def test_late_and_unusable_readings_change_nothing() -> None:
    history = history_of(reading(2.0, 0.5))
    for bad in (
        reading(1.0, 0.1),
        reading(2.0, 0.2),
        reading(3.0, math.nan),
        reading(3.0, roll_rad=math.inf),
        reading(3.0, 20.0),
        reading(3.0, yaw_rate_rad_s=1e9),
    ):
        history.add(bad)
    assert history.newest == reading(2.0, 0.5)


def test_a_zoom_or_field_of_view_that_no_camera_has_is_unknown() -> None:
    newest = history_of(reading(1.0, zoom=0.2, hfov_rad=4.0)).newest
    assert newest is not None
    assert math.isnan(newest.zoom)
    assert math.isnan(newest.hfov_rad)


def test_the_oldest_are_forgotten() -> None:
    history: PoseHistory[Pose] = PoseHistory(readings_max=3)
    for number in range(5):
        history.add(reading(float(number), 0.1 * number))
    assert yaw_at(history, 1.0) is None
    assert yaw_at(history, 2.0) == pytest.approx(0.2)


@given(st.floats(-6.0, 6.0), st.floats(-0.5, 0.5), st.floats(0.0, 1.0))
def test_yaw_takes_the_shorter_way(start: float, turn: float, share: float) -> None:
    end = math.remainder(start + turn, math.tau)
    found = yaw_at(history_of(reading(0.0, start), reading(0.4, end)), 0.4 * share)
    assert found is not None
    assert math.remainder(found - (start + share * turn), math.tau) == pytest.approx(0, abs=1e-6)


@dataclass(frozen=True)
class Told(Pose):
    link: str = "up"

    @property
    def is_usable(self) -> bool:
        return self.link == "up" and super().is_usable


def test_what_else_a_reading_holds_goes_with_it() -> None:
    history: PoseHistory[Told] = PoseHistory()
    history.add(Told(0, 0.0, 0.0))
    history.add(Told(S // 10, 1.0, 0.0, link="stale"))
    found = history.at(S // 20)
    assert found is not None
    assert (found.link, found.yaw_rad) == ("up", 0.0)


def test_zoom_scales_the_focal_length() -> None:
    wide = math.radians(60.0)
    assert math.tan(hfov_at_zoom(wide, 2.0) / 2) == pytest.approx(math.tan(wide / 2) / 2)
    assert hfov_at_zoom(hfov_at_zoom(wide, 3.0), 1.0, known_zoom=3.0) == pytest.approx(wide)


@pytest.mark.parametrize("fall_s", [5.0, 3600.0])
def test_a_clock_that_was_set_back_is_followed(fall_s: float) -> None:
    old = [reading(5000.0 + 0.02 * n, 0.1) for n in range(9)]
    new = [reading(5000.2 - fall_s + 0.02 * n, 0.2) for n in range(9)]
    history = history_of(*old, *new)
    assert history.newest == new[-1]
    assert yaw_at(history, 5000.21 - fall_s) == pytest.approx(0.2)
    assert yaw_at(history, 5000.1) == pytest.approx(0.1)  # of a frame that is still on its way
    assert yaw_at(history, 5000.1 - 60.0) is None


def test_one_stamp_that_falls_is_no_step_of_the_clock() -> None:
    history = history_of(reading(10.0, 0.1), reading(4.0, 9.0), reading(10.02, 0.1))
    assert history.newest == reading(10.02, 0.1)
    assert yaw_at(history, 10.01) == pytest.approx(0.1)
    again = history_of(reading(10.0, 0.1), reading(4.0, 9.0), reading(4.0, 9.0))
    assert again.newest == reading(10.0, 0.1)


def test_one_stamp_far_ahead_does_not_blind() -> None:
    history = history_of(reading(10.0), reading(1e6), reading(10.02, 0.3), reading(10.04, 0.3))
    assert yaw_at(history, 10.03) == pytest.approx(0.3)


def test_settings_of_the_clock_are_forgotten_in_time() -> None:
    history: PoseHistory[Pose] = PoseHistory()
    for setting in range(20):
        for number in range(3):
            history.add(reading(10_000.0 - 100.0 * setting + 0.02 * number, float(setting) / 10))
    assert yaw_at(history, 10_000.0 - 100.0 * 16) == pytest.approx(1.6)
    assert yaw_at(history, 10_000.0 - 100.0 * 15) is None
