"""The open pages and what each of them has still to be sent. Lives on the event loop.

What was sent and not confirmed bounds what may be sent: at most two pictures and one state. So a
page gets what its line can carry, always the newest, and a slow or gone one costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from typing import Protocol

from semantic_detection_pkg.dashboard.api.operators import Operators, Party
from semantic_detection_pkg.dashboard.api.pictures import EncodedPicture
from semantic_detection_pkg.dashboard.api.store import SectionStore

_PICTURES_IN_FLIGHT = 2  # one on the line while the last is being confirmed
_SILENCE_S = 10.0  # until a page that confirms nothing is taken for gone
_HEADER_LENGTH = struct.Struct("<I")


class Line(Protocol):
    """The sending half of a WebSocket."""

    async def send_text(self, data: str) -> None:
        """Send JSON."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a picture."""


class Viewer:
    """One open page."""

    def __init__(self, party: Party, *, may_control: bool) -> None:
        self.party = party
        self.may_control = may_control
        self.is_looking = False
        self._number = 0
        self._revisions: dict[str, int] = {}
        self._picture: EncodedPicture | None = None
        self._is_state_due = True
        self._wake = asyncio.Event()
        # Message number to when it was sent [s] and, of a picture, when that was captured [s].
        self._in_flight: dict[int, tuple[float, float | None]] = {}

    def offer(self, picture: EncodedPicture) -> None:
        """Show this picture next, instead of one that still waits."""
        if self.is_looking:
            self._picture = picture
            self._wake.set()

    def tick(self) -> None:
        """Send news: it is time."""
        self._is_state_due = True
        self._wake.set()

    def confirm(self, number: int) -> float | None:
        """Note that the page has shown a message; return the age of its picture then. [s]"""
        sent = self._in_flight.pop(number, None)
        self._wake.set()
        if sent is None or sent[1] is None:
            return None
        return time.monotonic() - sent[1]

    async def run(self, line: Line, board: SectionStore, operators: Operators) -> None:
        """Send until the page seems to be gone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            pictures = sum(captured is not None for _, captured in self._in_flight.values())
            if self._picture is not None and pictures < _PICTURES_IN_FLIGHT:
                picture, self._picture = self._picture, None
                await line.send_bytes(self._packed(picture))
            if self._is_state_due and len(self._in_flight) - pictures < 1:
                self._is_state_due = False
                await line.send_text(self._news(board, operators))
            if self._oldest_s() > _SILENCE_S:
                return

    def _packed(self, picture: EncodedPicture) -> bytes:
        """Return header length (uint32, little endian), header (JSON), JPEG."""
        header = {
            "n": self._sent(picture.capture_s),
            "stamp_ns": str(picture.stamp_ns),  # beyond the integers of JavaScript
            "age_ms": round(1000 * (time.monotonic() - picture.capture_s)),
            "objects": picture.objects,
            "view": picture.view,
        }
        text = json.dumps(header).encode()
        return b"".join((_HEADER_LENGTH.pack(len(text)), text, picture.jpeg))

    def _news(self, board: SectionStore, operators: Operators) -> str:
        changed = []
        for name, section in board.sections().items():
            if self._revisions.get(name) != section.revision:
                self._revisions[name] = section.revision
                changed.append(f'"{name}":{section.text}')
        me = {
            "id": self.party.id,
            "name": self.party.name,
            "may_control": self.may_control,
            "is_operator": operators.holds(self.party.id),
        }
        return (
            f'{{"n":{self._sent(None)},"now_ms":{now_ms()},"me":{json.dumps(me)},'
            f'"ages":{json.dumps(board.ages_s())},"sections":{{{",".join(changed)}}}}}'
        )

    def _sent(self, captured_s: float | None) -> int:
        self._number += 1
        self._in_flight[self._number] = (time.monotonic(), captured_s)
        return self._number

    def _oldest_s(self) -> float:
        sent = min((sent_s for sent_s, _ in self._in_flight.values()), default=None)
        return 0.0 if sent is None else time.monotonic() - sent


class Hub:
    """All open pages."""

    def __init__(self, watch_pictures: Callable[[bool], None]) -> None:
        """Begin without pages; `watch_pictures` hears when the first looks, and none any more."""
        self._watch_pictures = watch_pictures
        self._viewers: set[Viewer] = set()
        self._waiting: list[asyncio.Future[EncodedPicture]] = []
        self._is_watched = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return len(self._viewers)

    def enter(self, viewer: Viewer) -> None:
        """Add a page that was opened."""
        self._viewers.add(viewer)
        self._update()

    def leave(self, viewer: Viewer) -> None:
        """Remove a page that is gone."""
        self._viewers.discard(viewer)
        self._update()

    def set_looking(self, viewer: Viewer, is_looking: bool) -> None:
        """Note that a page wants pictures, or does not for now."""
        viewer.is_looking = is_looking
        self._update()

    def publish(self, picture: EncodedPicture) -> None:
        """Show a picture to all who look."""
        for viewer in self._viewers:
            viewer.offer(picture)
        for future in self._waiting:
            if not future.done():
                future.set_result(picture)

    def tick(self) -> None:
        """Send news to all."""
        for viewer in self._viewers:
            viewer.tick()

    async def next_picture(self, timeout_s: float) -> EncodedPicture | None:
        """Return the next picture, made for the caller if nobody else looks; None: none came."""
        future: asyncio.Future[EncodedPicture] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._update()
        try:
            return await asyncio.wait_for(future, timeout_s)
        except asyncio.TimeoutError:
            return None
        finally:
            self._waiting.remove(future)
            self._update()

    def _update(self) -> None:
        is_watched = bool(self._waiting) or any(viewer.is_looking for viewer in self._viewers)
        if is_watched != self._is_watched:
            self._is_watched = is_watched
            self._watch_pictures(is_watched)


def now_ms() -> int:
    """Return the server's monotonic clock, by which pages say what they have seen. [ms]"""
    return round(1000 * time.monotonic())
