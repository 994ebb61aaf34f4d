"""`python tools/measure_detector MODEL PICTURES --truth FOLDER`, or `MODEL --worlds FIRST-LAST`.

`MODEL --calibrate FIRST-LAST` sweeps worlds and compares the curve's POD with what was found;
`--calibrate FILE` compares with sweeps of before.

Looks at labelled pictures (VisDrone, YOLO or COCO labels) or at simulated worlds through the
product's own pipeline, fits how likely the detector reports a thing by its size, and writes
`<model>.curve.json` beside the model and a drawing of it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import own_sources  # noqa: F401 - before what it makes importable

# isort: split
from tqdm import tqdm

from measure_detector.calibration import calibration_table, outcomes, read_worlds, reliability
from measure_detector.document import (
    LEAST_THINGS,
    Subject,
    in_words,
    make_document,
    merge,
)
from measure_detector.pictures import find_pictures, measure_pictures
from measure_detector.plot import curves_svg, reliability_svg
from measure_detector.records import ClassRecord
from measure_detector.sweeps import sweep_world
from measure_detector.worlds import measure_worlds
from semantic_detection_pkg.detector.backends.curve_file import SUFFIX, read_curves
from semantic_detection_pkg.detector.backends.loading import ENGINES, load_detector
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError

_DESCRIPTION = (
    "Looks at labelled pictures (VisDrone's, YOLO's or COCO's labels) or at simulated worlds "
    "through the product's own pipeline, fits how likely the detector reports a thing by its size, "
    "and writes MODEL's .curve.json beside it and a drawing of it, an SVG."
)
CONFIDENCES = (0.1, 0.25, 0.4, 0.6)
_DONE, _REFUSED, _INTERRUPTED = 0, 2, 130
T = TypeVar("T")
_SEEDS = re.compile(r"(\d{1,9})-(\d{1,9})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        Exit status: 0, 2 if the model, the pictures or an option are no good, 130 after Ctrl-C.
    """
    options = _parser().parse_intermixed_args(arguments)
    try:
        if options.calibrate:
            return _calibrate(options)
        confidences = _confidences(options.conf)
        parts, subject, hint = _measure(options, confidences)
        document, left_out = make_document(merge(parts), confidences, subject)
        for name, things in left_out.items():
            if things:
                reason = f"{things} things, at least {LEAST_THINGS} are needed"
                print(f"{name}: left out, {reason}", file=sys.stderr)
        if not all(left_out.values()):
            nothing = sum(not things for things in left_out.values())
            print(f"{nothing} other classes: there is none of them", file=sys.stderr)
        if not document["classes"]:
            raise ConfigurationError(f"no class has enough things: nothing is written{hint}")
        path = options.out or options.model.with_name(options.model.stem + SUFFIX)
        _write(path, json.dumps(document, indent=1) + "\n")
        middle = confidences[min(1, len(confidences) - 1)]
        _write(path.with_suffix(".svg"), curves_svg(document, middle))
        print(in_words(document, middle))
        print(f"\nat confidence {middle:g}; written: {path}, {path.with_suffix('.svg')}")
    except SemanticDetectionError as error:
        print(f"measure_detector: {error}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _DONE


def _calibrate(options: argparse.Namespace) -> int:
    confidence = DetectorSettings().confidence_threshold
    curves = read_curves(options.model, confidence)
    if curves is None:
        raise ConfigurationError(f"{options.model} has no curves beside it: measure them first")
    path = options.out or options.model.with_name(options.model.stem + ".sweeps.jsonl")
    kept = Path(options.calibrate)
    if kept.suffix:
        worlds = read_worlds(kept)
        path = options.out or kept
    else:
        worlds = _sweep(options)
        _write(path, "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in worlds))
    found = outcomes(worlds, curves, confidence)
    classes = sorted({one.class_name for one in found})
    shown = {
        name: reliability([one for one in found if one.class_name == name]) for name in classes
    }
    _write(path.with_suffix(".svg"), reliability_svg(shown))
    print(calibration_table(worlds, curves, confidence))
    print(f"\nwritten: {path.with_suffix('.svg')}" + ("" if kept.suffix else f", {path}"))
    return _DONE


def _sweep(options: argparse.Namespace) -> list[dict[str, Any]]:
    first, last = _seeds("--calibrate", options.calibrate)
    with multiprocessing.get_context("spawn").Pool(max(1, options.workers)) as pool:
        swept = pool.imap(partial(sweep_world, options.model), range(first, last + 1))
        return list(_with_progress(swept, last - first + 1))


def _measure(
    options: argparse.Namespace, confidences: Sequence[float]
) -> tuple[list[dict[str, ClassRecord]], Subject, str]:
    """Return records, what was measured, and what to do where the model's classes are numbers."""
    settings = DetectorSettings(confidence_threshold=confidences[0])
    tiling = TileSettings(options.tiles, options.tile_px)
    with load_detector(
        options.model,
        engine=options.engine,
        words=options.classes,
        settings=settings,
        tiling=tiling,
        names_file=options.names,
    ) as detector:
        info = detector.pipeline.info
        size = info.width, info.height
        if options.worlds:
            first, last = _seeds("--worlds", options.worlds)
            seeds = range(first, last + 1)
            found: Iterable[dict[str, ClassRecord]] = measure_worlds(
                options.model, seeds, confidences[0], options.tiles, options.workers
            )
            on, count = f"simulated worlds {first} to {last}", len(seeds)
        elif not options.pictures:
            raise ConfigurationError("no pictures are given: files, folders, or --worlds")
        else:
            pictures = find_pictures(options.pictures)
            same = dict(pair for text in options.same for pair in _pairs(text))
            found = measure_pictures(
                detector.pipeline, pictures, options.truth, same, options.smear
            )
            on, count = f"{len(pictures)} pictures", len(pictures)
        parts = list(_with_progress(found, count))
    if not parts:
        raise ConfigurationError(
            "no picture has labels: VisDrone's, YOLO's or COCO's beside it or in --truth"
        )
    hint = f"; {detector.unnamed}" if detector.unnamed else ""
    return parts, Subject(options.model, size, on, options.tiles), hint


def _with_progress(made: Iterable[T], count: int) -> Iterable[T]:
    shown: Iterable[T] = tqdm(made, total=count, disable=not sys.stderr.isatty(), leave=False)
    return shown


def _confidences(text: str) -> tuple[float, ...]:
    try:
        values = tuple(sorted({float(one) for one in text.split(",")}))
    except ValueError:
        values = ()
    if not values or not all(0.0 <= one < 1.0 for one in values):
        raise ConfigurationError(
            f"--conf {text!r}: numbers from 0 to below 1 are allowed: 0.1,0.25"
        )
    return values


def _seeds(option: str, text: str) -> tuple[int, int]:
    found = _SEEDS.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise ConfigurationError(f"{option} {text!r}: FIRST-LAST is allowed: 41001-41024")
    return int(found[1]), int(found[2])


def _pairs(text: str) -> list[tuple[str, str]]:
    name, equals, others = text.partition("=")
    if not equals or not name or not others:
        raise ConfigurationError(f"--same {text!r}: NAME=OTHER,OTHER is allowed: vehicle=car,truck")
    return [(other, name) for other in others.split(",")]


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text)
        beside.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"file {path}: cannot be written: {reason}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="measure_detector",
        description=_DESCRIPTION,
        epilog="Exit status: 0; 2 if the model, the pictures or an option are no good; 130 after "
        "Ctrl-C.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="-seg or detect model")
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURES", help="or folders")
    parser.add_argument(
        "--truth", type=Path, metavar="FOLDER", help="of the labels (default: as data sets lie)"
    )
    parser.add_argument(
        "--worlds", metavar="FIRST-LAST", help="seeds of simulated worlds instead of pictures"
    )
    parser.add_argument(
        "--calibrate",
        metavar="FIRST-LAST",
        help="seeds of worlds that are swept, to compare the POD that the model's curve promises "
        "with what is found; or the FILE of sweeps that an earlier run wrote",
    )
    parser.add_argument(
        "--same",
        action="append",
        default=[],
        metavar="NAME=OTHER,...",
        help="labels and words that are counted as one class; VisDrone's pedestrian and people are "
        "person by themselves",
    )
    parser.add_argument(
        "--smear",
        type=float,
        nargs="*",
        default=[],
        metavar="PX",
        help="blurs, in pixels of the network's input, that pictures are looked at with, too",
    )
    parser.add_argument(
        "--conf",
        default=",".join(map(str, CONFIDENCES)),
        help="thresholds that a curve is measured at (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the drawing, an SVG, lies beside it (default: MODEL's .curve.json)",
    )
    parser.add_argument("--classes", default="", metavar="WORDS", help="look only for these")
    parser.add_argument(
        "--names",
        metavar="FILE",
        help="class names instead of the model's, or where it has none: one on each line",
    )
    parser.add_argument("--engine", default="onnxruntime", metavar="NAME", help=", ".join(ENGINES))
    parser.add_argument(
        "--tiles", default="full", choices=[Looking.FULL.value, Looking.TILES.value]
    )
    parser.add_argument("--tile-px", type=int, default=TileSettings().tile_px, metavar="N")
    parser.add_argument("--workers", type=int, default=1, help="processes for worlds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
