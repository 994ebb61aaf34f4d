"""One text for every kind of camera: `SCHEME:TARGET?OPTION=VALUE&...`. Only the text, no device.

    images:DIR?rate=5&loop=1     file:VIDEO?rate=max     device:0?width=1280&height=720&fps=30
    device:/dev/video0           csi:0?width=1920        rtsp://user:password@host/path?q=1#timeout=5

A path may also be written as file managers do, `file:///home/me/flight.mp4` (RFC 8089). A stream's
own query stays its own, so the options of `scheme://` URIs follow a `#`. In the target `%3F`, `%23`
and `%25` stand for `?`, `#` and `%`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from semantic_detection_pkg.errors import ConfigurationError

#: Schemes in either case (RFC 3986, 3.1); one letter is a drive of Windows.
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9]+):(?P<rest>.*)", re.DOTALL)
#: What follows the last @ of an authority: a host with its port.
_HOST = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s/?#@:\[\]]+)(:[0-9]*)?(?=[/?#]|$)")
#: A host by its IP address, which no password looks like.
_IP_HOST = re.compile(r"(\[[0-9a-fA-F:.%]+\]|([0-9]{1,3}\.){3}[0-9]{1,3})(:[0-9]*)?(?=[/?#]|$)")
#: What stands where a port should, up to the path: an address whose @HOST was forgotten.
_NO_PORT = re.compile(r"^[^/?#@:\[\]]*:(?![0-9]*(?:[/?#]|$))[^/?#]*")
#: Cameras that take the password in the path or query: "/user=a&password=b".
_SECRET = re.compile(r"((?:password|passwd|pass|pwd|secret|token|auth)=)[^&#/;\s]*", re.IGNORECASE)
_MASK = "***"
#: Schemes whose target is a path of this machine.
_OF_PATHS = frozenset({"file", "images", "device"})


@dataclass(frozen=True, repr=False)
class CameraUri:
    """A parsed camera URI. As a text, also in messages and debuggers, it shows no password.

    Attributes:
        scheme: kind of camera, in lower case.
        target: folder, file, device or address; for `scheme://` the whole address with scheme, its
            user and password percent-encoded (RFC 3986, 3.2.1). For who opens it, never shown.
        options: raw texts by name; `read_options` converts them.
    """

    scheme: str
    target: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str) -> CameraUri:
        """Parse a camera URI.

        The last @ before a host ends the password, so that one with `/`, `#`, `?` or `@` in it is
        read as it was meant. Where an IP address follows an @, it is the host, and what comes
        later, `/stream?id=a@b`, is the path.

        Raises:
            ConfigurationError: it is no camera URI, or without a target.
        """
        match = _URI.fullmatch(text.strip())
        if match is None:
            raise ConfigurationError(
                f"camera source {_redacted(text)!r}: a scheme such as images:, file:, device: "
                "is missing"
            )
        scheme, rest = match["scheme"].lower(), match["rest"]
        if scheme in _OF_PATHS and rest.startswith("//"):
            rest = _own_path(scheme, rest)
        if rest.startswith("//"):
            userinfo, address = _split_userinfo(rest[2:])
            address, _, options = address.partition("#")
            target = f"{scheme}://{_encoded(userinfo)}{address}"
            is_empty = not address
        else:
            path, _, options = rest.partition("?")
            target = unquote(path)
            is_empty = not target
        if is_empty:
            raise ConfigurationError(
                f"camera source {_redacted(text)!r}: nothing follows {scheme}:"
            )
        return cls(scheme, target, MappingProxyType(_parse_options(_redacted(text), options)))

    @property
    def _is_address(self) -> bool:
        return self.target.startswith(f"{self.scheme}://")

    @property
    def label(self) -> str:
        """The source without options and password, for messages."""
        if self._is_address:
            return masked(self.target)
        text = f"{self.scheme}:{self.target}"
        return _redacted(text) if self.scheme == "rtsp" else masked(text)

    def __str__(self) -> str:
        text = self.reveal()
        return _redacted(text) if self.scheme == "rtsp" and not self._is_address else masked(text)

    __repr__ = __str__

    def reveal(self) -> str:
        """Return the URI that parses to this one again, with its password."""
        options = "&".join(f"{quote(k)}={quote(v)}" for k, v in self.options.items())
        if self._is_address:
            return self.target + (f"#{options}" if options else "")
        target = self.target.replace("%", "%25").replace("?", "%3F")
        return f"{self.scheme}:{target}" + (f"?{options}" if options else "")

    def read_options(self, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """Convert the options that are there.

        Args:
            known: converter for each allowed option; raises ValueError whose text says what is
                allowed.

        Raises:
            ConfigurationError: an option is unknown or its value is not allowed.
        """
        values: dict[str, Any] = {}
        for name, text in self.options.items():
            if name not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise ConfigurationError(
                    f"{self.label}: option {name!r} is unknown; allowed: {allowed}"
                )
            try:
                values[name] = known[name](text)
            except ValueError as error:
                raise ConfigurationError(f"{self.label}: option {name}={text!r}: {error}") from None
        return values


def _own_path(scheme: str, rest: str) -> str:
    """Return `/path` of `///path` and `//localhost/path` (RFC 8089, 2).

    Raises:
        ConfigurationError: it names another host.
    """
    own_host = re.match(r"//(localhost)?(?=/)", rest)
    if own_host is None:
        raise ConfigurationError(
            f"camera source {scheme}:{rest}: only files of this machine can be read; "
            f"write {scheme}:PATH or {scheme}:///PATH"
        )
    return rest[own_host.end() :]


def masked(text: str) -> str:
    """Return a URI, or what was meant to be one, without user and password."""
    before, slashes, rest = text.partition("//")
    if slashes:
        userinfo, address = _split_userinfo(rest)
        rest = f"{_MASK}@{address}" if userinfo else re.sub(r"^[^/?#]*@", f"{_MASK}@", address)
        rest = _NO_PORT.sub(_MASK, rest)
    return before + slashes + _SECRET.sub(rf"\1{_MASK}", rest)


def _redacted(text: str) -> str:
    """Return `masked`, more cautious: for what is refused, nobody knows where a password is."""
    return re.sub(r"[^\s:/]*:\S*@", f"{_MASK}@", masked(text))


def _split_userinfo(rest: str) -> tuple[str, str]:
    """Split what follows `//` into user and password, and host with all behind it."""
    ends = [i for i, letter in enumerate(rest) if letter == "@"]
    for host in (_IP_HOST, _HOST):
        for at in reversed(ends):
            before, after = rest[:at], rest[at + 1 :]
            # An @ behind the host is part of the path: what stands before it begins with a host.
            is_in_path = "@" not in before and bool(re.match(r"[^/?#@:]*(:[0-9]+)?[/?#]", before))
            if host.match(after) and not is_in_path:
                return before, after
    return "", rest


def _encoded(userinfo: str) -> str:
    """Return user and password as a URI has them, followed by @; what is encoded stays so."""
    if not userinfo:
        return ""
    user, colon, password = userinfo.partition(":")
    return f"{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}@"


def check_address(uri: CameraUri) -> None:
    """Refuse the address of a network camera that none can have.

    Raises:
        ConfigurationError: the host is missing, or its port is none.
    """
    if not uri.target.startswith(f"{uri.scheme}://"):
        raise ConfigurationError(f"{uri.label}: must have the form {uri.scheme}://HOST/PATH")
    try:
        parts = urlsplit(uri.target)
        if parts.hostname and parts.port != 0 and " " not in parts.netloc:
            return
    except ValueError:  # the brackets of an IPv6 address, or the port
        pass
    raise ConfigurationError(
        f"{uri.label}: must have the form {uri.scheme}://USER:PASSWORD@HOST:PORT/PATH, PORT in "
        "1..65535; in a password write %40 for @, %2F for /, %23 for #, %3F for ?"
    )


def flag(text: str) -> bool:
    """Read `1`, `true`, `yes` or `0`, `false`, `no`."""
    lowered = text.lower()
    if lowered in ("1", "true", "yes"):
        return True
    if lowered in ("0", "false", "no"):
        return False
    raise ValueError("must be 1 or 0")


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a converter for whole numbers in minimum..maximum."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number in {minimum}..{maximum}")
        return int(text)

    return convert


def number(minimum: float, maximum: float) -> Callable[[str], float]:
    """Return a converter for finite numbers in minimum..maximum."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not minimum <= value <= maximum:
            raise ValueError(f"must be a number in {minimum:g}..{maximum:g}")
        return value

    return convert


def _parse_options(text: str, options: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in filter(None, options.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise ConfigurationError(
                f"camera source {text!r}: option {part!r} must have the form name=value"
            )
        if unquote(name) in values:
            raise ConfigurationError(f"camera source {text!r}: option {name!r} is given twice")
        values[unquote(name)] = unquote(value)
    return values
