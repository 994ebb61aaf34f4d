"""The web server in a thread of its own, beside whatever runs in the main thread."""

from __future__ import annotations

import errno
import os
import socket
import threading

import uvicorn

from semantic_detection_pkg.dashboard.api.app import make_app
from semantic_detection_pkg.dashboard.api.connection_limit import BODY_BYTES_MAX
from semantic_detection_pkg.dashboard.api.connections import ACCEPTED_AT_A_GO, Server, protocols
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.live import VIEWERS_MAX
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings
from semantic_detection_pkg.errors import ConfigurationError

_PORTS = 10  # robots with a page on one host
_BACKLOG = 64
_CLOSE_TIMEOUT_S = 1


class DashboardServer:
    """Listens from construction on, serves from `start` to `stop`."""

    def __init__(self, dashboard: Dashboard) -> None:
        """Bind.

        Raises:
            ConfigurationError: the address cannot be had.
        """
        self._socket = _bind(dashboard.settings)
        self._dashboard = dashboard
        http, websocket = protocols(VIEWERS_MAX)
        config = uvicorn.Config(
            make_app(dashboard, self._fail),
            loop="asyncio",
            http=http,
            log_config=None,  # its records go where all of Python's go
            log_level="warning",
            access_log=False,
            ws=websocket,
            ws_max_size=BODY_BYTES_MAX,
            ws_per_message_deflate=False,  # JPEG does not get smaller
            backlog=ACCEPTED_AT_A_GO,
            proxy_headers=False,  # anybody may write them: limits go by the true address
            timeout_graceful_shutdown=_CLOSE_TIMEOUT_S,
            server_header=False,
        )
        self._server = Server(config)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2.0 * _CLOSE_TIMEOUT_S)
        self._dashboard.close()
        self._socket.close()

    def _serve(self) -> None:
        """Serve; an event loop keeps what its tasks end by to itself, so it is raised here."""
        self._server.run([self._socket])
        if self._failure is not None:
            raise self._failure

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._server.should_exit = True


def _bind(settings: DashboardSettings) -> socket.socket:
    """Listen; robots of a namespace share a host, so each takes the next port that is free."""
    last = settings.port + (_PORTS - 1 if settings.robot and settings.port else 0)
    for port in range(settings.port, last):
        try:
            return _listen(settings, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                break
    try:
        return _listen(settings, last)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            upwards = f" and up to {last}" if last > settings.port else ""
            raise ConfigurationError(
                f"parameter 'port' is {settings.port}: another program uses it{upwards} on "
                f"{settings.host}, a free port is allowed"
            ) from error
        raise ConfigurationError(
            f"parameter 'host' is {settings.host!r}, port {settings.port}: "
            f"{error.strerror or error}; an address of this machine is allowed"
        ) from error


def _listen(settings: DashboardSettings, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
