"""Who holds control: one viewer at a time, who takes it and gives it before all eyes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Party:
    """Somebody whose page is open.

    Attributes:
        id: secret that the page shows with its requests.
        name: what others see.
    """

    id: str
    name: str


class ControlHeldError(Exception):
    """Control is not with who asked; the message says with whom it is."""


class Operators:
    """The pages that are open, and which of them holds control."""

    def __init__(self) -> None:
        """Begin with nobody there."""
        self._parties: dict[str, Party] = {}
        self._operator: Party | None = None

    @property
    def operator(self) -> Party | None:
        """Who holds control."""
        return self._operator

    def enter(self, party: Party) -> None:
        """Add a page that was opened."""
        self._parties[party.id] = party

    def leave(self, party: Party) -> None:
        """Remove a page that is gone; control goes with it."""
        self._parties.pop(party.id, None)
        if self._operator == party:
            self._operator = None

    def take_control(self, party_id: str, *, is_forced: bool = False) -> None:
        """Give control to an open page.

        Raises:
            ControlHeldError: somebody else holds it and it was not forced, or the page is not open.
        """
        party = self._parties.get(party_id)
        if party is None:
            raise ControlHeldError("control is for who has the live connection open")
        if self._operator not in (None, party) and not is_forced:
            raise ControlHeldError(f"{self._operator.name} holds control")
        self._operator = party

    def give(self, party_id: str) -> None:
        """Give control back; without effect for who does not hold it."""
        if self.holds(party_id):
            self._operator = None

    def holds(self, party_id: str) -> bool:
        """Return whether this page holds control."""
        return self._operator is not None and self._operator.id == party_id

    def check(self, party_id: str) -> None:
        """Refuse who does not hold control.

        Raises:
            ControlHeldError: it is with somebody else or with nobody.
        """
        if self.holds(party_id):
            return
        holder = "nobody" if self._operator is None else self._operator.name
        raise ControlHeldError(f"{holder} holds control: take it first")
