"""Which of two datagrams was sent later: on UDP one may overtake another. Pure."""

from __future__ import annotations

from collections.abc import Hashable

_LATE_S = 0.5
"""[s] No datagram is overtaken for longer; a number that is less after that long began anew."""


class ArrivalOrder:
    """Tells the late from the newest by a number that the sender counts up, modulo some power of 2.

    A number that is not counted up (always 0, at random) must not silence its sender: equal numbers
    are in order, and so is one far behind.
    """

    def __init__(self, modulus: int, window: int) -> None:
        """Take the numbers' modulus, and how far behind the newest a late one can be."""
        self._modulus = modulus
        self._window = window
        self._newest: dict[Hashable, tuple[int, float]] = {}

    def is_late(self, stream: Hashable, number: int, now_s: float) -> bool:
        """Take the number of what came at `now_s`; tell whether a later one of the stream did."""
        newest = self._newest.get(stream)
        if newest is not None:
            behind = (newest[0] - number) % self._modulus
            if 0 < behind <= self._window and now_s - newest[1] <= _LATE_S:
                return True
        self._newest[stream] = number, now_s
        return False

    def reset(self) -> None:
        """Begin anew: what comes next is another conversation."""
        self._newest.clear()
