"""Arguments of `search_archive`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from semantic_detection_pkg.cli import report
from semantic_detection_pkg.cli.examples import OPTION as EXAMPLE
from semantic_detection_pkg.detector.backends.loading import DEVICES, ENGINES
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import Looking

_VLM_TIMEOUT_S = 60.0  # nobody waits in the air; a model on a processor takes most of it


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


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    parser = argparse.ArgumentParser(
        prog="search_archive",
        description="Look through recordings again, for something else or with a larger model; "
        "findings, pages and files for maps are those of a mission.",
        epilog="Begun again with the same output folder, it goes on where it was. Exit status: 0; "
        "1 if a recording or a picture could not be read, or the vision-language model did not "
        "answer; 2 if nothing could be searched; 130 after Ctrl-C. docs/archive.md says more.",
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
    _add_asking(parser)
    _add_looking(parser)
    _add_workers(parser)
    _add_hints(parser)
    return parser


def _add_asking(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is asked of a vision-language model")
    add = group.add_argument
    add(
        "--vlm",
        metavar="ADDRESS",
        help="server with OpenAI's protocol (llama-server, vLLM) that is asked about the best "
        "picture of each thing that detector and classifier leave open: http://HOST:PORT, "
        "https://HOST or the path of a Unix socket (default: nothing is asked)",
    )
    add("--vlm-model", default="", metavar="NAME", help="of a server that has several")
    add(
        "--vlm-policy",
        default="",
        choices=["unsure", "always"],
        help="unsure: about what is left open; always: also to confirm what the classifier "
        "confirms (default: as the mission did, else unsure)",
    )
    add(
        "--vlm-timeout",
        type=_within(0.5, 3600.0),
        default=_VLM_TIMEOUT_S,
        metavar="S",
        help="longest wait for one answer (default: %(default)s)",
    )


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
