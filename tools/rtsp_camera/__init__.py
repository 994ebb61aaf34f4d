"""A network camera for tests: a real RTSP server in a process of its own; see `server.py`."""

from __future__ import annotations

import functools
import selectors
import subprocess
import sys
from pathlib import Path

from ros_support_pkg.core.closing import Closing

_SERVER = Path(__file__).with_name("server.py")
_NEEDS = """\
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(map(Gst.ElementFactory.find, ("videotestsrc", "x264enc", "rtph264pay", "valve")))
"""
PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-ugly"
)
#: Why something of Debian's may be missing although `make test` installs it.
NOT_INSTALLED = (
    "is missing: tools/setup/rtsp_server.sh installs it, where there are apt-get and root or sudo "
    "without a password"
)
USER = "viewer"
_ANSWER_S = 20.0


@functools.cache
def interpreter() -> str | None:
    """Return a Python that can run the server; None where Debian's packages are missing."""
    for python in (sys.executable, "/usr/bin/python3"):
        if Path(python).exists():
            done = subprocess.run([python, "-c", _NEEDS], capture_output=True, check=False)
            if done.returncode == 0:
                return python
    return None


class RtspCamera(Closing):
    """The server, as a context. Its commands are methods; each returns when it is done.

    Attributes:
        port: on the loopback address; it stays the same.
        pid: of the process.
    """

    def __init__(
        self, size: str = "320x240", *, rate: int = 10, password: str = "", key_frames: int = 0
    ) -> None:
        """Start it.

        Args:
            size: WIDTHxHEIGHT [px].
            rate: in frames/s.
            password: of the user `USER`; empty: nobody is asked.
            key_frames: of so many frames one is a key frame; 0: one a second.
        """
        python = interpreter()
        if python is None:
            raise RuntimeError(f"no RTSP server here; sudo apt-get install {PACKAGES}")
        words = [python, str(_SERVER), "--size", size, "--rate", str(rate)]
        words += ["--password", password, "--key-frames", str(key_frames)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        answer = self._answer()
        if not answer.startswith("port "):
            self._process.kill()
            raise RuntimeError(f"RTSP server: {answer}")
        self.port = int(answer.split()[1])

    def url(self, password: str = "") -> str:
        """Return the address of the stream, with user and password where there is one."""
        who = f"{USER}:{password}@" if password else ""
        return f"rtsp://{who}127.0.0.1:{self.port}/live"

    def tell(self, command: str) -> None:
        """Give a command of `server.py`.

        Raises:
            RuntimeError: it was refused, or the server is gone.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if answer != "ok":
            raise RuntimeError(f"RTSP server: {command}: {answer}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_ANSWER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(_ANSWER_S):
                return f"no answer within {_ANSWER_S:g} s"
        return self._process.stdout.readline().strip() or "it has ended"
