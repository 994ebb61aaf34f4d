"""The dashboard's words.js: the words of the messages' constants, their texts and colours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ros_support_pkg.core.words import FIELDS, TIERS
from semantic_detection_pkg.common.core import palette

_HEAD = """// The words of the messages' constants, in the order of their numbers, and their texts.
// Made by `make docs` from ros_support_pkg/core/words.py and
// semantic_detection_pkg/common/core/palette.py.
"""
_COLOURS: dict[str, Mapping[Any, int]] = {
    "Coverage.result": palette.CELL_COLOURS,
    "Finding.state": palette.FINDING_COLOURS,
    "Track.state": palette.TRACK_COLOURS,
}


def page_words() -> str:
    """Return the module's text."""
    texts = {}
    for (type_name, field), enumeration in FIELDS.items():
        members: Any = enumeration
        texts[f"{type_name}.{field}"] = {member.word: member.text for member in members}
    colours = {
        field: {member.word: palette.css(colour) for member, colour in table.items()}
        for field, table in _COLOURS.items()
    }
    return (
        f"{_HEAD}\nexport const TEXTS = {json.dumps(texts, indent=2)};\n"
        f"\nexport const COLOURS = {json.dumps(colours, indent=2)};\n"
        "\n// Of a probability of detection, in equal steps from 0 to 1.\n"
        f"export const POD_COLOURS = {json.dumps([*map(palette.css, palette.POD_COLOURS)])};\n"
        f"\nexport const TIERS = {json.dumps(TIERS, indent=2)};\n"
    )
