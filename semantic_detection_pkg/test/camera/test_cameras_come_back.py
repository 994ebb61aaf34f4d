"""Cameras vanish and come back: real ends, as far as this machine has them."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rtsp_camera
from free_port import free_port
from patience import patience, wait_until
from rtsp_camera import RtspCamera

from semantic_detection_pkg.camera.reader import LatestFrameReader
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.common import opencv_build
from semantic_detection_pkg.common.core.frame import Frame

pytestmark = pytest.mark.timeout(180)

PACKAGES = Path(__file__).resolve().parents[3]
CSI_READER = PACKAGES / "test" / "support" / "csi_reader.py"
#: After a server is there again, until a frame of it is: what the camera node promises.
BACK_S = 3.0


@pytest.fixture
def server() -> Iterator[RtspCamera]:
    if rtsp_camera.interpreter() is None:
        pytest.skip(f"GStreamer's RTSP server {rtsp_camera.NOT_INSTALLED}")
    with RtspCamera(password="a/b@c") as camera:
        yield camera


class Watched:
    """A reader with the newest frame that came."""

    def __init__(self, uri: str) -> None:
        self.reader = LatestFrameReader(lambda: open_camera(uri))

    def __enter__(self) -> "Watched":
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.stop(patience(10.0))

    def next_frame(self, seconds: float) -> Frame | None:
        """The next frame that is captured from now on."""
        while self.reader.next_frame(0.0) is not None:
            pass
        return self.reader.next_frame(seconds)

    def wait_for_loss(self, reason: str) -> None:
        wait_until(
            lambda: reason in self.reader.status.last_error,
            f"{reason!r}, last was {self.reader.status.last_error!r}",
            timeout_s=15.0,
        )


def comes_back(watched: Watched, begin: Callable[[], object]) -> None:
    """Bring the camera back and wait for a frame of it."""
    begin()
    assert watched.next_frame(patience(BACK_S)) is not None, watched.reader.status.last_error


def cut_off(watched: Watched, server: RtspCamera) -> None:
    """Have the connection cut while the server goes on, and wait until that is noticed."""
    before = watched.reader.status.reconnects
    server.tell("drop")
    wait_until(lambda: watched.reader.status.reconnects > before, "a new connection")


@pytest.mark.long
def test_a_stream_that_vanishes_comes_back(server: RtspCamera, decoder: str) -> None:
    """Its program ends and starts again; connections are cut; the password changes for a while."""
    with Watched(f"{server.url('a/b@c')}#timeout=2") as watched:
        assert watched.next_frame(patience(10.0)) is not None

        server.tell("stop")
        watched.wait_for_loss("refuses the connection")
        assert not watched.reader.status.is_connected
        comes_back(watched, lambda: server.tell("start"))

        cut_off(watched, server)
        comes_back(watched, lambda: None)

        server.tell("password another")
        server.tell("drop")
        watched.wait_for_loss("refuses this user or password (401)")
        comes_back(watched, lambda: server.tell("password a/b@c"))

        assert watched.reader.status.reconnects >= 3  # more where a slow machine is late by itself
        assert "a/b@c" not in watched.reader.status.last_error


@pytest.mark.long
def test_a_stream_that_stalls_is_lost_after_its_timeout_and_comes_back(
    server: RtspCamera, decoder: str
) -> None:
    with Watched(f"{server.url('a/b@c')}#timeout=1.5") as watched:
        assert watched.next_frame(patience(10.0)) is not None
        server.tell("stall")
        wait_until(lambda: not watched.reader.status.is_connected, "the loss", timeout_s=8.0)
        comes_back(watched, lambda: server.tell("resume"))


def test_a_stream_that_changes_its_size_goes_on_with_the_new_one(server: RtspCamera) -> None:
    """In the same connection; of OpenCV's builds none can be trusted with it."""
    with Watched(f"{server.url('a/b@c')}#timeout=5") as watched:
        for width, height in [(320, 240), (640, 480), (240, 320), (320, 180)]:
            server.tell(f"size {width}x{height}")

            def has_size(width: int = width, height: int = height) -> bool:
                frame = watched.next_frame(patience(5.0))
                return frame is not None and (frame.width, frame.height) == (width, height)

            wait_until(has_size, f"{width}x{height}", timeout_s=10.0)
        assert watched.reader.status.reconnects == 0


def test_a_stream_without_a_key_frame_is_called_that() -> None:
    """Who comes to an encoder that has sent its only one; packets arrive all the time."""
    if rtsp_camera.interpreter() is None:
        pytest.skip(f"GStreamer's RTSP server {rtsp_camera.NOT_INSTALLED}")
    with (
        RtspCamera(key_frames=100_000) as server,
        Watched(server.url()),
        Watched(f"{server.url()}#timeout=1.5") as second,
    ):
        second.wait_for_loss("sends a video, but no key frame")
        assert second.reader.status.frames == 0


