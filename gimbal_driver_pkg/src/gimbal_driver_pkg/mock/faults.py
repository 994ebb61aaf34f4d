"""The ways in which lines and gimbals fail, to be switched on in a mock. Pure; own dice."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gimbal_driver_pkg.errors import InvalidValueError
from ros_support_pkg.core.ranges import check_range

_SPLIT_GAP_S = 0.002


@dataclass(frozen=True)
class InjectedFaults:
    """What is wrong now. All off by default; probabilities are 0..1."""

    noise: float = 0.0
    """Probability that a bit is flipped, both ways."""
    drop: float = 0.0
    """Probability that a byte is lost, both ways."""
    bad_length: float = 0.0
    """Probability that a reply has a wrong length and a right checksum."""
    bad_checksum: float = 0.0
    """Probability that a reply has a wrong checksum."""
    split: bool = False
    """Replies leave in pieces, cut anywhere."""
    delay_s: float = 0.0
    """[s] Replies leave that much later."""
    freeze: bool = False
    """It neither moves nor answers."""
    half_open: bool = False
    """It moves, but the line is dead: nothing is read, nothing is sent."""

    def __post_init__(self) -> None:
        for name in ("noise", "drop", "bad_length", "bad_checksum"):
            check_range(name, getattr(self, name), 0.0, 1.0, error=InvalidValueError)
        check_range("delay_s", self.delay_s, 0.0, 60.0, unit="s", error=InvalidValueError)

    @property
    def is_silent(self) -> bool:
        """Whether nothing comes back."""
        return self.freeze or self.half_open

    def changed(self, changes: Mapping[str, Any]) -> InjectedFaults:
        """Return these faults with `changes`.

        Raises:
            InvalidValueError: a fault that does not exist, or a value of another type.
        """
        types = {field.name: type(field.default) for field in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in types:
                raise InvalidValueError(f"fault {name!r}, allowed are {', '.join(types)}")
            is_number = types[name] is float and isinstance(value, (int, float))
            if not (isinstance(value, types[name]) or (is_number and not isinstance(value, bool))):
                raise InvalidValueError(f"{name}: {value!r}, allowed is a {types[name].__name__}")
            checked[name] = value
        return replace(self, **checked)


class FaultyLine:
    """What one connection does to the bytes that pass, each way."""

    def __init__(self, seed: int) -> None:
        """Start with all faults off; equal seeds give equal damage."""
        self._dice = random.Random(seed)
        self.intact_frames = 0
        """Frames that left whole."""

    def send(self, frames: Iterable[bytes], faults: InjectedFaults) -> list[tuple[float, bytes]]:
        """Return (seconds from now, bytes) for replies that leave now."""
        stream = b""
        for frame in frames:
            damaged = self._damage(frame, faults)
            self.intact_frames += damaged == frame
            stream += damaged
        if faults.is_silent or not stream:
            return []
        if not faults.split:
            return [(faults.delay_s, stream)]
        edges = sorted({0, len(stream), *(self._dice.randrange(len(stream)) for _ in range(3))})
        pieces = [stream[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        return [(faults.delay_s + i * _SPLIT_GAP_S, piece) for i, piece in enumerate(pieces)]

    def receive(self, data: bytes, faults: InjectedFaults) -> bytes:
        """Return what arrives of the bytes that were sent to the gimbal."""
        return b"" if faults.is_silent else self._damage(data, faults)

    def roll(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return probability > 0 and self._dice.random() < probability

    def cut_length(self, size: int) -> int:
        """Return a wrong length for `size` bytes of data: shorter or longer by a few."""
        change = self._dice.choice([-6, -2, -1, 1, 2, 4])
        return size + change if size + change > 0 else size + abs(change)

    def _damage(self, data: bytes, faults: InjectedFaults) -> bytes:
        if not (faults.noise or faults.drop):
            return data
        kept = (byte for byte in data if not self.roll(faults.drop))
        return bytes(byte ^ self._flips(faults.noise) for byte in kept)

    def _flips(self, probability: float) -> int:
        return sum(1 << bit for bit in range(8) if self.roll(probability))
