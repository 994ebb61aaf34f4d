"""Which of the points that come are news: a server tells again what it keeps."""

from __future__ import annotations

from collections import OrderedDict

_AGE_MAX_NS = 60_000_000_000  # of a request; older, it is of before, or the clocks disagree
_REMEMBERED_MAX = 1000


class Requests:
    """Remembers what was asked already."""

    def __init__(self) -> None:
        """Begin without any."""
        self._seen: OrderedDict[tuple[str, int], None] = OrderedDict()

    def is_new(self, uid: str, time_ns: int, now_ns: int) -> bool:
        """Return whether a request is recent and was not seen before.

        Args:
            time_ns: when it was said, by the sender's clock.
            now_ns: by ours.
        """
        if abs(now_ns - time_ns) > _AGE_MAX_NS or (uid, time_ns) in self._seen:
            return False
        self._seen[uid, time_ns] = None
        if len(self._seen) > _REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return True
