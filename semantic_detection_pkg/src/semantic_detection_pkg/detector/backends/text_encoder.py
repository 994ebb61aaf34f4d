"""From prompts to embeddings, on the CPU: `<model>.text.onnx` beside a model.

Three files of one export belong together; `model.onnx` may have become `model.engine`:

    model.text.onnx         the graph, 0.3 MB; metadata name the checkpoint and the hash of the data
    model.text.onnx.data    its weights, 250 MB of a real one
    model.text.tokens.json  the tokenizer, of the library `tokenizers`

The weights are mapped, not read: while nothing is encoded the encoder takes no memory, and what it
took is the page cache's. So it is opened for each request, in 0.03 s, and closed again. The
tokenizer, 40 MB, is read with the model: reading takes 0.1 s in which no thread of Python runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.onnx import CPU, explain, one_line
from semantic_detection_pkg.errors import ConfigurationError

SUFFIX = ".text.onnx"
DATA_SUFFIX = ".data"  # behind that
TOKENS_SUFFIX = ".text.tokens.json"
_BATCH = 16  # prompts of one run: others may want the processor, too
_LOG_FATAL_ONLY = 4
_AGAIN = "copy the three files of one export (tools/export_yoloe.py) beside the model again"


class TextEncoder:
    """An encoder's files. The weights are verified once, when they are first needed."""

    def __init__(self, graph: Path) -> None:
        """Read the tokenizer.

        Args:
            graph: path of the graph, which is read later.

        Raises:
            ConfigurationError: the tokenizer, or its library, is missing or no good.
        """
        self.name = graph.name
        self._graph = graph
        self._data = graph.with_name(graph.name + DATA_SUFFIX)
        tokens = graph.with_name(graph.name.removesuffix(SUFFIX) + TOKENS_SUFFIX)
        self._tokenizer = self._read_tokenizer(tokens)
        self._is_verified = False

    def encode(self, prompts: Sequence[str], checkpoint: str) -> dict[str, NDArray[np.float32]]:
        """Return an embedding (D) of length 1 for each prompt.

        Args:
            prompts: in the form that the encoder was trained with (`core.prompts.as_prompt`).
            checkpoint: that the model's vocabulary is of; "": it does not say.

        Raises:
            ConfigurationError: a file is missing, damaged, or of another checkpoint; a prompt is
                too long.
        """
        rows = [self._tokenizer.encode(prompt).ids for prompt in prompts]
        session = self._open()
        metadata = session.get_modelmeta().custom_metadata_map
        own = str(metadata.get("prompt_model", "")).strip("'\"")
        if checkpoint and own and own != checkpoint:
            raise self._refusal(f"is of {own!r}, the model is of {checkpoint!r}; {_AGAIN}")
        self._verify(metadata)
        longest = int(metadata.get("context_length", "77"))
        shortest = longest if metadata.get("is_padded") == "True" else 0
        found: list[NDArray[np.float32]] = []
        for first in range(0, len(rows), _BATCH):
            batch = rows[first : first + _BATCH]
            found.extend(self._run(session, _padded(prompts, batch, shortest, longest)))
        return dict(zip(prompts, found, strict=True))

    def _read_tokenizer(self, path: Path) -> Any:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise self._refusal(f"the Python package tokenizers is missing ({error})") from None
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._refusal(f"{path.name}: {_reason(error)}; {_AGAIN}") from None
        try:
            return Tokenizer.from_str(text)
        except Exception as error:  # the library raises plain Exception
            reason = one_line(error)[:100]
            raise self._refusal(f"{path.name}: is no tokenizer ({reason}); {_AGAIN}") from None

    def _open(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the other cores are the detector's
        options.log_severity_level = _LOG_FATAL_ONLY
        # It would copy all weights into another order: memory, and 0.2 s during which no other
        # thread of Python runs.
        options.add_session_config_entry("session.disable_prepacking", "1")
        try:
            session = onnxruntime.InferenceSession(
                str(self._graph), sess_options=options, providers=[CPU]
            )
        except Exception as error:  # its classes have no common base but Exception
            raise self._refusal(explain(error)) from None
        inputs = {value.name: value.type for value in session.get_inputs()}
        if inputs != {"tokens": "tensor(int64)"} or len(session.get_outputs()) != 1:
            raise self._refusal(f"its inputs are {', '.join(inputs)}; it is no text encoder")
        return session

    def _verify(self, metadata: Mapping[str, str]) -> None:
        if self._is_verified:
            return
        try:
            have = sha256_of(self._data)
        except OSError as error:
            raise self._refusal(f"{self._data.name}: {_reason(error)}; {_AGAIN}") from None
        wanted = metadata.get("weights_sha256", "")
        if have != wanted:
            raise self._refusal(
                f"SHA-256 of {self._data.name} is {have[:12]}..., its graph was written with "
                f"{wanted[:12]}...; {_AGAIN}"
            )
        self._is_verified = True

    def _run(
        self, session: onnxruntime.InferenceSession, tokens: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        try:
            (embeddings,) = session.run(None, {"tokens": tokens})
        except Exception as error:  # as above
            raise self._refusal(f"failed: {one_line(error)}") from None
        if not np.isfinite(embeddings).all():
            raise self._refusal("its output is not finite")
        return np.asarray(embeddings, np.float32)

    def _refusal(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"text encoder {self.name}: {reason}")


def _padded(
    prompts: Sequence[str], rows: Sequence[Sequence[int]], shortest: int, longest: int
) -> NDArray[np.int64]:
    """Return (N, P) tokens, zeros behind the end; P as the longest needs, at least `shortest`."""
    places = max(map(len, rows))
    if places > longest:
        worst = max(range(len(rows)), key=lambda row: len(rows[row]))
        raise ConfigurationError(
            f"vocabulary: {prompts[worst][:40]!r}... has {places - 2} tokens, at most "
            f"{longest - 2} are allowed"
        )
    tokens = np.zeros((len(rows), max(places, shortest)), np.int64)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = ids
    return tokens


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).lower()


def encoder_refusal(graph: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return why an encoder is not the one of a model's vocabulary; "" where it is.

    Args:
        graph: of the encoder; it exists.
        arrays: of the vocabulary.
    """
    wanted = str(arrays.get("text_encoder", ""))
    if not wanted:  # exported before: the names of the checkpoints are compared later
        return ""
    try:
        have = sha256_of(graph)
    except OSError as error:
        return f"text encoder {graph.name}: {_reason(error)}"
    if have == wanted:
        return ""
    return (
        f"text encoder {graph.name}: its SHA-256 is {have[:12]}..., the model's vocabulary was "
        f"exported with {wanted[:12]}...: it is of another checkpoint or export; {_AGAIN}"
    )
