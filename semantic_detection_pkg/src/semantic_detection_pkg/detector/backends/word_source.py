"""Where embeddings come from that a model's vocabulary does not hold: of words, of examples."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.example_encoder import SUFFIX as EXAMPLE_SUFFIX
from semantic_detection_pkg.detector.backends.example_encoder import ExampleEncoder
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.look_network import LookSource
from semantic_detection_pkg.detector.backends.text_encoder import SUFFIX, TextEncoder
from semantic_detection_pkg.detector.backends.word_cache import WordCache
from semantic_detection_pkg.detector.core.shown_words import THING
from semantic_detection_pkg.errors import ConfigurationError

#: Of the folder for a model's words that were encoded, and its examples.
CACHE_SUFFIX = ".words"


def words_folder(model: Path, words_dir: str = "") -> Path:
    """Return where what a model learns at run time is kept.

    Args:
        words_dir: folder of such folders; "": the model's.
    """
    return (Path(words_dir) if words_dir else model.parent) / (model.stem + CACHE_SUFFIX)


class WordSource:
    """Gives embeddings of any words; usable from any thread, one at a time.

    Attributes:
        refusal: why it gives none, for people; "": it does.
        cached: prompts whose embeddings were on disk when they were asked for.
    """

    def __init__(self, graph: Path, arrays: Mapping[str, NDArray[Any]], folder: Path) -> None:
        """Take the encoder beside a model.

        Args:
            graph: its file, which exists.
            arrays: of the model's vocabulary, which say what it was exported with.
            folder: for words that were encoded, see `words_folder`.
        """
        self.refusal = ""
        self.cached: frozenset[str] = frozenset()
        self._encoder: TextEncoder | None = None
        try:
            self._encoder = TextEncoder(graph, str(arrays.get("text_encoder", "")))
        except ConfigurationError as error:
            self.refusal = str(error)
        self._checkpoint = str(arrays.get("model", ""))
        self._lock = threading.Lock()
        self._cache = WordCache(folder / ("" if self.refusal else sha256_of(graph)[:16]))

    def find(self, prompts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return an embedding (D) of length 1 for each prompt, see `core.prompts.as_prompt`.

        Raises:
            ConfigurationError: a prompt is too long; the encoder is damaged, or not the model's.
        """
        if self._encoder is None:
            raise ConfigurationError(self.refusal)
        with self._lock:
            found = {}
            for prompt in prompts:
                cached = self._cache.read(prompt)
                if cached is not None:
                    found[prompt] = cached
            self.cached |= found.keys()
            new = [prompt for prompt in prompts if prompt not in found]
            if new:
                encoded = self._encoder.encode(new, self._checkpoint)
                for prompt, embedding in encoded.items():
                    self._cache.write(prompt, embedding)
                found.update(encoded)
            return {prompt: found[prompt] for prompt in prompts}


class ExampleSource:
    """Gives embeddings of examples; usable from any thread, one at a time.

    Attributes:
        refusal: why it gives none, for people; "": it does.
    """

    def __init__(self, graph: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the example network beside a model; arguments as of `WordSource`."""
        self.refusal = ""
        self._encoder: ExampleEncoder | None = None
        try:
            self._encoder = ExampleEncoder(graph, str(arrays.get("example_encoder", "")))
        except ConfigurationError as error:
            self.refusal = str(error)
        self._checkpoint = str(arrays.get("model", ""))
        self._lock = threading.Lock()

    def embed(self, image: NDArray[np.uint8], box_xyxy: Sequence[float]) -> NDArray[np.float32]:
        """Return the embedding (D), of length 1, of what a box [px] of a BGR picture shows.

        Raises:
            FrameError: the box has no area, or is outside.
            ConfigurationError: the network is not the model's, or its files are no good.
        """
        if self._encoder is None:
            raise ConfigurationError(self.refusal)
        with self._lock:
            return self._encoder.embed(image, box_xyxy, self._checkpoint)


def find_example_source(
    model: Path, arrays: Mapping[str, NDArray[Any]]
) -> ExampleSource | LookSource | None:
    """Return the source beside a model; None where no example network was exported with it."""
    graph = model.with_name(model.stem + EXAMPLE_SUFFIX)
    if not graph.is_file():
        return None
    return LookSource(graph, arrays) if THING in arrays else ExampleSource(graph, arrays)


def find_word_source(
    model: Path, arrays: Mapping[str, NDArray[Any]], words_dir: str = ""
) -> WordSource | None:
    """Return the source beside a model; None where no encoder was exported with it."""
    graph = model.with_name(model.stem + SUFFIX)
    return WordSource(graph, arrays, words_folder(model, words_dir)) if graph.is_file() else None
