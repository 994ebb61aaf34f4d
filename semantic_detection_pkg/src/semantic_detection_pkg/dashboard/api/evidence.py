"""Events that the recorder keeps, as the page lists them; its folder is only read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

_EVENTS_MAX = 60
_EVENT_FILE = "event.json"
_EVENT_BYTES_MAX = 1_000_000

#: When the folder changed [ns], the segment before the event, and what is listed of it.
_Known = tuple[int, int, "dict[str, Any] | None"]


class EvidenceFolder:
    """The newest events; what has not changed is not read again."""

    def __init__(self, folder: Path) -> None:
        """Look into a folder, which need not be there yet."""
        self._folder = folder
        self._known: dict[str, _Known] = {}

    def events(self) -> list[dict[str, Any]]:
        """Return the events, newest first: `label`, `marked_ns`, `findings` (ids), `page`."""
        try:
            # A name that begins with a point is of an event that is still being made.
            paths = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
            folders = [path for path in paths if path.is_dir()]
        except OSError:  # the recorder has not made it yet
            return []
        self._known = {path.name: self._read(path) for path in folders}
        # Names go by a clock that may have been set back; numbers of segments only rise.
        newest = sorted(self._known.items(), key=lambda item: (item[1][1], item[0]), reverse=True)
        return [event for _, (_, _, event) in newest if event is not None][:_EVENTS_MAX]

    def _read(self, path: Path) -> _Known:
        try:
            changed_ns = path.stat().st_mtime_ns  # event.json is replaced, a page is added
            known = self._known.get(path.name)
            if known is not None and known[0] == changed_ns:
                return known
            return changed_ns, *_event(path)
        except OSError:  # just deleted
            return 0, 0, None


def _event(path: Path) -> tuple[int, dict[str, Any] | None]:
    """Return the segment before the event, and what event.json says; None: it cannot be read."""
    file = path / _EVENT_FILE
    try:
        if file.stat().st_size > _EVENT_BYTES_MAX:
            return 0, None
        fields = json.loads(file.read_text(encoding="utf-8"))
        event = {
            "label": str(fields["label"]),
            "marked_ns": str(int(fields["marked_ns"])),
            "findings": [str(finding) for finding in fields["findings"]],
        }
        number = int(fields.get("after_number", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0, None
    pages = sorted(page.name for page in path.glob("*.html"))
    return number, {
        **event,
        "page": f"/evidence/{quote(path.name)}/{quote(pages[0] if pages else _EVENT_FILE)}",
    }
