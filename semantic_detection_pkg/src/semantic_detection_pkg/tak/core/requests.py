"""Which of the points that come are news: a server tells again what it keeps."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

NS_PER_S = 1_000_000_000

#: Of a request; older, it is of before, or the clocks disagree.
AGE_MAX_S = 60
_REMEMBERED_MAX = 1000
#: Before that nobody had this: a clock that says so was never set.
_MADE_NS = 1_767_225_600 * NS_PER_S  # 2026-01-01
_UNITS_S = (("years", 31_557_600), ("days", 86_400), ("h", 3_600), ("min", 60))


@dataclass(frozen=True)
class Heard:
    """What comes of one request.

    Attributes:
        is_new: recent and not heard before.
        off_clock: why it is not taken though it was not heard before; else empty.
    """

    is_new: bool
    off_clock: str = ""


class Requests:
    """Remembers what was asked already.

    What is too old, or from the future, by the sender's clock is not taken, whoever's clock is
    wrong: its age is all that tells a request from what a server has kept since yesterday, and one
    of yesterday would turn the camera, or take over from the scan in hand.

    Attributes:
        off_clock: how many were not taken for their time, each counted once.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.off_clock = 0
        self._seen = _Memory()
        self._refused = _Memory()

    def hear(self, uid: str, time_ns: int, now_ns: int) -> Heard:
        """Return whether a request is news, or why its time does not let it be.

        Args:
            time_ns: when it was said, by the sender's clock.
            now_ns: by ours.
        """
        if abs(now_ns - time_ns) <= AGE_MAX_S * NS_PER_S:
            return Heard(self._seen.add(uid, time_ns))
        if not self._refused.add(uid, time_ns):
            return Heard(False)
        self.off_clock += 1
        return Heard(False, _off_clock(time_ns, now_ns))


class _Memory:
    """The newest of what was added."""

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[str, int], None] = OrderedDict()

    def add(self, uid: str, time_ns: int) -> bool:
        """Return whether it was not in it yet."""
        if (uid, time_ns) in self._items:
            return False
        self._items[uid, time_ns] = None
        if len(self._items) > _REMEMBERED_MAX:
            self._items.popitem(last=False)
        return True


def _off_clock(time_ns: int, now_ns: int) -> str:
    apart = _in_words(abs(now_ns - time_ns) / NS_PER_S)
    if time_ns > now_ns:
        said = f"its sender's clock is {apart} ahead of ours, allowed is {AGE_MAX_S} s"
    else:
        said = (
            f"it was said {apart} ago by its sender's clock, allowed is {AGE_MAX_S} s: a server "
            "tells it again, or that clock is behind"
        )
    if now_ns < _MADE_NS:
        behind = _in_words((_MADE_NS - now_ns) / NS_PER_S)
        said += f"; ours was never set, it is {behind} before this software was made: set it"
    return said


def _in_words(apart_s: float) -> str:
    for unit, length_s in _UNITS_S:
        if apart_s >= 2 * length_s:
            return f"{apart_s / length_s:.0f} {unit}"
    return f"{apart_s:.0f} s"
