"""The queue between callbacks and the disk: bounded by bytes, frames give way to small messages."""

from __future__ import annotations

from collections import OrderedDict, deque

from semantic_detection_pkg.recorder.core.topics import Message

#: What a message costs in memory beside its data, so that many tiny ones are bounded, too.
_OVERHEAD_BYTES = 256


class Intake:
    """Messages in the order of their arrival.

    A frame that does not fit is dropped. A small message that does not fit takes the place of the
    newest frames waiting; without any it is dropped as well. What waits longest is never dropped.
    """

    def __init__(self, capacity_bytes: int) -> None:
        """Begin empty.

        Args:
            capacity_bytes: > 0, of all messages waiting.
        """
        if capacity_bytes <= 0:
            raise ValueError(f"the queue's capacity is {capacity_bytes}, more than 0 is allowed")
        self._capacity_bytes = capacity_bytes
        self._bytes = 0
        self._next = 0
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._frames: deque[int] = deque()

    @property
    def bytes(self) -> int:
        """Of all messages waiting, with what they cost beside their data."""
        return self._bytes

    def offer(self, message: Message, *, is_frame: bool) -> list[Message]:
        """Append a message; return those dropped because of it, itself perhaps."""
        dropped: list[Message] = []
        cost = len(message.data) + _OVERHEAD_BYTES
        while self._bytes + cost > self._capacity_bytes:
            if is_frame or not self._frames or cost > self._capacity_bytes:
                return [*dropped, message]
            newest = self._waiting.pop(self._frames.pop())
            self._bytes -= len(newest.data) + _OVERHEAD_BYTES
            dropped.append(newest)
        if is_frame:
            self._frames.append(self._next)
        self._waiting[self._next] = message
        self._next += 1
        self._bytes += cost
        return dropped

    def drain(self) -> list[Message]:
        """Return all that waits, oldest first."""
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._frames.clear()
        self._bytes = 0
        return taken
