"""Folders of missions that were told apart: `missions/20231114T221320Z`, with a note of each.

A mission keeps its folder while the ring lets go of its beginning: what overlaps in time with a
note is the same one. Folders of missions that the ring has no more stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.recorder.evidence.rendering import utc, write_text

FOLDER = "missions"
_NOTE = "mission.json"
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

    def shared_ns(self, times_ns: Times) -> int:
        """Return for how long it overlaps; below 0: how far it is away."""
        return min(self.end_ns, times_ns[1]) - max(self.start_ns, times_ns[0])


def note(folder: Path, times_ns: Times, words: Sequence[str], counts: Mapping[str, int]) -> None:
    """Write down what a mission's folder holds; without effect for the recorder's own folder.

    Raises:
        StorageError: it cannot be written.
    """
    if folder.parent.name != FOLDER:
        return
    fields = {
        "start_ns": times_ns[0],
        "end_ns": times_ns[1],
        "words": list(words),
        "findings": dict(counts),
    }
    write_text(folder / _NOTE, json.dumps(fields, indent=1) + "\n")


def known(recordings: Path) -> list[Known]:
    """Return the missions that have folders, the newest first."""
    found = []
    for path in sorted((recordings / FOLDER).glob(f"*/{_NOTE}")):
        one = _read(path)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda one: one.start_ns, reverse=True)


def folders_for(recordings: Path, missions: Sequence[Times]) -> list[Path]:
    """Return a folder for each mission, that of before where it has one; none is made."""
    free = known(recordings)
    folders: list[Path] = []
    for start_ns, end_ns in missions:
        same = [one for one in free if one.shared_ns((start_ns, end_ns)) >= 0]
        if same:
            before = max(
                same, key=lambda one: min(one.end_ns, end_ns) - max(one.start_ns, start_ns)
            )
            free.remove(before)
            folders.append(before.folder)
            continue
        name = f"{utc(start_ns)[:19]}Z".replace("-", "").replace(":", "").replace(" ", "T")
        path, number = recordings / FOLDER / name, 2
        while path in folders or path in {one.folder for one in free}:
            path, number = recordings / FOLDER / f"{name}_{number}", number + 1
        folders.append(path)
    return folders


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
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
