"""Where attitude comes from: pushed if the gimbal can, else polled. Pure.

Makers and users disagree on which models push, so it is found out: pushing is asked for and renewed
while polling goes on; when clearly more readings come than were asked for, polling ends; when
pushes fail to come, it begins again.
"""

from __future__ import annotations

import math

from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.protocol.codec import Traits
from gimbal_driver_pkg.protocol.messages import Ask, Command, Query, StreamAttitude

_SURPLUS = 4
"""Readings more than were asked for that prove a stream."""

_GREATEST_DEBT = -20
"""Answers that are late: they will come, and prove nothing."""


class AttitudeSource:
    """Decides when to ask."""

    def __init__(self, traits: Traits, settings: DriverSettings) -> None:
        """Start silent, until `restart`."""
        self.is_streaming = False
        self._poll_s = 1 / min(settings.attitude_hz, traits.poll_hz)
        self._wants_stream = traits.streams and settings.use_stream
        self._settings = settings
        self._poll_due_s = self._renew_due_s = math.inf
        self._heard_at_s = -math.inf
        self._surplus = 0

    def restart(self, now_s: float) -> None:
        """Begin on a new line."""
        self.is_streaming = False
        self._surplus = 0
        self._poll_due_s = now_s
        self._renew_due_s = now_s if self._wants_stream else math.inf

    def pause(self) -> None:
        """Ask for nothing: there is no line."""
        self._poll_due_s = self._renew_due_s = math.inf

    def heard(self, now_s: float) -> None:
        """Take notice of a reading."""
        self._heard_at_s = now_s
        self._surplus += 1
        if not self.is_streaming and self._surplus >= _SURPLUS:
            self.is_streaming = True
        if self.is_streaming:
            self._poll_due_s = now_s + self._settings.stream_timeout_s

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        return min(self._poll_due_s, self._renew_due_s)

    def commands(self, now_s: float) -> list[Command]:
        """Return what has to be asked now."""
        commands: list[Command] = []
        if now_s >= self._renew_due_s:
            self._renew_due_s = now_s + self._settings.stream_renew_period_s
            commands.append(StreamAttitude(self._settings.attitude_hz))
        if now_s >= self._poll_due_s:
            if self.is_streaming:
                self.is_streaming, self._surplus = False, 0
            self._surplus = max(_GREATEST_DEBT, self._surplus - 1)
            self._poll_due_s = max(self._poll_due_s + self._poll_s, now_s + self._poll_s / 2)
            commands.append(Ask(Query.ATTITUDE))
        return commands
