"""Datagrams that overtake each other: the newest is what was sent last, not what came last."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.order import ArrivalOrder
from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI


def siyi_attitude(number: int) -> bytes:
    return SIYI.write("attitude", {"yaw_deg_wire": number % 100 / 10, "seq": number & 0xFFFF})


def accepted(numbers: list[int], step_s: float = 0.02) -> list[int]:
    """Return which of the numbers, each as an attitude of SIYI, were taken for the newest."""
    codec = SiyiCodec()
    return [
        number
        for i, number in enumerate(numbers)
        if any(isinstance(e, m.Attitude) for e in codec.feed(siyi_attitude(number), i * step_s))
    ]


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        ([10, 11, 12, 13], [10, 11, 12, 13]),
        ([10, 12, 11, 13], [10, 12, 13]),
        ([10, 13, 12, 11, 14], [10, 13, 14]),
        ([65534, 0, 65535, 1], [65534, 0, 1]),
        # Lost ones, and a gimbal that was switched off and on.
        ([10, 40, 41], [10, 40, 41]),
        ([5000, 0, 1], [5000, 0, 1]),
        # Numbers that do not count: always the same, of 8 bits, at random.
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([254, 255, 0, 1], [254, 255, 0, 1]),
        ([40_000, 7, 61_000, 22_222], [40_000, 7, 61_000, 22_222]),
    ],
)
def test_siyi_numbers(numbers: list[int], taken: list[int]) -> None:
    assert accepted(numbers) == taken


def test_a_number_that_begins_anew_after_a_pause_is_no_late_one() -> None:
    assert accepted([30, 0, 1, 2], step_s=0.6) == [30, 0, 1, 2]


def test_a_sender_is_never_silenced_for_longer_than_a_moment() -> None:
    """Whatever a gimbal does to its numbers, it is heard at least twice a second."""
    dice = random.Random(3)
    for numbers in (
        [dice.randrange(65536) for _ in range(200)],
        [i % 4 for i in range(200)],
        [i % 32 for i in range(200)],
        [65535 - i for i in range(200)],
    ):
        codec = SiyiCodec()
        gaps, last_s = [], 0.0
        for i, number in enumerate(numbers):
            if codec.feed(siyi_attitude(number), i * 0.05):
                gaps.append(i * 0.05 - last_s)
                last_s = i * 0.05
        assert max(gaps) <= 0.56


@given(
    start=st.integers(0, 65535),
    delays=st.lists(st.integers(0, 20), min_size=2, max_size=60),
)
def test_what_is_taken_is_in_the_order_in_which_it_was_sent(start: int, delays: list[int]) -> None:
    arriving = sorted(range(len(delays)), key=lambda i: (i + delays[i], i))
    order = ArrivalOrder(2**16, 64)
    taken = [
        i for at, i in enumerate(arriving) if not order.is_late(0, start + i & 0xFFFF, at / 50)
    ]
    assert taken == sorted(taken)
    assert taken[-1] == len(delays) - 1  # the newest of all is never dropped


def test_kinds_of_frames_are_not_compared_with_each_other() -> None:
    codec = SiyiCodec()
    codec.feed(SIYI.write("current_zoom", {"zoom_x": 2.0, "seq": 9}), 0.0)
    assert codec.feed(siyi_attitude(3), 0.0)


def test_a_late_acknowledgement_is_one_all_the_same() -> None:
    codec = SiyiCodec()
    codec.feed(SIYI.write("absolute_zoom_ack", {"sta": 1, "seq": 9}), 0.0)
    late = SIYI.write("absolute_zoom_ack", {"sta": 1, "seq": 8})
    assert codec.feed(late, 0.1) == [m.Ack(0.1, m.SetZoom, True)]


def test_a_new_line_begins_a_new_count() -> None:
    codec = SiyiCodec()
    codec.feed(siyi_attitude(9), 0.0)
    codec.reset()
    assert codec.feed(siyi_attitude(3), 0.1)


@pytest.mark.parametrize(
    ("times_ms", "taken"),
    [
        ([100, 150, 120, 200], [100, 150, 200]),
        ([2**32 - 10, 5, 2**32 - 5, 20], [2**32 - 10, 5, 20]),
        ([90_000, 15, 35], [90_000, 15, 35]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_mavlink_attitude_is_ordered_by_the_gimbals_clock(
    times_ms: list[int], taken: list[int]
) -> None:
    codec = MavlinkCodec()
    gimbal = mav.MAVLink(None, 1, 154)

    def is_taken(i: int, time_ms: int) -> bool:
        message = mav.MAVLink_gimbal_device_attitude_status_message(
            0, 0, time_ms, 32, list(from_euler(0.0, 0.0, 0.1)), 0.0, 0.0, 0.0, 0
        )
        return bool(codec.feed(bytes(message.pack(gimbal)), i * 0.05))

    assert [time_ms for i, time_ms in enumerate(times_ms) if is_taken(i, time_ms)] == taken
    assert codec.counters.late_frames == len(times_ms) - len(taken)
