"""A dashboard on a free port with a robot of straw, and the ways in which tests speak to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from fake_robot import FakeRobot
from patience import patience
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame
from semantic_detection_pkg.dashboard.api.server import DashboardServer
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings

TOKEN = "a token for tests"
TIMEOUT_S = patience(10.0)


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A dashboard that runs."""

    dashboard: Dashboard
    robot: FakeRobot
    address: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request; the path is sent as it is, a body that is no bytes as JSON."""
        line = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        with contextlib.closing(line):
            sent = {**self.headers, **(headers or {})}
            if body is not None and not isinstance(body, bytes | Iterator):
                body, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
            line.request(method, path, body, sent)
            answer = line.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("POST", path, body, headers)

    @contextlib.contextmanager
    def page(self, **headers: str) -> Iterator[Page]:
        """A page's live connection."""
        url = f"ws://{self.host}/api/live"
        sent = {**self.headers, **headers}
        with connect(url, additional_headers=sent, open_timeout=TIMEOUT_S) as socket:
            yield Page(socket)

    def show(self, number: int, side: int = 64) -> ShownFrame:
        """Offer a scene as the robot's side would; its stamp is its number."""
        scene = ShownFrame(
            stamp_ns=number,
            capture_s=time.monotonic(),
            image=np.full((side, side, 3), number % 256, np.uint8),
            detections=Detections.none(side, side),
            labels=(),
            view=None,
        )
        self.dashboard.pictures.offer(scene)
        return scene


@dataclass
class Page:
    """The page's end of a live connection; confirms what it reads unless told otherwise."""

    socket: ClientConnection

    def send(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def read(self, *, is_confirmed: bool = True) -> tuple[dict[str, Any], bytes]:
        """The next message: its JSON and, of a picture, the JPEG."""
        data = self.socket.recv(TIMEOUT_S)
        if isinstance(data, str):
            message, jpeg = json.loads(data), b""
        else:
            (length,) = struct.unpack_from("<I", data)
            message, jpeg = json.loads(data[4 : 4 + length]), data[4 + length :]
        if is_confirmed:
            self.send({"ack": message["n"]})
        return message, jpeg

    def close_code(self) -> int:
        """Read until the server closes, and why it did."""
        try:
            while True:
                self.read(is_confirmed=False)
        except ConnectionClosed as closed:
            return int(closed.rcvd.code) if closed.rcvd else 0

    def news(self) -> dict[str, Any]:
        """The next message that is no picture."""
        return self.until(lambda _, jpeg: not jpeg)[0]

    def picture(self) -> tuple[dict[str, Any], bytes]:
        """The next picture."""
        return self.until(lambda _, jpeg: bool(jpeg))

    def until(
        self, condition: Callable[[dict[str, Any], bytes], bool]
    ) -> tuple[dict[str, Any], bytes]:
        """Read on until a message is as wanted."""
        while not condition(*(got := self.read())):
            pass
        return got


@contextlib.contextmanager
def serve(tmp_path: Path, **settings: Any) -> Iterator[Served]:
    """Run a dashboard; `settings` are those of `DashboardSettings`."""
    robot = FakeRobot()
    chosen = DashboardSettings(**{"port": 0, "evidence_dir": tmp_path / "events", **settings})
    dashboard = Dashboard(chosen, robot)
    server = DashboardServer(dashboard)
    server.start()
    try:
        yield Served(dashboard, robot, server.address)
    finally:
        server.stop()
