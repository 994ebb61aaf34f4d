"""How soon commands leave, and how soon the gimbal is seen to move after. Pure.

The last stages of a frame: `commanded`, when the first command after it was handed to the line, and
`moved`. That is only seen where it stood before: by the first published reading from which on it
has turned, by anybody's command, an operator's too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gimbal_driver_pkg.protocol.messages import Attitude
from ros_support_pkg.core.latency import CAPTURE_TO_COMMAND, OVERHEAD, LatencyLedger
from ros_support_pkg.core.stamps import NS_PER_S

_TURNED_RAD = math.radians(0.3)  # above the readings' resolution, 0.1 degree
_REST_S = 0.3  # so long without having turned is standing
_REACTION_MAX_S = 2.0  # a motion that begins later has another cause


@dataclass(frozen=True)
class FrameStamps:
    """When a frame passed the stages before the command [ns], steady clock; 0: not known."""

    captured_ns: int = 0
    inference_ns: int = 0
    decided_ns: int = 0


class CommandLatency:
    """Follows the newest command until it left, and the first from rest until it moved.

    `ledger` has the figures. Times of readings are in seconds of the same clock.
    """

    def __init__(self) -> None:
        """Begin without a command and without a reading."""
        self.ledger = LatencyLedger(("commanded", "moved", CAPTURE_TO_COMMAND, OVERHEAD))
        self._waiting: tuple[FrameStamps, bool] | None = None
        self._still: Attitude | None = None  # the reading since which it has not turned
        self._newest_s = -math.inf
        self._starting: tuple[int, Attitude] | None = None

    def command(self, stamps: FrameStamps, *, is_motion: bool) -> None:
        """Note a new command, which may still wait to leave; it replaces one that waits.

        Args:
            is_motion: it asks the gimbal to turn; else it asks it to stand.
        """
        self._waiting = (stamps, is_motion)
        if not is_motion:
            self._starting = None

    def left(self, at_ns: int) -> None:
        """Note that the command was handed to the line, or found in force already."""
        if self._waiting is None:
            return
        (stamps, is_motion), self._waiting = self._waiting, None
        self.ledger.add("commanded", stamps.decided_ns, at_ns)
        if stamps.decided_ns and stamps.captured_ns:
            self.ledger.add(CAPTURE_TO_COMMAND, stamps.captured_ns, at_ns)
            self.ledger.add(OVERHEAD, stamps.captured_ns + stamps.inference_ns, at_ns)
        if is_motion and self._starting is None and self._is_at_rest and self._still is not None:
            self._starting = (at_ns, self._still)

    def see(self, attitude: Attitude) -> None:
        """Take a published reading; the same one may come again."""
        if attitude.stamp_s <= self._newest_s:
            return
        self._newest_s = attitude.stamp_s
        if self._starting is not None:
            self._look_for_motion(attitude, *self._starting)
        if self._still is None or _angle_rad(attitude, self._still) >= _TURNED_RAD:
            self._still = attitude

    @property
    def _is_at_rest(self) -> bool:
        return self._still is not None and self._newest_s - self._still.stamp_s >= _REST_S

    def _look_for_motion(self, attitude: Attitude, since_ns: int, before: Attitude) -> None:
        at_ns = round(attitude.stamp_s * NS_PER_S)
        if at_ns - since_ns > _REACTION_MAX_S * NS_PER_S:
            self._starting = None
        elif at_ns > since_ns and _angle_rad(attitude, before) >= _TURNED_RAD:
            self._starting = None
            self.ledger.add("moved", since_ns, at_ns)


def _angle_rad(one: Attitude, other: Attitude) -> float:
    """Return by how much yaw and pitch differ."""
    return math.hypot(
        math.remainder(one.yaw_rad - other.yaw_rad, math.tau), one.pitch_rad - other.pitch_rad
    )
