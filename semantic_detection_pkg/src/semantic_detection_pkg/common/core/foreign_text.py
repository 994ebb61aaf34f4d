r"""Text of strangers: names of files, words of servers and models.

It may steer a terminal, look like another line, or hold halves of characters, `\ud83d`: JSON can
spell them (RFC 8259, 8.2), Python gives them for names that are no UTF-8 (PEP 383), and whatever
writes UTF-8 fails on them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_SPELLED_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a pair, too


def in_one_line(text: object) -> str:
    r"""Return text as one line that a terminal may show.

    Line ends, control and format characters and halves of characters are spelled, `\n`, `\x1b`,
    `\udcfc`; spaces of any kind are spaces.
    """
    return "".join(map(_shown, str(text)))


def read_json(body: bytes | str) -> Any:
    """Return what JSON says; halves of characters are U+FFFD.

    Raises:
        ValueError: it is none, or nested too deep.
    """
    if isinstance(body, bytes):  # as json.loads has it
        body = body.decode(json.detect_encoding(body), "surrogatepass")
    try:
        value = json.loads(body)
        return _whole(value) if _has_half(body) else value
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def _has_half(body: str) -> bool:
    r"""Return whether JSON may spell half a character: as it is, or by `\ud800` to `\udfff`."""
    return bool(_SPELLED_HALF.search(body) or (not body.isascii() and _HALF.search(body)))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return value
