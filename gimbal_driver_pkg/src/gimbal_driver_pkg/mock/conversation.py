"""The mock's side of a conversation: what those of all protocols have in common. Pure.

One gimbal may have several conversations at once, one per client; they share its body and camera.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gimbal_driver_pkg.mock.body import Body, Dynamics
from gimbal_driver_pkg.mock.camera import Camera
from gimbal_driver_pkg.models import RATE_MAPS, GimbalModel, RateMap
from gimbal_driver_pkg.protocol.framing import Deframer, WireFormat

if TYPE_CHECKING:
    from gimbal_driver_pkg.mock.vehicle import MockVehicle  # pymavlink takes 0.2 s to load


@dataclass
class MockGimbal:
    """One gimbal: what it is, where it is, what it does."""

    model: GimbalModel
    body: Body
    camera: Camera = field(default_factory=Camera)
    rate_map: RateMap = RATE_MAPS["measured"]
    streams: bool = True
    """Whether it pushes attitude when asked to."""
    ready_at_s: float = 0.0
    """Until then it boots."""
    boots: int = 1
    """Times it was switched on; streams do not survive a reboot."""
    sequence: int = -1
    vehicle: MockVehicle | None = None
    """Where what carries it is, in MAVLink; None: its autopilot does not say."""
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was set of things that nothing else depends on, by name."""

    @classmethod
    def create(
        cls,
        model: GimbalModel,
        now_s: float = 0.0,
        boot_s: float = 0.0,
        dynamics: Dynamics | None = None,
    ) -> MockGimbal:
        """Return a gimbal that was switched on at `now_s` and needs `boot_s` to boot."""
        body = Body(model, dynamics or Dynamics(), now_s)
        return cls(model, body, streams=model.streams, ready_at_s=now_s + boot_s)

    def is_booting(self, now_s: float) -> bool:
        """Return whether it cannot do anything yet."""
        return now_s < self.ready_at_s

    def reboot(self, now_s: float, boot_s: float) -> None:
        """Switch it off and on: motors stop, settings return to their defaults."""
        self.body.yaw.turn(0.0)
        self.body.pitch.turn(0.0)
        self.camera.is_recording = False
        self.ready_at_s = now_s + boot_s
        self.boots += 1

    def next_sequence(self) -> int:
        """Return the number of the next frame: it counts its own, over all clients."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        return self.sequence

    def hfov_rad(self) -> float:
        """Return the horizontal field of view at this zoom; 0 where it is not known."""
        if math.isnan(self.model.hfov_deg):
            return 0.0
        return 2 * math.atan(math.tan(math.radians(self.model.hfov_deg) / 2) / self.body.zoom)


class Push:
    """A message that comes by itself, `hz` times a second."""

    def __init__(self, hz: float, now_s: float) -> None:
        """Begin one period after `now_s`; `hz` > 0."""
        self.period_s = 1 / hz
        self.due_s = now_s + self.period_s

    def is_due(self, now_s: float) -> bool:
        """Tell whether it is time; if so, the next time is one period on."""
        if now_s < self.due_s:
            return False
        self.due_s = max(self.due_s + self.period_s, now_s)
        return True


class Conversation(ABC):
    """One client's conversation with the gimbal."""

    def __init__(self, gimbal: MockGimbal, wire: WireFormat, now_s: float) -> None:
        """Begin at `now_s`; `wire` is how frames look on this link."""
        self.gimbal = gimbal
        self.pushes: dict[object, Push] = self.initial_pushes(now_s)
        self._deframer = Deframer(wire)
        self._boots = gimbal.boots

    def receive(self, data: bytes, now_s: float) -> list[bytes]:
        """Take bytes from the client and return the frames that answer them."""
        self.gimbal.body.advance(now_s)
        frames = self._deframer.feed(data, now_s)
        return [reply for frame in frames for reply in self.answer(frame, now_s)]

    def push(self, now_s: float) -> list[bytes]:
        """Return the frames that come by themselves now."""
        if self._boots != self.gimbal.boots:
            self._boots = self.gimbal.boots
            self.pushes = self.initial_pushes(now_s)
        self.gimbal.body.advance(now_s)
        due = [key for key, push in self.pushes.items() if push.is_due(now_s)]
        return [frame for key in due for frame in self.pushed(key, now_s)]

    def next_push_s(self) -> float:
        """Return when `push` has something to say next; infinity while nothing is asked for."""
        return min((push.due_s for push in self.pushes.values()), default=math.inf)

    def initial_pushes(self, now_s: float) -> dict[object, Push]:  # noqa: ARG002
        """Return what comes by itself without being asked for."""
        return {}

    @abstractmethod
    def answer(self, frame: bytes, now_s: float) -> list[bytes]:
        """Do what an intact frame says and return the frames that answer it."""

    @abstractmethod
    def pushed(self, key: object, now_s: float) -> list[bytes]:
        """Return the frames of a push."""

    @abstractmethod
    def with_data_size(self, frame: bytes, size: int) -> bytes:
        """Return `frame` with its data cut or lengthened to `size` bytes and a right checksum."""

    @abstractmethod
    def data_size(self, frame: bytes) -> int:
        """Return how many bytes of data `frame` has."""
