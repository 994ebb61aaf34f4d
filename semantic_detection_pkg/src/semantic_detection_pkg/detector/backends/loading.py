"""From a model file to a ready `DetectorPipeline`: engine, side files, vocabulary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.closing import Closing
from ros_support_pkg.core.words import WordOrigin
from semantic_detection_pkg.common.plugins import load_plugin, plugin_names
from semantic_detection_pkg.detector.backends.look_network import LookSource
from semantic_detection_pkg.detector.backends.model_files import check_model_file
from semantic_detection_pkg.detector.backends.names_file import read_names
from semantic_detection_pkg.detector.backends.protocol import (
    EngineOptions,
    InferenceBackend,
    notice_of,
)
from semantic_detection_pkg.detector.backends.variants import words_path
from semantic_detection_pkg.detector.backends.word_source import (
    ExampleSource,
    WordSource,
    find_example_source,
    find_word_source,
)
from semantic_detection_pkg.detector.core.class_names import NAMES_HINT
from semantic_detection_pkg.detector.core.model_layout import ModelInfo, inspect_model
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.prompts import as_prompt
from semantic_detection_pkg.detector.core.settings import (
    MOST_THREADS,
    Buffers,
    DetectorSettings,
    Device,
)
from semantic_detection_pkg.detector.core.shown_words import ShownWords
from semantic_detection_pkg.detector.core.side_file import check_checkpoint
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import (
    SIDE_FILE_SUFFIX,
    ClassNames,
    WordEmbeddings,
)
from semantic_detection_pkg.detector.core.word_lists import split_words
from semantic_detection_pkg.detector.core.word_table import Meaning, Vocabulary, WordTable
from semantic_detection_pkg.errors import ConfigurationError, ModelError

# Modules that hold `open_model(path, options) -> InferenceBackend`, imported when asked for. Other
# packages add theirs by an entry point of the group, named for the engine.
_DROPPED_NAMED = 5  # of the words that there is no room for; `detector/words` tells all
_GROUP = "semantic_detection.engines"
_MODULES = {
    "onnxruntime": "semantic_detection_pkg.detector.backends.onnx",
    "tensorrt": "semantic_detection_pkg.detector.backends.tensorrt",
}
ENGINES = tuple(sorted(_MODULES))
DEVICES = tuple(kind.value for kind in Device)
BUFFERS = tuple(kind.value for kind in Buffers)
# What to do where the model file of an engine is missing.
_HINTS = {"tensorrt": "; build it on this machine: python tools/build_engine.py"}


@dataclass(frozen=True)
class LoadedDetector(Closing):
    """A pipeline and the engine under it; a context manager that closes the engine.

    Attributes:
        path: of the file that runs.
        source: of words that the model's vocabulary does not hold; None: of none.
        examples: of classes by example; None: of none.
    """

    pipeline: DetectorPipeline
    backend: InferenceBackend
    path: Path
    source: WordSource | None = None
    examples: ExampleSource | LookSource | None = None

    @property
    def notice(self) -> str:
        """What people should know about this model; "" if there is nothing."""
        if self.pipeline.info.has_masks:
            return ""
        return (
            f"{self.backend.name} gives boxes without masks: the box is taken for the mask; what "
            "goes along a mask (following a path, say) needs a -seg model"
        )

    @property
    def encoder_refusal(self) -> str:
        """Why a network for words or examples beside the model is not used; "" for nothing."""
        refusals = (one.refusal for one in (self.source, self.examples) if one is not None)
        return "; ".join(filter(None, refusals))

    @property
    def dropped_words(self) -> str:
        """Which words are not looked for, as the model has no room for them; "" for none."""
        dropped, names = self.pipeline.dropped_words, self.pipeline.vocabulary
        if not dropped:
            return ""
        return (
            f"vocabulary: the first {len(names)} of {len(names) + len(dropped)} words are looked "
            f"for, the model has room for no more; dropped: {', '.join(dropped[:_DROPPED_NAMED])}"
            + (f" and {more} more" if (more := len(dropped) - _DROPPED_NAMED) > 0 else "")
        )

    @property
    def unnamed(self) -> str:
        """That the classes are not named, and what to do; "" where they are."""
        if self.pipeline.info.has_names:
            return ""
        return f"{self.backend.name} has no class names, numbers stand for them: {NAMES_HINT}"

    @property
    def fallback(self) -> str:
        """What the engine does not do as it was asked; "" if there is nothing."""
        return notice_of(self.backend)

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What the words in force look for, and where each has its meaning from."""
        cached = frozenset[str]() if self.source is None else self.source.cached
        return tuple(
            replace(one, origin=WordOrigin.CACHED)
            if one.origin is WordOrigin.ENCODED and as_prompt(one.text) in cached
            else one
            for one in self.pipeline.meanings
        )

    def set_vocabulary(self, words: Sequence[str]) -> tuple[str, ...]:
        """Look for words from the next picture on; what is not known yet is encoded here and now.

        Returns:
            The words in force.

        Raises:
            ConfigurationError: see `DetectorPipeline.set_vocabulary` and `WordSource.find`; the
                vocabulary stays as it was.
        """
        missing = self.pipeline.missing_words(words)
        if missing and self.source is not None:
            self.pipeline.learn_words(self.source.find(missing))
        return self.pipeline.set_vocabulary(words)

    def embed_example(
        self, name: str, image: NDArray[np.uint8], box_xyxy: Sequence[float]
    ) -> NDArray[np.float32]:
        """Return the embedding of what a box [px] of a BGR picture shows, for `add_example`.

        Raises:
            FrameError: the box has no area, or is outside.
            ConfigurationError: the model has no example network, or not its own.
        """
        if self.examples is None:
            raise ConfigurationError(
                f"example of {name!r}: no example network lies beside {self.backend.name}; export "
                "it anew with tools/export_yoloe.py, classes at run time"
            )
        return self.examples.embed(image, box_xyxy)

    def close(self) -> None:
        """Free the model; may be called again."""
        self.backend.close()


