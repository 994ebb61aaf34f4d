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
from semantic_detection_pkg.archive.core.question import Example, Question
from semantic_detection_pkg.archive.search import (
    Outcome,
    Part,
    Search,
    answers_of,
    look_through,
)
from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.archive.workers.cluster import ClusterWorkers
from semantic_detection_pkg.archive.workers.looking import load, model_sha256
from semantic_detection_pkg.archive.workers.processes import LocalWorkers
from semantic_detection_pkg.archive.workers.protocol import Workers
from semantic_detection_pkg.cli import report
from semantic_detection_pkg.cli.examples import OPTION as EXAMPLE
from semantic_detection_pkg.cli.examples import show_examples
from semantic_detection_pkg.common.file_system import FolderLock
from semantic_detection_pkg.detector.backends.loading import DEVICES, ENGINES
from semantic_detection_pkg.detector.classifier import Classifier, load_classifier
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings
from semantic_detection_pkg.detector.core.vocabulary import split_words
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
_THREADS = 1  # of each worker's inference: sums in another order have other last bits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        Exit status: 0; 1 if a recording or a picture could not be read; 2 if the model, an option
        or all recordings are no good; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
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
        with _Progress(sum(part.unit.weight for part in parts)) as progress:
            unkept = look_through(question, parts, workers, store, progress.add)
        outcome = Search(
            question, parts, answers_of(question, parts, store, unkept), classifier
        ).run()
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
    for path in dict.fromkeys(Path(one).resolve() for one in options.recordings):
        try:
            source = open_path(path, hints)
        except ConfigurationError as error:
            refusals.append(str(error))
            continue
        stack.callback(source.close)
        sources.append(source)
    if not sources:
        raise ConfigurationError("\nsearch_archive: ".join(refusals))
    for refusal in refusals:
        _say(refusal)
    return sources, len(refusals)


def _workers(options: argparse.Namespace, stack: contextlib.ExitStack) -> Workers:
    if not options.scheduler:
        return LocalWorkers(options.workers)
    cluster = ClusterWorkers(options.scheduler)
    stack.callback(cluster.close)
    return cluster


def _tell(outcome: Outcome) -> None:
    states = Counter(finding.state.name.lower() for finding in outcome.findings)
    found = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    print(f"{outcome.pictures} pictures looked through: {found or 'nothing found'}")
    print(f"findings sha256 {outcome.digest}", flush=True)
    if outcome.unread:
        _say(f"{outcome.unread} could not be read or looked at; the first: {outcome.problem}")


class _Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        """Begin; `total` is about how many pictures there are."""
        self._total, self._done, self._new = total, 0, 0
        self._started_s = self._told_s = time.monotonic()
        self._is_terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit="picture", disable=not self._is_terminal, smoothing=0.05)

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
        _say(f"{self._done} of {self._total} pictures, {left_s / 60.0:.0f} min left")


def _say(message: str) -> None:
    with tqdm.external_write_mode(file=sys.stderr):
        print(f"search_archive: {message}", file=sys.stderr, flush=True)


def _within(low: float, high: float) -> type:
    """Return what reads a number of an option."""

    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} must be {low:g}..{high:g}")
        return value

    read.__name__ = "number"
    return read  # type: ignore[return-value]  # argparse takes any callable


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 256:
        raise argparse.ArgumentTypeError(f"{text} must be 1..256")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="search_archive",
        description="Look through recordings again, for something else or with a larger model; "
        "findings, pages and files for maps are those of a mission.",
        epilog="Begun again with the same output folder, it goes on where it was. Exit status: 0; "
        "1 if a recording or a picture could not be read; 2 if nothing could be searched; 130 "
        "after Ctrl-C. docs/archive.md says more.",
    )
    add = parser.add_argument
    add(
        "recordings",
        nargs="+",
        metavar="RECORDING",
        help="folder of the recorder, a rosbag2 bag or file, a video, a folder of pictures",
    )
    add("--words", default="", help="what to look for, separated by commas")
    add(
        EXAMPLE,
        action="append",
        default=[],
        metavar="FILE:X0,Y0,X1,Y1[=NAME]",
        help="look for what this box [px] of a picture shows, with words or without; several of "
        "one name are averaged; !=NAME: what it is not. The model's example network lies beside it",
    )
    add("--model", required=True, metavar="FILE", help="segmentation or detection model")
    add("--output", type=Path, default=Path("output/archive"), metavar="DIR", help="%(default)s")
    add(
        "--export",
        type=lambda text: ",".join(report.map_kinds(text)),
        action="append",
        default=[],
        metavar="KIND",
        help="files for maps, too, as `report --export`; may be repeated",
    )
    add("--classifier", metavar="FILE", help="classifier for a closer look, as in a mission")
    _add_looking(parser)
    _add_workers(parser)
    _add_hints(parser)
    return parser


def _add_looking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how pictures are looked at")
    add = group.add_argument
    add(
        "--tiles",
        default=Looking.FULL.value,
        choices=[Looking.FULL.value, Looking.TILES.value],
        help="full: as a whole; tiles: in all tiles, for small things (default: %(default)s)",
    )
    add("--tile-px", type=int, metavar="N", help="longer side of a tile [px of the picture]")
    add(
        "--conf",
        type=_within(0.0, 1.0),
        default=DetectorSettings().confidence_threshold,
        metavar="0..1",
        help="scores must be greater (default: %(default)s)",
    )
    add(
        "--rate",
        type=_within(0.0, 1000.0),
        default=0.0,
        metavar="HZ",
        help="look at no more than so many pictures of a second (default: all)",
    )
    add("--names", metavar="FILE", help="class names instead of the model's")
    add(
        "--engine",
        default="onnxruntime",
        metavar="NAME",
        help=f"{', '.join(ENGINES)}, or that of a plug-in (default: %(default)s)",
    )
    add("--device", choices=DEVICES, default="cpu", help="(default: %(default)s)")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who looks; the findings are the same, whoever does")
    one_of = group.add_mutually_exclusive_group()
    one_of.add_argument(
        "--workers",
        type=_count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes of this machine (default: %(default)s)",
    )
    one_of.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, tcp://host:8786")


def _add_hints(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what recordings do not tell")
    add = group.add_argument
    add("--topic", default="", help="of a bag, the one with the pictures (default: all)")
    add(
        "--hfov",
        type=_within(0.0, 179.0),
        default=0.0,
        metavar="DEG",
        help="horizontal field of view of the lens (default: 60 where it is not told)",
    )
    add(
        "--reach",
        type=_within(0.0, 1e5),
        default=50.0,
        metavar="M",
        help="how far a thing may be from the camera, 1 sigma, where only the camera's place is "
        "known (default: %(default)s)",
    )


if __name__ == "__main__":
    sys.exit(main())
