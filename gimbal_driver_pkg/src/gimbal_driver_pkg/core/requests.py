"""Commands whose outcome somebody waits for. Pure.

Acknowledgements are matched by command, not by sequence number: gimbals do not echo it. A command
is repeated until it is judged; one that must not be repeated (a toggle) has one try.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from gimbal_driver_pkg.protocol.messages import Command, Event

SuccessCheck = Callable[[Event], bool | None]
"""Tells from an event whether a command succeeded; None: the event says nothing about it."""


@dataclass(frozen=True)
class CommandOutcome:
    """How it ended, with the reason in one line."""

    is_ok: bool
    message: str


@dataclass
class Ticket:
    """A command on its way."""

    what: str
    outcome: CommandOutcome | None = None
    listeners: list[Callable[[CommandOutcome], None]] = field(default_factory=list)

    def when_done(self, listener: Callable[[CommandOutcome], None]) -> None:
        """Call `listener` with the outcome, at once if there is one already."""
        if self.outcome is not None:
            listener(self.outcome)
        else:
            self.listeners.append(listener)

    def settle(self, is_ok: bool, message: str) -> None:
        """End it; a second end changes nothing."""
        if self.outcome is None:
            self.outcome = CommandOutcome(is_ok, message)
            for listener in self.listeners:
                listener(self.outcome)


@dataclass
class _Pending:
    ticket: Ticket
    command: Command
    check: SuccessCheck
    tries_left: int
    period_s: float
    due_s: float


class PendingCommands:
    """All commands on their way, at most one of a kind."""

    def __init__(self) -> None:
        """Start empty."""
        self.unanswered = 0
        """Commands that ended without an answer."""
        self._pending: dict[type, _Pending] = {}

    def submit(
        self,
        what: str,
        command: Command,
        check: SuccessCheck,
        now_s: float,
        tries: int = 3,
        period_s: float = 0.3,
    ) -> Ticket:
        """Send `command` at the next `commands`, up to `tries` times, one every `period_s`.

        A command of the same kind that is still on its way is given up.
        """
        ticket = Ticket(what)
        older = self._pending.pop(type(command), None)
        if older:
            older.ticket.settle(False, f"{older.ticket.what}: replaced by a newer command")
        pending = _Pending(ticket, command, check, tries, period_s, now_s)
        self._pending[type(command)] = pending
        return ticket

    def settle_by(self, event: Event) -> None:
        """Settle what is pending by an event."""
        for kind, pending in list(self._pending.items()):
            verdict = pending.check(event)
            if verdict is not None:
                del self._pending[kind]
                result = "done" if verdict else "refused by the gimbal"
                pending.ticket.settle(verdict, f"{pending.ticket.what}: {result}")

    def fail_all(self, reason: str) -> None:
        """Give up everything."""
        pending, self._pending = self._pending, {}
        for one in pending.values():
            one.ticket.settle(False, f"{one.ticket.what}: {reason}")

    def due_s(self) -> float:
        """Return when `commands` has something to do next; infinity for nothing."""
        return min((p.due_s for p in self._pending.values()), default=math.inf)

    def commands(self, now_s: float) -> list[Command]:
        """Return what has to leave now; give up what has had all its tries."""
        commands = []
        for kind, pending in list(self._pending.items()):
            if now_s < pending.due_s:
                continue
            if pending.tries_left == 0:
                del self._pending[kind]
                self.unanswered += 1
                pending.ticket.settle(False, f"{pending.ticket.what}: no answer from the gimbal")
                continue
            pending.tries_left -= 1
            pending.due_s = now_s + pending.period_s
            commands.append(pending.command)
        return commands
