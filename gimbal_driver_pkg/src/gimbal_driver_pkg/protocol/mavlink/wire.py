"""The MAVLink 2 frame, little-endian; found here, decoded by pymavlink.

    offset  bytes  field
    0       1      header      FD
    1       1      length      N, of the payload
    2       1      incompatible flags: 1 = signed; anything else cannot be read
    3       1      compatible flags
    4       1      sequence
    5       2      system id, component id
    7       3      message id
    10      N      payload, trailing zeros cut off
    10+N    2      checksum    CRC-16/MCRF4XX over bytes 1 .. 9+N and one byte that the message's
                               definition gives, so an unknown message cannot be checked
    12+N    13     signature, if signed

pymavlink's own parser drops all bytes of a frame whose length was hit, and good frames with them;
so frames are found by the same search as everybody's. Source: mavlink.io, "Packet Serialization".
"""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import common as dialect

from gimbal_driver_pkg.protocol.checksums import crc16_mcrf4xx
from gimbal_driver_pkg.protocol.framing import WireFormat

_SIGNED = 1
_DECODER = dialect.MAVLink(None)


def decode(frame: bytes) -> Any | None:
    """Return pymavlink's message of an intact frame; None if its payload does not fit its id."""
    try:
        return _DECODER.decode(bytearray(frame))
    except dialect.MAVError:
        return None


class MavlinkWire(WireFormat):
    """How MAVLink 2 frames are found in a stream."""

    header = b"\xfd"
    prefix_size = 3
    max_size = 12 + 255 + 13

    def size_of(self, buffer: bytes, start: int) -> int:
        flags = buffer[start + 2]
        return 12 + buffer[start + 1] + 13 * flags if flags in (0, _SIGNED) else 0

    def is_intact(self, frame: bytes) -> bool:
        message = dialect.mavlink_map.get(int.from_bytes(frame[7:10], "little"))
        if message is None:
            return False
        end = 10 + frame[1]
        expected = crc16_mcrf4xx(frame[1:end] + bytes([message.crc_extra]))
        return expected == int.from_bytes(frame[end : end + 2], "little")
