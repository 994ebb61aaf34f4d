"""At which moment each message of a recording is due, where the clock of the recording may jump."""

from __future__ import annotations

from dataclasses import dataclass

_NS_PER_S = 1e9
#: Longer ones than this are skipped: of a clock that was set on, or because nothing was recorded.
GAP_S = 5.0
#: By more than this messages are not out of order: the clock was set back.
SET_BACK_S = 1.0


@dataclass(frozen=True)
class Due:
    """When a message is due.

    Attributes:
        at_s: [s] of the recording since its beginning, jumps left out.
        time_ns: [ns] what the recording's clock shows then.
        skipped_s: [s] of a jump before it, below 0 where it goes back; 0: none.
    """

    at_s: float
    time_ns: int
    skipped_s: float = 0.0


class Pace:
    """Sums up the time between messages in their order, without what jumps."""

    def __init__(self) -> None:
        self._newest_ns: int | None = None
        self._at_s = 0.0

    def take(self, received_ns: int) -> Due:
        """Return when the next message is due that was received at a time [ns]."""
        if self._newest_ns is None:
            self._newest_ns = received_ns
        passed_s = (received_ns - self._newest_ns) / _NS_PER_S
        if -SET_BACK_S <= passed_s < 0.0:
            return Due(self._at_s, self._newest_ns)
        self._newest_ns = received_ns
        if not 0.0 <= passed_s <= GAP_S:
            return Due(self._at_s, received_ns, passed_s)
        self._at_s += passed_s
        return Due(self._at_s, received_ns)


def in_words(skipped_s: float) -> str:
    """Say what is skipped."""
    if skipped_s < 0.0:
        return f"the clock of the recording was set back by {-skipped_s:.1f} s: it goes on at once"
    return f"{skipped_s:.1f} s without a message are skipped"
