"""The deframer: chunking, noise, memory, time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.protocol.framing import STALE_S, Deframer, WireFormat
from gimbal_driver_pkg.protocol.mavlink.wire import MavlinkWire
from gimbal_driver_pkg.protocol.siyi import wire as siyi
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.viewpro import wire as viewpro
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP


def siyi_frame(sequence: int) -> bytes:
    data = random.Random(sequence).randbytes(12)
    return siyi.pack(siyi.SiyiFrame(2, sequence & 0xFFFF, 0x0D, data))


def viewpro_frame(sequence: int) -> bytes:
    return viewpro.pack(0x40, random.Random(sequence).randbytes(41), sequence & 3)


def enveloped_frame(sequence: int) -> bytes:
    return viewpro.wrap(viewpro_frame(sequence))


def mavlink_frame(sequence: int) -> bytes:
    sender = mav.MAVLink(None, 1, 154)
    sender.seq = sequence & 0xFF
    q = [1.0, 0.001 * sequence, 0.0, 0.0]
    return bytes(
        mav.MAVLink_gimbal_device_attitude_status_message(
            0, 0, sequence, 32, q, 0.0, 0.0, 0.0, 0
        ).pack(sender)
    )


WIRES = {
    "siyi": (SIYI.wire, siyi_frame),
    "viewpro": (VIEWPRO.wire, viewpro_frame),
    "viewpro_tcp": (VIEWPRO_TCP.wire, enveloped_frame),
    "mavlink": (MavlinkWire(), mavlink_frame),
}
every_wire = pytest.mark.parametrize("protocol", WIRES)


def run(wire: WireFormat, chunks: list[bytes]) -> list[bytes]:
    deframer = Deframer(wire)
    return [frame for chunk in chunks for frame in deframer.feed(chunk)] + deframer.flush()


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@every_wire
@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.integers(0, 999), st.binary(max_size=40)), max_size=8),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    cut_off=st.integers(0, 80),
)
def test_any_chunking_gives_the_same_frames(
    protocol: str, pieces: list[int | bytes], cuts: list[int], cut_off: int
) -> None:
    wire, make = WIRES[protocol]
    stream = b"".join(make(p) if isinstance(p, int) else p for p in pieces)
    stream = stream[: max(0, len(stream) - cut_off)]
    assert run(wire, split(stream, cuts)) == run(wire, [stream])
    assert run(wire, [stream[i : i + 1] for i in range(len(stream))]) == run(wire, [stream])


@every_wire
@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(st.binary(max_size=300), max_size=6))
def test_random_bytes_never_raise_and_never_grow_memory(protocol: str, chunks: list[bytes]) -> None:
    wire, _ = WIRES[protocol]
    deframer = Deframer(wire)
    for chunk in chunks:
        deframer.feed(wire.header + chunk)
        assert deframer.pending_bytes < 2 * wire.max_size


@every_wire
def test_bytes_are_all_accounted_for(protocol: str) -> None:
    wire, make = WIRES[protocol]
    frames = [make(i) for i in range(5)]
    stream = b"\x00noise" + b"\x55".join(frames) + wire.header
    deframer = Deframer(wire)
    found = deframer.feed(stream)
    counters = deframer.counters
    assert found == frames
    assert counters.frames == 5
    assert counters.received_bytes == len(stream)
    framed_bytes = sum(map(len, frames))
    assert framed_bytes + counters.skipped_bytes + deframer.pending_bytes == len(stream)


@every_wire
@pytest.mark.parametrize("seed", range(4))
def test_noise_of_one_bit_in_a_thousand_loses_no_intact_frame(protocol: str, seed: int) -> None:
    wire, make = WIRES[protocol]
    rng = random.Random(seed)
    frames = [make(i) for i in range(1500)]
    noisy = [bytes(byte ^ flips(rng) for byte in frame) for frame in frames]
    intact = [frame for frame, received in zip(frames, noisy, strict=True) if frame == received]
    assert len(intact) < len(frames)

    found = run(wire, [b"".join(noisy)])

    assert is_subsequence(intact, found)


def flips(rng: random.Random, rate: float = 1e-3) -> int:
    return sum(1 << bit for bit in range(8) if rng.random() < rate)


def is_subsequence(wanted: list[bytes], found: list[bytes]) -> bool:
    rest = iter(found)
    return all(any(frame == candidate for candidate in rest) for frame in wanted)


@every_wire
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _frame, _header: b"\x00\xff" * 9, id="noise"),
        pytest.param(lambda _frame, header: header[:1], id="doubled first byte"),
        pytest.param(lambda _frame, header: header, id="header alone"),
        pytest.param(lambda frame, _header: frame[:-3], id="truncated"),
        pytest.param(lambda frame, _header: frame[:-1] + bytes([frame[-1] ^ 1]), id="bad checksum"),
    ],
)
def test_good_frame_behind_damage_is_found(
    protocol: str, damage: Callable[[bytes, bytes], bytes]
) -> None:
    wire, make = WIRES[protocol]
    frame = make(7)
    assert run(wire, [damage(frame, wire.header) + frame]) == [frame]


@every_wire
def test_length_that_swallows_the_next_frames_costs_only_its_own(protocol: str) -> None:
    wire, make = WIRES[protocol]
    length_at = {"siyi": 3, "viewpro": 3, "viewpro_tcp": 2, "mavlink": 1}[protocol]
    first, second, third = make(1), make(2), make(3)
    longer = bytearray(first)
    longer[length_at] = {"siyi": 40, "viewpro": 63, "viewpro_tcp": 66, "mavlink": 120}[protocol]
    assert run(wire, [bytes(longer) + second + third]) == [second, third]


def test_weak_checksum_that_holds_over_a_wrong_length_swallows_nothing() -> None:
    """XOR passes one wrong length in 256; a known frame id has a known length."""
    good = viewpro_frame(5)
    for n in range(4, 64):
        for last in range(256):
            forged = (
                viewpro.ViewproWire.header + bytes([n, 0x40]) + bytes(range(30)) + bytes([last])
            )
            found = run(VIEWPRO.wire, [forged + good + good])
            assert found[-2:] == [good, good]


def test_unusual_length_is_still_a_frame() -> None:
    odd = viewpro.pack(0x40, b"\x01\x02\x03", 1)
    good = viewpro_frame(5)
    assert run(VIEWPRO.wire, [odd + good]) == [odd, good]


def test_unfinished_frame_is_given_up_after_a_pause() -> None:
    frame = siyi_frame(1)
    deframer = Deframer(SIYI.wire)
    assert deframer.feed(b"\x55\x66\x02\x40\x00" + frame, now_s=10.0) == []  # claims 74 bytes
    assert deframer.feed(b"", now_s=10.0 + STALE_S) == []
    assert deframer.feed(b"", now_s=10.1 + STALE_S) == [frame]


def test_reset_forgets_the_unfinished_frame() -> None:
    frame = siyi_frame(1)
    deframer = Deframer(SIYI.wire)
    deframer.feed(frame[:10])
    deframer.reset()
    assert deframer.feed(frame[10:]) == []
    assert deframer.feed(frame) == [frame]
