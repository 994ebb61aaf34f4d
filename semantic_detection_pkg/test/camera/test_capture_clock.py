"""Stamps of the time of day, and when they were on the steady clock, whatever the other does."""

import pytest

from semantic_detection_pkg.camera.capture_clock import CaptureClock

MS, S = 10**6, 10**9


class Clocks:
    def __init__(self) -> None:
        self.day_ns, self.steady_ns = 1_700_000_000 * S, 50 * S
        self.clock = CaptureClock(lambda: self.day_ns, lambda: self.steady_ns)

    def pass_by(self, duration_ns: int) -> None:
        self.day_ns += duration_ns
        self.steady_ns += duration_ns


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_without_a_reading_nothing_is_known(clocks):
    assert clocks.clock.steady_of(clocks.day_ns) == 0


def test_each_stamp_has_its_time(clocks):
    stamps = []
    for _ in range(6):
        stamps.append((clocks.clock(), clocks.steady_ns))
        clocks.pass_by(33 * MS)
    assert [clocks.clock.steady_of(stamp) for stamp, _ in stamps] == [then for _, then in stamps]


@pytest.mark.parametrize("step_ns", [-3600 * S, -MS, MS, 3600 * S])
def test_a_step_of_the_time_of_day_changes_nothing(clocks, step_ns):
    before, then = clocks.clock(), clocks.steady_ns
    clocks.pass_by(40 * MS)
    clocks.day_ns += step_ns
    after, since = clocks.clock(), clocks.steady_ns
    assert clocks.clock.steady_of(before) == then
    assert clocks.clock.steady_of(after) == since


def test_a_delayed_stamp_goes_by_the_nearest_reading(clocks):
    stamp = clocks.clock() - 120 * MS
    assert clocks.clock.steady_of(stamp) == clocks.steady_ns - 120 * MS
    assert clocks.clock.steady_of(stamp + 120 * MS + 1) == clocks.steady_ns + 1, "kept apart"


@pytest.mark.parametrize("off_ns", [-11 * S, 11 * MS, 5 * S])
def test_stamps_of_another_clock_are_not_known(clocks, off_ns):
    assert clocks.clock.steady_of(clocks.clock() + off_ns) == 0


def test_what_is_kept_is_bounded(clocks):
    first = clocks.clock()
    for _ in range(1000):
        clocks.pass_by(33 * MS)
        clocks.clock()
    assert clocks.clock.steady_of(first) == 0
    assert len(clocks.clock._readings) == 8
