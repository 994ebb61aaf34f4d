"""Why a stream does not open, in words: OpenCV only says that it does not.

Asks for the stream's description as a player would (RFC 2326, DESCRIBE), with the address's user
and password by Basic or Digest authentication (RFC 7617, RFC 2617).
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from urllib.parse import unquote, urlsplit

_PORT = 554
_HEADER_BYTES_MAX = 16 * 1024
_WORDS = {
    400: "the camera does not understand the address",
    403: "the camera forbids it",
    404: "the camera has no such stream; look at the path",
    453: "the camera has no bandwidth left; too many viewers?",
    503: "the camera is busy; too many viewers?",
}


def why_not(address: str, timeout_s: float) -> str:
    """Return why the stream at an address cannot be had; empty where the camera describes it.

    Args:
        address: `rtsp://user:password@host:port/path`, user and password percent-encoded.
        timeout_s: for the connection, and for each answer.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or _PORT
    except ValueError as error:
        return f"the address is wrong: {error}"
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            return _ask(connection, address)
    except socket.gaierror:
        return f"the host {host!r} is unknown"
    except ConnectionRefusedError:
        return f"port {port} refuses the connection; is the camera's RTSP on?"
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def _ask(connection: socket.socket, address: str) -> str:
    parts = urlsplit(address)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    status, header = _describe(connection, bare, 1, "")
    if status == 401 and user:
        status, _ = _describe(connection, bare, 2, _authorization(header, bare, user, password))
        if status == 401:
            return (
                "the camera refuses this user or password (401); special characters may be written "
                "percent-encoded, %40 for @, %2F for /, %23 for #, %3F for ?"
            )
    if status == 401:
        return "the camera asks for a user and password (401): rtsp://USER:PASSWORD@HOST/..."
    if status == 0:
        return "something answers there that is no RTSP camera"
    return "" if status == 200 else _WORDS.get(status, f"the camera answers with status {status}")


def _describe(
    connection: socket.socket, address: str, number: int, authorization: str
) -> tuple[int, str]:
    """Send one DESCRIBE; return status and header; status 0: the answer is no RTSP."""
    lines = [f"DESCRIBE {address} RTSP/1.0", f"CSeq: {number}", "Accept: application/sdp"]
    lines += [f"Authorization: {authorization}"] if authorization else []
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
    received = b""
    while b"\r\n\r\n" not in received and len(received) < _HEADER_BYTES_MAX:
        piece = connection.recv(4096)
        if not piece:
            break
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    header = head.decode("latin-1")
    length = re.search(r"^content-length: *([0-9]{1,6})", header, re.IGNORECASE | re.MULTILINE)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (piece := connection.recv(min(left, 4096))):
        left -= len(piece)
    status = re.match(r"RTSP/1\.[0-9] ([0-9]{3})", header)
    return (int(status[1]) if status else 0), header


def _authorization(header: str, address: str, user: str, password: str) -> str:
    digest = re.search(r"^www-authenticate: *digest +(.*)$", header, re.IGNORECASE | re.MULTILINE)
    if digest is None:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return f"Basic {pair}"
    given = dict(re.findall(r'(\w+)="([^"]*)"', digest[1]))
    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    response = _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'DESCRIBE:{address}')}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{address}", '
        f'response="{response}"'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
