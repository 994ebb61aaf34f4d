"""A network camera by GStreamer's RTSP server, with what goes wrong with real ones on command.

    python3 server.py [--port PORT] [--size WIDTHxHEIGHT] [--rate HZ] [--password PASSWORD]
                      [--key-frames FRAMES]

Run by the Python for which Debian's `python3-gi` and `gir1.2-gst-rtsp-server-1.0` are installed.
Serves H.264 at `/live` on the loopback address, one encoder for all viewers. Prints `port N` once
it listens. Reads commands from standard input, one a line, and answers each by `ok` or a reason:

    stop, start        no longer listens and cuts off who is connected; listens again
    drop               cuts off who is connected
    stall, resume      stays connected and sends nothing
    size WIDTHxHEIGHT  from now on, in the streams that run
    password TEXT      from now on, for user `viewer`; who is connected stays; empty: none
"""

import argparse
import sys

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
# Only after the versions are chosen.
from gi.repository import (  # type: ignore[import-not-found] # noqa: E402
    GLib,
    Gst,
    GstRtsp,
    GstRtspServer,
)

USER = "viewer"
_PIPELINE = (
    "( videotestsrc is-live=true pattern=ball "
    "! capsfilter name=size caps=video/x-raw,width={width},height={height},framerate={rate}/1 "
    "! valve name=valve drop={is_stalled} "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={key_frames} bitrate=500 "
    "! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


class Camera:
    """The server and what it was told."""

    def __init__(self, port: int, size: str, rate: int, password: str, key_frames: int) -> None:
        self._key_frames = key_frames or rate
        self._port = port
        self._size = size
        self._rate = rate
        self._password = password
        self._is_stalled = False
        self._server: GstRtspServer.RTSPServer | None = None
        self._attached = 0
        self._media: list[GstRtspServer.RTSPMedia] = []

    def start(self) -> str:
        """Listen; the port stays the same."""
        if self._server is not None:
            return "it listens"
        server = GstRtspServer.RTSPServer(service=str(self._port), address="127.0.0.1")
        server.set_auth(self._auth())
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_shared(True)
        factory.set_launch(self._pipeline())
        if self._password:
            factory.set_permissions(self._permissions())
        factory.connect("media-configure", self._configure)
        self._factory = factory
        server.get_mount_points().add_factory("/live", factory)
        self._attached = server.attach(None)
        if not self._attached:
            return f"port {self._port} is taken"
        self._server = server
        self._port = server.get_bound_port()
        return "ok"

    @property
    def port(self) -> int:
        return self._port

    def stop(self) -> str:
        """No longer listen; everybody is cut off."""
        self.drop()
        GLib.source_remove(self._attached)
        self._server = None
        return "ok"

    def drop(self) -> str:
        """Cut off who is connected."""
        if self._server is not None:
            self._server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)
        return "ok"

    def stall(self) -> str:
        """Send nothing."""
        return self._set_stalled(True)

    def resume(self) -> str:
        """Send again."""
        return self._set_stalled(False)

    def size(self, text: str) -> str:
        """Change the pictures' size in what runs, and for who comes."""
        self._size = text
        self._factory.set_launch(self._pipeline())
        for element in self._elements("size"):
            width, height = text.split("x")
            caps = f"video/x-raw,width={width},height={height},framerate={self._rate}/1"
            element.set_property("caps", Gst.Caps.from_string(caps))
        return "ok"

    def password(self, text: str) -> str:
        """Ask for another password."""
        self._password = text
        self._factory.set_permissions(self._permissions() if text else None)
        if self._server is not None:
            self._server.set_auth(self._auth())
        return "ok"

    def _set_stalled(self, is_stalled: bool) -> str:
        self._is_stalled = is_stalled
        self._factory.set_launch(self._pipeline())
        for element in self._elements("valve"):
            element.set_property("drop", is_stalled)
        return "ok"

    def _pipeline(self) -> str:
        width, height = self._size.split("x")
        return _PIPELINE.format(
            width=width,
            height=height,
            rate=self._rate,
            key_frames=self._key_frames,
            is_stalled=str(self._is_stalled).lower(),
        )

    def _auth(self) -> GstRtspServer.RTSPAuth | None:
        if not self._password:
            return None
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", USER)
        auth.add_digest(USER, self._password, token)
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        return auth

    def _permissions(self) -> GstRtspServer.RTSPPermissions:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role(USER, "media.factory.access", True)
        permissions.add_permission_for_role(USER, "media.factory.construct", True)
        return permissions

    def _configure(self, _: object, media: GstRtspServer.RTSPMedia) -> None:
        self._media.append(media)
        media.connect("unprepared", self._forget)

    def _forget(self, media: GstRtspServer.RTSPMedia) -> None:
        if media in self._media:
            self._media.remove(media)

    def _elements(self, name: str) -> list[Gst.Element]:
        found = (media.get_element().get_by_name(name) for media in self._media)
        return [one for one in found if one is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--password", default="")
    parser.add_argument("--key-frames", type=int, default=0, help="one each; 0: one a second")
    given = parser.parse_args()
    Gst.init(None)
    loop = GLib.MainLoop()
    camera = Camera(given.port, given.size, given.rate, given.password, given.key_frames)
    said = camera.start()
    print(f"port {camera.port}" if said == "ok" else said, flush=True)
    commands = {
        name: getattr(camera, name)
        for name in ("start", "stop", "drop", "stall", "resume", "size", "password")
    }

    def read(*_channel: object) -> bool:
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        name, _, rest = line.rstrip("\n").partition(" ")
        try:
            answer = commands[name](rest) if name in ("size", "password") else commands[name]()
        except Exception as error:  # the other end waits for a line
            answer = f"{type(error).__name__}: {error}"
        print(answer, flush=True)
        return True

    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, read)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
