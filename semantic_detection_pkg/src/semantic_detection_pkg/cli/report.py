"""`report`: pages of what was recorded.

report output/recordings               the whole mission, and each event that has no page yet
report output/recordings/events/NAME   one event
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError
from semantic_detection_pkg.recorder.evidence import event_page, mission
from semantic_detection_pkg.recorder.storage.event_store import EVENT_FILE

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
        failed = _missing_pages(options.folder)
        print(mission.write(options.folder, options.namespace))
        return _SOME_FAILED if failed else _DONE
    except SemanticDetectionError as error:
        print(f"report: {error}", file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _missing_pages(folder: Path) -> int:
    """Write the pages of events that have none; returns how many failed."""
    failed = 0
    for event in mission.events_of(folder):
        path = folder / "events" / event.name
        if (path / event_page.PAGE).exists():
            continue
        try:
            print(event_page.write(path))
        except SemanticDetectionError as error:
            print(f"report: {error}", file=sys.stderr)
            failed += 1
    return failed


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
