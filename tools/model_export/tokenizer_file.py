"""From CLIP's vocabulary of merges to a tokenizer file of the library `tokenizers`.

CLIP's file, `bpe_simple_vocab_16e6.txt.gz`, names the merges of byte pairs, the best first. Its
tokens are: a letter for each byte, the same at a word's end, a token for each merge, begin, end.
What is not in the file is done before (`detector.core.prompts.as_prompt`): cleaning, lower case.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError

MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_MERGES_MOST = 49_152 - 256 - 2  # CLIP takes so many of its file
_PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def find_merges() -> Path:
    """Return the file of merges of an installed package that has it.

    Raises:
        ConfigurationError: there is none.
    """
    for package in ("clip", "open_clip"):
        spec = importlib.util.find_spec(package)  # not imported: that would need its requirements
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / MERGES_FILE
            if path.is_file():
                return path
    raise ConfigurationError(
        f"tokenizer: {MERGES_FILE} is in no installed package; requirements/export.in names "
        "openai-clip, which has it; or give the file (--merges)"
    )


def tokenizer_json(merges: Path) -> str:
    """Return the tokenizer as the text of its file.

    Args:
        merges: CLIP's file, compressed by gzip.

    Raises:
        ConfigurationError: it cannot be read, or is no such file.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    pairs = _read_merges(merges)
    letters = _byte_letters()
    tokens = [*letters, *(letter + _WORD_END for letter in letters), *map("".join, pairs)]
    tokens += [BEGIN, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    try:
        model = models.BPE(vocabulary, pairs, end_of_word_suffix=_WORD_END)
    except Exception as error:  # the library raises plain Exception
        raise ConfigurationError(f"tokenizer: {merges}: {error}") from None
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        special_tokens=[(BEGIN, vocabulary[BEGIN]), (END, vocabulary[END])],
    )
    return str(tokenizer.to_str())


def _read_merges(path: Path) -> list[tuple[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().split("\n")[1:]  # the first names the version
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"tokenizer: {path}: {error}") from None
    pairs = []
    for line in lines[:_MERGES_MOST]:
        parts = line.split()
        if len(parts) == 2:
            pairs.append((parts[0], parts[1]))
    if not pairs:
        raise ConfigurationError(f"tokenizer: {path}: holds no merges, two parts on each line")
    return pairs


def _byte_letters() -> list[str]:
    """Return the letter for each byte, in the order of CLIP's tokens: printable bytes first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 0x100 - len(printable)
    return [chr(byte) for byte in printable] + [chr(0x100 + place) for place in range(others)]
