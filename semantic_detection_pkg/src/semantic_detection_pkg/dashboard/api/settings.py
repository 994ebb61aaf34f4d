"""Where the dashboard listens and whom it lets do what. Safe unless told otherwise."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError

TOKEN_LENGTH_MIN = 8
#: Of the environment; wins over the file.
TOKEN_VARIABLE = "DASHBOARD_TOKEN"


@dataclass(frozen=True)
class DashboardSettings:
    """Settings of the server.

    Attributes:
        host: address to bind to; any but a loopback address needs a token.
        port: TCP port; 0: a free one. Of a robot with a name the next free one of ten.
        token: what control needs; empty: whoever is on this machine may control.
        is_viewing_open: with a token, looking needs none.
        evidence_dir: folder that is served read-only below /evidence/.
        robot: name of the robot, its namespace; for the page's title.
        map_tiles_file: MBTiles or PMTiles for the map; empty: it has a grid.

    Raises:
        ConfigurationError: on construction, if it would be open to the network without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str = ""
    is_viewing_open: bool = False
    evidence_dir: Path = Path("output/recordings/events")
    robot: str = ""
    map_tiles_file: str = ""

    def __post_init__(self) -> None:
        if self.token and len(self.token) < TOKEN_LENGTH_MIN:
            raise ConfigurationError(
                f"the token has {len(self.token)} characters, "
                f"at least {TOKEN_LENGTH_MIN} are allowed"
            )
        if not self.token and not self.is_local:
            raise ConfigurationError(
                f"parameter 'host' is {self.host!r}, without a token only 127.0.0.1, ::1 and "
                f"localhost are allowed: give one by 'token_file' or the variable {TOKEN_VARIABLE}"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def find_token(path: str, environment: Mapping[str, str]) -> str:
    """Return the token of the environment, else that of a file; "" where neither is given.

    Raises:
        ConfigurationError: see `read_token`.
    """
    return environment.get(TOKEN_VARIABLE, "").strip() or (read_token(path) if path else "")


def read_token(path: str) -> str:
    """Return the first line of a file.

    Raises:
        ConfigurationError: it cannot be read, or its first line is empty.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise ConfigurationError(
            f"parameter 'token_file' is {path!r}, a file that can be read is allowed: {reason}"
        ) from error
    token = text.partition("\n")[0].strip()
    if not token:
        raise ConfigurationError(f"parameter 'token_file' is {path!r}: its first line is empty")
    return token
