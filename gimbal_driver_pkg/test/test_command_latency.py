"""When a command left, and when the gimbal is seen to move after."""

import math

import pytest

from gimbal_driver_pkg.core.command_latency import CommandLatency, FrameStamps
from gimbal_driver_pkg.protocol.messages import Attitude

MS, S = 10**6, 10**9
DEG = math.pi / 180
FRAME = FrameStamps(captured_ns=10 * S, inference_ns=30 * MS, decided_ns=10 * S + 60 * MS)


def standing(until_s: float = 10.0) -> CommandLatency:
    """A gimbal that stood for half a second, with readings 20 ms apart."""
    latency = CommandLatency()
    for number in range(26):
        latency.see(Attitude(until_s - 0.5 + number * 0.02, 0.1, 0.2, 0.0))
    return latency


def medians_ms(latency: CommandLatency) -> dict[str, float]:
    names = ("commanded", "moved", "capture_to_command", "overhead")
    percentiles = {name: latency.ledger.percentiles_ms(name, 12 * S) for name in names}
    return {name: found[50] for name, found in percentiles.items() if found}


def test_a_frame_ends_with_its_command_and_the_motion_after():
    latency = standing()
    latency.command(FRAME, is_motion=True)
    latency.left(10 * S + 64 * MS)
    latency.see(Attitude(10.080, 0.1 + 0.1 * DEG, 0.2, 0.0))  # the readings' resolution
    latency.see(Attitude(10.104, 0.1 + 0.4 * DEG, 0.2, 0.0))
    latency.see(Attitude(10.124, 0.1 + 2.0 * DEG, 0.2, 0.0))
    assert medians_ms(latency) == {
        "commanded": 4.0,
        "moved": 40.0,
        "capture_to_command": 64.0,
        "overhead": 34.0,
    }


def test_a_command_that_waits_counts_when_it_leaves_and_only_once():
    latency = standing()
    latency.left(9 * S)  # nothing waits
    latency.command(FrameStamps(1, 1, 1), is_motion=True)
    latency.command(FRAME, is_motion=True)  # replaces it
    assert medians_ms(latency) == {}
    latency.left(10 * S + 70 * MS)
    latency.left(10 * S + 90 * MS)
    assert latency.ledger.figures(11 * S)["latency_commanded_count"] == "1"
    assert medians_ms(latency)["commanded"] == 10.0


@pytest.mark.parametrize("stamps", [FrameStamps(), FrameStamps(captured_ns=10 * S)])
def test_a_command_of_no_frame_has_no_latency_but_moves(stamps):
    latency = standing()
    latency.command(stamps, is_motion=True)
    latency.left(10 * S)
    latency.see(Attitude(10.05, 0.2, 0.2, 0.0))
    assert medians_ms(latency) == {"moved": 50.0}


def test_without_the_capture_only_the_last_stage_is_known():
    latency = standing()
    latency.command(FrameStamps(decided_ns=10 * S), is_motion=True)
    latency.left(10 * S + 2 * MS)
    assert medians_ms(latency) == {"commanded": 2.0}


def test_what_moves_already_is_not_seen_to_begin():
    latency = CommandLatency()
    for number in range(30):
        latency.see(Attitude(9.4 + number * 0.02, 0.1 + number * DEG, 0.2, 0.0))
    latency.command(FRAME, is_motion=True)
    latency.left(10 * S)
    latency.see(Attitude(10.02, 1.0, 0.2, 0.0))
    assert "moved" not in medians_ms(latency)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_late_motion_or_one_after_a_stop_is_not_the_commands(is_stopped):
    latency = standing()
    latency.command(FRAME, is_motion=True)
    latency.left(10 * S + 64 * MS)
    at_s = 12.5
    if is_stopped:
        latency.command(FrameStamps(), is_motion=False)
        at_s = 10.2
    latency.see(Attitude(at_s, 1.0, 0.2, 0.0))
    assert "moved" not in medians_ms(latency)


def test_an_old_reading_that_comes_again_is_no_motion():
    latency = standing()
    latency.command(FRAME, is_motion=True)
    latency.left(10 * S + 64 * MS)
    latency.see(Attitude(9.9, 1.0, 0.2, 0.0))
    assert "moved" not in medians_ms(latency)


def test_over_the_seam_of_a_full_turn_is_no_motion():
    latency = CommandLatency()
    for number in range(26):
        sign = 1 if number % 2 else -1
        latency.see(Attitude(9.5 + number * 0.02, sign * (math.pi - 0.001), 0.2, 0.0))
    latency.command(FRAME, is_motion=True)
    latency.left(10 * S + 64 * MS)
    latency.see(Attitude(10.1, math.pi - 0.02, 0.2, 0.0))
    assert "moved" in medians_ms(latency)
