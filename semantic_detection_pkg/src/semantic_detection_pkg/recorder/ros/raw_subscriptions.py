"""Serialised messages for the recorder: taken as they come, never unpacked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from ros_support_pkg.edge import subscribe
from ros_support_pkg.topic_events import of_subscription
from semantic_detection_pkg.recorder.core.topics import Message, OfferedQos, Topic
from semantic_detection_pkg.recorder.ros.topics import Source, definition, message_class, type_hash

#: What waits for the executor; the disk has a queue of its own.
_DEPTH_FRAMES, _DEPTH_SMALL = 10, 100

_LOST = "lost before the recorder got it"


class RawSubscriptions:
    """Takes serialised messages of all sources; keeps up with what their publishers offer."""

    def __init__(
        self,
        node: Node,
        wanted: Sequence[Source],
        take: Callable[[Source, Message], None],
        lose: Callable[[str, str, int], None],
    ) -> None:
        """Subscribe.

        Args:
            take: is given every message.
            lose: topic, reason and number of messages that the middleware lost.
        """
        self._node = node
        self._take = take
        self._lose = lose
        self._inputs = [_Input(source, *self._resolve(source)) for source in wanted]
        for entry in self._inputs:
            self._subscribe(entry)

    def adapt(self) -> None:
        """Look at the publishers: note what they offer, subscribe anew where we asked too much."""
        for entry in self._inputs:
            offers = self._node.get_publishers_info_by_topic(entry.topic.name)
            if not offers:
                continue
            profiles = tuple(dict.fromkeys(_offered(offer) for offer in offers))
            if profiles != entry.topic.qos:
                entry.topic = replace(entry.topic, qos=profiles)
            weaker = _weakest(entry.qos, offers)
            if weaker != entry.qos:
                entry.qos = weaker
                self._subscribe(entry)

    def _resolve(self, source: Source) -> tuple[Topic, QoSProfile]:
        name = self._node.resolve_topic_name(source.name)
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_DEPTH_FRAMES if source.is_frame else max(_DEPTH_SMALL, source.qos.depth),
            reliability=source.qos.reliability,
            durability=source.qos.durability,
        )
        return Topic(name, source.type_name, type_hash(source.type_name)), qos

    def _subscribe(self, entry: _Input) -> None:
        if entry.subscription is not None:
            self._node.destroy_subscription(entry.subscription)
        # Humble's rclpy does not hand out when a message was sent and received.
        has_times = hasattr(Subscription, "CallbackType")
        callback = partial(self._receive_timed if has_times else self._receive, entry)
        entry.subscription = subscribe(
            self._node,
            message_class(entry.source.type_name),
            entry.source.name,
            callback,
            entry.qos,
            raw=True,
            event_callbacks=of_subscription(partial(self._note_loss, entry.topic.name)),
        )

    def _note_loss(self, topic: str, info: Any) -> None:
        self._lose(topic, _LOST, info.total_count_change)

    def _receive_timed(self, entry: _Input, data: bytes, times: dict[str, int]) -> None:
        received_ns = times["received_timestamp"] or time.time_ns()
        self._hand_on(entry, data, received_ns, times["source_timestamp"] or received_ns)

    def _receive(self, entry: _Input, data: bytes) -> None:
        now_ns = time.time_ns()
        self._hand_on(entry, data, now_ns, now_ns)

    def _hand_on(self, entry: _Input, data: bytes, received_ns: int, published_ns: int) -> None:
        if not entry.topic.qos:
            self.adapt()  # the first message came before the first look
        text = definition(entry.source.type_name)
        self._take(entry.source, Message(entry.topic, text, received_ns, published_ns, data))


@dataclass
class _Input:
    """A source, how it is subscribed to now, and what its publishers offer."""

    source: Source
    topic: Topic
    qos: QoSProfile
    subscription: Subscription | None = None


def _weakest(qos: QoSProfile, offers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """Return what we may ask for so that all publishers fit: never more than before."""
    offered = [offer.qos_profile for offer in offers]
    reliable = all(o.reliability != ReliabilityPolicy.BEST_EFFORT for o in offered)
    lasting = all(o.durability == DurabilityPolicy.TRANSIENT_LOCAL for o in offered)
    return QoSProfile(
        history=qos.history,
        depth=qos.depth,
        reliability=qos.reliability if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=qos.durability if lasting else DurabilityPolicy.VOLATILE,
    )


def _offered(info: TopicEndpointInfo) -> OfferedQos:
    qos = info.qos_profile
    return OfferedQos(
        reliability=qos.reliability.name.lower(),
        durability=qos.durability.name.lower(),
        history=qos.history.name.lower(),
        depth=qos.depth,
        deadline_ns=qos.deadline.nanoseconds,
        lifespan_ns=qos.lifespan.nanoseconds,
        liveliness=qos.liveliness.name.lower(),
        lease_ns=qos.liveliness_lease_duration.nanoseconds,
    )
