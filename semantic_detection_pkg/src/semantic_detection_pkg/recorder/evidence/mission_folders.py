"""Folders of missions that were told apart: `missions/20231114T221320Z`, with a note of each.

A mission keeps its folder while the ring lets go of its beginning: the same goal is the same
mission, and where a goal is not known what overlaps in time with a note is. Folders of missions
that the ring has no more stay. A single mission's report lies in the recorder's folder itself, with
its note; it moves below `missions/` when there is another one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.errors import StorageError
from semantic_detection_pkg.recorder.evidence.rendering import utc, write_text

FOLDER = "missions"
_NOTE = "mission.json"
_EARLIER = "earlier"  # files of a report of before that do not say which mission they are of
_BYTES_MAX = 1_000_000

#: First and last message [ns].
Times = tuple[int, int]


@dataclass(frozen=True)
class Known:
    """A mission that has a folder."""

    folder: Path
    start_ns: int
    end_ns: int
    words: tuple[str, ...]
    counts: dict[str, int]
    begun_ns: int = 0

    def is_of(self, times_ns: Times, begun_ns: int) -> bool:
        """Return whether it is the mission of these times and this goal; 0: not known."""
        if self.begun_ns and begun_ns:
            return self.begun_ns == begun_ns
        return self.shared_ns(times_ns) >= 0

    def shared_ns(self, times_ns: Times) -> int:
        """Return for how long it overlaps; below 0: how far it is away."""
        return min(self.end_ns, times_ns[1]) - max(self.start_ns, times_ns[0])


def note(
    folder: Path,
    times_ns: Times,
    words: Sequence[str],
    counts: Mapping[str, int],
    begun_ns: int = 0,
) -> None:
    """Write down what a mission's folder holds.

    Args:
        begun_ns: of its goal; 0: not known.

    Raises:
        StorageError: it cannot be written.
    """
    fields = {
        "begun_ns": begun_ns,
        "start_ns": times_ns[0],
        "end_ns": times_ns[1],
        "words": list(words),
        "findings": dict(counts),
    }
    write_text(folder / _NOTE, json.dumps(fields, indent=1) + "\n")


def known(recordings: Path) -> list[Known]:
    """Return the missions that have folders, the newest first, each goal once."""
    read = [_read(path) for path in sorted((recordings / FOLDER).glob(f"*/{_NOTE}"))]
    found = [one for one in read if one is not None]
    goals = [one for one in found if one.begun_ns]
    # Notes of before do not name their goal: a part of one that does is of the same mission.
    listed = [
        one
        for one in found
        if one.begun_ns
        or not any(
            goal.start_ns <= one.start_ns and one.end_ns <= goal.end_ns and one.words == goal.words
            for goal in goals
        )
    ]
    return sorted(listed, key=lambda one: one.start_ns, reverse=True)


def alone(recordings: Path) -> Known | None:
    """Return the single mission whose report lies in the recorder's folder; None: it does not."""
    return _read(recordings / _NOTE)


def move_alone(recordings: Path, names: Sequence[str]) -> None:
    """Give the report in the recorder's folder, and what belongs to it, a folder of its own.

    Without a note, in reports of before, nobody knows which mission it was: it is put aside.

    Args:
        names: of files that may belong to it, the page first.

    Raises:
        StorageError: it cannot be moved.
    """
    before = alone(recordings)
    there = [name for name in names if (recordings / name).is_file()]
    if before is None:
        there = [name for name in there if name != names[0]]  # it may be the list of several
        if not there:
            return
        target = recordings / FOLDER / _EARLIER
    else:
        target = _free(recordings, before.start_ns, {one.folder for one in known(recordings)})
        there.append(_NOTE)
    make_folder(target)
    try:
        for name in there:
            os.replace(recordings / name, target / name)
        page = target / names[0]
        if page.is_file():  # where nothing is left of it but that
            text = page.read_text(encoding="utf-8")
            write_text(page, text.replace('href="events/', 'href="../../events/'))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{target}: cannot be written: {reason}") from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{folder}: cannot be made: {reason}") from error


def folders_for(recordings: Path, missions: Sequence[tuple[Times, int]]) -> list[Path]:
    """Return a folder for each mission, that of before where it has one; none is made.

    Args:
        missions: their times and when their goals were begun, 0 where that is not known.
    """
    free = known(recordings)
    folders: list[Path] = []
    for times_ns, begun_ns in missions:
        same = [one for one in free if one.is_of(times_ns, begun_ns)]
        if same:
            before = max(same, key=lambda one: (one.begun_ns == begun_ns, one.shared_ns(times_ns)))
            free.remove(before)
            folders.append(before.folder)
        else:
            taken = {*folders, *(one.folder for one in free)}
            folders.append(_free(recordings, times_ns[0], taken))
    return folders


def _free(recordings: Path, start_ns: int, taken: Collection[Path]) -> Path:
    """Return a folder for a mission that has none."""
    name = f"{utc(start_ns)[:19]}Z".replace("-", "").replace(":", "").replace(" ", "T")
    path, number = recordings / FOLDER / name, 2
    while path in taken:
        path, number = recordings / FOLDER / f"{name}_{number}", number + 1
    return path


def _read(path: Path) -> Known | None:
    """Return what a note says; None: it is none."""
    try:
        if path.stat().st_size > _BYTES_MAX:
            return None
        fields: Any = json.loads(path.read_text(encoding="utf-8"))
        return Known(
            path.parent,
            int(fields["start_ns"]),
            int(fields["end_ns"]),
            tuple(map(str, fields["words"])),
            {str(state): int(count) for state, count in fields["findings"].items()},
            int(fields.get("begun_ns", 0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
