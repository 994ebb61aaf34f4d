"""What can be read of a serialised message without unpacking it."""

from __future__ import annotations

import struct

_NS_PER_S = 1_000_000_000
#: CDR (DDS-RTPS 2.3, 10.2): a head of four bytes whose second tells the order of bytes, then the
#: first field of the message.
_HEAD_BYTES = 4
_STAMPS = (struct.Struct(">iI"), struct.Struct("<iI"))


def stamp_of(data: bytes) -> int:
    """Return the stamp [ns] that a serialised message with a header begins with; 0: too short."""
    if len(data) < _HEAD_BYTES + _STAMPS[0].size:
        return 0
    seconds, rest_ns = _STAMPS[data[1] & 1].unpack_from(data, _HEAD_BYTES)
    return int(seconds) * _NS_PER_S + int(rest_ns)
