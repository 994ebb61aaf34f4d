"""The text that tells a reader what a message type is, as MCAP's encoding "ros2msg" has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

#: Between the definitions of two types (mcap.dev, well-known schema encodings).
_SEPARATOR = "=" * 80

_PRIMITIVES = {
    *("bool", "byte", "char", "float32", "float64", "string", "wstring"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
#: A field: its type, perhaps bounded, perhaps an array, then its name. Constants fit, too; their
#: types are primitive.
_FIELD = re.compile(r"\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*")


def full_definition(type_name: str, text_of: Callable[[str], str]) -> str:
    """Return the definition of a type, followed by those of all types it needs.

    Args:
        type_name: "interfaces_pkg/msg/Detections".
        text_of: the content of a type's .msg file.
    """
    needed = {type_name: text_of(type_name)}
    queue = [type_name]
    while queue:
        name = queue.pop(0)
        for other in _types_in(needed[name], name):
            if other not in needed:
                needed[other] = text_of(other)
                queue.append(other)
    parts = [
        text.strip() + "\n"
        if name == type_name
        else f"{_SEPARATOR}\nMSG: {name.replace('/msg/', '/')}\n{text.strip()}\n"
        for name, text in needed.items()
    ]
    return "".join(parts)


def is_same(one: str, other: str) -> bool:
    """Return whether two definitions say the same, whatever their comments and spaces are.

    The types that they need may follow in any order.
    """
    return _sections(one) == _sections(other)


def _sections(definition: str) -> tuple[str, frozenset[str]]:
    own, *needed = (
        "\n".join(
            " ".join(words)
            for line in section.splitlines()
            if (words := line.partition("#")[0].split())
        )
        for section in definition.split(_SEPARATOR)
    )
    return own, frozenset(needed)


def _types_in(text: str, type_name: str) -> Iterator[str]:
    """Yield types of the fields that are no primitives, with package."""
    package = type_name.split("/")[0]
    for line in text.splitlines():
        match = _FIELD.match(line.partition("#")[0])
        if match and match[1] not in _PRIMITIVES:
            parts = match[1].split("/")
            yield f"{parts[0] if len(parts) > 1 else package}/msg/{parts[-1]}"
