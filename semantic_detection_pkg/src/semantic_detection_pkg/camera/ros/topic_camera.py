"""`ros:/TOPIC`: pictures of somebody else's driver, as Image or CompressedImage.

ros:/thermal/image_raw                   type and quality of service as they are offered
ros:/camera/image_raw/compressed         JPEG and PNG as image_transport sends them
ros:/thermal/image_raw?timeout=2         seconds without a picture until the camera counts as lost
ros:/thermal/image_raw?stamp=arrival     for drivers whose stamps are of another clock
"""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.validate_topic_name import validate_topic_name
from sensor_msgs.msg import CompressedImage, Image

from ros_support_pkg.edge import refuse, subscribe
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.camera.core.uri import CameraUri, number
from semantic_detection_pkg.camera.sources.registry import Opener
from semantic_detection_pkg.camera.sources.source import ClockNs, Shot
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.common.ros.conversions import from_image
from semantic_detection_pkg.errors import ConfigurationError, FrameError, SourceLostError

_DEFAULT_TIMEOUT_S = 5.0
_LOOK_S = 0.5  # between looks whether the context is still there
_TYPES = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
_STAMPS = ("message", "arrival")
#: What this node sends itself.
_OWN = ("camera/image_raw", "camera/image_raw/compressed")

_Message = Any  # Image or CompressedImage


class _Offer(NamedTuple):
    """What publishers of a topic offer: type, and whether all of them send reliably."""

    message_type: Any
    is_reliable: bool


class _Topic:
    """The newest message of a topic; one subscription, made anew where what is offered changes."""

    def __init__(self, node: Node, name: str) -> None:
        self.name = name
        self._node = node
        self._subscription: Subscription | None = None
        self._offer: _Offer | None = None
        self._arrived = threading.Condition()
        self._newest: _Message | None = None

    def subscribe(self, label: str) -> None:
        """Subscribe to what is offered now.

        Raises:
            SourceLostError: nobody publishes there, or nobody a picture: that is another node's
                doing and may change, and whether it is known at the start is the discovery's.
        """
        offer = self._look(label)
        if offer == self._offer:
            return
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        reliability = (
            ReliabilityPolicy.RELIABLE if offer.is_reliable else ReliabilityPolicy.BEST_EFFORT
        )
        # Volatile fits whatever durability is offered; one message, since only the newest counts.
        qos = QoSProfile(depth=1, reliability=reliability, durability=DurabilityPolicy.VOLATILE)
        self._subscription = subscribe(
            self._node, offer.message_type, self.name, self._receive, qos
        )
        self._offer = offer

    def wait(self, timeout_s: float) -> _Message | None:
        """Return a message that was not returned yet; None after the time [s]."""
        end_s = time.monotonic() + timeout_s
        with self._arrived:
            while self._newest is None and self._node.context.ok():
                left_s = end_s - time.monotonic()
                if left_s <= 0.0:
                    return None
                self._arrived.wait(min(left_s, _LOOK_S))
            message, self._newest = self._newest, None
            return message

    def refuse(self, reason: str) -> None:
        """Count a message that cannot be used, and name it in the node's diagnostics."""
        refuse(self._node, self.name, reason)

    def _look(self, label: str) -> _Offer:
        publishers = self._node.get_publishers_info_by_topic(self.name)
        if not publishers:
            raise SourceLostError(f"{label}: nobody publishes there")
        for message_type_name, message_type in _TYPES.items():
            ours = [one for one in publishers if one.topic_type == message_type_name]
            if ours:
                reliable = [
                    one.qos_profile.reliability == ReliabilityPolicy.RELIABLE for one in ours
                ]
                return _Offer(message_type, all(reliable))
        found = ", ".join(sorted({one.topic_type for one in publishers}))
        raise SourceLostError(f"{label}: is {found}; allowed: {', '.join(_TYPES)}")

    def _receive(self, message: _Message) -> None:
        with self._arrived:
            self._newest = message
            self._arrived.notify_all()


class TopicSource:
    """A `FrameSource` over a topic. What cannot be read is counted and skipped."""

    period_s: float | None = None
    waits_for_consumer = False

    def __init__(
        self, topic: _Topic, name: str, clock_ns: ClockNs, timeout_s: float, stamp: str
    ) -> None:
        self.name = name
        self._topic = topic
        self._clock_ns = clock_ns
        self._timeout_s = timeout_s
        self._uses_arrival = stamp == "arrival"

    def read(self) -> Shot:
        """See `FrameSource`."""
        end_s = time.monotonic() + self._timeout_s
        while True:
            message = self._topic.wait(end_s - time.monotonic())
            if message is None:
                raise SourceLostError(f"{self.name}: no picture for {self._timeout_s:g} s")
            arrival_ns = self._clock_ns()
            try:
                image = _picture_of(message, self._topic.name)
            except FrameError as error:
                self._topic.refuse(str(error))
                continue
            stamp_ns = from_time(message.header.stamp)
            # A stamp of 0 is none.
            is_stamped = stamp_ns > 0 and not self._uses_arrival
            return Shot(image, stamp_ns if is_stamped else arrival_ns)

    def close(self) -> None:
        """See `FrameSource`. The subscription stays, for the next one."""


def attach(node: Node) -> Opener:
    """Return what opens `ros:` in the graph of a node."""
    topics: dict[str, _Topic] = {}

    def open_source(uri: CameraUri, clock_ns: ClockNs) -> TopicSource:
        options = uri.read_options({"timeout": number(0.1, 600.0), "stamp": _stamp})
        name = _resolved(node, uri)
        topic = topics.setdefault(name, _Topic(node, name))
        topic.subscribe(uri.label)
        timeout_s = options.get("timeout", _DEFAULT_TIMEOUT_S)
        return TopicSource(topic, uri.label, clock_ns, timeout_s, options.get("stamp", "message"))

    return open_source


def _resolved(node: Node, uri: CameraUri) -> str:
    try:
        validate_topic_name(uri.target)
    except InvalidTopicNameException:
        raise ConfigurationError(f"{uri.label}: must have the form ros:/TOPIC") from None
    name: str = node.resolve_topic_name(uri.target)
    if name in [node.resolve_topic_name(own) for own in _OWN]:
        raise ConfigurationError(f"{uri.label}: is what this camera sends itself")
    return name


def _stamp(text: str) -> str:
    if text not in _STAMPS:
        raise ValueError(f"must be one of {', '.join(_STAMPS)}")
    return text


def _picture_of(message: _Message, name: str) -> NDArray[np.uint8]:
    if isinstance(message, Image):
        return from_image(message)
    if "compressedDepth" in message.format:
        raise FrameError("compressedDepth is a depth map, not a picture; use the raw topic")
    try:
        return decode_picture(np.frombuffer(message.data, np.uint8), name)
    except FrameError as error:
        raise FrameError(f"{error} (format {message.format!r})") from None
