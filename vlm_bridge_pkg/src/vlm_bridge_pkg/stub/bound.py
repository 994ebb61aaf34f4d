"""A scripted answer as a model says it that is bound to a JSON schema, token by token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def tokens_of(text: str, schema: Mapping[str, Any] | None) -> tuple[list[str], int]:
    """Return an answer's tokens and which of them is the verdict.

    Args:
        text: verdict, end of line, reason.
        schema: of an object of texts, of which one is a choice of words; None: the text as it is.
    """
    if schema is None:
        return _words(text), 0
    first, _, rest = text.partition("\n")
    tokens = ["{"]
    verdict = 0
    for number, (name, kind) in enumerate(schema.get("properties", {}).items()):
        # Indented, and in such pieces, llama-server's models say it.
        tokens += [*([","] if number else []), "\n", "    ", '"', name, '":', ' "']
        if choices := kind.get("enum"):
            verdict = len(tokens)
            tokens.append(_chosen(first, choices))
        else:
            tokens += _words(json.dumps(rest or first)[1:-1])
        tokens.append('"')
    return [*tokens, "\n", "}"], verdict


def _chosen(said: str, choices: list[str]) -> str:
    """Return what the schema lets pass: the word that was meant, or the last one."""
    word = said.strip().rstrip(".,!").lower()
    return word if word in choices else choices[-1]


def _words(text: str) -> list[str]:
    return text.replace(" ", "\0 ").replace("\n", "\0\n").split("\0")
