"""What a search looked at, kept beside what it found, for pages and map files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from semantic_detection_pkg.common.file_system import FileSystem

FILE = "searched.json"


@dataclass(frozen=True)
class Searched:
    """What was looked through.

    Attributes:
        pictures: that were.
        unread: that could not be.
        problems: why, of the first of these, a line each.
        places: of each finding by its id, where the picture that shows it best is: a file, a time
            in a video, a topic of a bag.
    """

    pictures: int = 0
    unread: int = 0
    problems: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)


def write_searched(folder: Path, searched: Searched) -> None:
    """Keep it in a folder of findings; raises OSError."""
    document = json.dumps(asdict(searched), indent=1)
    FileSystem().write_atomically(folder / FILE, document.encode("ascii"))


def read_searched(folder: Path) -> Searched | None:
    """Return what was kept; None: the findings are no search's, or nobody can read it."""
    try:
        document = json.loads((folder / FILE).read_bytes())
        return Searched(
            int(document["pictures"]),
            int(document["unread"]),
            tuple(map(str, document["problems"])),
            {str(name): str(place) for name, place in document["places"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
