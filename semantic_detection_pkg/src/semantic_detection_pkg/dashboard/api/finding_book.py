"""All findings that the page shows, with their thumbnails: heard, kept on the disk, recorded.

What is heard from the graph comes first. What the dashboard kept of earlier lives, and what the
recorder holds, comes back at the start; a thread of its own reads it, looks for missing thumbnails
and keeps what is new. Nobody who adds a finding waits for the disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from semantic_detection_pkg.dashboard.api.finding_store import FindingStore
from semantic_detection_pkg.dashboard.api.recorded_findings import RecordedFindings

_log = logging.getLogger(__name__)

FINDINGS_MAX = 200
_PERIOD_S = 1.0
_REST_S = 0.01  # between two recorded files: the server's thread has the processor first
#: Of many findings, which go first.
_WORTH = ("rejected", "candidate", "uncertain", "confirmed")


class Crops(Protocol):
    """Who keeps parts of the pictures that were shown."""

    def crop(self, name: str) -> bytes | None:
        """Return the JPEG of a part that was kept; None: there is none."""


@dataclass
class _Entry:
    """A finding and what is known of its thumbnail.

    Attributes:
        order: newest last; those of earlier lives are below 0, by their stamps.
        is_kept: this revision lies on the disk.
        jpeg: the thumbnail; empty: there is none.
        pictured: best_frame of the recorded picture that it was cut from; empty: from none.
        is_picture_kept: the thumbnail lies on the disk.
    """

    finding: dict[str, Any]
    order: tuple[int, int]
    is_kept: bool = False
    jpeg: bytes = b""
    pictured: str = ""
    is_picture_kept: bool = False


class FindingBook:
    """Findings, the newest revision of each; may be used by any thread."""

    def __init__(
        self,
        tell: Callable[[list[dict[str, Any]]], None],
        crops: Crops,
        store: FindingStore,
        recorded: RecordedFindings,
    ) -> None:
        """Begin to read what lies on the disk.

        Args:
            tell: is given all findings, newest first, whenever something has changed.
        """
        self._tell = tell
        self._crops = crops
        self._store = store
        self._recorded = recorded
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._heard = 0
        self._gone: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="findings", daemon=True)
        self._thread.start()

    def add(self, finding: dict[str, Any]) -> None:
        """Take in a finding that was heard."""
        with self._lock:
            self._heard += 1
            is_news = self._put(finding, (1, self._heard))
        if is_news:
            self._show()

    def thumbnail(self, finding_id: str) -> bytes | None:
        """Return what a finding looks like, JPEG; None: no picture is kept."""
        with self._lock:
            entry = self._entries.get(finding_id)
            if entry is not None and entry.jpeg:
                return entry.jpeg
        return self._crops.crop(finding_id)

    def knows(self, finding_id: str) -> bool:
        """Return whether there is such a finding."""
        with self._lock:
            return finding_id in self._entries

    def all(self) -> list[tuple[dict[str, Any], bytes]]:
        """Return all findings, newest first, each with its thumbnail, JPEG; empty: none is kept."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda one: one.order, reverse=True)
            found = [(one.finding, one.jpeg) for one in entries]
        return [(one, jpeg or self._crops.crop(one["id"]) or b"") for one, jpeg in found]

    def close(self) -> None:
        """Keep what is new, end the thread."""
        self._stopping.set()
        self._thread.join()

    def _put(self, finding: dict[str, Any], order: tuple[int, int]) -> bool:
        """Take in a revision, unless a newer one is known; the lock is held."""
        before = self._entries.pop(finding["id"], None)
        if before is None:
            self._entries[finding["id"]] = _Entry(finding, order)
            self._make_room()
            return True
        self._entries[finding["id"]] = before
        if finding["revision"] < before.finding["revision"]:
            return False
        is_same = finding == before.finding
        before.order = max(order, before.order)
        before.finding = finding
        before.is_kept = before.is_kept and is_same
        return not is_same

    def _make_room(self) -> None:
        while len(self._entries) > FINDINGS_MAX:
            least = min(self._entries, key=lambda one: _rank(self._entries[one]))
            del self._entries[least]
            self._gone.append(least)

    def _show(self) -> None:
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda one: one.order, reverse=True)
            shown = [{**one.finding, "has_picture": bool(one.jpeg)} for one in entries]
            self._tell(shown)

    def _run(self) -> None:
        self._recall()
        while not self._stopping.wait(_PERIOD_S):
            self._take_recorded()
            self._find_pictures()
            self._keep()
        self._keep()

    def _recall(self) -> None:
        """Take in what this dashboard kept in an earlier life."""
        for finding in self._store.load():
            with self._lock:
                self._put(finding, (0, int(finding["stamp_ns"])))
                entry = self._entries.get(finding["id"])
                if entry is not None and entry.finding == finding:
                    entry.is_kept = True
                jpeg = self._store.picture(finding["id"])
                if entry is not None and jpeg:
                    entry.jpeg, entry.pictured = jpeg, finding["best_frame"]
                    entry.is_picture_kept = True
        self._show()
        self._take_recorded()
        self._find_pictures()

    def _take_recorded(self) -> None:
        """Take in what the recorder has kept since."""
        is_news = False
        for finding in self._recorded.news():
            if finding is None:
                if self._stopping.wait(_REST_S):
                    return
                continue
            with self._lock:
                is_news |= self._put(finding, (0, int(finding["stamp_ns"])))
        if is_news:
            self._show()

    def _find_pictures(self) -> None:
        """Look for the thumbnails that are missing, of the newest findings first.

        What was cut from a picture that somebody was shown does until the recorder has the frame.
        """
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda one: one.order, reverse=True)
        is_news = False
        for entry in entries:
            if self._stopping.is_set():
                return
            finding = entry.finding
            if entry.pictured == finding["best_frame"]:
                continue
            box = tuple(float(edge or 0.0) for edge in finding["best_box_xyxy"])
            jpeg = self._recorded.picture(finding["id"], int(finding["best_frame"]), box)
            pictured = finding["best_frame"] if jpeg else entry.pictured
            jpeg = jpeg or self._crops.crop(finding["id"])
            if jpeg and jpeg != entry.jpeg:
                is_news |= not entry.jpeg or pictured != entry.pictured
                with self._lock:
                    entry.jpeg, entry.pictured, entry.is_picture_kept = jpeg, pictured, False
        if is_news:
            self._show()

    def _keep(self) -> None:
        """Write what is new to the disk; what the page has no room for goes there, too."""
        with self._lock:
            entries = list(self._entries.values())
            gone, self._gone = self._gone, []
        for finding_id in gone:
            self._store.remove(finding_id)
        for entry in entries:
            finding, jpeg = entry.finding, entry.jpeg
            if not entry.is_kept:
                if not self._store.save(finding):
                    return  # the disk is gone: tried again
                with self._lock:
                    entry.is_kept = entry.finding is finding
            if jpeg and not entry.is_picture_kept:
                entry.is_picture_kept = self._store.save_picture(finding["id"], jpeg)


def _rank(entry: _Entry) -> tuple[int, tuple[int, int]]:
    state = entry.finding["state"]
    return _WORTH.index(state) if state in _WORTH else 0, entry.order
