"""The language in which payloads are written down as tables: fields, and layouts made of them.

A field says where a value lies and how its bytes and the value that people read become each other.
A layout is a row of fields, one behind the other; it decodes a payload to a dict and paints a dict
onto a payload. `also(field)` puts a second name on the bytes of the field before it: another unit,
the other sign, a text.

Painting starts from a canvas, the payload that was decoded (or zeros), and changes only what
differs from it. So reserved bits survive, and decode and encode are exact inverses. Where several
names of the same bytes are given, the first in the table wins.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError

Raw = Any  # what struct unpacks: an int, float or bytes, or a tuple of them
Value = Any  # what people read: JSON's types


@dataclass(frozen=True)
class Field:
    """One value of a payload.

    Attributes:
        name: what the value is called in decoded records.
        code: struct codes of its bytes, without byte order; several make one value of them all.
        read: raw to value.
        write: value to raw; it may raise what Python raises for a value of the wrong kind.
        allowed: what `write` takes, in words.
        shift, width: for a slice of the bits of an integer; width 0 is the whole.
        is_alias: it begins where the field before it begins.
    """

    name: str
    code: str
    read: Callable[[Raw], Value]
    write: Callable[[Value], Raw]
    allowed: str
    shift: int = 0
    width: int = 0
    is_alias: bool = False


def _integer(value: Value) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError
    return int(value)


_INTEGER_RANGES = {
    "B": (0, 2**8 - 1),
    "b": (-(2**7), 2**7 - 1),
    "H": (0, 2**16 - 1),
    "h": (-(2**15), 2**15 - 1),
    "I": (0, 2**32 - 1),
    "i": (-(2**31), 2**31 - 1),
    "Q": (0, 2**64 - 1),
}


def integer(name: str, code: str) -> Field:
    """Return a whole number as it stands on the wire."""
    low, high = _INTEGER_RANGES[code]
    return Field(name, code, int, _integer, f"a whole number {low}..{high}")


def u8(name: str) -> Field:
    """Return an unsigned byte."""
    return integer(name, "B")


def i8(name: str) -> Field:
    """Return a signed byte."""
    return integer(name, "b")


def u16(name: str) -> Field:
    """Return an unsigned 16-bit number."""
    return integer(name, "H")


def i16(name: str) -> Field:
    """Return a signed 16-bit number."""
    return integer(name, "h")


def u32(name: str) -> Field:
    """Return an unsigned 32-bit number."""
    return integer(name, "I")


def i32(name: str) -> Field:
    """Return a signed 32-bit number."""
    return integer(name, "i")


def scaled(name: str, code: str, unit: float, digits: int) -> Field:
    """Return a number of `unit` per count, shown with `digits` decimals; unit may be negative."""
    low, high = sorted((_INTEGER_RANGES[code][0] * unit, _INTEGER_RANGES[code][1] * unit))

    def read(raw: Raw) -> Value:
        return round(raw * unit, digits) + 0.0  # no negative zero

    def write(value: Value) -> Raw:
        return round(float(value) / unit)

    return Field(name, code, read, write, f"a number {low:g}..{high:g}")


def counts(name: str, unit: float, digits: int = 2) -> Field:
    """Return an angle in wrapping 16-bit counts of `unit` degrees; any finite angle fits."""

    def read(raw: Raw) -> Value:
        return round(raw * unit, digits) + 0.0

    def write(value: Value) -> Raw:
        return (round(float(value) / unit) + 2**15) % 2**16 - 2**15

    return Field(name, "h", read, write, "a finite angle in degrees")


def float32(name: str) -> Field:
    """Return a single-precision number, shown with the fewest digits that give the same bits."""

    def read(raw: Raw) -> Value:
        if not math.isfinite(raw):
            return None
        packed = struct.pack("<f", raw)
        texts = (f"{raw:.{digits}g}" for digits in range(6, 10))
        return next(float(t) for t in texts if _float32_bytes(float(t)) == packed)

    return Field(name, "f", read, float, "a number that fits 32 bits")


def _float32_bytes(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return b""


def text(name: str, size: int) -> Field:
    """Return ASCII text of at most `size` bytes, padded with zeros; other bytes show as U+FFFD."""

    def read(raw: Raw) -> Value:
        return raw.split(b"\0")[0].decode("ascii", "replace")

    def write(value: Value) -> Raw:
        if len(value) > size:
            raise ValueError
        return value.encode("ascii")

    return Field(name, f"{size}s", read, write, f"ASCII text of at most {size} characters")


def text_choice(name: str, size: int, texts: Mapping[str, str]) -> Field:
    """Return an ASCII code of `size` bytes shown as its entry in `texts`, "unknown" without one."""
    codes = {shown: code.encode("ascii") for code, shown in texts.items()}

    def read(raw: Raw) -> Value:
        return texts.get(raw.decode("ascii", "replace"), "unknown")

    return Field(name, f"{size}s", read, codes.__getitem__, f"one of {', '.join(codes)}")


def hexadecimal(name: str) -> Field:
    """Return a byte shown as "0x53"; whole numbers are taken too."""

    def write(value: Value) -> Raw:
        return int(value, 16) if isinstance(value, str) else _integer(value)

    return Field(name, "B", "0x{:02X}".format, write, 'a byte, as "0x53" or 83')


def choice(name: str, code: str, texts: Mapping[int, Value]) -> Field:
    """Return a number shown as one of `texts`; a number without text shows as it is."""
    numbers = {shown: raw for raw, shown in texts.items()}

    def write(value: Value) -> Raw:
        return numbers[value] if value in numbers else _integer(value)

    allowed = f"one of {', '.join(map(str, texts.values()))}, or a whole number"
    return Field(name, code, lambda raw: texts.get(raw, raw), write, allowed)


def several(name: str, code: str) -> Field:
    """Return a list of numbers, one per struct code."""

    def write(value: Value) -> Raw:
        if len(value) != len(code):
            raise ValueError
        return tuple(_integer(v) for v in value)

    return Field(name, code, list, write, f"a list of {len(code)} whole numbers that fit")


def tenths(name: str) -> Field:
    """Return a number sent as two bytes: its whole part, and 0..9 tenths."""

    def write(value: Value) -> Raw:
        return divmod(round(float(value) * 10), 10)  # rounded first: tenths never become 10

    return Field(name, "BB", lambda raw: round(raw[0] + raw[1] / 10, 1), write, "a number 0..255.9")


def version(name: str) -> Field:
    """Return "major.minor.patch" from three bytes: patch, minor, major."""

    def write(value: Value) -> Raw:
        major, minor, patch = map(int, value.split("."))
        return patch, minor, major

    return Field(name, "BBB", lambda raw: f"{raw[2]}.{raw[1]}.{raw[0]}", write, '"3.2.3"')


def bits(field: Field, shift: int, width: int) -> Field:
    """Narrow an unsigned field to `width` bits from bit `shift` on."""
    allowed = f"a whole number 0..{2**width - 1}" if field.read is int else field.allowed
    return replace(field, shift=shift, width=width, allowed=allowed)


def also(field: Field) -> Field:
    """Let `field` begin where the field before it begins."""
    return replace(field, is_alias=True)


def pad(size: int) -> Field:
    """Return `size` bytes without a name."""
    return Field("", f"{size}x", lambda raw: raw, lambda value: value, "nothing")


class FieldLayout:
    """The fields of a payload of fixed size."""

    def __init__(self, *fields: Field, order: str = "<") -> None:
        """Lay `fields` out one behind the other in byte order `order` ("<" or ">")."""
        self._cells: list[_Cell] = []
        start = end = 0
        for field in fields:
            if not field.is_alias:
                start = end
            end = max(end, start + struct.calcsize("<" + field.code))
            if field.name:
                self._cells.append(_Cell(field, start, struct.Struct(order + field.code)))
        self.size: int = end
        self.names = frozenset(cell.field.name for cell in self._cells)
        self._words = struct.Struct(order + "".join(f.code for f in fields if not f.is_alias))

    def words(self, data: bytes) -> tuple[Any, ...]:
        """Return the raw numbers of `data`, `size` bytes, in table order without aliases."""
        return self._words.unpack(data)

    def decode(self, data: bytes) -> dict[str, Value]:
        """Return the values of `data`, which is `size` bytes long. Never raises for its content."""
        return {cell.field.name: cell.read(data) for cell in self._cells}

    def encode(self, values: Mapping[str, Value], canvas: bytes) -> bytes:
        """Paint `values` over `canvas`, the payload to start from; other names are left out.

        Raises:
            InvalidValueError: a value does not fit its field.
        """
        data = bytearray(canvas)
        painted: set[tuple[int, int, int]] = set()
        for cell in self._cells:
            value = values.get(cell.field.name)
            if value is None or cell.place in painted:
                continue
            if cell.read(canvas) != value:
                cell.paint(data, value)
                painted.add(cell.place)
        return bytes(data)


@dataclass(frozen=True)
class _Cell:
    """A field at its place in a layout."""

    field: Field
    offset: int
    packer: struct.Struct

    @property
    def place(self) -> tuple[int, int, int]:
        return self.offset, self.field.shift, self.field.width

    def _raw(self, data: bytes | bytearray) -> Raw:
        raw = self.packer.unpack_from(data, self.offset)
        return raw[0] if len(raw) == 1 else raw

    def read(self, data: bytes) -> Value:
        raw, field = self._raw(data), self.field
        if field.width:
            raw = raw >> field.shift & (1 << field.width) - 1
        return field.read(raw)

    def paint(self, data: bytearray, value: Value) -> None:
        field = self.field
        try:
            raw = field.write(value)
            if field.width:
                if not 0 <= raw < 1 << field.width:
                    raise ValueError
                mask = (1 << field.width) - 1 << field.shift
                raw = self._raw(data) & ~mask | raw << field.shift
            self.packer.pack_into(data, self.offset, *(raw if isinstance(raw, tuple) else (raw,)))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, struct.error):
            raise InvalidValueError(
                f"{field.name}: {value!r}, allowed is {field.allowed}"
            ) from None
