"""Who may look and who may control: a token, and sessions that it opens.

A session is a cookie, for pages; programs send `Authorization: Bearer TOKEN` with every request.
Without a token the server listens on this machine only, and whoever is on it may control.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import urlsplit

from semantic_detection_pkg.dashboard.api.settings import DashboardSettings

_SESSIONS_MAX = 64
_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")


class Access:
    """Rights by token and session. Used on the event loop only."""

    def __init__(self, settings: DashboardSettings) -> None:
        """No session is open."""
        self._token = settings.token.encode()
        self._is_viewing_open = settings.is_viewing_open
        self._sessions: OrderedDict[str, None] = OrderedDict()
        #: Cookies are shared by all ports of a host: the name tells two dashboards apart.
        self.cookie = f"dashboard_{settings.port}"

    @property
    def needs_token(self) -> bool:
        """Whether control needs a token."""
        return bool(self._token)

    def open_session(self, token: str) -> str | None:
        """A new session's secret, or None if the token is wrong. The oldest of many ends."""
        if not self._is_token(token):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[session] = None
        while len(self._sessions) > _SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session

    def close_session(self, cookies: Mapping[str, str]) -> None:
        """End the session of these cookies, if there is one."""
        self._sessions.pop(cookies.get(self.cookie, ""), None)

    def may_control(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request may control."""
        if not self._token or cookies.get(self.cookie) in self._sessions:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._is_token(token.strip())

    def may_look(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request may look."""
        return self._is_viewing_open or self.may_control(headers, cookies)

    def is_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from our own page or from no page at all.

        A browser names the page's origin; another page's is foreign. Without a token the host must
        be this machine's, too: else a foreign name that resolves to it would be let in.
        """
        host = headers.get("host", "")
        if not self._token and _host_name(host) not in _LOCAL_NAMES:
            return False
        origin = headers.get("origin")
        return origin is None or (bool(host) and origin.partition("://")[2] == host)

    def _is_token(self, token: str) -> bool:
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # brackets that do not fit
        return None
