"""`search_archive`: look through recordings again, for something else or with a larger model.

search_archive output/recordings old_flight.mp4 photos --words "yellow raincoat" --model big.onnx
search_archive output/recordings --example jacket.jpg:10,20,200,300=jacket --model big.onnx

Rings of the recorder, bags of rosbag2 with pictures (MCAP or SQLite), videos, folders of pictures.
What was done is kept in the output folder: begun again, the search goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from semantic_detection_pkg.archive.answer_files import AnswerStore
from semantic_detection_pkg.archive.asking import Asking, open_asker
from semantic_detection_pkg.archive.core.question import Example, Question
from semantic_detection_pkg.archive.search import (
    Outcome,
    Part,
    Search,
    Vlm,
    answers_of,
    look_through,
)
from semantic_detection_pkg.archive.sources.opening import (
    SourceOptions,
    open_path,
    recordings_in,
)
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.archive.workers.cluster import ClusterWorkers
from semantic_detection_pkg.archive.workers.looking import load, model_sha256
from semantic_detection_pkg.archive.workers.processes import LocalWorkers
from semantic_detection_pkg.archive.workers.protocol import Workers
from semantic_detection_pkg.cli import report
from semantic_detection_pkg.cli.archive_options import make_parser
from semantic_detection_pkg.cli.examples import OPTION as EXAMPLE
from semantic_detection_pkg.cli.examples import show_examples
from semantic_detection_pkg.common.core.foreign_text import in_one_line
from semantic_detection_pkg.common.file_system import FolderLock
from semantic_detection_pkg.detector.classifier import Classifier, load_classifier
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.word_lists import split_words
from semantic_detection_pkg.errors import (
    ConfigurationError,
    SemanticDetectionError,
    StorageError,
)

# Exit statuses, as the usual tools have them.
_DONE, _SOME_FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130
_PERIOD_S = 10.0  # between two words of progress where there is no terminal
_ANSWERS, _FINDINGS = "answers", "findings"
_UNNAMED = "example"  # what a class by example is called where nobody says
_PROBLEMS_MAX = 20  # lines about pictures; the report has all
_THREADS = 1  # of each worker's inference: sums in another order have other last bits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        Exit status: 0; 1 if a recording or a picture could not be read, or the vision-language
        model did not answer; 2 if the model, an option or all recordings are no good; 130 after
        Ctrl-C.
    """
    options = make_parser().parse_args(arguments)
    try:
        return _search(options)
    except SemanticDetectionError as error:
        _say(str(error))
        return _REFUSED
    except KeyboardInterrupt:
        _say(f"interrupted; what was done is kept in {options.output}: begin again to go on")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has enough, `head` say. Python would complain at exit otherwise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE


def _search(options: argparse.Namespace) -> int:
    question = _question(options)
    with contextlib.ExitStack() as stack:
        classifier = _classifier(options, stack)
        sources, refused = _open_all(options, stack)
        parts = [Part(source, unit) for source in sources for unit in source.units()]
        if not parts:
            raise ConfigurationError("the recordings hold no picture")
        store = AnswerStore(options.output / _ANSWERS)
        stack.callback(_lock(options.output).release)
        workers = _workers(options, stack)
        vlm = _vlm(options, stack)
        with _Progress(sum(part.unit.weight for part in parts)) as progress:
            unkept = look_through(question, parts, workers, store, progress.add)
        answer = answers_of(question, parts, store, unkept)
        outcome = Search(question, parts, answer, classifier, vlm).run()
        if vlm is not None:
            _tell_of_questions(vlm.asking, options.vlm)
        # Here, because the rest needs no ROS.
        from semantic_detection_pkg.archive.ros.recording import write_findings

        folder = options.output / _FINDINGS
        problems = write_findings(folder, outcome, question.asked, _say)
    for problem in problems:
        _say(problem)
    _tell(outcome)
    exports = [word for kind in options.export for word in ("--export", kind)]
    status = report.main([str(folder), *exports])
    if status in (_REFUSED, _INTERRUPTED):
        return status
    failed = refused or outcome.unread or outcome.incomplete or problems or status
    failed = failed or (vlm is not None and vlm.asking.unanswered)
    return _SOME_FAILED if failed else _DONE


def _question(options: argparse.Namespace) -> Question:
    """Return what is asked; what is wrong with the model, the words or the examples is said first.

    The examples' embeddings are made here: whoever looks needs no picture.
    """
    settings = DetectorSettings(confidence_threshold=options.conf)
    tiling = TileSettings(
        options.tiles,
        **({} if options.tile_px is None else {"tile_px": options.tile_px}),
    )
    first = Question(
        str(Path(options.model).resolve()),
        model_sha256(options.model, options.names or ""),
        tuple(split_words(options.words)),
        options.engine,
        options.device,
        _THREADS,
        options.rate,
        str(Path(options.names).resolve()) if options.names else "",
        settings,
        tiling,
    )
    if not (first.words or options.example):
        raise ConfigurationError(f"words: none is given, and no {EXAMPLE}: one is needed")
    with load(first) as detector:
        shown = show_examples(detector, options.example, first.words, _UNNAMED)
        examples = (
            Example(one.name, one.embedding.astype("<f4").tobytes(), one.is_negative)
            for one in shown
        )
        question = replace(first, examples=tuple(examples))
        detector.set_vocabulary(question.asked)
        if detector.dropped_words:
            _say(detector.dropped_words)
        return question


