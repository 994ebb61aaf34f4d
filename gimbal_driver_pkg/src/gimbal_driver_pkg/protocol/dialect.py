"""What all protocols with tables share: frames to records and back, in the wire's own units.

People who debug a cable (`decode`, `encode`) and the mock gimbal speak through it; the driver's
codecs add meaning (radians, signs) on top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.protocol.catalogue import Catalogue, Direction, Message, Record
from gimbal_driver_pkg.protocol.framing import WireFormat

UNKNOWN = "unknown"
"""The command of a record whose frame is intact but fits no row of the table."""

_NOTES = frozenset({"meaning", "note", "warning", "envelope", "frame", "problem"})
"""Fields that explain a record and carry no bytes."""


class Dialect(ABC):
    """Reads and writes the frames of one protocol."""

    wire: WireFormat
    catalogues: Mapping[Direction, Catalogue]
    code_name: str
    """Header field that holds the command or frame id, as "0x0D"."""
    header_names: frozenset[str]
    """All header fields, `data` (the payload in hexadecimal) among them."""

    @abstractmethod
    def open(self, frame: bytes) -> tuple[int, bytes, dict[str, Any]]:
        """Return command id, payload and the other header fields of an intact frame."""

    @abstractmethod
    def close(
        self, code: int, payload: bytes, header: Mapping[str, Any], direction: Direction
    ) -> bytes:
        """Return the frame around `payload`; header fields that are missing get their defaults."""

    def read(self, frame: bytes, direction: Direction) -> Record:
        """Return the record of an intact frame. Never raises for its content."""
        code, payload, header = self.open(frame)
        fields = {self.code_name: f"0x{code:02X}", **header, "data": payload.hex()}
        found = self.catalogues[direction].identify(code, payload)
        if found is None:
            return Record(UNKNOWN, fields, frame)
        message, values = found
        return Record(message.name, {**fields, **values}, frame)

    def write(self, command: str, fields: Mapping[str, Any]) -> bytes:
        """Return the frame of a record: the inverse of `read`.

        `data` is the payload to start from; the named fields are painted over it where they differ.
        Without it, fields that are not given are zero.

        Raises:
            InvalidValueError: the command or a field does not exist, or a value does not fit.
        """
        canvas = _bytes_of(fields)
        if command == UNKNOWN:
            if canvas is None:
                raise InvalidValueError(f"an {UNKNOWN} command needs its data field in hexadecimal")
            return self.close(self._code_of(fields), canvas, fields, Direction.TO_GIMBAL)
        direction, message = self._find(command)
        if canvas is None:
            self._refuse_strangers(message, fields)
        payload = message.encode(fields, canvas)
        return self.close(message.code, payload, fields, direction)

    def _find(self, command: str) -> tuple[Direction, Message]:
        for direction, catalogue in self.catalogues.items():
            if command in catalogue:
                return direction, catalogue[command]
        known = sorted(m.name for catalogue in self.catalogues.values() for m in catalogue)
        raise InvalidValueError(f"command {command!r} is not known; known are {', '.join(known)}")

    def _code_of(self, fields: Mapping[str, Any]) -> int:
        text = fields.get(self.code_name)
        try:
            return int(str(text), 16)
        except ValueError:
            message = f'{self.code_name}: {text!r}, allowed is a byte in hexadecimal, "0x0D" say'
            raise InvalidValueError(message) from None

    def _refuse_strangers(self, message: Message, fields: Mapping[str, Any]) -> None:
        strangers = set(fields) - message.names - self.header_names - _NOTES
        if strangers:
            names = ", ".join(sorted(message.names)) or "none"
            raise InvalidValueError(
                f"{message.name} has no field {min(strangers)!r}; it has {names}"
            )


def _bytes_of(fields: Mapping[str, Any]) -> bytes | None:
    if "data" not in fields:
        return None
    try:
        return bytes.fromhex(fields["data"])
    except (TypeError, ValueError):
        raise InvalidValueError(f"data: {fields['data']!r}, allowed is hexadecimal") from None


def header_number(header: Mapping[str, Any], name: str, default: int, greatest: int) -> int:
    """Return header field `name`.

    Raises:
        InvalidValueError: it is no whole number 0..greatest.
    """
    value = header.get(name, default)
    if isinstance(value, int) and 0 <= value <= greatest:
        return value
    raise InvalidValueError(f"{name}: {value!r}, allowed is a whole number 0..{greatest}")
