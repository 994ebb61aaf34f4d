"""Lists of words as people type them, in one text."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from semantic_detection_pkg.detector.core.word_table import bare
from semantic_detection_pkg.errors import ConfigurationError


def split_words(text: str, known: Sequence[str] = ()) -> list[str]:
    """Return the words of a text with commas between them.

    A word that has commas itself is recognised if it is known, and may stand in double quotes
    (as in CSV files, RFC 4180).

    Raises:
        ConfigurationError: the quotes do not pair.
    """
    try:
        (parts,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise ConfigurationError(f"vocabulary: {text!r} is no list of words: {error}") from None
    with_comma = {bare(name) for name in known if "," in name}
    longest = max((name.count(",") for name in with_comma), default=0) + 1
    words: list[str] = []
    while parts:
        counts = range(min(longest, len(parts)), 1, -1)
        count = next((n for n in counts if bare(_meaning(parts[:n])) in with_comma), 1)
        words.append(",".join(parts[:count]))
        del parts[:count]
    return words


def _meaning(parts: Sequence[str]) -> str:
    text = ",".join(parts)
    return text.partition("=")[2] or text
