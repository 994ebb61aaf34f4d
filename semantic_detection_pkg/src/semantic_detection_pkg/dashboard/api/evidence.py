"""Events that the recorder keeps, as the page lists them; its folder is only read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

_EVENTS_MAX = 60
_EVENT_FILE = "event.json"
_EVENT_BYTES_MAX = 1_000_000


class EvidenceFolder:
    """The newest events; what has not changed is not read again."""

    def __init__(self, folder: Path) -> None:
        """The folder need not be there yet."""
        self._folder = folder
        self._known: dict[str, tuple[int, dict[str, Any] | None]] = {}

    def events(self) -> list[dict[str, Any]]:
        """Newest first: `label`, `marked_ns`, ids of `findings`, path of the `page`."""
        try:
            folders = sorted((p for p in self._folder.iterdir() if p.is_dir()), reverse=True)
        except OSError:  # the recorder has not made it yet
            return []
        newest = folders[:_EVENTS_MAX]
        self._known = {path.name: self._read(path) for path in newest}
        return [event for _, event in self._known.values() if event is not None]

    def _read(self, path: Path) -> tuple[int, dict[str, Any] | None]:
        try:
            changed_ns = path.stat().st_mtime_ns  # event.json is replaced, a page is added
            known = self._known.get(path.name)
            if known is not None and known[0] == changed_ns:
                return known
            return changed_ns, _event(path)
        except OSError:  # just deleted
            return 0, None


def _event(path: Path) -> dict[str, Any] | None:
    """What event.json says; None where it cannot be read, now or ever."""
    file = path / _EVENT_FILE
    try:
        if file.stat().st_size > _EVENT_BYTES_MAX:
            return None
        fields = json.loads(file.read_text(encoding="utf-8"))
        event = {
            "label": str(fields["label"]),
            "marked_ns": str(int(fields["marked_ns"])),
            "findings": [str(finding) for finding in fields["findings"]],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pages = sorted(page.name for page in path.glob("*.html"))
    return {
        **event,
        "page": f"/evidence/{quote(path.name)}/{quote(pages[0] if pages else _EVENT_FILE)}",
    }
