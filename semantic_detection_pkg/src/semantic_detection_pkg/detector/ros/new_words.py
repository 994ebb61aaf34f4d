"""New words and examples at run time: computed on a thread of their own while frames go on."""

from __future__ import annotations

import contextlib
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from interfaces_pkg.srv import AddExample, ForgetExamples, SetVocabulary
from ros_support_pkg.core.words import WordsCause
from ros_support_pkg.edge import serve
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX, decode_example
from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.detector.backends.word_memory import WordMemory
from semantic_detection_pkg.detector.core.classifier_words import in_short
from semantic_detection_pkg.detector.core.examples import ShownExample
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.prompts import as_prompt
from semantic_detection_pkg.errors import ConfigurationError, FrameError

_NICENESS = 10  # of the thread: frames come first
_REFUSALS = (ConfigurationError, FrameError)

#: The words that somebody set, showed or had forgotten; None: nobody did.
Asked = Sequence[str] | None


class WordsService:
    """Answers `detector/set_vocabulary`, `detector/add_example` and `detector/forget_examples`.

    Belongs to the thread of the node's executor.
    """

    def __init__(
        self,
        node: Node,
        detector: Callable[[], LoadedDetector | None],
        frame: Callable[[int], NDArray[np.uint8]],
        memory: WordMemory,
        on_change: Callable[[LoadedDetector, WordsCause, Asked], Time],
        on_mission: Callable[[str], None],
    ) -> None:
        """Make the services.

        Args:
            detector: returns the one in use; it may change meanwhile.
            frame: returns a frame that is held by its stamp [ns]; raises FrameError.
            memory: keeps what is asked for and shown.
            on_change: told after the words were changed, why, and which somebody asked for (None:
                nobody); returns the stamp of what it tells of that.
            on_mission: told of the mission that asks, as soon as it does; empty: it is none.
        """
        self._detector = detector
        self._frame = frame
        self._node = node
        self._memory = memory
        self._on_change = on_change
        self._on_mission = on_mission
        self._since = Time()
        self._asked = 0  # requests for words, counted
        # The newest that holds, and since when, of missions (True) and of others: what a mission
        # says again comes in no one's way.
        self._held: dict[bool, tuple[int, Time]] = {True: (0, Time()), False: (0, Time())}
        self._done: deque[Callable[[], None]] = deque()
        self._wake = node.create_guard_condition(self._finish)
        # Of a group of its own: a request that waits for its words holds up no frame.
        group = ReentrantCallbackGroup()
        serve(node, SetVocabulary, "detector/set_vocabulary", self._set_vocabulary, group)
        serve(node, AddExample, "detector/add_example", self._add_example, group)
        serve(node, ForgetExamples, "detector/forget_examples", self._forget_examples, group)

    async def _set_vocabulary(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        self._asked += 1
        number, is_mission = self._asked, bool(request.mission)
        self._on_mission(request.mission)
        try:
            response.message = await self._set_words(number, request.words, is_mission=is_mission)
            response.success, response.words_since = True, self._since
        except _REFUSALS as error:
            response.message = str(error)
            held, since = self._newer(is_mission=is_mission)
            if number < held:
                response.words_since = since
        response.vocabulary = self._in_force()
        return response

    async def _add_example(
        self, request: AddExample.Request, response: AddExample.Response
    ) -> AddExample.Response:
        try:
            response.message = await self._show(request)
            response.success = True
        except _REFUSALS as error:
            response.message = str(error)
        response.vocabulary = self._in_force()
        return response

    def _forget_examples(
        self, request: ForgetExamples.Request, response: ForgetExamples.Response
    ) -> ForgetExamples.Response:
        try:
            response.message = self._forget(request.name)
            response.success = True
        except _REFUSALS as error:
            response.message = str(error)
        response.vocabulary = self._in_force()
        return response

    def _forget(self, name: str) -> str:
        """Forget what was shown of a class.

        Returns:
            What is looked for no more, and what is kept all the same, for people.

        Raises:
            ConfigurationError: nothing was shown of it.
        """
        loaded = self._loaded()
        before = loaded.pipeline.wanted_words
        prompt = as_prompt(name)
        shown = {one.name for one in self._memory.examples if prompt in ("", as_prompt(one.name))}
        gone = loaded.pipeline.forget_examples(name)
        said = f"not looked for any more: {in_short(gone)}" if gone else ""
        if len(gone) == len(before):
            said += "; nothing else was, so all that the model was prepared with is looked for"
        kept = self._memory.forget(name)
        # A mission may look for classes that are not in force: it is told of them, too.
        void = [one for one in sorted(shown) if loaded.pipeline.missing_words([one])]
        asked = tuple(dict.fromkeys([*gone, *void])) or None
        return self._changed(loaded, WordsCause.FORGOTTEN, asked, said, kept)

    def _newer(self, *, is_mission: bool) -> tuple[int, Time]:
        """Return number and stamp of the newest request that one of this kind gives way to."""
        return max(
            self._held.values() if is_mission else [self._held[False]], key=lambda one: one[0]
        )

    async def _set_words(self, number: int, words: Sequence[str], *, is_mission: bool) -> str:
        """Look for words from the first frame on after they are encoded.

        Args:
            number: of the request, in the order in which they came.
            is_mission: a mission says its words again; nobody has asked for others.

        Returns:
            Which were dropped, for people.

        Raises:
            ConfigurationError: a word is no good, cannot be encoded, or a newer request was done or
                another model came meanwhile; the vocabulary stays as it was.
        """
        loaded = self._loaded()
        pipeline = loaded.pipeline
        missing = pipeline.missing_words(words)
        if missing and loaded.source is not None:
            source = loaded.source
            embeddings = await self._later(lambda: source.find(missing))
            self._check_still(loaded)
            pipeline.learn_words(embeddings)
            if number < self._newer(is_mission=is_mission)[0]:
                raise ConfigurationError("vocabulary: a newer request came, and holds")
        pipeline.set_vocabulary(words)
        asked = None if is_mission else pipeline.wanted_words[: len(pipeline.vocabulary)]
        said = self._changed(loaded, WordsCause.SET, asked, loaded.dropped_words)
        self._held[is_mission] = number, self._since
        return said

    def _changed(self, loaded: LoadedDetector, cause: WordsCause, asked: Asked, *said: str) -> str:
        """Keep the words in force and tell of them; returns what is said of it, for people."""
        self._memory.take_words(loaded.pipeline.wanted_words)
        self._since = self._on_change(loaded, cause, asked)
        return "; ".join(filter(None, said))

    async def _show(self, request: AddExample.Request) -> str:
        """Look for an example from the first frame on after it is computed.

        Returns:
            Which words were dropped, and whether the example outlives this process, for people.

        Raises:
            FrameError: the frame is not held, the picture or the box no good.
            ConfigurationError: the name is no word; the model takes no examples.
        """
        loaded = self._loaded()
        name, box = request.name, [float(edge) for edge in request.box_xyxy]
        content = np.asarray(request.picture, np.uint8)
        if len(content) > EXAMPLE_BYTES_MAX:
            raise FrameError(f"picture of {len(content):,} bytes: at most 64 MiB are allowed")
        frame_ns = 0 if len(content) else from_time(request.frame)
        image = None if len(content) else self._frame(frame_ns)

        def embed() -> NDArray[np.float32]:
            shown = decode_example(content, f"of {name!r}") if image is None else image
            return loaded.embed_example(name, shown, box)

        embedding = await self._later(embed)
        self._check_still(loaded)
        loaded.pipeline.add_example(name, embedding, is_negative=request.is_negative)
        now_ns = self._node.get_clock().now().nanoseconds
        x0, y0, x1, y1 = box
        example = ShownExample(
            name, embedding, request.is_negative, now_ns, frame_ns, (x0, y0, x1, y1)
        )
        kept = self._memory.take_example(example)
        said = _where_it_counts(name, loaded.pipeline)
        asked = None if request.is_negative else _as_asked(name, loaded.pipeline)
        return self._changed(loaded, WordsCause.SHOWN, asked, said, loaded.dropped_words, kept)

    def _loaded(self) -> LoadedDetector:
        loaded = self._detector()
        if loaded is None:
            raise ConfigurationError("no model is loaded: configure the detector first")
        return loaded

    def _check_still(self, loaded: LoadedDetector) -> None:
        if self._detector() is not loaded:
            raise ConfigurationError("vocabulary: the model was changed meanwhile; ask again")

    def _in_force(self) -> list[str]:
        loaded = self._detector()
        return [] if loaded is None else list(loaded.pipeline.vocabulary)

    def _later(self, work: Callable[[], Any]) -> Future:
        """Return what will hold the result of work that another thread does.

        Whatever that fails of is the answer to who asked. A defect, or want of memory, does not end
        the process as that of a thread on which it goes on depending does: this one had a single
        request, and the next has another.
        """
        future = Future()

        def refuse(error: Exception) -> None:
            self._done.append(lambda: future.set_exception(error))

        def run() -> None:
            with contextlib.suppress(OSError, AttributeError):  # not on every system
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
            try:
                found = work()
            except _REFUSALS as error:
                refuse(error)
            except Exception as error:
                refuse(_unexpected(error))
                self._node.get_logger().error(f"new words:\n{traceback.format_exc()}")
            else:
                self._done.append(lambda: future.set_result(found))
            finally:
                self._wake.trigger()

        try:
            threading.Thread(target=run, name="words", daemon=True).start()
        except RuntimeError as error:  # there is no room for one more
            future.set_exception(_unexpected(error))
        return future

    def _finish(self) -> None:
        while self._done:
            self._done.popleft()()


def _as_asked(name: str, pipeline: DetectorPipeline) -> tuple[str, ...] | None:
    """Return the word in force, as it was asked for, that an example is of; None: there is none."""
    named = dict(zip(pipeline.vocabulary, pipeline.wanted_words, strict=False))
    found = pipeline.class_of(name)
    return (named[found],) if found in named else None


def _where_it_counts(name: str, pipeline: DetectorPipeline) -> str:
    """Return what is to be said of the class that an example is of; "": nothing."""
    found = pipeline.class_of(name)
    if found not in pipeline.vocabulary:
        return f"{name!r} is not looked for, what was shown of it is known"
    is_synonym = as_prompt(found) != as_prompt(name)
    return f"{name!r} is what {found!r} looks for, and counts for that" if is_synonym else ""


def _unexpected(error: Exception) -> ConfigurationError:
    """Return one line for who asked, of what is a defect of ours or want of memory."""
    said = "".join(str(error).splitlines()[:1])[:200]
    reason = type(error).__name__ + (f": {said}" if said else "")
    return ConfigurationError(f"vocabulary: stays as it was, this failed: {reason} (see the log)")
