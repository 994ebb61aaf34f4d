"""A protocol's messages as one table, read both ways: payload to values, values to payload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gimbal_driver_pkg.protocol.fields import FieldLayout


class Direction(Enum):
    """Who sends a message."""

    TO_GIMBAL = "to_gimbal"
    FROM_GIMBAL = "from_gimbal"


@dataclass(frozen=True)
class Record:
    """One frame in words.

    Attributes:
        command: name of the message.
        fields: header and payload in the wire's own signs and units, as in the protocol's table.
        frame: the bytes it was read from.
    """

    command: str
    fields: Mapping[str, Any]
    frame: bytes


@dataclass(frozen=True)
class Message:
    """A row of the table.

    Attributes:
        name: the command.
        code: command or frame id on the wire.
        layouts: payload variants of different size; the preferred one first.
        marks: the values that fields must have, to tell this message from others of the same code;
            the first is the one to send.
        has_rest: more bytes may follow the layout; nothing is known of them.
    """

    name: str
    code: int
    layouts: tuple[FieldLayout, ...]
    marks: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    has_rest: bool = False

    @property
    def names(self) -> frozenset[str]:
        """Names of all fields of all variants."""
        return frozenset().union(*(layout.names for layout in self.layouts))

    def layout_of_size(self, size: int) -> FieldLayout | None:
        """Return the variant of `size` bytes."""
        for layout in self.layouts:
            if layout.size == size or (self.has_rest and layout.size < size):
                return layout
        return None

    def layout_for(self, values: Mapping[str, Any]) -> FieldLayout:
        """Return the variant with the fewest fields that has all of `values` that any has."""
        wanted = self.names & set(values)
        fitting = [layout for layout in self.layouts if wanted <= layout.names]
        return min(fitting or self.layouts, key=lambda layout: len(layout.names))

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Tell whether decoded values carry the marks of this message."""
        return all(values[name] in allowed for name, allowed in self.marks.items())

    def encode(self, values: Mapping[str, Any], canvas: bytes | None) -> bytes:
        """Return the payload with `values` over `canvas`, the payload to start from.

        Raises:
            InvalidValueError: a value does not fit its field.
        """
        layout = None if canvas is None else self.layout_of_size(len(canvas))
        if canvas is None or layout is None:
            layout = self.layout_for(values)
            canvas = bytes(layout.size)
        has_marks = self.fits({**layout.decode(canvas), **values})
        marks = {} if has_marks else {name: allowed[0] for name, allowed in self.marks.items()}
        return layout.encode({**values, **marks}, canvas)


class Catalogue:
    """All messages of one protocol in one direction."""

    def __init__(self, messages: Iterable[Message]) -> None:
        """Make a table of `messages`; of those that fit a payload, the first is taken."""
        self._by_name: dict[str, Message] = {}
        self._by_code: dict[int, list[Message]] = {}
        for message in messages:
            self._by_name.setdefault(message.name, message)
            self._by_code.setdefault(message.code, []).append(message)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Message]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Message:
        return self._by_name[name]

    def fixed_sizes(self, code: int) -> frozenset[int]:
        """Return the payload sizes that messages of `code` have; empty if any size may be right."""
        messages = self._by_code.get(code, ())
        if any(message.has_rest for message in messages):
            return frozenset()
        return frozenset(layout.size for message in messages for layout in message.layouts)

    def identify(self, code: int, payload: bytes) -> tuple[Message, dict[str, Any]] | None:
        """Return the first message of the table that `payload` can be, and its values."""
        for message in self._by_code.get(code, ()):
            layout = message.layout_of_size(len(payload))
            if layout is None:
                continue
            values = layout.decode(payload)
            if message.fits(values):
                return message, values
        return None
