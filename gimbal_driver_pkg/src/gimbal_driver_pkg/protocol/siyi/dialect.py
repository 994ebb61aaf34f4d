"""SIYI frames as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.dialect import Dialect, header_number
from gimbal_driver_pkg.protocol.siyi.table import FROM_GIMBAL, TO_GIMBAL
from gimbal_driver_pkg.protocol.siyi.wire import MAX_DATA, SiyiFrame, SiyiWire, pack, unpack

_CONTROL = {Direction.TO_GIMBAL: 1, Direction.FROM_GIMBAL: 2}


class SiyiDialect(Dialect):
    """Header fields: cmd_id, ctrl, seq, data_len, data."""

    wire = SiyiWire()
    catalogues = {Direction.TO_GIMBAL: TO_GIMBAL, Direction.FROM_GIMBAL: FROM_GIMBAL}
    code_name = "cmd_id"
    header_names = frozenset({"cmd_id", "ctrl", "seq", "data_len", "data"})

    def open(self, frame: bytes) -> tuple[int, bytes, dict[str, Any]]:
        control, sequence, command, data = unpack(frame)
        return command, data, {"ctrl": control, "seq": sequence, "data_len": len(data)}

    def close(
        self, code: int, payload: bytes, header: Mapping[str, Any], direction: Direction
    ) -> bytes:
        if len(payload) > MAX_DATA:
            raise InvalidValueError(f"data: {len(payload)} bytes, allowed are 0..{MAX_DATA}")
        control = header_number(header, "ctrl", _CONTROL[direction], 0xFF)
        sequence = header_number(header, "seq", 0, 0xFFFF)
        return pack(SiyiFrame(control, sequence, code, payload))


SIYI = SiyiDialect()