def check_engine(name: str) -> None:
    """Refuse an engine that nobody offers.

    Raises:
        ConfigurationError: the engine is unknown.
    """
    if name not in (*_MODULES, *plugin_names(_GROUP)):
        raise ConfigurationError(
            f"inference engine {name!r} is unknown; allowed: {', '.join(ENGINES)}"
        )


def engine_module(name: str) -> ModuleType:
    """Import the module of an engine, ours or that of another package.

    Raises:
        ConfigurationError: the engine is unknown, or the package that offers it does not load.
    """
    check_engine(name)
    module = import_module(_MODULES[name]) if name in _MODULES else load_plugin(_GROUP, name)
    assert module is not None  # it was checked
    return module


def open_backend(
    engine: str,
    model: str | Path,
    *,
    threads: int = 0,
    buffers: str = "auto",
    device: str = "cpu",
) -> InferenceBackend:
    """Load a model file.

    Args:
        engine: one of `ENGINES`, or the name of another package's entry point.
        model: path.
        threads: CPU threads of one inference, 0..64; 0: the engine decides.
        buffers: memory between CPU and GPU, one of `BUFFERS`; see `core.settings.Buffers`.
        device: what computes, one of `DEVICES`; see `core.settings.Device`.

    Raises:
        ConfigurationError: the engine, `buffers` or the device is unknown, `threads` are none,
            or this machine lacks what the engine needs.
        ModelError: the file is missing or no good.
    """
    check_engine(engine)
    if not 0 <= threads <= MOST_THREADS:
        raise ConfigurationError(f"threads {threads} must be >= 0 and <= {MOST_THREADS}")
    if buffers not in BUFFERS:
        raise ConfigurationError(f"buffers {buffers!r} are unknown; allowed: {', '.join(BUFFERS)}")
    if device not in DEVICES:
        raise ConfigurationError(f"device {device!r} is unknown; allowed: {', '.join(DEVICES)}")
    path = Path(model)
    try:
        is_file = path.is_file()
    except OSError as error:  # a name that is too long, say
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"model {str(path)[:80]}...: {reason}") from None
    if not is_file:
        kind = "is not a file" if path.exists() else "does not exist"
        raise ModelError(f"model {path}: {kind}{_HINTS.get(engine, '')}")
    check_model_file(path, engine)
    options = EngineOptions(threads, Buffers(buffers), Device(device))
    backend: InferenceBackend = engine_module(engine).open_model(path, options)
    return backend


