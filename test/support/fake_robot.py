"""A robot without ROS: remembers what it was asked and answers as its switches say."""

from __future__ import annotations

from collections.abc import Callable

from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome, Turn


class FakeRobot:
    """A `Robot` for tests of the server.

    Attributes:
        outcome: what every command ends with; None: no answer comes.
        commands: those it was sent, oldest first.
        turns: rates, oldest first.
        is_watched: whether somebody looks at pictures.
        is_place_watched: whether somebody looks at a map.
        operator: who holds control, as it was told.
        is_deaf: announcements of who holds control wait, untold, until `listen`.
        unheard: those announcements, oldest first.
    """

    def __init__(self) -> None:
        """It does what it is told."""
        self.outcome: Outcome | None = Outcome(CommandStatus.DONE, "done")
        self.commands: list[Command] = []
        self.turns: list[Turn] = []
        self.is_watched = False
        self.is_place_watched = False
        self.operator = ""
        self.is_deaf = False
        self.unheard: list[tuple[str, Callable[[], None]]] = []

    def send(self, command: Command, done: Callable[[Outcome], None]) -> None:
        """Remember the command and answer."""
        self.commands.append(command)
        if self.outcome is not None:
            done(self.outcome)

    def turn(self, command: Turn) -> None:
        """Remember the rate."""
        self.turns.append(command)

    def watch_pictures(self, is_watched: bool) -> None:
        """Remember it."""
        self.is_watched = is_watched

    def watch_place(self, is_watched: bool) -> None:
        """Remember it."""
        self.is_place_watched = is_watched

    def announce_operator(self, name: str, done: Callable[[], None]) -> None:
        """Remember it, or leave it waiting."""
        self.unheard.append((name, done))
        if not self.is_deaf:
            self.listen()

    def listen(self) -> None:
        """Hear what waits, in the caller's thread, and be deaf no more."""
        self.is_deaf = False
        while self.unheard:
            self.operator, done = self.unheard.pop(0)
            done()
