"""The dashboard's words.js: the words of the messages' constants and what people read."""

from __future__ import annotations

import json
from typing import Any

from ros_support_pkg.core.words import FIELDS, TIERS

_HEAD = """// The words of the messages' constants, in the order of their numbers, and their texts.
// Made by `make docs` from ros_support_pkg/core/words.py.
"""


def page_words() -> str:
    """Return the module's text."""
    texts = {}
    for (type_name, field), enumeration in FIELDS.items():
        members: Any = enumeration
        texts[f"{type_name}.{field}"] = {member.word: member.text for member in members}
    return (
        f"{_HEAD}\nexport const TEXTS = {json.dumps(texts, indent=2)};\n"
        f"\nexport const TIERS = {json.dumps(TIERS, indent=2)};\n"
    )
