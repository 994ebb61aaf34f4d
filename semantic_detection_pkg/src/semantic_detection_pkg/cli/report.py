"""`report`: pages of what was recorded.

report output/recordings               each mission, and each event that has no page yet
report output/recordings --export kmz  the same, and the findings as a file for maps
report output/recordings/events/NAME   one event
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from semantic_detection_pkg.recorder.evidence import event_page, mission
from semantic_detection_pkg.recorder.map_files.files import MAKERS
from semantic_detection_pkg.recorder.storage.event_store import EVENT_FILE, PAGE, events_of

_PERIOD_S = 2.0  # between two words of progress
_DONE, _SOME_FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; prints the path of each page.

    Returns:
        Exit status: 0; 1 if the page of one of several events, or one of several files for maps
        cannot be made; 2 if the folder is no good; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        if (options.folder / EVENT_FILE).exists():
            if options.export:
                raise ConfigurationError(
                    f"{options.folder} is one event: --export needs the folder of the recorder, "
                    "which holds the mission"
                )
            print(event_page.write(options.folder))
            return _DONE
        if not options.folder.is_dir():
            raise ConfigurationError(f"{options.folder} is no folder of recordings or of an event")
        return _write_all(options.folder, options.namespace, list(dict.fromkeys(options.export)))
    except SemanticDetectionError as error:
        print(f"report: {error}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED


class Progress:
    """Says now and then how far it is, to whom waits; nothing of what is done at once."""

    def __init__(self, period_s: float) -> None:
        """Say it every `period_s`."""
        self._period_s = period_s
        self._due_s = time.monotonic() + period_s

    def __call__(self, what: str, share: float) -> None:
        """Take in what is being done and how much of it is, 0..1."""
        if time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + self._period_s
            print(f"report: {what}: {100 * min(max(share, 0.0), 1.0):.0f} %", file=sys.stderr)


def _write_all(folder: Path, namespace: str | None, kinds: Sequence[str]) -> int:
    """Write the mission's report, which who waits wants first, and the events' missing pages."""
    missing = [
        event.name
        for event in events_of(folder)
        if not (folder / "events" / event.name / PAGE).exists()
    ]
    refusal: SemanticDetectionError | None = None
    failed = 0
    try:
        for written in mission.write_report(folder, namespace, Progress(_PERIOD_S), missing, kinds):
            failed += _tell(written)
    except SemanticDetectionError as error:  # the events are bags of their own
        refusal = error
    without_page = 0
    for name in missing:
        try:
            print(event_page.write(folder / "events" / name), flush=True)
        except SemanticDetectionError as error:
            print(f"report: {error}", file=sys.stderr)
            without_page += 1
    if refusal is not None:
        raise refusal
    if without_page:  # what is not there is not linked
        mission.write_report(folder, namespace, Progress(_PERIOD_S), kinds=kinds)
    return _SOME_FAILED if failed + without_page else _DONE


def _tell(written: mission.Written) -> int:
    """Print what was written and what could not be; return how much that is."""
    for path in (written.page, *written.map_files):
        print(path, flush=True)
    for refusal in written.refusals:
        print(f"report: {refusal}", file=sys.stderr)
    if written.map_files and written.unplaced:
        have = ("finding has", "it") if written.unplaced == 1 else ("findings have", "them")
        print(
            f"report: {written.unplaced} {have[0]} no position: only csv has {have[1]}",
            file=sys.stderr,
        )
    return len(written.refusals)


def map_kinds(text: str) -> list[str]:
    """Return the kinds of files that a value of --export names, one or several by commas."""
    kinds = [kind.strip().lower() for kind in text.split(",")]
    unknown = [kind for kind in kinds if kind not in MAKERS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is no kind of map file; there are {', '.join(MAKERS)}"
        )
    return kinds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="report",
        description="Write pages of what was recorded, to look at in any browser.",
        epilog="Exit status: 0; 1 if an event's page or a file for maps cannot be made, geotiff "
        "without a position say: each is told in a line, the others are written; 2 if the folder "
        "is no good; 130 after Ctrl-C.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="of the recorder, of a bag or of one event"
    )
    parser.add_argument("--namespace", metavar="NAME", help="the robot, where the bag has several")
    parser.add_argument(
        "--export",
        type=map_kinds,
        action="extend",
        default=[],
        metavar="KIND",
        help=f"write the findings as a file for maps, too: {', '.join(MAKERS)}; may be repeated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
