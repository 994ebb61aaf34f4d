"""Frames between nodes, whichever way they travel: `FramePublisher` and `subscribe_frames`.

`shm`: the pixels stay in shared memory (`transport.shared_memory`), a `FrameHandle` on
`camera/frames` tells tools of each one. `image`: `sensor_msgs/Image` on `camera/image_raw`. With
both, that topic is published while somebody subscribes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from interfaces_pkg.msg import FrameHandle
from ros_support_pkg.edge import advertise, subscribe
from ros_support_pkg.qos import SENSOR_DATA, VIEW
from semantic_detection_pkg.camera.transport.protocol import FrameReader, FrameWriter
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.ros import conversions
from semantic_detection_pkg.errors import FrameError

_HANDLES = "camera/frames"
_IMAGES = "camera/image_raw"
_WAIT_S = 1.0  # of a reader; `interrupt` ends it at once

OnFrame = Callable[[Frame], None]
OnError = Callable[[Exception], None]


class FramePublisher:
    """The camera's end. One thread publishes; another one may allocate."""

    def __init__(self, node: Node, transport: str) -> None:
        """Begin to offer frames.

        Raises:
            ConfigurationError: another camera does, or shared memory cannot be used.
        """
        self._topic = node.resolve_topic_name(_HANDLES)
        self._writer: FrameWriter | None = None
        if (shared_memory := _shared_memory(node, transport)) is not None:
            self._writer = shared_memory.SharedMemoryWriter(_domain(node), self._topic)
            self._handles = advertise(node, FrameHandle, _HANDLES, SENSOR_DATA)
        self._images = advertise(node, Image, _IMAGES, VIEW)
        way = "as image messages" if self._writer is None else "by shared memory"
        node.get_logger().info(f"frames go {way}")

    def allocate(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return memory for a picture to come; see `FrameWriter.allocate`."""
        if self._writer is None:
            return np.empty((height, width, 3), np.uint8)
        return self._writer.allocate(height, width)

    def publish(self, frame: Frame) -> None:
        """Send a frame; its image may be read until the next one is sent.

        Raises:
            FrameError: it could not go by shared memory.
        """
        try:
            if self._writer is not None:
                slot = self._writer.send(frame)
                self._handles.publish(conversions.to_frame_handle(frame, self._topic, slot))
        finally:
            if self._images.get_subscription_count():
                self._images.publish(
                    conversions.to_image(frame.image, frame.stamp_ns, frame.frame_id)
                )

    def close(self) -> None:
        """Stop offering; may be called again."""
        if self._writer is not None:
            self._writer.close()


class FrameSubscription(Protocol):
    """What `subscribe_frames` returns."""

    @property
    def dropped(self) -> int:
        """Frames that newer ones replaced before they were delivered, as far as known."""

    def destroy(self) -> None:
        """Stop: nothing is delivered after this returns. May be called again."""


def subscribe_frames(
    node: Node, transport: str, on_frame: OnFrame, on_error: OnError
) -> FrameSubscription:
    """Have the newest frames delivered, in the node's executor; late ones are never queued.

    Args:
        on_frame: gets each frame; the image is a read-only view that stays valid while somebody
            refers to it. At most `FRAMES_HELD_MAX` may be kept.
        on_error: gets what is wrong with a frame that could not be received.

    Raises:
        ConfigurationError: shared memory cannot be used.
    """
    shared_memory = _shared_memory(node, transport)
    if shared_memory is None:
        return _ImageSubscription(node, on_frame, on_error)
    reader = shared_memory.SharedMemoryReader(_domain(node), node.resolve_topic_name(_HANDLES))
    return ReaderSubscription(node, reader, on_frame, on_error)


class _ImageSubscription:
    """A `FrameSubscription` to image messages; middleware with a queue of one drops unseen."""

    def __init__(self, node: Node, on_frame: OnFrame, on_error: OnError) -> None:
        self._node = node
        self._on_frame = on_frame
        self._on_error = on_error
        self._received = 0
        self._subscription = subscribe(node, Image, _IMAGES, self._receive, SENSOR_DATA)

    @property
    def dropped(self) -> int:
        return 0

    def destroy(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _receive(self, message: Image) -> None:
        try:
            frame = conversions.from_image_frame(message, self._received)
        except FrameError as error:
            self._on_error(error)
            return
        self._received += 1
        self._on_frame(frame)


class ReaderSubscription:
    """A `FrameSubscription` to a `FrameReader`, on which a thread waits and wakes the executor."""

    def __init__(
        self, node: Node, reader: FrameReader, on_frame: OnFrame, on_error: OnError
    ) -> None:
        self._node = node
        self._reader = reader
        self._on_frame = on_frame
        self._on_error = on_error
        self._newest: Frame | FrameError | None = None
        self._swapping = threading.Lock()
        self._replaced = 0
        self._is_stopping = False
        self._arrived = node.create_guard_condition(self._deliver)
        self._thread = threading.Thread(target=self._listen, name="frames", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._replaced + self._reader.dropped

    def destroy(self) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._reader.interrupt()
        self._thread.join()
        self._newest = None
        self._node.destroy_guard_condition(self._arrived)
        self._reader.close()

    def _listen(self) -> None:
        while not self._is_stopping:
            newest: Frame | FrameError | None
            try:
                newest = self._reader.receive(_WAIT_S)
            except FrameError as error:
                newest = error
            if newest is None:
                continue
            self._replaced += isinstance(self._swap(newest), Frame)
            self._arrived.trigger()

    def _deliver(self) -> None:
        newest = self._swap(None)
        if isinstance(newest, FrameError):
            self._on_error(newest)
        elif newest is not None:
            self._on_frame(newest)

    def _swap(self, newest: Frame | FrameError | None) -> Frame | FrameError | None:
        with self._swapping:
            previous, self._newest = self._newest, newest
        return previous


def _shared_memory(node: Node, transport: str) -> ModuleType | None:
    """Return the module that moves frames by shared memory; None where image messages do."""
    if transport != "shm":
        return None
    try:
        from semantic_detection_pkg.camera.transport import shared_memory
    except ImportError as error:
        node.get_logger().warning(f"frames cannot go by shared memory: {error}", once=True)
        return None
    return shared_memory


def _domain(node: Node) -> int:
    return int(node.context.get_domain_id())
