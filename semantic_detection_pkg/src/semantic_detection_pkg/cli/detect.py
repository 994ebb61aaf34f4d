"""`detect`: find things in picture files.

detect --model yoloe-11s-seg.onnx --json photos/*.jpg
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from semantic_detection_pkg.cli.examples import OPTION as EXAMPLE
from semantic_detection_pkg.cli.examples import parse_example, show_example
from semantic_detection_pkg.common.core.overlay import draw_overlay
from semantic_detection_pkg.common.pictures import read_picture, write_picture
from semantic_detection_pkg.detector.backends.loading import (
    DEVICES,
    ENGINES,
    LoadedDetector,
    load_detector,
)
from semantic_detection_pkg.detector.core.detection_result import DetectionResult
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings
from semantic_detection_pkg.errors import (
    ConfigurationError,
    FrameError,
    SemanticDetectionError,
)

# Exit statuses, as the usual tools have them.
_DONE, _SOME_FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130
_PARAMETERS = {
    "--conf": "confidence_threshold",
    "--iou": "iou_threshold",
    "--tile-px": "tile_px",
    "--overlap": "tile_overlap",
    "--tiles-per-frame": "tiles_per_frame",
}
#: Options of tiles, and the ways of looking for which they mean something.
_OF_TILES = {
    "--tile-px": (Looking.TILES, Looking.ROTATING),
    "--overlap": (Looking.TILES, Looking.ROTATING),
    "--tiles-per-frame": (Looking.ROTATING,),
}
_LONG_WORK = 3  # pictures from which on a progress bar helps


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        Exit status: 0, 1 if a picture failed, 2 if the model or an option is no good, 130 after
        Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        settings, tiling = _settings(options)
        _warn_of_options(options)
        if options.save is not None:
            _make_folder(options.save)
        with load_detector(
            options.model,
            engine=options.engine,
            threads=options.threads,
            device=options.device,
            names_file=options.names,
            words=options.words or options.classes,
            settings=settings,
            tiling=tiling,
        ) as detector:
            for example in options.example:
                show_example(detector, parse_example(example))
            for said in filter(None, (detector.unnamed, detector.dropped_words)):
                _complain(said)
            return _detect(detector, options)
    except SemanticDetectionError as error:
        _complain(str(error))
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has enough, `head` say. Python would complain at exit otherwise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE


def _settings(options: argparse.Namespace) -> tuple[DetectorSettings, TileSettings]:
    """Return the settings that the options say.

    Raises:
        ConfigurationError: one is out of its range; it is named as it was typed, too.
    """
    given = {name: getattr(options, _attribute(option)) for option, name in _PARAMETERS.items()}
    tiling = {_PARAMETERS[option]: given.pop(_PARAMETERS[option]) for option in _OF_TILES}
    try:
        return (
            DetectorSettings(**given),
            TileSettings(options.tiles, **{k: v for k, v in tiling.items() if v is not None}),
        )
    except ConfigurationError as error:
        text = str(error).replace(" (write 1.0, not 1)", "")  # of files of parameters
        raise ConfigurationError(_as_typed(text)) from None


def _as_typed(text: str) -> str:
    """Return a message that names parameters with the options before it that set them."""
    typed = [option for option, name in _PARAMETERS.items() if re.search(rf"\b{name}\b", text)]
    return ": ".join((*([", ".join(typed)] if typed else []), text))


def _attribute(option: str) -> str:
    return option.lstrip("-").replace("-", "_")


def _warn_of_options(options: argparse.Namespace) -> None:
    """Say which options mean nothing with the others, and what is not for stills."""
    looking = Looking(options.tiles)
    for option, ways in _OF_TILES.items():
        if getattr(options, _attribute(option)) is not None and looking not in ways:
            meant = " or ".join(f"--tiles {way.value}" for way in ways)
            _complain(f"{option} means nothing with --tiles {looking.value}: {meant} takes it")
    if looking is Looking.ROTATING:
        _complain(
            "--tiles rotating is for the pictures of a video: each is looked at in some tiles only,"
            " the next one in others; for stills take --tiles tiles"
        )


def _detect(detector: LoadedDetector, options: argparse.Namespace) -> int:
    status = _DONE
    for path in _with_progress(options.pictures):
        try:
            image = read_picture(path)
            result = detector.pipeline.process(image)
        except FrameError as error:
            _complain(_as_typed(str(error)))
            status = _SOME_FAILED
            continue
        with tqdm.external_write_mode(file=sys.stdout):
            info = detector.pipeline.info
            # Unless words are asked for, a class keeps the place that the model gives it.
            is_asked = options.classes or options.words or options.example
            places = () if is_asked else info.class_names
            text = (
                _as_json(path, image, result, info.has_masks, places)
                if options.json
                else _as_line(path, result)
            )
            print(text, flush=True)
        if options.save is not None:
            try:
                overlay = draw_overlay(image, result.detections, result.vocabulary)
                write_picture(options.save / path.name, overlay)
            except FrameError as error:
                _complain(str(error))
                status = _SOME_FAILED
    return status


def _as_json(
    path: Path,
    image: NDArray[np.uint8],
    result: DetectionResult,
    has_masks: bool,
    places: Sequence[str],
) -> str:
    """Return one line of JSON; a class that is in `places` has its first index there as id."""
    detections = result.detections.to_json(result.vocabulary)
    for one in detections:
        if one["class_name"] in places:
            one["class_id"] = places.index(one["class_name"])
    document: dict[str, Any] = {
        "image": str(path),
        "width": image.shape[1],
        "height": image.shape[0],
        "detections": detections,
        "ms": {
            "preprocess": round(result.elapsed_ms.preprocess, 3),
            "inference": round(result.elapsed_ms.inference, 3),
            "postprocess": round(result.elapsed_ms.postprocess, 3),
        },
    }
    if not has_masks:
        document["masks"] = "boxes"
    if len(result.looks) > 1:
        document["looks"] = [list(look[:4]) for look in result.looks]
    return json.dumps(document)


def _as_line(path: Path, result: DetectionResult) -> str:
    found = ", ".join(
        f"{result.vocabulary[class_id]} {score:.2f}"
        for class_id, score in zip(
            result.detections.class_ids, result.detections.scores, strict=True
        )
    )
    ms = result.elapsed_ms
    total_ms = ms.preprocess + ms.inference + ms.postprocess
    return f"{path}: {found or 'nothing'} ({total_ms:.0f} ms)"


def _with_progress(pictures: Sequence[Path]) -> Iterator[Path]:
    is_shown = sys.stderr.isatty() and len(pictures) >= _LONG_WORK
    progress: Iterable[Path] = tqdm(pictures, unit="picture", disable=not is_shown, leave=False)
    yield from progress


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FrameError(f"folder {folder}: cannot be made: {reason}") from error


def _complain(message: str) -> None:
    with tqdm.external_write_mode(file=sys.stderr):
        print(f"detect: {message}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    defaults = DetectorSettings()
    parser = argparse.ArgumentParser(
        prog="detect",
        description="Find things in pictures with a segmentation or detection model.",
        epilog="Exit status: 0; 1 if a picture failed; 2 if the model or an option is no good; 130 "
        "after Ctrl-C. Tiles, and the fields of --json: docs/models.md.",
    )
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--model", required=True, metavar="FILE", help="-seg or detect model")
    parser.add_argument(
        "--conf",
        type=float,
        default=defaults.confidence_threshold,
        metavar="0..1",
        help="scores must be greater (default: %(default)s)",
    )
    parser.add_argument(
        "--iou",
        type=float,
        default=defaults.iou_threshold,
        metavar="0..1",
        help="of two boxes of a class that overlap more, the better stays (default: %(default)s)",
    )
    _add_words(parser)
    _add_tiling(parser)
    parser.add_argument(
        "--names",
        metavar="FILE",
        help="class names instead of the model's: one on each line (a blank one is an unused "
        "class), lines of id and name, or a data.yaml",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per picture; class_id is the model's, with --classes the place "
        "of the word",
    )
    parser.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="write overlays into this folder; no file is ever replaced",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="CPU threads of the inference; 0: all (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        default="onnxruntime",
        metavar="NAME",
        help=f"{', '.join(ENGINES)}, or that of a plug-in (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="cpu",
        help="what computes, engine onnxruntime only (default: %(default)s)",
    )
    return parser


def _add_words(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--classes",
        default="",
        metavar="WORDS",
        help="look only for these, separated by commas; names that have commas may stand in double "
        "quotes (default: all of the model)",
    )
    group.add_argument(
        "--words",
        nargs="+",
        default=(),
        metavar="WORD",
        help="look only for these, a word each; any word where the model's text encoder lies "
        "beside it; coat='raincoat|rain jacket' is one class. Pictures stand before this option, "
        "or after the next one",
    )
    parser.add_argument(
        EXAMPLE,
        action="append",
        default=[],
        metavar="FILE:X0,Y0,X1,Y1=NAME",
        help="look also for what this box [px] of a picture shows; several of one name are "
        "averaged; !=NAME: what it is not",
    )


def _add_tiling(parser: argparse.ArgumentParser) -> None:
    defaults = TileSettings()
    group = parser.add_argument_group("small things", "look at parts of a picture at a time")
    group.add_argument(
        "--tiles",
        default=defaults.tiles,
        choices=[way.value for way in Looking],
        help="full: as a whole; tiles: in all tiles, for stills; rotating: as a whole and in some "
        "tiles, other ones with the next picture, for videos (default: %(default)s)",
    )
    group.add_argument(
        "--tile-px",
        type=int,
        metavar="N",
        help="longer side of a tile [px of the picture]; smaller ones show smaller things, and "
        f"there are more of them (default: {defaults.tile_px})",
    )
    group.add_argument(
        "--overlap",
        type=float,
        metavar="0..0.9",
        help=f"share of a tile that its neighbour sees, too (default: {defaults.tile_overlap})",
    )
    group.add_argument(
        "--tiles-per-frame",
        type=int,
        metavar="N",
        help=f"with --tiles rotating (default: {defaults.tiles_per_frame})",
    )


if __name__ == "__main__":
    sys.exit(main())