def _lock(folder: Path) -> FolderLock:
    """Keep other searches out of an output folder.

    Raises:
        StorageError: one uses it.
    """
    try:
        return FolderLock(folder, "search")
    except OSError as error:
        raise StorageError(f"output {folder}: {error.strerror}") from None


def _classifier(options: argparse.Namespace, stack: contextlib.ExitStack) -> Classifier | None:
    if not options.classifier:
        return None
    loaded = load_classifier(options.classifier, engine=options.engine, threads=_THREADS)
    stack.callback(loaded.close)
    return loaded


def _open_all(
    options: argparse.Namespace, stack: contextlib.ExitStack
) -> tuple[list[RecordedSource], int]:
    """Open the recordings; return them and how many are no good, each told in a line.

    Raises:
        ConfigurationError: not one is any good.
    """
    hints = SourceOptions(options.topic, math.radians(options.hfov), options.reach)
    sources: list[RecordedSource] = []
    refusals: list[str] = []
    named = dict.fromkeys(Path(one).resolve() for one in options.recordings)
    for path in dict.fromkeys(
        one for named_path in named for one in recordings_in(named_path, options.output)
    ):
        try:
            source = open_path(path, hints)
        except ConfigurationError as error:
            refusals.append(str(error))
            continue
        stack.callback(source.close)
        sources.append(source)
    for refusal in refusals if sources else refusals[:-1]:
        _say(refusal)
    if not sources:
        raise ConfigurationError(refusals[-1])
    return sources, len(refusals)


def _workers(options: argparse.Namespace, stack: contextlib.ExitStack) -> Workers:
    if not options.scheduler:
        return LocalWorkers(options.workers)
    cluster = ClusterWorkers(options.scheduler)
    stack.callback(cluster.close)
    return cluster


def _vlm(options: argparse.Namespace, stack: contextlib.ExitStack) -> Vlm | None:
    """Return Tier 3, of which nothing is asked yet; answers are kept beside those of workers."""
    if not options.vlm:
        return None
    asker = open_asker(options.vlm, model=options.vlm_model, timeout_s=options.vlm_timeout)
    progress: list[_Progress] = []

    def tell(total: int) -> None:
        if not progress:
            progress.append(stack.enter_context(_Progress(total, "question")))
        progress[0].add(1, is_new=True)

    return Vlm(Asking(asker, options.output / _ANSWERS), options.vlm_policy, tell)


def _tell_of_questions(asking: Asking, address: str) -> None:
    if asking.unanswered:
        things = "thing" if asking.unanswered == 1 else "things"
        _say(
            f"the vision-language model at {address} gave no answer about {asking.unanswered} "
            f"{things}: {asking.problem}; begun again, the search asks what is left"
        )


def _tell(outcome: Outcome) -> None:
    states = Counter(finding.state.name.lower() for finding in outcome.findings)
    found = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print(f"{outcome.pictures} pictures looked through: {found or 'nothing found'}")
    print(f"findings sha256 {outcome.digest}", flush=True)
    for problem in outcome.problems[:_PROBLEMS_MAX]:
        _say(problem)
    if outcome.unread:
        more = ": the first are above, more in the report" if outcome.unread > _PROBLEMS_MAX else ""
        _say(f"{outcome.unread} could not be read or looked at{more}")


class _Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int, unit: str = "picture") -> None:
        """Begin; `total` is about how many of a unit there are."""
        self._unit = unit
        self._total, self._done, self._new = total, 0, 0
        self._started_s = self._told_s = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit=unit, disable=not self._is_terminal, smoothing=0.05)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, pictures: int, is_new: bool) -> None:
        """Take in that so many pictures more are done, now or in a search of before."""
        self._done += pictures
        self._new += pictures if is_new else 0
        if is_new:
            self._bar.update(pictures)
        elif self._is_terminal:  # a bar that is not shown has no numbers
            self._bar.initial += pictures  # how fast it goes is not told by these
            self._bar.n += pictures
        now_s = time.monotonic()
        if self._is_terminal or not is_new or now_s - self._told_s < _PERIOD_S:
            return
        self._told_s = now_s
        left_s = (now_s - self._started_s) / self._new * max(0, self._total - self._done)
        _say(f"{self._done} of {self._total} {self._unit}s, {left_s / 60.0:.0f} min left")


def _say(message: str) -> None:
    with tqdm.external_write_mode(file=sys.stderr):
        print(f"search_archive: {in_one_line(message)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
