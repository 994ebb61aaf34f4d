"""The SIYI frame, little-endian.

    offset  bytes  field
    0       2      header     55 66
    2       1      control    bit 0 need_ack, bit 1 ack_pack: requests 1, replies 2
    3       2      length     N, of the data alone
    5       2      sequence   0..65535; the gimbal counts its own and does not echo the request's
    7       1      command
    8       N      data
    8+N     2      checksum   CRC-16/XMODEM over bytes 0 .. 7+N

10 bytes at least; 42 in normal use. Source: SIYI Gimbal Camera SDK protocol V0.1.1, chapter 1.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from gimbal_driver_pkg.protocol.checksums import crc16_xmodem
from gimbal_driver_pkg.protocol.framing import WireFormat

MAX_DATA = 64
"""The longest data of a known command is 32 bytes; a greater length is noise."""

_HEAD = struct.Struct("<2sBHHB")
_TAIL = struct.Struct("<H")


class SiyiFrame(NamedTuple):
    """The content of an intact frame."""

    control: int
    sequence: int
    command: int
    data: bytes


def pack(frame: SiyiFrame) -> bytes:
    """Return the bytes of `frame`; the data is at most MAX_DATA long."""
    control, sequence, command, data = frame
    body = _HEAD.pack(SiyiWire.header, control, len(data), sequence, command) + data
    return body + _TAIL.pack(crc16_xmodem(body, 0))


def unpack(data: bytes) -> SiyiFrame:
    """Return the content of the bytes of an intact frame."""
    _, control, _, sequence, command = _HEAD.unpack_from(data)
    return SiyiFrame(control, sequence, command, data[_HEAD.size : -_TAIL.size])


class SiyiWire(WireFormat):
    """How SIYI frames are found in a stream."""

    header = b"\x55\x66"
    prefix_size = 5
    max_size = _HEAD.size + MAX_DATA + _TAIL.size

    def size_of(self, buffer: bytes, start: int) -> int:
        data_size = buffer[start + 3] | buffer[start + 4] << 8
        return data_size + 10 if data_size <= MAX_DATA else 0

    def is_intact(self, frame: bytes) -> bool:
        return crc16_xmodem(frame[:-2], 0) == frame[-2] | frame[-1] << 8
