"""HTTP connections to a service, by the path of its Unix socket or by its URL."""

from __future__ import annotations

import http.client
import re
import socket
from urllib.parse import SplitResult, urlsplit

from vlm_bridge_pkg.errors import ConfigurationError

CONNECT_TIMEOUT_S = 0.5  # of a Unix socket
FAR_CONNECT_TIMEOUT_S = 5.0
_NO_SCHEME = re.compile(r"[^/\s]+:[0-9]+(/\S*)?")  # HOST:PORT, as people type it
_LIKE_URL = re.compile(rf".*://|https?:|{_NO_SCHEME.pattern}$", re.IGNORECASE | re.DOTALL)
_SENDABLE = re.compile("[!-~]+")  # what stands in a request without being quoted


class UnixConnection(http.client.HTTPConnection):
    """Attributes:
    wire: the socket; the base class forgets `sock` when a reply has begun that ends with the
        connection.
    base: of all paths.
    """

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path
        self.base = ""
        self.wire: socket.socket | None = None

    def connect(self) -> None:
        self.wire = self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_TIMEOUT_S)
        self.sock.connect(self._path)
        self.sock.settimeout(None)  # the call as a whole has its end


class HttpConnection(http.client.HTTPConnection):
    """The same of `http://`."""

    def __init__(self, url: SplitResult) -> None:
        super().__init__(url.hostname or "", url.port, timeout=FAR_CONNECT_TIMEOUT_S)
        self.base = _base(url)
        self.wire: socket.socket | None = None

    def connect(self) -> None:
        super().connect()
        self.wire = self.sock
        self.sock.settimeout(None)


class HttpsConnection(HttpConnection, http.client.HTTPSConnection):
    """The same of `https://`, by the certificates that the system trusts."""


Connection = UnixConnection | HttpConnection | HttpsConnection


def connection_to(address: str) -> Connection:
    """Return a connection, not connected yet, to the path of a socket or a URL.

    Args:
        address: a URL may end in "/v1", as other clients want it.

    Raises:
        ConfigurationError: it looks like a URL and is none of a server.
    """
    if not _LIKE_URL.match(address):
        return UnixConnection(address)
    try:
        url = urlsplit(address)
        is_good = _is_sendable(url) and not (url.query or url.fragment or url.username)
    except ValueError:
        is_good = False
    if not is_good or url.scheme not in ("http", "https"):
        hint = f"; is http://{address} meant?" if _NO_SCHEME.fullmatch(address) else ""
        raise ConfigurationError(
            f"{address!r} is no address of a server; allowed are http://HOST:PORT, https://HOST "
            f"and the path of a Unix socket{hint}"
        )
    return HttpsConnection(url) if url.scheme == "https" else HttpConnection(url)


def _is_sendable(url: SplitResult) -> bool:
    """Return whether host, port and path can stand in a request; raises ValueError."""
    host = (url.hostname or "").encode("idna").decode("ascii")
    return bool(_SENDABLE.fullmatch(host) and _SENDABLE.fullmatch("/" + url.path)) and url.port != 0


def _base(url: SplitResult) -> str:
    return url.path.rstrip("/").removesuffix("/v1")
