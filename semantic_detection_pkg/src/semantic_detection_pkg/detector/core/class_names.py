"""Names of a model's classes: those in its metadata, and how names meet its classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from semantic_detection_pkg.errors import ModelError

#: Where names can be given, for messages.
NAMES_HINT = "give a file of class names: --names, or class_names_file in the configuration"
MOST_CLASSES = 65_535  # class ids are uint16
#: A line of a label map: id, name.
LABEL_MAP_LINE = re.compile(r"(\d{1,5})(?:\s*[:,;]\s*|\s+)(\S.*)")
_NUMBERED = re.compile(r"(class[_ ]?)?\d+")


def metadata_names(name: str, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return class names in order; the keys are numbers in ONNX, texts in an engine's JSON.

    Raises:
        ModelError: `name`'s metadata names are neither a list nor a table from all ids, or one of
            them is no text.
    """
    names = literal(name, metadata, "names")
    if names is None:
        return ()
    if isinstance(names, Mapping):
        try:
            by_id = {int(key): value for key, value in names.items()}
        except (TypeError, ValueError, OverflowError):
            by_id = {}
        if sorted(by_id) == list(range(len(names))):
            names = [by_id[i] for i in range(len(by_id))]
    if isinstance(names, (list, tuple)):
        texts = tuple(str(value).strip() for value in names)
        for place, text in enumerate(texts):
            if not is_text(text):
                raise ModelError(f"{name}: metadata names: {text[:40]!r} of {place} is no text")
        return texts
    raise ModelError(f"{name}: metadata names must be a list or a table from 0, 1, 2, ... to names")


def stand_ins(count: int) -> tuple[str, ...]:
    """Return what classes are called that nobody has named."""
    return tuple(f"class_{i}" for i in range(count))


def fit_names(
    name: str, given: Sequence[str], own: Sequence[str], slots: int | None
) -> tuple[str, ...]:
    """Return names for each class of a model's output.

    Blank lines of a file are unused classes if the count fits so; where it fits only without them
    they mean nothing.

    Args:
        name: of the model, for messages.
        given: those of a file; empty: none.
        own: those of the metadata; empty: none.
        slots: classes of the output; None: its shape does not tell.

    Raises:
        ModelError: there are more or fewer names than classes.
    """
    count = slots if slots is not None else len(own) or None
    names = tuple(given) or tuple(own)
    if given:
        ends = max((i for i, entry in enumerate(names) if entry), default=-1) + 1
        ways = (names, names[:ends], tuple(filter(None, names)))
        fitting = [way for way in ways if len(way) == count]
        names = fitting[0] if fitting else names[:ends]
    if not names and count:
        names = stand_ins(count)
    if not names:
        raise ModelError(
            f"{name}: the class names are neither in the metadata nor can they be counted in this "
            f"layout; {NAMES_HINT}, one name on each line"
        )
    for place, entry in enumerate(names):
        if not is_text(entry):
            raise ModelError(f"{name}: class name {entry[:40]!r} of {place} is no text")
    if count not in (len(names), None) or len(names) > MOST_CLASSES:
        blank = sum(not entry for entry in names)
        raise ModelError(
            f"{name}: {len(names)} class names"
            + (f" ({blank} of them blank: unused classes)" if blank else "")
            + f" for {count or 'at most 65535'} classes; {NAMES_HINT}"
        )
    return names


def is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8: escapes of JSON can make halves of letters."""
    return not re.search("[\0\ud800-\udfff]", name)


def are_odd(names: Sequence[str]) -> bool:
    """Return whether nobody would ask for names like these: numbers, remains of a file's form."""
    shown = [entry for entry in names if entry]
    odd = sum(
        bool(_NUMBERED.fullmatch(entry) or LABEL_MAP_LINE.fullmatch(entry))
        or not entry.isprintable()
        for entry in shown
    )
    return not shown or odd > 0.5 * len(shown) or not shown[0].isprintable()


def literal(name: str, metadata: Mapping[str, Any], key: str) -> Any:
    """Return a metadata value; texts are Python literals. None where it is missing.

    Raises:
        ModelError: a text of `name`'s metadata is no literal.
    """
    value = metadata.get(key)
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ModelError(
            f"{name}: metadata {key} is {value[:40]!r}, not a Python literal"
        ) from None
