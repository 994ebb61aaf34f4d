"""taky, other people's TAK server, in a process of its own; and a client that reads its stream."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from patience import patience, wait_until

TIMEOUT_S = patience(10.0)
_EVENT = re.compile(rb"<event\b.*?</event>", re.DOTALL)
NAME = "tak.test"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Taky:
    """A server on loopback, at the same port after every start."""

    def __init__(self, folder: Path, *, is_tls: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.is_tls = is_tls
        self._process: subprocess.Popen[bytes] | None = None
        flags = [] if is_tls else ["--no-ssl"]
        host = ("--host", NAME, "--bind-ip", "127.0.0.1", "--public-ip", "127.0.0.1")
        self._takyctl("setup", *flags, *host, str(folder))
        config = folder / "taky.conf"
        text = re.sub(r"(?m)^port = \d+$", f"port = {self.port}", config.read_text())
        config.write_text(text)

    @property
    def url(self) -> str:
        return f"{'tls' if self.is_tls else 'tcp'}://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ssl" / "ca.crt")

    def client_files(self, name: str) -> tuple[str, str]:
        """Certificate and key of a client, by the server's own tool."""
        self._takyctl("-c", str(self.folder / "taky.conf"), "build_client", "--dump_pem", name)
        (certificate,) = self.folder.glob(f"{name}-*.crt")
        return str(certificate), str(certificate.with_suffix(".key"))

    def start(self) -> None:
        bin_folder = Path(sys.executable).parent
        self._log = (self.folder / "taky.log").open("ab")
        self._process = subprocess.Popen(
            [str(bin_folder / "taky"), "-c", str(self.folder / "taky.conf"), "-l", "debug"],
            stdout=self._log,
            stderr=self._log,
            cwd=self.folder,
        )

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return True
            return False

        wait_until(answers, "taky to listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._log.close()
            self._process = None

    def _takyctl(self, *arguments: str) -> None:
        tool = Path(sys.executable).parent / "takyctl"
        cwd = self.folder if self.folder.exists() else self.folder.parent
        subprocess.run([str(tool), *arguments], cwd=cwd, check=True, capture_output=True)


@contextlib.contextmanager
def running(taky: Taky) -> Iterator[Taky]:
    taky.start()
    try:
        yield taky
    finally:
        taky.stop()


class Client:
    """Another one on the same server."""

    def __init__(self, taky: Taky, context: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", taky.port), TIMEOUT_S)
        self.socket = plain if context is None else context.wrap_socket(plain, server_hostname=NAME)
        self.socket.settimeout(0.05)
        self._data = b""
        self.events: list[ElementTree.Element] = []
        self.times_s: list[float] = []
        self.send(event("watcher", "a-f-G-U-C", callsign="watcher", is_user=True))

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def read(self) -> list[ElementTree.Element]:
        """Take what has come; return all events so far."""
        with contextlib.suppress(TimeoutError, socket.timeout, ssl.SSLWantReadError):
            while data := self.socket.recv(65536):
                self._data += data
        for match in _EVENT.finditer(self._data):
            self.events.append(ElementTree.fromstring(match[0]))
            self.times_s.append(time.monotonic())
        self._data = _EVENT.sub(b"", self._data)
        return self.events

    def of(self, uid: str) -> list[ElementTree.Element]:
        """Events of one identity so far, oldest first."""
        return [one for one in self.read() if one.get("uid") == uid]

    def wait_for(
        self, uid: str, is_it: Callable[[ElementTree.Element], bool] = lambda _: True
    ) -> ElementTree.Element:
        """Wait for an event of an identity, return the newest such."""

        def found() -> ElementTree.Element | None:
            matching = [one for one in self.of(uid) if is_it(one)]
            return matching[-1] if matching else None

        result = wait_until(found, f"an event of {uid}")
        assert result is not None
        return result

    def close(self) -> None:
        self.socket.close()


def event(
    uid: str,
    kind: str,
    latitude: float = 47.0,
    longitude: float = 8.0,
    callsign: str = "",
    sent_to: str = "",
    *,
    hae: str = "9999999.0",
    is_user: bool = False,
    remarks: str = "",
    drawn: str = "",
    ahead_s: float = 0.0,
) -> str:
    """What a person's device sends; `drawn` is what a shape has besides.

    Args:
        ahead_s: of its clock.
    """
    now_s = time.time() + ahead_s
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now_s))
    later = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now_s + 600))
    marti = f'<marti><dest callsign="{sent_to}"/></marti>' if sent_to else ""
    user = (
        '<takv device="d" platform="p" os="1" version="1"/>'
        '<__group name="Cyan" role="Team Member"/><status battery="50"/>'
        if is_user
        else ""
    )
    contact = f'<contact callsign="{callsign}" endpoint="*:-1:stcp"/>' if callsign else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><event version="2.0" uid="{uid}" type="{kind}" '
        f'how="h-g-i-g-o" time="{now}" start="{now}" stale="{later}">'
        f'<point lat="{latitude}" lon="{longitude}" hae="{hae}" ce="5.0" le="9999999.0"/>'
        f"<detail>{drawn}{contact}{user}{marti}<remarks>{remarks}</remarks></detail></event>"
    )


def corners_drawn(corners: Sequence[tuple[float, float]]) -> str:
    """The corners of a closed polygon, as ATAK has them."""
    closed = [*corners, corners[0]]
    return "".join(f'<link point="{lat:.8f},{lon:.8f},0.0"/>' for lat, lon in closed)


def circle_drawn(*radii_m: float) -> str:
    rings = (f'<ellipse major="{one}" minor="{one}" angle="360"/>' for one in radii_m)
    return f"<shape>{''.join(rings)}</shape>"


def lifetime_s(one: ElementTree.Element) -> float:
    """How long after its time an event is stale."""
    time_text, stale_text = (one.attrib[name].replace("Z", "+00:00") for name in ("time", "stale"))
    stale = datetime.fromisoformat(stale_text)
    return (stale - datetime.fromisoformat(time_text)).total_seconds()


def place_of(one: ElementTree.Element) -> tuple[float, float]:
    """Latitude and longitude of an event."""
    point = one.find("point")
    assert point is not None
    return float(point.attrib["lat"]), float(point.attrib["lon"])
