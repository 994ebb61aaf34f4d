"""Other people's drivers as a camera: `ros:/TOPIC`, whatever they publish and however."""

import itertools
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from patience import patience, wait_until
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_graph import GraphProbe
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from ros_support_pkg.qos import EVENT, SENSOR_DATA
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.ros.topic_camera import attach
from semantic_detection_pkg.common.ros.conversions import from_image, to_array
from semantic_detection_pkg.errors import SourceLostError

pytestmark = [pytest.mark.graph, pytest.mark.timeout(120)]

CAMERA = Path(get_package_prefix("semantic_detection_pkg")) / "lib/semantic_detection_pkg/camera"
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
STAMP_NS = 1_700_000_000_123_456_789


class Camera:
    """The camera node on a topic; its output is read as a whole when it has ended."""

    def __init__(self, source: str) -> None:
        words = ["-p", f"source:={source}", "-p", "frame_transport:=image"]
        self.process = subprocess.Popen(
            [str(CAMERA), "--ros-args", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said(self) -> str:
        self.process.terminate()
        said, _ = self.process.communicate(timeout=patience(10.0))
        return said


@pytest.fixture
def started(ros_domain: dict[str, str]) -> Iterator[list[Camera]]:
    cameras: list[Camera] = []
    yield cameras
    for camera in cameras:
        camera.process.kill()
        camera.process.communicate()


def gradient() -> np.ndarray:
    return np.tile(np.arange(64, dtype=np.uint16), (48, 1))


def mono16() -> Image:
    pixels = 7000 + 4 * gradient()
    return Image(
        height=48, width=64, encoding="mono16", step=128, data=to_array("B", pixels.view(np.uint8))
    )


def yuyv() -> Image:
    pairs = np.full((48, 128), 128, np.uint8)
    pairs[:, ::2] = 16 + 3 * gradient()
    return Image(height=48, width=64, encoding="yuv422_yuy2", step=128, data=to_array("B", pairs))


def compressed(suffix: str) -> CompressedImage:
    pixels = (7000 + 4 * gradient()) if suffix == ".png" else (4 * gradient()).astype(np.uint8)
    return CompressedImage(
        format=f"mono16; {suffix[1:]} compressed ",
        data=to_array("B", cv2.imencode(suffix, pixels)[1].ravel()),
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("message", "reliability", "durability"),
    [
        (mono16(), BEST_EFFORT, VOLATILE),
        (yuyv(), RELIABLE, LATCHED),
        (compressed(".jpg"), RELIABLE, VOLATILE),
        (compressed(".png"), BEST_EFFORT, VOLATILE),
    ],
    ids=["mono16", "yuyv", "jpeg", "png16"],
)
def test_a_topic_is_a_camera(
    started: list[Camera], probe: GraphProbe, message, reliability, durability
) -> None:
    """The driver comes later than the node, and its stamps are kept."""
    images = probe.listen(Image, "camera/image_raw", SENSOR_DATA)
    started.append(Camera("ros:/driver/pictures?timeout=2"))
    qos = QoSProfile(depth=2, reliability=reliability, durability=durability)
    publisher = probe.node.create_publisher(type(message), "/driver/pictures", qos)
    stamps_ns = itertools.count(STAMP_NS, 1_000_000)
    sent_ns: set[int] = set()
    wait_until(lambda: publisher.get_subscription_count(), "the camera", timeout_s=30.0)

    def has_arrived() -> bool:
        stamp_ns = next(stamps_ns)
        sent_ns.add(stamp_ns)
        message.header.stamp = to_time(stamp_ns)
        publisher.publish(message)
        return bool(images)

    probe.wait_for(has_arrived, "a picture")
    picture = from_image(images[-1])
    assert picture.shape == (48, 64, 3)
    columns = picture.mean(axis=(0, 2))
    assert columns[60] - columns[3] > 150  # not black, and the right way round
    assert from_time(images[0].header.stamp) in sent_ns


def test_what_is_no_picture_is_said(started: list[Camera], probe: GraphProbe) -> None:
    publisher = probe.node.create_publisher(String, "/driver/words", 1)
    started.append(Camera("ros:/driver/words"))
    diagnostics = probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    reason = "is std_msgs/msg/String; allowed: sensor_msgs/msg/Image"
    probe.wait_for(
        lambda: any(reason in one.message for array in diagnostics for one in array.status),
        "the reason",
    )
    assert publisher.get_subscription_count() == 0


def test_what_is_no_picture_is_waited_for_if_it_was_known_at_the_start_too(
    probe: GraphProbe,
) -> None:
    """Which of both happens is the discovery's affair; the camera does the same."""
    words = probe.node.create_publisher(String, "/driver/words", 1)
    probe.wait_for(lambda: probe.node.get_publishers_info_by_topic("/driver/words"), "the topic")
    opener = attach(probe.node)
    uri = CameraUri.parse("ros:/driver/words")
    with pytest.raises(SourceLostError, match="is std_msgs/msg/String; allowed: sensor_msgs/msg/I"):
        opener(uri, time.monotonic_ns)
    probe.node.destroy_publisher(words)
    probe.node.create_publisher(Image, "/driver/words", 1)

    def is_open() -> bool:
        try:
            return bool(opener(uri, time.monotonic_ns))
        except SourceLostError:
            return False

    probe.wait_for(is_open, "the driver that sends pictures")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ros:/camera/image_raw", "is what this camera sends itself"),
        ("ros://host/topic", "must have the form ros:/TOPIC"),
        ("ros:/a b", "must have the form ros:/TOPIC"),
        ("ros:/a?stamp=never", "must be one of message, arrival"),
    ],
)
def test_topics_that_can_never_work_are_refused(
    started: list[Camera], source: str, message: str
) -> None:
    started.append(Camera(source))
    said, _ = started[-1].process.communicate(timeout=patience(20.0))
    assert started[-1].process.returncode == 2
    assert message in said
    assert "Traceback" not in said
