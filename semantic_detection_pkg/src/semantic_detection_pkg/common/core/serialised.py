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


def text_after_header_of(data: bytes) -> str:
    """Return the text that follows the header of a serialised message; empty: there is none.

    That of a Finding is its id: which revisions are old is known before any is unpacked.
    """
    length = _length_of(data)
    try:
        position = _end_of_header(data)
        position += -(position - _HEAD_BYTES) % length.size
        (count,) = length.unpack_from(data, position)
        position += length.size
        text = data[position : position + count]
    except struct.error:
        return ""
    return text[:-1].decode("utf-8", "replace") if len(text) == count else ""


def byte_after_header_of(data: bytes) -> int | None:
    """Return the byte that follows the header of a serialised message; None: there is none.

    That of a ScanState is its level.
    """
    try:
        position = _end_of_header(data)
    except struct.error:
        return None
    return data[position] if position < len(data) else None


def _end_of_header(data: bytes) -> int:
    """Return where the header's frame ends; raises struct.error."""
    length = _length_of(data)
    position = _HEAD_BYTES + _STAMPS[0].size
    return int(position + length.size + length.unpack_from(data, position)[0])


def _length_of(data: bytes) -> struct.Struct:
    return struct.Struct("<I" if data[1:2] == b"\x01" else ">I")
