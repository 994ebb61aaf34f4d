"""Frames of a real camera process by both ways, also after it was killed."""

import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix
from patience import patience
from ros_graph import GraphProbe
from sensor_msgs.msg import CameraInfo

from interfaces_pkg.msg import FrameHandle
from ros_support_pkg.qos import SENSOR_DATA
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.camera.ros.frames import subscribe_frames
from semantic_detection_pkg.common.core.frame import Frame

pytestmark = pytest.mark.graph

CAMERA = Path(get_package_prefix("semantic_detection_pkg")) / "lib/semantic_detection_pkg/camera"


@pytest.fixture
def cameras(ros_domain: dict[str, str]) -> Iterator[list[subprocess.Popen]]:
    processes: list[subprocess.Popen] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(cameras: list[subprocess.Popen], transport: str) -> subprocess.Popen:
    parameters = ("source:=fake:641x359?rate=30", f"frame_transport:={transport}")
    words = [word for parameter in parameters for word in ("-p", parameter)]
    cameras.append(subprocess.Popen([str(CAMERA), "--ros-args", *words]))
    return cameras[-1]


@pytest.mark.long
def test_frames_arrive_by_both_ways_and_again_after_a_crash(
    cameras: list[subprocess.Popen], probe: GraphProbe
) -> None:
    # Not all of them: views of shared memory are a loan.
    frames: dict[str, deque[Frame]] = {"shm": deque(maxlen=20), "image": deque(maxlen=20)}
    errors: list[Exception] = []
    subscriptions = [
        subscribe_frames(probe.node, transport, received.append, errors.append)
        for transport, received in frames.items()
    ]
    handles = probe.listen(FrameHandle, "camera/frames", SENSOR_DATA)
    infos = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)

    def joined() -> set[int]:
        """Stamps that came every way."""
        announced = {from_time(message.header.stamp) for message in (*handles, *infos)}
        return announced.intersection(*({one.stamp_ns for one in f} for f in frames.values()))

    first = start(cameras, "shm")
    probe.wait_for(joined, "a frame by both ways, with its handle")
    stamp_ns = min(joined())
    views = [next(f for f in some if f.stamp_ns == stamp_ns) for some in frames.values()]
    handle = next(h for h in handles if from_time(h.header.stamp) == stamp_ns)
    assert (views[0].image == views[1].image).all()
    assert views[0].frame_id == views[1].frame_id == handle.header.frame_id
    assert (handle.width, handle.height, handle.step) == (641, 359, 641 * 3)
    assert views[0].image.shape == (359, 641, 3)
    assert views[0].sequence == handle.sequence
    del views

    first.kill()
    first.wait()
    frames["shm"].clear()
    second = start(cameras, "shm")
    probe.wait_for(lambda: frames["shm"], "frames of the next camera")
    second.send_signal(signal.SIGINT)
    assert second.wait(patience(10.0)) == 0

    since_ns = time.time_ns()  # what was captured before may still be on its way
    start(cameras, "image")

    def newer(transport: str) -> list[Frame]:
        return [one for one in list(frames[transport]) if one.stamp_ns > since_ns]

    probe.wait_for(lambda: newer("image"), "frames as image messages only")
    assert not newer("shm")
    assert errors == []
    for subscription in subscriptions:
        subscription.destroy()