def loopback_devices() -> list[str]:
    """The devices of v4l2loopback, by the driver that the kernel names."""
    drivers = Path("/sys/devices/virtual/video4linux").glob("video*")
    return [f"/dev/{one.name}" for one in drivers if Path("/dev", one.name).exists()]


def test_a_device_that_vanishes_comes_back() -> None:
    """What feeds the device ends and starts again."""
    devices = loopback_devices()
    if not devices:
        pytest.skip(
            "no device of v4l2loopback: a module of the kernel, which only the machine's owner can "
            "load (modprobe v4l2loopback)"
        )
    gst = shutil.which("gst-launch-1.0")
    if gst is None:
        pytest.skip(f"gst-launch-1.0 {rtsp_camera.NOT_INSTALLED}")

    def feed() -> subprocess.Popen:
        size = "video/x-raw,format=YUY2,width=320,height=240,framerate=10/1"
        words = ["videotestsrc", "is-live=true", "!", size, "!", "v4l2sink", f"device={devices[0]}"]
        return subprocess.Popen([gst, "-q", *words])

    feeder = feed()
    try:
        with Watched(f"device:{devices[0]}") as watched:
            assert watched.next_frame(patience(20.0)) is not None
            feeder.terminate()
            feeder.wait()
            wait_until(lambda: not watched.reader.status.is_connected, "the loss", timeout_s=20.0)
            feeder = feed()
            assert watched.next_frame(patience(20.0)) is not None
    finally:
        feeder.terminate()
        feeder.wait()


def python_with_gstreamer() -> str | None:
    """A Python whose OpenCV has GStreamer; Debian's has."""
    asks = "import cv2, sys; sys.exit(not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))"
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            Path(python).exists()
            and not subprocess.run(
                [python, "-c", asks], capture_output=True, check=False
            ).returncode
        ):
            return python
    return None


def test_a_csi_pipeline_that_ends_comes_back() -> None:
    """OpenCV and GStreamer are real; in place of NVIDIA's source stands one that can vanish."""
    python, gst = python_with_gstreamer(), shutil.which("gst-launch-1.0")
    if python is None:
        pytest.skip(f"an OpenCV with GStreamer {rtsp_camera.NOT_INSTALLED}")
    if gst is None:
        pytest.skip(f"gst-launch-1.0 {rtsp_camera.NOT_INSTALLED}")
    port = free_port()

    def feed() -> subprocess.Popen:
        size = "video/x-raw,width=320,height=240,framerate=10/1"
        words = ["videotestsrc", "is-live=true", "!", size, "!", "jpegenc", "!", "multipartmux"]
        words += ["!", "tcpserversink", "host=127.0.0.1", f"port={port}"]
        return subprocess.Popen([gst, "-q", *words])

    source = f"tcpclientsrc host=127.0.0.1 port={port} ! multipartdemux ! jpegdec"
    # Of ours alone: Debian's OpenCV stands on Debian's NumPy.
    own = [str(path) for path in PACKAGES.glob("*_pkg/src")]
    feeder = feed()
    reader = subprocess.Popen(
        [python, CSI_READER, "csi:0", source],
        env={"PYTHONPATH": ":".join(own), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def ask(what: str) -> str:
        reader.stdin.write(f"{what}\n")
        reader.stdin.flush()
        return reader.stdout.readline().strip()

    try:
        wait_until(lambda: ask("frame") == "320x240", "a frame", timeout_s=20.0)
        feeder.terminate()
        feeder.wait()
        wait_until(lambda: ask("status").startswith("False csi:0: "), "the loss", timeout_s=20.0)
        feeder = feed()
        wait_until(lambda: ask("frame") == "320x240", "a frame again", timeout_s=20.0)
    finally:
        for process in (reader, feeder):
            process.terminate()
            process.wait()


def test_a_csi_camera_delivers() -> None:
    """NVIDIA's own source element; without a Jetson there is none."""
    if not opencv_build.has_gstreamer():
        pytest.skip(
            "OpenCV's wheel has no GStreamer, which csi: needs; a Jetson has an OpenCV of its own"
        )
    inspect = shutil.which("gst-inspect-1.0")
    if inspect is None or subprocess.run([inspect, "nvarguscamerasrc"], check=False).returncode:
        pytest.skip("no nvarguscamerasrc: NVIDIA gives it to Jetsons only, with their system")
    with Watched("csi:0?width=1280&height=720") as watched:
        frame = watched.next_frame(patience(20.0))
        assert frame is not None
        assert (frame.width, frame.height) == (1280, 720)
