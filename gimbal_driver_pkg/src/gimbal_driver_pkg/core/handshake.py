"""What is asked of a gimbal after connecting, and what is asked for ever. Pure.

Answers get lost and a booting gimbal answers nothing, so every question is asked until it is
answered; nothing waits for another answer.
"""

from __future__ import annotations

import math

from gimbal_driver_pkg.protocol.codec import Traits
from gimbal_driver_pkg.protocol.messages import Ask, Command, KeepAlive, Query

_FIRST_PERIOD_S, _FIRST_TRIES = 0.3, 3
_PERIOD_S = 1.0
_FOREVER_S = {Query.CONFIG: 1.0, Query.ZOOM: 0.5, Query.CONTROL: 2.0}
"""Things that others may change, or that the gimbal does by itself."""


class Handshake:
    """Decides when to ask what."""

    def __init__(self, traits: Traits) -> None:
        """Start silent, until `restart`."""
        self._questions = traits.questions
        self._keep_alive_s = traits.keep_alive_s
        self._due_s: dict[Query, float] = {}
        self._tries: dict[Query, int] = {}
        self._keep_alive_due_s = math.inf
        self._started_s = math.inf

    def restart(self, now_s: float) -> None:
        """Begin on a new line."""
        self._due_s = dict.fromkeys(self._questions, now_s)
        self._tries = dict.fromkeys(self._questions, 0)
        self._keep_alive_due_s = now_s if self._keep_alive_s else math.inf
        self._started_s = now_s

    def pause(self) -> None:
        """Ask nothing: there is no line."""
        self._due_s = {}
        self._keep_alive_due_s = math.inf

    def answered(self, query: Query, now_s: float) -> None:
        """Take notice of an answer."""
        if query in self._due_s:
            self._due_s[query] = now_s + _FOREVER_S.get(query, math.inf)

    def ask_now(self, query: Query, now_s: float) -> None:
        """Ask as soon as possible, if the protocol knows the question."""
        if query in self._due_s:
            self._due_s[query] = now_s

    def keep_alive_due_s(self) -> float:
        """Return when `keep_alive` has something to say next; infinity for never."""
        return self._keep_alive_due_s

    def keep_alive(self, now_s: float) -> list[Command]:
        """Return what says that somebody is there, if it is time."""
        if now_s < self._keep_alive_due_s:
            return []
        self._keep_alive_due_s = now_s + self._keep_alive_s
        return [KeepAlive()]

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        return min(self._keep_alive_due_s, *self._due_s.values(), math.inf)

    def commands(self, now_s: float) -> list[Command]:
        """Return what has to be asked now."""
        commands = self.keep_alive(now_s)
        for query, due_s in self._due_s.items():
            if now_s >= due_s:
                self._tries[query] += 1
                is_new = self._tries[query] <= _FIRST_TRIES
                self._due_s[query] = now_s + (_FIRST_PERIOD_S if is_new else _PERIOD_S)
                commands.append(Ask(query))
        return commands
