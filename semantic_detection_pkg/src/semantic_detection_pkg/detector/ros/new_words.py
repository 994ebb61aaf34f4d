"""New words at run time: encoded on a thread of their own while frames go on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.task import Future

from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.errors import ConfigurationError

Embeddings = dict[str, NDArray[np.float32]]
_NICENESS = 10  # of the thread: frames come first


class NewWords:
    """Sets a detector's words, whatever they are. Belongs to the thread of the node's executor."""

    def __init__(self, node: Node) -> None:
        self._newest = 0
        self._done: deque[Callable[[], None]] = deque()
        self._wake = node.create_guard_condition(self._finish)

    async def set_vocabulary(
        self, words: Sequence[str], detector: Callable[[], LoadedDetector | None]
    ) -> None:
        """Look for words from the first frame on after they are encoded.

        Args:
            words: as typed.
            detector: returns the one in use; it may change meanwhile.

        Raises:
            ConfigurationError: a word is no good, cannot be encoded, or a newer request or another
                model came meanwhile; the vocabulary stays as it was.
        """
        self._newest += 1
        number, loaded = self._newest, detector()
        if loaded is None:
            raise ConfigurationError("no model is loaded: configure the detector first")
        pipeline = loaded.pipeline
        missing = pipeline.missing_words(words)
        if missing and loaded.source is not None:
            embeddings = await self._find(loaded.source.find, missing)
            if detector() is not loaded:
                raise ConfigurationError("vocabulary: the model was changed meanwhile; ask again")
            pipeline.learn_words(embeddings)
            if number != self._newest:
                raise ConfigurationError("vocabulary: a newer request came, and holds")
        pipeline.set_vocabulary(words)

    def _find(self, find: Callable[[Sequence[str]], Embeddings], prompts: Sequence[str]) -> Future:
        """Return what will hold the embeddings of prompts."""
        future = Future()

        def run() -> None:
            with contextlib.suppress(OSError, AttributeError):  # not on every system
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
            try:
                found = find(prompts)
            except ConfigurationError as error:
                refusal = error
                self._done.append(lambda: future.set_exception(refusal))
            else:
                self._done.append(lambda: future.set_result(found))
            self._wake.trigger()

        threading.Thread(target=run, name="text encoder", daemon=True).start()
        return future

    def _finish(self) -> None:
        while self._done:
            self._done.popleft()()
