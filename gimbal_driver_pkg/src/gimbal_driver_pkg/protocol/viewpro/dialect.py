"""Viewpro frames as records, bare and in the envelope that TCP adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.catalogue import Catalogue, Direction
from gimbal_driver_pkg.protocol.dialect import Dialect, header_number
from gimbal_driver_pkg.protocol.framing import WireFormat
from gimbal_driver_pkg.protocol.viewpro.table import FROM_GIMBAL, TO_GIMBAL
from gimbal_driver_pkg.protocol.viewpro.wire import (
    MAX_DATA,
    EnvelopeWire,
    ViewproWire,
    pack,
    unpack,
    unwrap,
    wrap,
)


def _fixed_sizes(*catalogues: Catalogue) -> dict[int, frozenset[int]]:
    codes = {message.code for catalogue in catalogues for message in catalogue}
    sizes = {code: frozenset().union(*(c.fixed_sizes(code) for c in catalogues)) for code in codes}
    return {code: known for code, known in sizes.items() if known}


_BARE = ViewproWire(_fixed_sizes(TO_GIMBAL, FROM_GIMBAL))


class ViewproDialect(Dialect):
    """Header fields: frame_id, length, frame_counter, data."""

    wire: WireFormat = _BARE
    catalogues = {Direction.TO_GIMBAL: TO_GIMBAL, Direction.FROM_GIMBAL: FROM_GIMBAL}
    code_name = "frame_id"
    header_names = frozenset({"frame_id", "length", "frame_counter", "data"})

    def open(self, frame: bytes) -> tuple[int, bytes, dict[str, Any]]:
        frame_id, data, counter = unpack(frame)
        return frame_id, data, {"length": len(data) + 3, "frame_counter": counter}

    def close(
        self,
        code: int,
        payload: bytes,
        header: Mapping[str, Any],
        direction: Direction,  # noqa: ARG002 frames of both directions look alike
    ) -> bytes:
        if not 1 <= len(payload) <= MAX_DATA:
            raise InvalidValueError(f"data: {len(payload)} bytes, allowed are 1..{MAX_DATA}")
        return pack(code, payload, header_number(header, "frame_counter", 0, 3))


class EnvelopedViewproDialect(ViewproDialect):
    """The same frames, each in its TCP envelope."""

    wire = EnvelopeWire(_BARE)

    def open(self, frame: bytes) -> tuple[int, bytes, dict[str, Any]]:
        code, payload, header = super().open(unwrap(frame))
        return code, payload, {**header, "envelope": "TCP EB 90"}

    def close(
        self, code: int, payload: bytes, header: Mapping[str, Any], direction: Direction
    ) -> bytes:
        return wrap(super().close(code, payload, header, direction))


VIEWPRO = ViewproDialect()
VIEWPRO_TCP = EnvelopedViewproDialect()
