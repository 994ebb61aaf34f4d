"""The patrol's way: to and fro, down to its tilt, never beyond its ends for long."""

from dataclasses import replace

import pytest

from semantic_detection_pkg.core.patrol import Patrol, patrol_rates, turn_at_ends

PATROL = Patrol(yaw_min_rad=-1.0, yaw_max_rad=1.0, pitch_rad=0.4, speed_rad_s=0.2)


@pytest.mark.parametrize(
    ("yaw_rad", "is_going_left", "goes_left_next"),
    [(0.0, True, True), (0.0, False, False), (1.0, True, False), (-1.2, False, True)],
)
def test_turns_only_at_its_ends(yaw_rad: float, is_going_left: bool, goes_left_next: bool) -> None:
    assert turn_at_ends(replace(PATROL, is_going_left=is_going_left), yaw_rad) is goes_left_next


def test_covers_its_range_and_holds_its_tilt() -> None:
    patrol, yaw_rad, pitch_rad, step_s = PATROL, 0.0, 0.0, 0.05
    yaws, pitches = [], []
    for _ in range(1200):  # a minute: three times across
        patrol = replace(patrol, is_going_left=turn_at_ends(patrol, yaw_rad))
        yaw_rate, pitch_rate = patrol_rates(patrol, pitch_rad)
        assert max(abs(yaw_rate), abs(pitch_rate)) <= PATROL.speed_rad_s
        yaw_rad += yaw_rate * step_s
        pitch_rad += pitch_rate * step_s
        yaws.append(yaw_rad)
        pitches.append(pitch_rad)
    assert min(yaws) == pytest.approx(-1.0, abs=0.02)
    assert max(yaws) == pytest.approx(1.0, abs=0.02)
    assert pitches[-1] == pytest.approx(0.4, abs=1e-3)


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="from yaw 1 to 0 rad"):
        Patrol(yaw_min_rad=1.0, yaw_max_rad=0.0, pitch_rad=0.0, speed_rad_s=0.1)
