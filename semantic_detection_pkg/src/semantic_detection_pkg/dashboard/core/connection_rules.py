"""Which connection goes when there are too many. Pure.

A new connection always gets in: it may be the one that stops the gimbal. So one of the same address
goes for it, one without a whole request before one that is being answered, the oldest first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

ConnectionT = TypeVar("ConnectionT", bound=Hashable)

PER_ADDRESS_MAX = 64
_TOTAL_MAX = 512
_TOTAL_LEAST = 32
_SHARE_OF_FILES = 4  # of the files that a process may have open, a quarter is for requests


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections may be open at once.

    Attributes:
        per_address: from one address.
        total: from all.
    """

    per_address: int = PER_ADDRESS_MAX
    total: int = _TOTAL_MAX

    @classmethod
    def of_files(cls, files_max: int) -> ConnectionLimits:
        """Return what fits a process that may open so many files; negative: any number."""
        share = _TOTAL_MAX if files_max < 0 else files_max // _SHARE_OF_FILES
        total = max(_TOTAL_LEAST, min(_TOTAL_MAX, share))
        return cls(min(PER_ADDRESS_MAX, total // 2), total)


class OpenConnections(Generic[ConnectionT]):
    """The connections of a server, by address, in the order in which they came."""

    def __init__(self, limits: ConnectionLimits) -> None:
        """Hold none yet."""
        self._limits = limits
        self._by_address: dict[str, OrderedDict[ConnectionT, bool]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, address: str, connection: ConnectionT) -> list[ConnectionT]:
        """Take a connection in; return those that have to go for it, which have left already."""
        mine = self._by_address.setdefault(address, OrderedDict())
        mine[connection] = False
        self._count += 1
        gone = []
        if len(mine) > self._limits.per_address:
            gone.append(self._give_up([address], connection))
        while self._count > self._limits.total:
            gone.append(self._give_up(list(self._by_address), connection))
        return gone

    def leave(self, address: str, connection: ConnectionT) -> None:
        """Forget a connection; without effect where it has left already."""
        mine = self._by_address.get(address)
        if mine is None or mine.pop(connection, None) is None:
            return
        self._count -= 1
        if not mine:
            del self._by_address[address]

    def set_busy(self, address: str, connection: ConnectionT, *, is_busy: bool) -> None:
        """Note whether a whole request of a connection is being answered."""
        mine = self._by_address.get(address)
        if mine is not None and connection in mine:
            mine[connection] = is_busy

    def _give_up(self, addresses: list[str], newest: ConnectionT) -> ConnectionT:
        """Let the oldest one without a whole request go, of the address that has most."""
        ranked = [
            (is_busy, -len(self._by_address[address]), address, one)
            for address in addresses
            for one, is_busy in self._by_address[address].items()
            if one != newest
        ]
        _, _, address, chosen = min(ranked, key=lambda entry: entry[:2])
        self.leave(address, chosen)
        return chosen
