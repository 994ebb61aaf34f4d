"""test/snapshots/interfaces.txt: all interfaces without comments, so that a change is noticed."""

from __future__ import annotations

from pathlib import Path


def snapshot(folder: Path) -> str:
    """Every definition of the interface package, comments and alignment removed."""
    parts = []
    for path in sorted(folder.glob("*/*.*")):
        if path.suffix in (".msg", ".srv", ".action"):
            lines = (line.split("#")[0].split() for line in path.read_text().splitlines())
            body = "\n".join(" ".join(words) for words in lines if words)
            parts.append(f"== {path.parent.name}/{path.name}\n{body}\n")
    return "\n".join(parts)
