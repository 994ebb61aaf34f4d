"""From a stream of bytes to checked frames, for any format with header, length and checksum.

    rubbish | header .. length .. body .. checksum | rubbish | header ..
              ^ search                             ^ goes on here after a good frame
                ^ goes on here after a bad one: one byte further, nothing is thrown away unread

A frame that fails its check may have swallowed good frames (its length was hit): only its first
byte is dropped. Nothing but the order of the bytes decides, so any chunking gives the same frames.
The buffer holds at most one frame that is still incomplete and, where an intact one may hide the
beginning of another, that one, too: fewer than 2 x `max_size` bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

STALE_S = 0.5
"""[s] After such a pause an unfinished frame will not be finished: what it hides is searched."""


class WireFormat:
    """What the deframer must know of a format. One instance serves any number of streams."""

    header: bytes
    """Constant first bytes of every frame."""
    prefix_size: int
    """Bytes from the header on that must be there before `size_of` may be asked."""
    max_size: int
    """Bytes of the longest frame."""

    def size_of(self, buffer: bytes, start: int) -> int:
        """Return the size in bytes of the frame at `start`; 0 if no frame can look like that."""
        raise NotImplementedError

    def is_intact(self, frame: bytes) -> bool:
        """Tell whether the checksum of a frame of the right size holds."""
        raise NotImplementedError

    def is_certain(self, frame: bytes) -> bool:  # noqa: ARG002
        """Tell whether an intact frame cannot be an accident.

        A weak checksum holds by chance over a wrong length or a cut frame and would swallow the
        frame behind; so a frame that is not certain is believed only if it hides no intact one.
        """
        return True


@dataclass
class Counters:
    """What went through a deframer since its start."""

    received_bytes: int = 0
    skipped_bytes: int = 0
    frames: int = 0
    bad_frames: int = 0
    late_frames: int = 0
    """Intact, but overtaken by a later one."""
    foreign_frames: int = 0
    """Intact, but of others, or for others."""


class Deframer:
    """Cuts a stream into frames. Pure: no clock, no I/O; bytes never make it raise."""

    def __init__(self, wire: WireFormat, stale_s: float = STALE_S) -> None:
        self.counters = Counters()
        self._wire = wire
        self._stale_s = stale_s
        self._pending = b""
        self._fed_at_s = 0.0

    @property
    def pending_bytes(self) -> int:
        """Bytes held back because they may become a frame."""
        return len(self._pending)

    def feed(self, data: bytes, now_s: float = 0.0) -> list[bytes]:
        """Take what was read at `now_s` and return the frames that are complete now, in order."""
        frames: list[bytes] = []
        if self._pending and now_s - self._fed_at_s > self._stale_s:
            frames = self.flush()
        if data:
            self._fed_at_s = now_s
            self.counters.received_bytes += len(data)
            frames += self._cut(self._pending + data, is_last=False)
        return frames

    def flush(self) -> list[bytes]:
        """Give up the unfinished frame and return the frames that it hid: the stream has ended."""
        return self._cut(self._pending, is_last=True)

    def reset(self) -> None:
        """Forget the unfinished frame: what comes next is another stream."""
        self.counters.skipped_bytes += len(self._pending)
        self._pending = b""

    def _cut(self, buffer: bytes, is_last: bool) -> list[bytes]:
        wire = self._wire
        find, size_of, is_intact, is_certain = (
            buffer.find,
            wire.size_of,
            wire.is_intact,
            wire.is_certain,
        )
        header, prefix_size, total = wire.header, wire.prefix_size, len(buffer)
        frames: list[bytes] = []
        framed_bytes = 0
        at = 0
        while True:
            start = find(header, at)
            if start < 0:
                at = total if is_last else total - _open_header(buffer, at, header)
                break
            size = size_of(buffer, start) if start + prefix_size <= total else prefix_size
            end = start + size
            if end > total:
                if not is_last:
                    at = start
                    break
            elif size:
                frame = buffer[start:end]
                if is_intact(frame):
                    hides = not is_certain(frame) and self._hides_frame(buffer, start, end, is_last)
                    if hides is None:
                        at = start
                        break
                    if not hides:
                        frames.append(frame)
                        framed_bytes += size
                        at = end
                        continue
                self.counters.bad_frames += 1
            at = start + 1
        self._account(buffer, at, frames, framed_bytes)
        return frames

    def _account(self, buffer: bytes, used: int, frames: list[bytes], framed_bytes: int) -> None:
        self._pending = buffer[used:]
        self.counters.frames += len(frames)
        self.counters.skipped_bytes += used - framed_bytes

    def _hides_frame(self, buffer: bytes, start: int, end: int, is_last: bool) -> bool | None:
        """Tell whether an intact frame begins in buffer[start:end]; None: more bytes will tell."""
        wire, total = self._wire, len(buffer)
        reach = end + len(wire.header) - 1
        inner = buffer.find(wire.header, start + 1, reach)
        while inner >= 0:
            is_open = inner + wire.prefix_size > total
            size = 0 if is_open else wire.size_of(buffer, inner)
            if is_open or inner + size > total:
                if not is_last:
                    return None
            elif size and wire.is_intact(buffer[inner : inner + size]):
                return True
            inner = buffer.find(wire.header, inner + 1, reach)
        may_begin = not is_last and reach > total and _open_header(buffer, start + 1, wire.header)
        return None if may_begin else False


def _open_header(buffer: bytes, start: int, header: bytes) -> int:
    """Return how many of the last bytes of buffer[start:] are the beginning of a header."""
    for size in range(min(len(header) - 1, len(buffer) - start), 0, -1):
        if buffer.endswith(header[:size]):
            return size
    return 0
