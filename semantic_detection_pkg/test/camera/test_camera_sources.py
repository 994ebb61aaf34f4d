"""Every kind of camera: what it delivers, and what it says when it cannot."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.sources.csi import pipeline
from semantic_detection_pkg.camera.sources.images import natural_key
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.camera.sources.source import FrameSource
from semantic_detection_pkg.common import opencv_build
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError


def greys(source: FrameSource, most: int = 100) -> list[int]:
    """The mean grey of each picture until the end, at most so many."""
    shots = itertools.islice(iter(source.read, None), most)
    return [round(float(shot.image.mean())) for shot in shots]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures 1, 2, 10 with their number as grey, and a file that is no picture."""
    for number in (10, 1, 2):
        cv2.imwrite(str(tmp_path / f"shot{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_pictures_come_in_natural_order_with_the_time_of_the_clock(folder):
    ticks = itertools.count(100)
    source = open_camera(f"images:{folder}", lambda: next(ticks))

    shots = list(iter(source.read, None))

    assert [shot.image[0, 0, 0] for shot in shots] == [1, 2, 10]
    assert [shot.stamp_ns for shot in shots] == [100, 101, 102]
    assert source.read() is None


def test_pictures_again_from_the_start(folder):
    assert greys(open_camera(f"images:{folder}?loop=1"), 7) == [1, 2, 10, 1, 2, 10, 1]


def test_a_picture_that_cannot_be_decoded_is_logged_and_skipped(folder, caplog):
    (folder / "shot3.jpg").write_bytes(b"\xff\xd8 broken")

    assert greys(open_camera(f"images:{folder}")) == [1, 2, 10]

    (record,) = caplog.records
    assert record.getMessage() == f"picture {folder / 'shot3.jpg'}: cannot be decoded; skipped"


@pytest.mark.parametrize("loop", [0, 1])
def test_a_folder_of_broken_pictures_is_refused(tmp_path, loop):
    (tmp_path / "a.png").write_bytes(b"")

    with pytest.raises(ConfigurationError, match="none of its pictures can be decoded"):
        open_camera(f"images:{tmp_path}?loop={loop}")


def test_a_folder_whose_pictures_are_gone_does_not_loop_for_ever(folder):
    source = open_camera(f"images:{folder}?loop=1")
    assert greys(source, 3) == [1, 2, 10]
    for path in folder.glob("*.png"):
        path.unlink()

    with pytest.raises(ConfigurationError, match="none of its pictures can be decoded"):
        source.read()


def test_names_sort_as_people_number_them():
    names = ["b1", "a10", "A9", "a9", "10", "9", "a", "", "a1b", "a1"]

    assert sorted(names, key=natural_key) == [
        "", "9", "10", "a", "a1", "a1b", "A9", "a9", "a10", "b1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "period_s", "waits"),
    [("", 1 / 20, False), ("?rate=source", 1 / 20, False), ("?rate=5", 0.2, False),
     ("?rate=max", None, True)],
)  # fmt: skip
def test_rates_of_a_file(video, options, period_s, waits):
    source = open_camera(f"file:{video}{options}")

    assert source.period_s == (None if period_s is None else pytest.approx(period_s))
    assert source.waits_for_consumer is waits
    source.close()


def test_a_video_ends_or_begins_again(video):
    once = greys(open_camera(f"file:{video}"))

    np.testing.assert_allclose(once, [0, 20, 40, 60, 80, 100], atol=3)
    assert greys(open_camera(f"file:{video}?loop=1"), 8) == once + once[:2]


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A loopback port that accepts connections and never says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    connections = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # the end of the test closes the server
            while True:
                connections.append(server.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for connection in connections:
        connection.close()


def test_a_stream_that_stays_silent_is_lost_after_the_timeout(silent_server, capfd):
    with pytest.raises(
        SourceLostError, match=r"rtsp://\*\*\*@127.0.0.1:\d+/live: no answer within"
    ):
        open_camera(f"rtsp://user:secret@127.0.0.1:{silent_server}/live#timeout=0.3")

    assert capfd.readouterr().err == ""


def test_a_stream_that_nobody_serves_is_lost(capfd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(SourceLostError, match="refuses the connection"):
        open_camera(f"rtsp://127.0.0.1:{port}/live")

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("target", ["987", "/dev/video987"])
def test_a_device_that_is_not_there_is_lost_not_refused(target, capfd):
    with pytest.raises(SourceLostError, match=f"device:{target}: cannot be opened"):
        open_camera(f"device:{target}")

    assert capfd.readouterr().err == ""


class Unplugged:
    """A capture whose device has gone, as cv2.VideoCapture behaves then."""

    def __init__(self, *_: object) -> None:
        self.properties: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def set(self, name: int, value: float) -> bool:
        self.properties[name] = value
        return True

    def get(self, name: int) -> float:
        return self.properties.get(name, 0.0)

    def grab(self) -> bool:
        return False

    def release(self) -> None:
        pass


def test_a_video_is_written_into_the_memory_that_is_given(video):
    given: list[np.ndarray] = []

    def allocate(height: int, width: int) -> np.ndarray:
        given.append(np.empty((height, width, 3), np.uint8))
        return given[-1]

    source = open_camera(f"file:{video}?rate=max", allocate=allocate)
    first, second = source.read(), source.read()
    assert first.image.shape == (48, 64, 3)  # its size was not known before
    assert second.image is given[0]
    assert abs(int(second.image.mean()) - 20) <= 2


def test_a_device_that_vanishes_is_lost(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Unplugged)
    source = open_camera("device:0?width=1280&fps=30&fourcc=MJPG")

    with pytest.raises(SourceLostError, match="device:0: no frame arrived"):
        source.read()

    assert source._decoder._capture.properties == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 1280,
        cv2.CAP_PROP_FPS: 30,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }


def test_the_pipeline_of_a_csi_camera():
    text = pipeline(CameraUri.parse("csi:1?width=1280&height=720&fps=60&flip=2"))

    assert text == (
        "nvarguscamerasrc sensor-id=1 ! "
        "video/x-raw(memory:NVMM),width=1280,height=720,framerate=60/1,format=NV12 ! "
        "nvvidconv flip-method=2 ! video/x-raw,format=BGRx ! videoconvert ! "
        "video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
    )


@pytest.mark.parametrize("says", ["registry", "build information"])
def test_csi_without_gstreamer_says_so(monkeypatch, says):
    """At once, not again and again: as a plug-in that is not there it is listed all the same."""
    if says == "registry":
        monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    else:  # OpenCV 4.5
        monkeypatch.delattr(cv2.videoio_registry, "hasBackend")
        monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GStreamer:      NO\n")

    with pytest.raises(ConfigurationError, match="csi:0: this OpenCV .* without GStreamer"):
        open_camera("csi:0")


def test_what_this_opencv_says_of_itself_is_believed():
    is_built_in = "GStreamer:                   YES" in cv2.getBuildInformation()

    assert opencv_build.has_gstreamer() == is_built_in


NO_SUCH = "/nowhere/at/all"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (f"images:{NO_SUCH}", f"images:{NO_SUCH}: is not a folder"),
        (f"file:{NO_SUCH}", f"file:{NO_SUCH}: there is no such file"),
        ("file:/tmp", "file:/tmp: there is no such file"),
        ("images:/tmp?rate=0", "option rate='0': must be source, max or frames per second"),
        ("images:/tmp?rate=fast", "must be source, max or"),
        ("file:x?loop=2", "option loop='2': must be 1 or 0"),
        ("device:camera", "must be a number or a path such as /dev/video0"),
        ("device:0?width=0", "whole number in 1..16384"),
        ("device:0?fourcc=MJPEG", "four letters such as MJPG"),
        ("csi:front", "csi:front: the sensor must be a whole number in 0..9"),
        ("csi:0?fps=0", "whole number in 1..240"),
        ("rtsp:camera", "must have the form rtsp://HOST/PATH"),
        ("rtsp://h/p#timeout=0", "a number in 0.1..600"),
        ("fake:64", "fake:WIDTHxHEIGHT"),
    ],
)
def test_uris_that_can_never_work_are_refused_in_one_line(uri, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        open_camera(uri)

    assert "\n" not in str(raised.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no picture \(\.avif, \.bmp"):
        open_camera(f"images:{tmp_path}")


def test_a_file_that_is_no_video_is_refused(tmp_path, capfd):
    path = tmp_path / "text.mp4"
    path.write_text("no video")

    with pytest.raises(ConfigurationError, match=r"text\.mp4: is not a video that can be read"):
        open_camera(f"file:{path}")

    assert capfd.readouterr().err == ""
