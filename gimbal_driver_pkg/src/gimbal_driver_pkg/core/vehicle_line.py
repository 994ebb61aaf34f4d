"""A line to an autopilot alone: what to say on it, and when, to hear where the vehicle is. Pure.

As `core.driver`, for `links.driver_runner`, but there is nothing here that moves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable

from gimbal_driver_pkg.core.vehicle_watch import VehicleWatch
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec
from gimbal_driver_pkg.protocol.messages import KeepAlive

_SILENCE_S = 5.0
"""[s] Autopilots are heard once a second at least."""
_FIRST_SILENCE_S = 10.0


class VehicleLine:
    """Asks one autopilot, and listens."""

    def __init__(self, codec: MavlinkCodec, watch: VehicleWatch) -> None:
        """Let `watch` take what `codec` reads."""
        self.watch = watch
        self._codec = codec
        self._frames: list[bytes] = []
        self._opened_s = self._heard_s = -math.inf
        self._keep_alive_due_s = math.inf

    def opened(self, now_s: float) -> None:
        """Begin on a new line."""
        self._codec.reset()
        self._frames.clear()
        self._opened_s, self._heard_s = now_s, -math.inf
        self._keep_alive_due_s = now_s
        self.watch.restart(now_s)
        self.tick(now_s)

    def closed(self) -> None:
        """Note that the line is lost."""
        self._frames.clear()
        self._keep_alive_due_s = math.inf
        self.watch.pause()

    def receive(self, data: bytes, now_s: float) -> None:
        """Take bytes read at `now_s`."""
        frames = self._codec.counters.frames
        for event in self._codec.feed(data, now_s):
            self.watch.take(event)
        if self._codec.counters.frames > frames:
            self._heard_s = now_s
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        if now_s >= self._keep_alive_due_s:
            self._keep_alive_due_s = now_s + self._codec.traits.keep_alive_s
            self._frames.append(self._codec.encode(KeepAlive()))
        if self._is_vehicle_known(now_s):
            self._frames += map(self._codec.encode, self.watch.commands(now_s))

    def due_s(self) -> float:
        """Return when `tick` must run next; infinity while there is no line."""
        if self._keep_alive_due_s == math.inf:
            return math.inf
        ready_s = self._codec.ready_s()
        return min(self._keep_alive_due_s, max(ready_s, self.watch.due_s()))

    def take_frames(self) -> list[bytes]:
        """Return what has to leave now, a frame each, in order."""
        frames, self._frames = self._frames, []
        return frames

    def is_silent(self, now_s: float) -> bool:
        """Tell whether the line is dead though open."""
        if self.has_heard:
            return now_s - self._heard_s > _SILENCE_S
        return now_s - self._opened_s > _FIRST_SILENCE_S

    @property
    def has_heard(self) -> bool:
        """Whether an intact frame has come over this line."""
        return self._heard_s >= self._opened_s

    def problems(self, now_s: float) -> tuple[str, ...]:
        """Return what is wrong, a line each."""
        return (*self._codec.vehicle_problems(), *self.watch.problems(now_s))

    def figures(self, now_s: float) -> dict[str, object]:
        """Return ages and what was counted since the start."""
        return {**dataclasses.asdict(self._codec.counters), **self.watch.figures(now_s)}

    # --- nothing moves -------------------------------------------------------------------------

    @property
    def is_moving(self) -> bool:
        """Whether something moves because of us."""
        return False

    @property
    def stop_frame(self) -> bytes:
        """What stops it."""
        return b""

    @property
    def addressee(self) -> Hashable:
        """Whom `stop_frame` is for."""
        return None

    def stop(self, now_s: float) -> None:
        """Stop what moves."""

    def interrupted(self, now_s: float) -> None:
        """Say again what moves."""

    def _is_vehicle_known(self, now_s: float) -> bool:
        return now_s >= self._codec.ready_s()
