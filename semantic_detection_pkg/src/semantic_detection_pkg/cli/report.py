"""`report`: pages of what was recorded.

report output/recordings               the whole mission, and each event that has no page yet
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
from semantic_detection_pkg.recorder.storage.event_store import EVENT_FILE

_PERIOD_S = 2.0  # between two words of progress
_DONE, _SOME_FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; prints the path of each page.

    Returns:
        Exit status: 0, 1 if the page of one of several events failed, 2 if the folder is no good,
        130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        if (options.folder / EVENT_FILE).exists():
            print(event_page.write(options.folder))
            return _DONE
        if not options.folder.is_dir():
            raise ConfigurationError(f"{options.folder} is no folder of recordings or of an event")
        return _write_all(options.folder, options.namespace)
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


def _write_all(folder: Path, namespace: str | None) -> int:
    """Write the mission's report, which who waits wants first, and the events' missing pages."""
    missing = [
        event.name
        for event in mission.events_of(folder)
        if not (folder / "events" / event.name / event_page.PAGE).exists()
    ]
    refusal: SemanticDetectionError | None = None
    try:
        print(mission.write(folder, namespace, Progress(_PERIOD_S), missing), flush=True)
    except SemanticDetectionError as error:  # the events are bags of their own
        refusal = error
    failed = 0
    for name in missing:
        try:
            print(event_page.write(folder / "events" / name), flush=True)
        except SemanticDetectionError as error:
            print(f"report: {error}", file=sys.stderr)
            failed += 1
    if refusal is not None:
        raise refusal
    if failed:  # what is not there is not linked
        mission.write(folder, namespace, Progress(_PERIOD_S))
    return _SOME_FAILED if failed else _DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="report", description="Write pages of what was recorded, to look at in any browser."
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="of the recorder, of a bag or of one event"
    )
    parser.add_argument("--namespace", metavar="NAME", help="the robot, where the bag has several")
    return parser


if __name__ == "__main__":
    sys.exit(main())
