"""Bytes out of text that holds hexadecimal among other things: dumps, logs, a terminal's output."""

from __future__ import annotations

import re

_BREAKS = re.compile(r"[\s,;:|]+")
_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)")
_RUN = re.compile(r"[0-9a-fA-F]{4,}")


class HexReader:
    """Takes lines, gives bytes. Words that are not hexadecimal are skipped, lines may end anywhere.

    A word of an odd number of digits is skipped too, unless it is the half of a byte that the line
    break cut in two.
    """

    def __init__(self) -> None:
        self._cut = ""  # an odd word at the end of the last line

    def feed(self, line: str) -> bytes:
        """Return the bytes of the next line."""
        words = [digits for word in _BREAKS.split(line.strip()) for digits in _digits(word)]
        if self._cut and words and len(words[0]) % 2:
            words[0] = self._cut + words[0]
        self._cut = words.pop() if words and len(words[-1]) % 2 else ""
        return bytes.fromhex("".join(word for word in words if len(word) % 2 == 0))


def _digits(word: str) -> list[str]:
    whole = _HEX.fullmatch(word)
    return [whole[1]] if whole else _RUN.findall(word)
