"""Stamps of gimbal/state: one for each reading, and none before the one before it."""

from hypothesis import given
from hypothesis import strategies as st

from gimbal_driver_pkg.protocol.messages import Attitude
from gimbal_driver_pkg.ros.stamps import ReadingStamps

START_NS = 1_700_000_000_000_000_000


@given(
    delays_ms=st.lists(st.floats(0, 400), min_size=2, max_size=50),
    repeats=st.integers(1, 3),
)
def test_stamps_never_fall_however_late_the_clock_is_read(
    delays_ms: list[float], repeats: int
) -> None:
    """Readings each 20 ms; ROS time is read a while after the age was told."""
    stamps, told = ReadingStamps(), []
    for number, delay_ms in enumerate(delays_ms):
        reading = Attitude(0.02 * number, 0.0, 0.0, 0.0)
        for again in range(repeats):
            age_s = 0.001 + 0.005 * again
            true_ns = START_NS + round((0.02 * number + age_s) * 1e9)
            now_ns = true_ns + round(delay_ms * 1e6) * (again == 0)
            told.append((number, stamps.stamp_of(reading, age_s, now_ns)))
    assert told == sorted(told)
    assert len(set(told)) == len(delays_ms), "the same for a reading each time it is asked"


def test_a_clock_that_is_set_back_is_followed() -> None:
    stamps = ReadingStamps()
    first = stamps.stamp_of(Attitude(0.0, 0.0, 0.0, 0.0), 0.01, START_NS)
    assert first == START_NS - 10_000_000
    later = stamps.stamp_of(Attitude(0.02, 0.0, 0.0, 0.0), 0.01, START_NS - 5_000_000_000)
    assert later == START_NS - 5_010_000_000


def test_without_a_reading_the_stamp_is_never_fresh() -> None:
    assert ReadingStamps().stamp_of(None, float("inf"), START_NS) == 0
