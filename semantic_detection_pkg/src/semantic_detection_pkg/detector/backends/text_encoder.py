"""From prompts to embeddings, on the CPU: `<model>.text.onnx` beside a model.

Files of one export belong together; `model.onnx` may have become `model.engine`:

    model.text.onnx         the graph, see `side_network`
    model.text.onnx.data    its weights, 250 MB of a real one
    model.text.tokens.json  the tokenizer, of the library `tokenizers`

An encoder that knows few words gives what it does not know an embedding of length 0, and names in
its metadata `reach` what it knows words for.

The graph is opened for each request, in 0.03 s. The tokenizer, 40 MB, is read with the model:
reading takes 0.1 s in which no other thread of Python runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.onnx import one_line
from semantic_detection_pkg.detector.backends.side_network import (
    COPY_AGAIN,
    SideNetwork,
    reason_of,
)
from semantic_detection_pkg.errors import ConfigurationError

SUFFIX = ".text.onnx"
TOKENS_SUFFIX = ".text.tokens.json"
_BATCH = 16  # prompts of one run: others may want the processor, too


class TextEncoder:
    """An encoder's files, and its tokenizer."""

    def __init__(self, graph: Path, graph_sha256: str = "") -> None:
        """Read the tokenizer.

        Args:
            graph: path of the graph, which is read later.
            graph_sha256: what the model's vocabulary names; "": nothing.

        Raises:
            ConfigurationError: it is another graph; the tokenizer, or its library, is missing or no
                good.
        """
        self._network = SideNetwork(graph, "text encoder", ("tokens",))
        if mismatch := self._network.mismatch(graph_sha256):
            raise ConfigurationError(mismatch)
        tokens = graph.with_name(graph.name.removesuffix(SUFFIX) + TOKENS_SUFFIX)
        self._tokenizer = self._read_tokenizer(tokens)

    def encode(self, prompts: Sequence[str], checkpoint: str) -> dict[str, NDArray[np.float32]]:
        """Return an embedding (D) of length 1 for each prompt.

        Args:
            prompts: in the form that the encoder was trained with (`core.prompts.as_prompt`).
            checkpoint: that the model's vocabulary is of; "": it does not say.

        Raises:
            ConfigurationError: see `SideNetwork.open`; a prompt is too long; or the encoder does
                not know it and says so, by an embedding of length 0.
        """
        rows = [self._tokenizer.encode(prompt).ids for prompt in prompts]
        session = self._network.open(checkpoint)
        metadata = session.get_modelmeta().custom_metadata_map
        longest = int(metadata.get("context_length", "77"))
        found: list[NDArray[np.float32]] = []
        for first in range(0, len(rows), _BATCH):
            part = slice(first, first + _BATCH)
            tokens = _padded(prompts[part], rows[part], longest)
            found.extend(self._network.run(session, {"tokens": tokens}))
        strange = [one for one, row in zip(prompts, found, strict=True) if not row.any()]
        if strange:
            raise _unknown(strange, metadata.get("reach", ""))
        return dict(zip(prompts, found, strict=True))

    def _read_tokenizer(self, path: Path) -> Any:
        refusal = self._network.refusal
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise refusal(f"the Python package tokenizers is missing ({error})") from None
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise refusal(f"{path.name}: {reason_of(error)}; {COPY_AGAIN}") from None
        try:
            return Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            reason = one_line(error)[:100]
            raise refusal(f"{path.name}: is no tokenizer ({reason}); {COPY_AGAIN}") from None


def _unknown(prompts: Sequence[str], reach: str) -> ConfigurationError:
    """Return the refusal of prompts that an encoder has no meaning for.

    Args:
        reach: words near which it knows others; "": it does not say.
    """
    names = ", ".join(repr(one[:40]) for one in prompts)
    known = f"; known: {reach}, and words near these" if reach else ": its text encoder says so"
    return ConfigurationError(
        f"vocabulary: {names} {'is' if len(prompts) == 1 else 'are'} unknown{known}"
    )


def _padded(
    prompts: Sequence[str], rows: Sequence[Sequence[int]], longest: int
) -> NDArray[np.int64]:
    """Return (N, P) tokens, zeros behind the end; P as the longest needs."""
    places = max(map(len, rows))
    if places > longest:
        worst = max(range(len(rows)), key=lambda row: len(rows[row]))
        raise ConfigurationError(
            f"vocabulary: {prompts[worst][:40]!r}... has {places - 2} tokens, at most "
            f"{longest - 2} are allowed"
        )
    tokens = np.zeros((len(rows), places), np.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = ids
    return tokens
