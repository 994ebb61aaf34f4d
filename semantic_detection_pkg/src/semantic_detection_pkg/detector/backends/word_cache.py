"""Embeddings of words that were encoded once, on disk: a folder of small files beside the model."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.file_system import FileSystem, turn_in

_log = logging.getLogger(__name__)
_BYTES_MAX = 1 << 20  # of a file; 2 kB are written


class WordCache:
    """One file for each prompt, `<hash of the prompt>.npz`: arrays `prompt` and `embedding`.

    The cache only saves time: what cannot be read is encoded anew, what cannot be written is said
    once and encoded again next time.
    """

    def __init__(self, folder: Path) -> None:
        """Args: folder: of one encoder; made when the first word is written."""
        self._folder = folder
        self._files = FileSystem()
        self._is_readonly = False

    def read(self, prompt: str) -> NDArray[np.float32] | None:
        """Return the embedding (D) of a prompt; None where there is none, or a damaged one."""
        try:
            with self._path(prompt).open("rb") as stream:
                content = stream.read(_BYTES_MAX)
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                embedding, stored = arrays["embedding"], str(arrays["prompt"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # readers of ZIP, deflate and NPY raise whatever they like
            _log.warning("word cache: %s is not read: %s", self._path(prompt).name, error)
            return None
        is_good = embedding.ndim == 1 and embedding.dtype == np.float32 and stored == prompt
        return embedding if is_good and np.isfinite(embedding).all() else None

    def write(self, prompt: str, embedding: NDArray[np.float32]) -> None:
        """Keep an embedding, if the disk allows it."""
        if self._is_readonly:
            return
        content = io.BytesIO()
        np.savez(content, prompt=np.array(prompt), embedding=embedding)
        try:
            with turn_in(self._folder, "detector"):  # or two would write the same file at once
                self._files.write_atomically(self._path(prompt), content.getvalue())
        except OSError as error:
            self._is_readonly = True
            reason = (error.strerror or str(error)).lower()
            _log.warning(
                "word cache %s: cannot be written (%s): new words are encoded again next time",
                self._folder,
                reason,
            )

    def _path(self, prompt: str) -> Path:
        digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{digest[:32]}.npz"
