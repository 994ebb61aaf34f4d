"""The driver's side of a protocol: neutral commands to frames, bytes to neutral events."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, field

from gimbal_driver_pkg.protocol.framing import Counters
from gimbal_driver_pkg.protocol.messages import Command, Event, Query


@dataclass(frozen=True)
class Traits:
    """How a driver must treat the protocol.

    Attributes:
        questions: what to ask after connecting, again and again until it is answered.
        streams: attitude may come by itself after StreamAttitude.
        poll_hz: greatest rate of asking for attitude.
        keep_alive_s: period of KeepAlive; 0 for none.
        rate_repeat_s: a rate in force is sent again that often, though it did not change.
        angle_repeat_s: an angle not reached is sent again that often.
        acknowledged: commands that the gimbal answers; some models are silent all the same.
    """

    questions: tuple[Query, ...]
    streams: bool
    poll_hz: float
    keep_alive_s: float
    rate_repeat_s: float
    angle_repeat_s: float
    acknowledged: frozenset[type] = field(default_factory=frozenset)


class Codec(ABC):
    """Pure: no clock, no I/O. Bytes never make it raise."""

    traits: Traits

    @abstractmethod
    def feed(self, data: bytes, now_s: float) -> list[Event]:
        """Take bytes read at `now_s` and return what they tell, in order."""

    @abstractmethod
    def encode(self, command: Command) -> bytes:
        """Return the one frame of a command.

        Raises:
            UnsupportedError: this protocol has no such command.
            InvalidValueError: a value does not fit the wire.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget unfinished frames: the next bytes come over a new connection."""

    @property
    @abstractmethod
    def counters(self) -> Counters:
        """What went through since the start."""

    def ready_s(self) -> float:
        """Return when it is known who the gimbal is: -inf already, inf it cannot be said yet.

        Until then nobody may be commanded; KeepAlive may be said.
        """
        return -math.inf

    @property
    def addressee(self) -> Hashable:
        """Whom commands are for now: an earlier frame is not for him where this is another."""
        return None

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the conversation, a line each."""
        return ()
