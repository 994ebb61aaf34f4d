"""What a detector was told at run time, kept while it is configured anew.

Words and examples are kept the same way: in memory while the process runs, so that they are in
force again after a lifecycle's cleanup and configure; beside the model on disk, so that they are
known after its end. What was in force then is the scan's to say again, or the configuration's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from semantic_detection_pkg.detector.backends.example_store import ExampleStore, space_and_names
from semantic_detection_pkg.detector.backends.word_source import words_folder
from semantic_detection_pkg.detector.core.examples import ShownExample
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.prompts import as_prompt
from semantic_detection_pkg.detector.core.word_table import WordTable
from semantic_detection_pkg.errors import ConfigurationError


class WordMemory:
    """Belongs to a node, and to its executor's thread; models come and go.

    Attributes:
        examples: that the detector knows, in the order in which they were shown.
        notices: lines for the log that nobody has taken yet.
    """

    def __init__(self, words_dir: str = "") -> None:
        """Know nothing; `words_dir`: see `words_folder`."""
        self._words_dir = words_dir
        self.examples: tuple[ShownExample, ...] = ()
        self.notices: list[str] = []
        self._wanted: tuple[str, ...] | None = None
        self._space = ""
        self._store: ExampleStore | None = None
        self._forgotten: list[ShownExample] = []  # not to be kept on disk

    def recall(self, table: WordTable, model: Path) -> None:
        """Show a model that was loaded the examples that are of it.

        Args:
            table: of its words, without examples.
            model: that the words lie beside, see `backends.variants`.
        """
        if not table.space:
            self._let_go(model.name, "takes no examples")
            return
        store = ExampleStore(words_folder(model, self._words_dir), table.space)
        is_new, is_first = table.space != self._space, not self._space
        if is_new:
            self._let_go(model.name, f"takes embeddings of {table.space}")
            self._forgotten = []
            try:
                self.examples = store.read()
            except ConfigurationError as error:
                self.notices.append(str(error))
        if self._store is None or self._store.path != store.path:  # else it knows what lies there
            self._store = store
        self._space = table.space
        self._show(table, store)
        if is_new and self.examples:
            self.notices.append(f"known by example, of before: {_names(self.examples)}")
        elif is_new and is_first:
            self._tell_others(model.name, store)

    def _show(self, table: WordTable, store: ExampleStore) -> None:
        """Show a table the examples, and forget those that it refuses."""
        taken, refused, reason = [], [], ""
        for one in self.examples:
            try:
                table.show(one.name, one.embedding, is_negative=one.is_negative)
            except ConfigurationError as error:
                reason = reason or str(error)
                refused.append(one)
            else:
                taken.append(one)
        if reason:
            count, known = len(refused), len(self.examples)
            which = f"{count} of {known} are" if taken else "they are"
            self.notices.append(f"examples {store.path}: {reason}; {which} forgotten")
        self.examples = tuple(taken)
        self._forgotten += refused

    def reinstate(
        self, pipeline: DetectorPipeline, find: Callable[[Sequence[str]], object]
    ) -> bool:
        """Look for what was last asked for at run time; where the model cannot, that is said.

        Args:
            find: makes sure that a model knows words, see `LoadedDetector.set_vocabulary`.

        Returns:
            Whether that is looked for now; where nothing was asked for it is not.
        """
        if self._wanted is None or self._wanted == pipeline.wanted_words:
            return self._wanted is not None
        try:
            find(self._wanted)
        except ConfigurationError as error:
            before = ", ".join(self._wanted)
            self._wanted = None
            self.notices.append(f"looked for before, and not any more: {before}: {error}")
        return self._wanted is not None

    def take_words(self, wanted: Sequence[str]) -> None:
        """Keep what is in force now, as it was asked for."""
        self._wanted = tuple(wanted)

    def take_example(self, example: ShownExample) -> str:
        """Keep an example that the model was shown.

        Returns:
            That it does not outlive the process, and why; "": it does.
        """
        self.examples = (*self.examples, example)
        return self._write("examples are kept only until the detector ends")

    def forget(self, name: str) -> str:
        """Forget the examples of a class; "": all.

        Returns:
            That the next process knows them again, and why; "": it does not.
        """
        prompt = as_prompt(name)
        gone = [one for one in self.examples if not name or as_prompt(one.name) == prompt]
        self._forgotten += gone
        self.examples = tuple(one for one in self.examples if one not in gone)
        return self._write("the examples are forgotten only until the detector ends")

    def _write(self, refusal: str) -> str:
        """Keep the examples on disk; returns what is to be said where it refuses."""
        store = self._store
        if store is None:
            return ""
        try:
            store.write(self.examples, self._forgotten)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return f"{refusal}: {store.path.parent}: {reason}"
        return ""

    def _tell_others(self, model: str, store: ExampleStore) -> None:
        """Say what the model that was here before knew by example."""
        for path in store.others():
            space, names = space_and_names(path)
            if names:
                self.notices.append(
                    f"{model}: examples of {space} mean nothing to it, and are not looked for: "
                    f"{', '.join(names)} (show them again, or remove {path})"
                )

    def _let_go(self, model: str, why: str) -> None:
        """Forget those of another model, and say so."""
        if self.examples:
            self.notices.append(
                f"{model} {why}: examples of {self._space} mean nothing to it, and are not looked "
                f"for: {_names(self.examples)}"
            )
        self.examples, self._space, self._store = (), "", None


def _names(examples: Sequence[ShownExample]) -> str:
    spelled: dict[str, str] = {}
    counts: Counter[tuple[str, bool]] = Counter()
    for one in examples:
        prompt = as_prompt(one.name)
        spelled.setdefault(prompt, one.name)
        counts[prompt, one.is_negative] += 1
    return ", ".join(
        f"{name} ({counts[prompt, False]} shown"
        + (f", {counts[prompt, True]} of what it is not)" if counts[prompt, True] else ")")
        for prompt, name in spelled.items()
    )
