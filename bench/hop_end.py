"""One end of a hop in a process of its own: `python -m bench.hop_end ROLE WAY`. See `bench.hop`.

The reader prints "ready", then a JSON list of latencies [ms] when its input ends. The writer sends
when it has a reader and prints how long each call took [ms].
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from semantic_detection_pkg.camera.ros.frames import FramePublisher, subscribe_frames
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.ros import conversions

#: lent: shared memory, written there by the source. copied: into shared memory, when sent.
#: image: as our nodes do it without shared memory. plain: typed, queue of ten, reliable: rclpy's
#: own way.
WAYS = ("lent", "copied", "image", "plain")

_HEIGHT, _WIDTH = 1080, 1920
_FRAMES = 150
_PERIOD_S = 0.04
_TOPIC = "plain/image"
_QUEUE = 10


def read(way: str) -> None:
    """Note how old each frame is when the callback has its pixels in hand."""
    node = Node("reader")
    latencies_ms: list[float] = []

    def note(frame: Frame) -> None:
        latencies_ms.append((time.monotonic_ns() - frame.stamp_ns) / 1e6)
        assert frame.image.shape == (_HEIGHT, _WIDTH, 3)

    if way == "plain":
        node.create_subscription(
            Image, _TOPIC, lambda message: note(conversions.from_image_frame(message, 0)), _QUEUE
        )
    else:
        subscribe_frames(node, "image" if way == "image" else "shm", note, node.get_logger().error)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print("ready", flush=True)
    waiting = threading.Thread(target=sys.stdin.read)
    waiting.start()
    while waiting.is_alive():
        executor.spin_once(timeout_sec=0.1)
    print(json.dumps(latencies_ms), flush=True)


def write(way: str) -> None:
    """Send frames that were just made, as a camera's are."""
    node = Node("writer")
    pictures = [
        np.random.default_rng(seed).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
        for seed in range(4)
    ]
    send, allocate = _sender(node, way)
    calls_ms = []
    for number in range(_FRAMES):
        time.sleep(_PERIOD_S)
        image = allocate(_HEIGHT, _WIDTH)
        np.copyto(image, pictures[number % len(pictures)])
        start_ns = time.monotonic_ns()
        send(Frame(start_ns, number, image, "camera_optical_frame"))
        calls_ms.append((time.monotonic_ns() - start_ns) / 1e6)
    print(json.dumps(calls_ms), flush=True)


Send = Callable[[Frame], None]
Allocate = Callable[[int, int], np.ndarray]


def _sender(node: Node, way: str) -> tuple[Send, Allocate]:
    def ordinary(height: int, width: int) -> np.ndarray:
        return np.empty((height, width, 3), np.uint8)

    if way == "plain":
        publisher = node.create_publisher(Image, _TOPIC, _QUEUE)
        _wait_until(lambda: publisher.get_subscription_count() > 0)
        return (
            lambda frame: publisher.publish(
                conversions.to_image(frame.image, frame.stamp_ns, frame.frame_id)
            ),
            ordinary,
        )
    frames = FramePublisher(node, "image" if way == "image" else "shm")
    if way == "image":
        _wait_until(lambda: node.count_subscribers("camera/image_raw") > 0)
    return frames.publish, frames.allocate if way == "lent" else ordinary


def _wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "no reader"
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.hop_end", description=__doc__)
    parser.add_argument("role", choices=("read", "write"))
    parser.add_argument("way", choices=WAYS)
    arguments = parser.parse_args()
    rclpy.init(args=[])
    {"read": read, "write": write}[arguments.role](arguments.way)
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
