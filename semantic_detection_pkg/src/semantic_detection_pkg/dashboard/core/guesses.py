"""How fast one address may guess the token. Pure; time is an argument.

A token bucket for each address: a few wrong guesses are free, more come back one by one. What was
guessed before and was wrong is no new guess: a browser with an old cookie, which asks again and
again, must not shut its owner out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, field

FREE_GUESSES = 5
GUESS_PERIOD_S = 10.0
_ADDRESSES_MAX = 4096  # those that guessed longest ago are forgotten first
_REMEMBERED_MAX = 16
_IPV6_NETWORK_BITS = 64  # one customer has at least that many addresses


@dataclass
class _Address:
    """What one address has left of its guesses, as of a time [s]."""

    left: float
    at_s: float
    wrong: OrderedDict[bytes, None] = field(default_factory=OrderedDict)


class GuessLimiter:
    """Counts wrong guesses by address; bounded in memory."""

    def __init__(
        self, free_guesses: int = FREE_GUESSES, guess_period_s: float = GUESS_PERIOD_S
    ) -> None:
        """Give each address `free_guesses`, and another one every `guess_period_s`."""
        self._free = float(free_guesses)
        self._period_s = guess_period_s
        self._addresses: OrderedDict[str, _Address] = OrderedDict()

    def wait_s(self, address: str, now_s: float) -> float:
        """Return how long an address has to wait for its next guess [s]; 0: not at all."""
        known = self._addresses.get(network_of(address))
        if known is None:
            return 0.0
        return max(0.0, (1.0 - self._left(known, now_s)) * self._period_s)

    def is_known(self, address: str, guess: bytes) -> bool:
        """Return whether this guess of an address was wrong before."""
        known = self._addresses.get(network_of(address))
        return known is not None and guess in known.wrong

    def add_wrong(self, address: str, guess: bytes, now_s: float) -> None:
        """Take a wrong guess, given as its digest, off what the address has left."""
        name = network_of(address)
        known = self._addresses.pop(name, None) or _Address(self._free, now_s)
        self._addresses[name] = known
        while len(self._addresses) > _ADDRESSES_MAX:
            self._addresses.popitem(last=False)
        if guess not in known.wrong:
            known.left, known.at_s = self._left(known, now_s) - 1.0, now_s
            known.wrong[guess] = None
            while len(known.wrong) > _REMEMBERED_MAX:
                known.wrong.popitem(last=False)

    def _left(self, known: _Address, now_s: float) -> float:
        return min(self._free, known.left + (now_s - known.at_s) / self._period_s)


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 its network of 64 bits."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # of a test, a Unix socket
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, _IPV6_NETWORK_BITS), strict=False))
    return str(ip)
