"""The Viewpro ViewLink frame, big-endian.

    offset  bytes  field
    0       3      header     55 AA DC
    3       1      bits 0-5   n = bytes from this one to the checksum, both included: 4..63
                   bits 6-7   frame counter, one more with every frame
    4       1      frame id
    5       n-3    data
    2+n     1      checksum   XOR of bytes 3 .. 1+n; the counter bits are part of it

Over TCP every frame travels in an envelope:

    EB 90 | n + 3 (1 byte) | the frame | sum of the frame's bytes mod 256 (1 byte)

Source: Viewpro serial command protocol V3.4.4, chapter 2. That the counter is part of the XOR is
settled by captures of one body with counters 0..3; envelopes by five published examples.
"""

from __future__ import annotations

from gimbal_driver_pkg.protocol.checksums import sum8, xor8
from gimbal_driver_pkg.protocol.framing import WireFormat

MAX_DATA = 60
"""n has six bits."""

_ENVELOPE = b"\xeb\x90"


def pack(frame_id: int, data: bytes, counter: int) -> bytes:
    """Return the frame of `data` (1..MAX_DATA bytes) with `counter` 0..3."""
    body = bytes([counter << 6 | len(data) + 3, frame_id]) + data
    return ViewproWire.header + body + bytes([xor8(body)])


def unpack(frame: bytes) -> tuple[int, bytes, int]:
    """Return frame id, data and counter of an intact frame."""
    return frame[4], frame[5:-1], frame[3] >> 6


def wrap(frame: bytes) -> bytes:
    """Return `frame` in its TCP envelope."""
    return _ENVELOPE + bytes([len(frame)]) + frame + bytes([sum8(frame)])


def unwrap(envelope: bytes) -> bytes:
    """Return the frame in an intact envelope."""
    return envelope[3:-1]


class ViewproWire(WireFormat):
    """How bare frames are found in a stream, on a serial line."""

    header = b"\x55\xaa\xdc"
    prefix_size = 4
    max_size = 3 + 63

    def __init__(self, fixed_sizes: dict[int, frozenset[int]]) -> None:
        """Take the data sizes that each frame id always has; an id without entry may have any."""
        self._fixed_sizes = fixed_sizes

    def size_of(self, buffer: bytes, start: int) -> int:
        size = buffer[start + 3] & 0x3F
        return size + 3 if size >= 4 else 0

    def is_intact(self, frame: bytes) -> bool:
        return xor8(frame[3:]) == 0

    def is_certain(self, frame: bytes) -> bool:
        is_usual = len(frame) - 6 in self._fixed_sizes.get(frame[4], ())
        return is_usual and self.header not in frame[3:]


class EnvelopeWire(WireFormat):
    """How enveloped frames are found in a stream, on TCP."""

    header = _ENVELOPE
    prefix_size = 3
    max_size = ViewproWire.max_size + 4

    def __init__(self, inner: ViewproWire) -> None:
        """Take the format of what is in the envelopes."""
        self._inner = inner

    def size_of(self, buffer: bytes, start: int) -> int:
        size = buffer[start + 2]
        return size + 4 if 7 <= size <= self._inner.max_size else 0

    def is_intact(self, frame: bytes) -> bool:
        inner, wire = frame[3:-1], self._inner
        return (
            sum8(inner) == frame[-1]
            and inner.startswith(wire.header)
            and wire.size_of(inner, 0) == len(inner)
            and wire.is_intact(inner)
        )
