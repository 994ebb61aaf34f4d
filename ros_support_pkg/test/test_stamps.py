"""Stamps survive the way into a message and back, to the nanosecond."""

import pytest
from builtin_interfaces.msg import Time

from ros_support_pkg.stamps import from_time, to_time


@pytest.mark.parametrize(
    ("stamp_ns", "time"),
    [
        (0, Time(sec=0, nanosec=0)),
        (999_999_999, Time(sec=0, nanosec=999_999_999)),
        (1_795_453_985_304_388_051, Time(sec=1_795_453_985, nanosec=304_388_051)),
    ],
)
def test_there_and_back(stamp_ns: int, time: Time) -> None:
    assert to_time(stamp_ns) == time
    assert from_time(time) == stamp_ns
