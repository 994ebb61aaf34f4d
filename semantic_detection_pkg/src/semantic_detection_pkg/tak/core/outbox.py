"""What is to be told: the newest event of each identity, and when it is told again.

While nobody listens nothing piles up but what is newest. What is withdrawn is remembered for as
long as others may still show it, so that a server which was away hears of it, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from semantic_detection_pkg.tak.core.events import CotEvent

STANDING_MAX = 5000  # beyond, the oldest one is left to go stale
_RENEWED_AFTER = 0.5  # of the lifetime


@dataclass
class _Entry:
    """An event and what became of it.

    Attributes:
        since_s: when it was put or withdrawn.
        is_news: it is not told yet.
        told_s: when it was told last.
        until_s: when nobody shows it any more; of one that is withdrawn.
    """

    event: CotEvent
    since_s: float
    is_news: bool = True
    told_s: float = 0.0
    until_s: float = 0.0

    def is_over(self, now_s: float) -> bool:
        """Return whether there is nothing more to tell of it."""
        if self.event.lifetime_s == 0.0:
            return not self.is_news and now_s >= self.until_s
        if self.event.is_standing:
            return False
        return not self.is_news or now_s - self.since_s >= self.event.lifetime_s

    def is_due(self, now_s: float) -> bool:
        """Return whether it is to be told now."""
        if self.is_news:
            return True
        lifetime_s = self.event.lifetime_s
        return lifetime_s > 0.0 and now_s - self.told_s >= _RENEWED_AFTER * lifetime_s


class Outbox:
    """Events by identity; times are of a steady clock."""

    def __init__(self) -> None:
        """Begin with nothing to tell."""
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        """Return how many things are told of."""
        return len(self._entries)

    def put(self, event: CotEvent, now_s: float) -> None:
        """Tell of something, or something newer of it; the same again is no news."""
        before = self._entries.pop(event.uid, None)
        if before is not None and before.event == event and event.is_standing:
            self._entries[event.uid] = before
            return
        self._entries[event.uid] = _Entry(event, now_s)
        if len(self._entries) > STANDING_MAX:
            del self._entries[next(iter(self._entries))]

    def withdraw(self, uid: str, now_s: float) -> None:
        """Have something go stale at once; what was never put is none."""
        entry = self._entries.get(uid)
        if entry is None or entry.event.lifetime_s == 0.0:
            return
        until_s = now_s + entry.event.lifetime_s
        gone = replace(entry.event, lifetime_s=0.0)
        self._entries[uid] = _Entry(gone, now_s, until_s=until_s)

    def tell_all_again(self) -> None:
        """Make everything news: who listens is another one, or has forgotten it."""
        for entry in self._entries.values():
            entry.is_news = True

    def due(self, now_s: float, count_max: int) -> list[CotEvent]:
        """Return what is to be told now, which counts as told, the longest known first."""
        over = [uid for uid, entry in self._entries.items() if entry.is_over(now_s)]
        for uid in over:
            del self._entries[uid]
        due = [entry for entry in self._entries.values() if entry.is_due(now_s)][:count_max]
        for entry in due:
            entry.is_news, entry.told_s = False, now_s
        return [entry.event for entry in due]
