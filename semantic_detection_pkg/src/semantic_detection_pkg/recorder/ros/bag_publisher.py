"""A bag's messages published again, as they were and at their pace, with /clock.

Bytes go out as they came in, so types need only be installed, not understood; each topic has the
QoS that its publisher offered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rosbags.interfaces import Connection
from rosgraph_msgs.msg import Clock

from ros_support_pkg.stamps import to_time
from ros_support_pkg.starting import interrupt_from_now_on
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.definitions import is_same
from semantic_detection_pkg.recorder.core.replay.pacing import Pace, in_words
from semantic_detection_pkg.recorder.ros.topics import definition, message_class
from semantic_detection_pkg.recorder.storage.bag_reader import BagMessage, BagReader

_DEPTH = 100
_SETTLE_S = 0.5  # for the others that start with the first subscriber
_LAST_S = 1.0  # for a reliable subscriber to get the last message
_CLOCK_PERIOD_S = 0.01  # of the wall's time: 100 Hz, as `ros2 bag play --clock` can
_NS_PER_S = 1e9


def publish(
    reader: BagReader,
    *,
    rate: float = 1.0,
    without: Collection[str] = (),
    wait_s: float = 5.0,
    say: Callable[[str], object] = lambda _: None,
) -> int:
    """Publish all messages of a bag, in the order in which they were received.

    Args:
        rate: times as fast as it was, above 0.
        without: names of topics, without namespace, that are left out.
        wait_s: [s] at most, for the first subscriber to find its topic.
        say: is given a line for each jump of the recording's clock that is skipped.

    Returns:
        Messages published; fewer than the bag has after Ctrl-C.

    Raises:
        ConfigurationError: `rate` is not above 0, or the bag is damaged.
    """
    if not 0.0 < rate < float("inf"):
        raise ConfigurationError(f"--rate {rate:g}: a number above 0 is needed")
    published = 0
    interrupt_from_now_on()
    rclpy.init()
    node = Node("replay")
    try:
        publishers = _publishers(node, reader, without)
        clock = node.create_publisher(Clock, "/clock", 10)
        _wait_for_somebody(publishers.values(), wait_s)
        for message in _paced(reader, publishers, clock, rate, say):
            publishers[message.connection.topic].publish(message.data)
            published += 1
        for publisher in publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=_LAST_S))
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return published


def _wait_for_somebody(publishers: Collection[Publisher], wait_s: float) -> None:
    end_s = time.monotonic() + wait_s
    while time.monotonic() < end_s:
        if any(publisher.get_subscription_count() for publisher in publishers):
            time.sleep(_SETTLE_S)
            return
        time.sleep(_CLOCK_PERIOD_S)


def _publishers(node: Node, reader: BagReader, without: Collection[str]) -> dict[str, Publisher]:
    publishers: dict[str, Publisher] = {}
    refused: set[str] = set()
    for connection in reader.connections:
        topic = connection.topic
        if (
            topic in publishers
            or topic in refused
            or any(topic.endswith(f"/{name.strip('/')}") for name in without)
        ):
            continue
        try:
            kind = message_class(connection.msgtype)
            for version in (one for one in reader.connections if one.topic == topic):
                _check_version(version)
        except ConfigurationError as error:
            node.get_logger().warning(f"{topic} is left out: {error}")
            refused.add(topic)
            continue
        offers = getattr(connection.ext, "offered_qos_profiles", [])
        # The first offer counts: the others could not all be met by one publisher anyway.
        is_reliable = not offers or offers[0].reliability.name != "BEST_EFFORT"
        is_lasting = bool(offers) and offers[0].durability.name == "TRANSIENT_LOCAL"
        qos = QoSProfile(
            depth=_DEPTH,
            reliability=QoSReliabilityPolicy.RELIABLE
            if is_reliable
            else QoSReliabilityPolicy.BEST_EFFORT,
            durability=QoSDurabilityPolicy.TRANSIENT_LOCAL
            if is_lasting
            else QoSDurabilityPolicy.VOLATILE,
        )
        publishers[topic] = node.create_publisher(kind, topic, qos)
    return publishers


def _check_version(connection: Connection) -> None:
    """Refuse a type of ours that is recorded in another version: its bytes would be misread."""
    recorded = connection.msgdef.data
    is_ours = connection.msgtype.startswith("interfaces_pkg/")
    if is_ours and recorded and not is_same(recorded, definition(connection.msgtype)):
        raise ConfigurationError(
            f"{connection.msgtype} is recorded in another version than the installed one"
        )


def _paced(
    reader: BagReader,
    topics: Collection[str],
    clock: Publisher,
    rate: float,
    say: Callable[[str], object],
) -> Iterator[BagMessage]:
    """Yield messages when their time has come; /clock runs up to it, at most at 100 Hz.

    A gap of some seconds is skipped with a line, and so is a step back of the recording's clock.
    """
    started_s = time.monotonic()
    told_s = -_CLOCK_PERIOD_S
    pace = Pace()
    for message in reader.messages_of(topics):
        due = pace.take(message.received_ns)
        if due.skipped_s:
            say(in_words(due.skipped_s))
        due_s = due.at_s / rate
        while True:
            now_s = time.monotonic() - started_s
            if now_s - told_s >= _CLOCK_PERIOD_S:
                told_s = now_s
                before_s = max(0.0, due_s - now_s) * rate
                now_ns = max(0, due.time_ns - round(before_s * _NS_PER_S))
                clock.publish(Clock(clock=to_time(now_ns)))
            if now_s >= due_s:
                break
            time.sleep(min(_CLOCK_PERIOD_S, due_s - now_s))
        yield message
