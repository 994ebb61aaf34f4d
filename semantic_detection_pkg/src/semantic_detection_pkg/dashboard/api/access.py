"""Who may look and who may control: a token, and sessions that it opens.

A session is a cookie, for pages; programs send `Authorization: Bearer TOKEN` with every request.
Without a token the server listens on this machine only, and whoever is on it may control. An
address that guesses waits longer and longer; sessions that are open are let in all the same, so
that who holds one can stop the gimbal while somebody guesses.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import math
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import HTTPConnection

from semantic_detection_pkg.dashboard.api.settings import DashboardSettings
from semantic_detection_pkg.dashboard.core.guesses import GuessLimiter

_SESSIONS_MAX = 64
_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
_QUERY_BYTES_MAX = 2000


class TooManyGuessesError(Exception):
    """An address has to wait before its next guess is looked at."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"too many wrong tokens from this address: wait {self.wait_s} s")


class Access:
    """Rights by token and session. Used on the event loop only."""

    def __init__(self, settings: DashboardSettings) -> None:
        """Begin with no session open."""
        self._tokens = _spellings(settings.token)
        self._is_viewing_open = settings.is_viewing_open
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._guesses = GuessLimiter()
        #: Cookies are shared by all ports of a host: the name tells two dashboards apart.
        self.cookie = f"dashboard_{settings.port}"

    @property
    def needs_token(self) -> bool:
        """Whether control needs a token."""
        return bool(self._tokens)

    @property
    def is_viewing_open(self) -> bool:
        """Whether looking needs nothing."""
        return self._is_viewing_open or not self._tokens

    def open_session(self, token: str, address: str) -> str | None:
        """Return a new session's secret, or None if the token is wrong. The oldest of many ends.

        Raises:
            TooManyGuessesError: the address has guessed too often.
        """
        if not self._is_token(_normalised(token), address):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[session] = None
        while len(self._sessions) > _SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session

    def close_session(self, cookies: Mapping[str, str]) -> None:
        """End the session of these cookies, if there is one."""
        self._sessions.pop(cookies.get(self.cookie, ""), None)

    def may_control(self, request: HTTPConnection) -> bool:
        """Return whether a request may control.

        Raises:
            TooManyGuessesError: it brings what is no session, and its address has guessed too
                often.
        """
        session = request.cookies.get(self.cookie, "")
        if not self._tokens or session in self._sessions:
            return True
        address = address_of(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            # Headers are bytes, which the framework reads as Latin-1.
            return self._is_token(token.encode("latin-1").strip(), address)
        for guess in (session, _query_token(request)):  # ways in which no token is taken
            if guess:
                self._refuse(guess.encode("utf-8", "surrogatepass"), address)
        return False

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from our own page or from no page at all.

        A browser names the page's origin; another page's is foreign. Without a token the host must
        be this machine's, too: else a foreign name that resolves to it would be let in.
        """
        host = headers.get("host", "")
        if not self._tokens and _host_name(host) not in _LOCAL_NAMES:
            return False
        origin = headers.get("origin")
        return origin is None or (bool(host) and origin.partition("://")[2] == host)

    def _is_token(self, given: bytes, address: str) -> bool:
        """Compare, unless the address must wait."""
        wait_s = self._guesses.wait_s(address, time.monotonic())
        if wait_s > 0.0:
            raise TooManyGuessesError(wait_s)
        # All spellings are compared, whichever is right: the time tells nothing.
        matches = [hmac.compare_digest(given, one) for one in self._tokens]
        if any(matches):
            return True
        self._refuse(given, address)
        return False

    def _refuse(self, guess: bytes, address: str) -> None:
        """Count a wrong guess, unless it is one of before; the address may have to wait for it."""
        digest = hashlib.sha256(guess).digest()
        if self._guesses.is_known(address, digest):
            return
        now_s = time.monotonic()
        wait_s = self._guesses.wait_s(address, now_s)
        if wait_s > 0.0:
            raise TooManyGuessesError(wait_s)
        self._guesses.add_wrong(address, digest, now_s)


def address_of(request: HTTPConnection) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else "?"


def _spellings(token: str) -> tuple[bytes, ...]:
    """Return the bytes that clients send for a token: UTF-8, and Latin-1 in headers."""
    if not token:
        return ()
    found = [_normalised(token)]
    with contextlib.suppress(UnicodeError):  # it has letters that Latin-1 has not
        found.append(found[0].decode().encode("latin-1"))
    return tuple(dict.fromkeys(found))


def _normalised(token: str) -> bytes:
    """Return a token as RFC 8265 compares passwords, in NFC; a lone surrogate equals nothing."""
    return unicodedata.normalize("NFC", token.strip()).encode("utf-8", "surrogatepass")


def _query_token(request: HTTPConnection) -> str:
    query = request.scope.get("query_string", b"")[:_QUERY_BYTES_MAX]
    return parse_qs(query.decode("latin-1")).get("token", [""])[0]


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # brackets that do not fit
        return None
