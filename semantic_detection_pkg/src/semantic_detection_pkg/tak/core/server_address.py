"""Where events go: a TAK server, or whoever listens on the network."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from semantic_detection_pkg.errors import ConfigurationError

#: What each kind of line does without a port: TAK Server's, and ATAK's own mesh.
_PORTS = {"tcp": 8087, "tls": 8089, "udp": 6969}
_OTHER_NAMES = {"ssl": "tls"}


@dataclass(frozen=True)
class ServerAddress:
    """One address.

    Attributes:
        kind: tcp, tls or udp.
    """

    kind: str
    host: str
    port: int

    @property
    def is_multicast(self) -> bool:
        """Whether it is a group that anybody may listen to."""
        try:
            return ipaddress.ip_address(self.host).is_multicast
        except ValueError:
            return False  # a name

    def __str__(self) -> str:
        """Return it as it was given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def check_name(parameter: str, name: str) -> None:
    """Refuse what can be no host's name (RFC 5890); whether there is one, the network knows.

    Raises:
        ConfigurationError: one line that names the parameter.
    """
    try:
        is_name = bool(name.encode("idna")) and name.isprintable()
    except UnicodeError:
        is_name = False
    if not is_name:
        raise ConfigurationError(
            f"{parameter} {name!r}: a host's name is needed, parts of 1 to 63 letters between dots"
        )


def parse_server(text: str) -> ServerAddress:
    """Return the address that a text names, `tls://tak.example.org:8089`.

    Raises:
        ConfigurationError: it names none.
    """
    allowed = "tcp://HOST:8087, tls://HOST:8089 or udp://239.2.3.1:6969"
    try:
        parts = urlsplit(text)
        kind = _OTHER_NAMES.get(parts.scheme, parts.scheme)
        usual_port = _PORTS[kind]  # of no other kind is there one
        port = usual_port if parts.port is None else parts.port
        host = parts.hostname or ""
        is_bare = not (parts.username or parts.query or parts.fragment or parts.path.strip("/"))
    except (KeyError, ValueError):
        raise ConfigurationError(f"server {text!r}: allowed is {allowed}") from None
    if not (host and is_bare and port and text.isprintable()) or " " in text:
        raise ConfigurationError(f"server {text!r}: allowed is {allowed}")
    check_name("server", host)
    address = ServerAddress(kind, host, port)
    if kind != "udp" and address.is_multicast:
        raise ConfigurationError(f"server {text!r}: a multicast group is reached by udp:// alone")
    if kind == "udp" and ":" in host:
        raise ConfigurationError(f"server {text!r}: udp:// takes an IPv4 address or a name")
    return address
