"""What rclpy tells of a topic beside its messages: only what is asked for.

By itself rclpy makes two listeners for each publisher and subscription, which log where another
one's QoS or type does not fit. The executor asks each of them, several times, at each wake-up: with
forty topics that is half of what a wake-up takes (docs/decisions/0023-fewer-processes.md). The
other one's log says the same, and whoever asks for what we do not offer looks there first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks


def of_subscription(message_lost: Callable[[Any], None] | None = None) -> Any:
    """Return `event_callbacks` of a subscription; `message_lost` as rclpy calls it."""
    return SubscriptionEventCallbacks(message_lost=message_lost, use_default_callbacks=False)


def of_publisher() -> Any:
    """Return `event_callbacks` of a publisher."""
    return PublisherEventCallbacks(use_default_callbacks=False)
