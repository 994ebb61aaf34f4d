"""Words as people type them, and as a text encoder reads them.

`coat=raincoat|rain jacket` is one class, `coat`, that looks for either; `raincoat|rain jacket` is
called by its first. A prompt goes to the encoder in the form that YOLOE's checkpoints were trained
with: the bare name, in lower case, with no template around it. Their training names classes in the
singular and takes phrases out of captions as they stand there, so number is left as it was typed:
`boots` and `boot` are two prompts, `boot|boots` is one class of both.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from semantic_detection_pkg.detector.core.class_names import is_text
from semantic_detection_pkg.errors import ConfigurationError

#: Letters; a prompt has room for 75 tokens.
LONGEST_PROMPT = 200
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'"))
_QUOTES |= str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f", '"'))
#: That come along with what is pasted and that nobody sees: soft hyphens, breaks of no width, marks
#: of the direction of writing, a byte order mark. Joiners stay: scripts and emoji are spelled so.
_INVISIBLE = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, 0xFEFF]
    + [*range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x2070)]
)


@dataclass(frozen=True)
class WantedWord:
    """A class that is looked for.

    Attributes:
        name: that detections have.
        meanings: what is looked for, at least one; as typed, or in the known spelling.
    """

    name: str
    meanings: tuple[str, ...]


def wanted_words(words: Sequence[str], find: Callable[[str], str | None]) -> tuple[WantedWord, ...]:
    """Return what is wanted, in the order of the words.

    Args:
        words: as typed; one that is known as a whole may have "=" and "|" in it.
        find: returns the known spelling of a text, None where it is unknown.

    Raises:
        ConfigurationError: a word is empty, no text, too long, or given twice.
    """
    wanted: dict[str, WantedWord] = {}
    for word in words:
        one = _wanted(word, find)
        is_known = find(one.name) == one.name  # known words may differ in case alone
        key = one.name if is_known else as_prompt(one.name)
        if key in wanted:
            raise ConfigurationError(f"vocabulary: {one.name!r} is given twice")
        wanted[key] = one
    return tuple(wanted.values())


def read_word(word: str) -> WantedWord:
    """Return what a word says by itself, whatever a model knows.

    Raises:
        ConfigurationError: it is empty, no text, or too long.
    """
    return _wanted(word, lambda _: None)


def _wanted(word: str, find: Callable[[str], str | None]) -> WantedWord:
    if not is_text(word):
        raise ConfigurationError(f"vocabulary: {word[:40]!r} is no text")
    known = find(word.strip())
    if known is not None:
        return WantedWord(known, (known,))
    name, _, meaning = (_tidy(part) for part in word.partition("="))
    texts = [text.strip() for text in (meaning or name).split("|")]
    if not all(map(_is_word, (name, *texts))):
        raise ConfigurationError(f"vocabulary: {_short(word)} is not a word")
    longest = max(map(len, (name, *texts)))
    if longest > LONGEST_PROMPT:
        raise ConfigurationError(
            f"vocabulary: {_short(word)} has {longest} letters, at most {LONGEST_PROMPT} are "
            "allowed"
        )
    meanings = tuple(dict.fromkeys(find(text) or text for text in texts))
    # Without a new name the known spelling is shown.
    return WantedWord(name if meaning else meanings[0], meanings)


def _is_word(text: str) -> bool:
    """Return whether there is more in a text than blanks and punctuation."""
    return any(unicodedata.category(one)[0] not in "CPZ" for one in as_prompt(text))


def _tidy(text: str) -> str:
    """Return a text without control and invisible characters, with single blanks."""
    text = "".join(one for one in text if one.isspace() or unicodedata.category(one) != "Cc")
    text = text.translate(_INVISIBLE)
    return " ".join(text.split())


def _short(word: str) -> str:
    return repr(word if len(word) <= 40 else f"{word[:40]}...")


def as_prompt(text: str) -> str:
    """Return a text in the form that encoders of CLIP's family are trained with.

    As CLIP's tokenizer cleans it: HTML's escapes resolved, ligatures, wide letters and curled
    quotes made plain, NFC, blanks single, lower case. Control characters are dropped.
    """
    text = html.unescape(html.unescape(text)).translate(_QUOTES)
    text = "".join(
        unicodedata.normalize("NFKC", one) if "\ufb00" <= one <= "\ufb06" or _is_wide(one) else one
        for one in text
    )
    return _tidy(unicodedata.normalize("NFC", text)).lower()


def _is_wide(letter: str) -> bool:
    return "\uff01" <= letter <= "\uffef" or letter == "\u3000"
