"""New words at run time: encoded on a thread of their own while frames go on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.edge import serve
from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.errors import ConfigurationError

Embeddings = dict[str, NDArray[np.float32]]
_NICENESS = 10  # of the thread: frames come first


class WordsService:
    """Answers `detector/set_vocabulary`. Belongs to the thread of the node's executor."""

    def __init__(
        self,
        node: Node,
        detector: Callable[[], LoadedDetector | None],
        on_change: Callable[[LoadedDetector], None],
    ) -> None:
        """Make the service.

        Args:
            detector: returns the one in use; it may change meanwhile.
            on_change: told after the words were changed.
        """
        self._detector = detector
        self._on_change = on_change
        self._newest = 0
        self._done: deque[Callable[[], None]] = deque()
        self._wake = node.create_guard_condition(self._finish)
        # Of a group of its own: a request that waits for its words holds up no frame.
        group = ReentrantCallbackGroup()
        serve(node, SetVocabulary, "detector/set_vocabulary", self._answer, group)

    async def _answer(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        try:
            loaded = await self._set_words(request.words)
            response.success = True
            response.message = loaded.dropped_words
            self._on_change(loaded)
        except ConfigurationError as error:
            response.message = str(error)
        now = self._detector()
        response.vocabulary = [] if now is None else list(now.pipeline.vocabulary)
        return response

    async def _set_words(self, words: Sequence[str]) -> LoadedDetector:
        """Look for words from the first frame on after they are encoded.

        Raises:
            ConfigurationError: a word is no good, cannot be encoded, or a newer request or another
                model came meanwhile; the vocabulary stays as it was.
        """
        self._newest += 1
        number, loaded = self._newest, self._detector()
        if loaded is None:
            raise ConfigurationError("no model is loaded: configure the detector first")
        pipeline = loaded.pipeline
        missing = pipeline.missing_words(words)
        if missing and loaded.source is not None:
            embeddings = await self._find(loaded.source.find, missing)
            if self._detector() is not loaded:
                raise ConfigurationError("vocabulary: the model was changed meanwhile; ask again")
            pipeline.learn_words(embeddings)
            if number != self._newest:
                raise ConfigurationError("vocabulary: a newer request came, and holds")
        pipeline.set_vocabulary(words)
        return loaded

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
