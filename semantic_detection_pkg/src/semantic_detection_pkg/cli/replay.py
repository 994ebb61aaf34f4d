"""`replay`: decide a recorded scan again and compare.

replay output/recordings --set tiers.classifier_accept_threshold=0.9
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from semantic_detection_pkg.cli.replay_frames import replay_frames
from semantic_detection_pkg.cli.replay_report import print_summary
from semantic_detection_pkg.detector.backends.loading import ENGINES
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from semantic_detection_pkg.recorder.core.replay.changes import with_values
from semantic_detection_pkg.recorder.core.replay.player import Change, replay
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.storage.bag_messages import JOURNAL, scan_recording
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.settings import ScanSettings

# Exit statuses, as the usual tools have them.
_DONE, _DIFFERENT, _REFUSED, _PART, _INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        Exit status: 0 if the decisions are the same, 1 if one differs, 2 if the bag or an option
        is no good, 3 if only a part could be replayed and that is the same, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        change = _change(options.set)
        with BagReader(options.bag) as reader:
            if options.publish:
                return _publish(reader, options)
            if options.source == "frames":
                return _DONE if replay_frames(reader, options, change) else _PART
            return _replay_journal(reader, options.namespace, change)
    except SemanticDetectionError as error:
        print(f"replay: {error}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has enough, `head` say. Python would complain at exit otherwise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE


def _replay_journal(reader: BagReader, namespace: str | None, change: Change) -> int:
    robot = reader.namespace_of([JOURNAL], namespace)
    started_s = time.perf_counter()
    summary = Summary.of(replay(scan_recording(reader, robot), change))
    elapsed_s = time.perf_counter() - started_s
    print_summary(summary, reader.path, elapsed_s)
    if summary.first_different is not None:
        return _DIFFERENT
    return _DONE if summary.exact == summary.steps else _PART


def _publish(reader: BagReader, options: argparse.Namespace) -> int:
    # Here, because the rest needs no ROS.
    from semantic_detection_pkg.recorder.ros.bag_publisher import publish

    without = tuple(filter(None, options.without.split(",")))
    say = partial(print, flush=True)
    print(f"{publish(reader, rate=options.rate, without=without, say=say)} messages published")
    return _DONE


def _change(texts: Sequence[str]) -> Change:
    values: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise ConfigurationError(f"--set {text}: NAME=VALUE is needed")
        values[name] = value
    with_values(ScanSettings(), values)  # what is wrong is wrong before the bag is read
    return lambda settings: with_values(settings, values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="replay",
        description="Decide a recorded scan again, step by step, and compare with what was decided "
        "then. Exit status 1: a decision differs; 3: only a part could be replayed.",
    )
    parser.add_argument(
        "bag",
        type=Path,
        metavar="BAG",
        help="folder of a bag (rosbag2; MCAP or SQLite), of an event, or of the recorder; or one "
        "file alone, .mcap or .db3",
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=("journal", "frames"),
        default="journal",
        help="journal: from the recorded detections; frames: detect the recorded pictures again "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with another setting of the scan, tiers.classifier_accept_threshold=0.9 say",
    )
    parser.add_argument("--namespace", metavar="NAME", help="the robot, where the bag has several")
    frames = parser.add_argument_group("with --from frames")
    frames.add_argument("--model", metavar="FILE", help="segmentation model")
    frames.add_argument(
        "--engine",
        default="onnxruntime",
        metavar="NAME",
        help=f"{', '.join(ENGINES)}, or that of a plug-in (default: %(default)s)",
    )
    frames.add_argument("--threads", type=int, default=0, metavar="N", help="0: all")
    frames.add_argument(
        "--conf", type=float, metavar="0..1", help="scores must be greater (default: the model's)"
    )
    frames.add_argument(
        "--words",
        default="",
        metavar="WORDS",
        help="look for these, separated by commas (default: as recorded, or all of the model)",
    )
    live = parser.add_argument_group("to be looked at")
    live.add_argument(
        "--publish",
        action="store_true",
        help="decide nothing: publish the bag's messages again, with /clock",
    )
    live.add_argument("--rate", type=float, default=1.0, metavar="X", help="times as fast")
    live.add_argument(
        "--without", default="", metavar="TOPICS", help="topics left out, separated by commas"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
