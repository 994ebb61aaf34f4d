"""Times in messages are pairs of numbers; inside they are one: nanoseconds since the epoch."""

from __future__ import annotations

from typing import Any

NS_PER_S = 1_000_000_000


def from_time(time: Any) -> int:
    """Return a message of type builtin_interfaces/Time as nanoseconds since the epoch."""
    return int(time.sec) * NS_PER_S + int(time.nanosec)