def load_detector(
    model: str | Path,
    *,
    engine: str = "onnxruntime",
    threads: int = 0,
    buffers: str = "auto",
    device: str = "cpu",
    names_file: str | Path | None = None,
    words: Sequence[str] | str = (),
    settings: DetectorSettings | None = None,
    tiling: TileSettings | None = None,
    words_dir: str = "",
    recall: Callable[[WordTable, Path], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> LoadedDetector:
    """Load a model with what belongs to it.

    Args:
        model: path; `<model>.vocabulary.npz` beside it is read if its classes are an input (of a
            fast variant: that of its model).
        engine, threads, buffers, device: see `open_backend`.
        names_file: class names instead of the model's; forms: see `backends.names_file`.
        words: what to look for, as a list or a text with commas; none: all that the model knows.
        settings: left out: the defaults.
        tiling: how to look at pictures; left out: at the whole at once.
        words_dir: where words that are encoded are kept, see `words_folder`.
        recall: shows the table of words examples of before; given that and the model's path.
        clock: monotonic time [s] for the timings.

    Raises:
        ConfigurationError: engine, side file or words are wrong.
        ModelError: the model is.
    """
    backend = open_backend(engine, model, threads=threads, buffers=buffers, device=device)
    try:
        names = read_names(names_file) if names_file else ()
        info = inspect_model(backend.name, backend.inputs, backend.outputs, backend.metadata, names)
        path = words_path(Path(model))
        table, source, examples = _word_table(info, path, backend.metadata, words_dir)
        if recall is not None:
            recall(table, path)
        wanted = split_words(words, table.known) if isinstance(words, str) else words
        missing = table.missing(wanted)
        if missing and source is not None:
            table.learn(source.find(missing))
        vocabulary = _first_vocabulary(table, info, wanted)
        look = examples.look if isinstance(examples, LookSource) else None
        pipeline = DetectorPipeline(backend, info, table, vocabulary, clock, settings, tiling, look)
    except BaseException:
        backend.close()
        raise
    return LoadedDetector(pipeline, backend, Path(model), source, examples)


def _word_table(
    info: ModelInfo, model: Path, metadata: Mapping[str, Any], words_dir: str
) -> tuple[WordTable, WordSource | None, ExampleSource | LookSource | None]:
    """Return the words that a model knows, and where others and examples come from."""
    if info.prompts is None:
        return ClassNames(info.class_names), None, None
    path = model.with_name(model.stem + SIDE_FILE_SUFFIX)
    try:
        arrays = _arrays(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"vocabulary file {path}: {_reason(error)}; {info.name} takes its classes as an input "
            "and needs it"
        ) from error
    try:
        check_checkpoint(info.name, arrays, metadata)
        examples = find_example_source(model, arrays)
        is_looked_at = isinstance(examples, LookSource) and not examples.refusal
        kind = ShownWords if is_looked_at else WordEmbeddings
        table = kind(arrays, info.prompts)
        return table, find_word_source(model, arrays, words_dir), examples
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of an NPZ file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is none, or damaged.
    """
    with path.open("rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except Exception as error:  # readers of ZIP, deflate and NPY raise whatever they like
            reason = _reason(error)[:100]
            raise ValueError(f"is damaged, or no NPZ file ({reason})") from error


def _first_vocabulary(table: WordTable, info: ModelInfo, words: Sequence[str]) -> Vocabulary:
    """Return the wanted words, else the model's own default words, else all that is known."""
    if not words and info.prompts is not None and set(info.class_names) <= set(table.known):
        return table.choose(info.class_names)
    return table.choose(words)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__
