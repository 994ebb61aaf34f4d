"""One client of the mock: its conversation, over a line that may be faulty."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gimbal_driver_pkg.mock.conversation import Conversation
from gimbal_driver_pkg.mock.faults import FaultyLine, InjectedFaults

Later = Callable[[float, Callable[[bytes], None], bytes], object]
"""Calls a function with bytes after so many seconds."""


class Peer:
    """What the server keeps of a client."""

    def __init__(
        self,
        conversation: Conversation,
        write: Callable[[bytes], None],
        later: Later,
        now_s: float,
        seed: int,
    ) -> None:
        """Answer through `write`; what is delayed leaves through `later`."""
        self.conversation = conversation
        self.line = FaultyLine(seed)
        self.heard_at_s = now_s
        self._write = write
        self._later = later

    def receive(self, data: bytes, faults: InjectedFaults, now_s: float) -> None:
        """Take bytes from the client and answer them."""
        self.heard_at_s = now_s
        arrived = self.line.receive(data, faults)
        if arrived:
            self._send(self.conversation.receive(arrived, now_s), faults)

    def push(self, faults: InjectedFaults, now_s: float) -> None:
        """Send what comes by itself now."""
        self._send(self.conversation.push(now_s), faults)

    def _send(self, frames: Iterable[bytes], faults: InjectedFaults) -> None:
        spoilt = [self._spoil(frame, faults) for frame in frames]
        for delay_s, data in self.line.send(spoilt, faults):
            if delay_s:
                self._later(delay_s, self._write, data)
            else:
                self._write(data)

    def _spoil(self, frame: bytes, faults: InjectedFaults) -> bytes:
        if self.line.roll(faults.bad_length):
            size = self.line.cut_length(self.conversation.data_size(frame))
            frame = self.conversation.with_data_size(frame, size)
        if self.line.roll(faults.bad_checksum):
            frame = frame[:-1] + bytes([frame[-1] ^ 0x5A])
        return frame
