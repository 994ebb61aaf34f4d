"""The edge of a node: all that other nodes send it is checked here, one way for all types.

A message that cannot be used is dropped, counted and named in the node's diagnostics; a request
that cannot be used is answered with the reason, a goal is aborted with the reason in its result.
What is wrong is what `core.message_rules` says of its type, and what a converter refuses by a
ValueError.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from rclpy.action import ActionServer
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.service import Service
from rclpy.subscription import Subscription

from ros_support_pkg import topic_events
from ros_support_pkg.core.message_rules import check_message

#: What converters raise for what they cannot use. Any other exception is a defect of ours.
_REFUSALS = (ValueError, OverflowError)
_LOG_PERIOD_S = 5.0
_RECENT_S = 10.0

_T = TypeVar("_T")
_Server = TypeVar("_Server", bound=ActionServer)


@dataclasses.dataclass
class Refused:
    """What a node refused under one name.

    Attributes:
        last_s: on the monotonic clock.
    """

    count: int = 0
    reason: str = ""
    last_s: float = 0.0

    @property
    def is_recent(self) -> bool:
        """Whether it happened in the last seconds."""
        return time.monotonic() - self.last_s < _RECENT_S


_OF_NODES: weakref.WeakKeyDictionary[Node, dict[str, Refused]] = weakref.WeakKeyDictionary()


def refused_by(node: Node) -> dict[str, Refused]:
    """Return what a node refused so far, by the name of its topic, service or action."""
    return _OF_NODES.setdefault(node, {})


def refuse(node: Node, name: str, reason: str) -> None:
    """Count what was refused under a name, and log it now and then."""
    refused = refused_by(node).setdefault(name, Refused())
    now_s = time.monotonic()
    if refused.count == 0 or now_s - refused.last_s >= _LOG_PERIOD_S or refused.reason != reason:
        node.get_logger().error(f"{name}: {reason}", throttle_duration_sec=1.0)
    refused.count += 1
    refused.reason, refused.last_s = reason, now_s


def subscribe(
    node: Node,
    message_type: type[Any],
    topic: str,
    take: Callable[..., object],
    qos: QoSProfile,
    **options: Any,
) -> Subscription:
    """Subscribe; `take` gets what passed.

    Args:
        options: as `Node.create_subscription` has them. With `raw` nothing is looked into.
    """
    callback = take if options.get("raw") else taking(node, topic, take)
    options = {"event_callbacks": topic_events.of_subscription(), **options}
    return node.create_subscription(message_type, topic, callback, qos, **options)


def advertise(node: Node, message_type: type[Any], topic: str, qos: QoSProfile) -> Publisher:
    """Return what publishes on a topic."""
    quiet = topic_events.of_publisher()
    return node.create_publisher(message_type, topic, qos, event_callbacks=quiet)


def advertise_active(
    node: LifecycleNode, message_type: type[Any], topic: str, qos: QoSProfile
) -> LifecyclePublisher:
    """Return what publishes on a topic while its node is active."""
    quiet = topic_events.of_publisher()
    return node.create_lifecycle_publisher(message_type, topic, qos, event_callbacks=quiet)


def taking(node: Node, name: str, take: Callable[[_T], object]) -> Callable[[_T], None]:
    """Return `take` behind the check, for who gets messages otherwise than by `subscribe`."""

    def checked(message: _T) -> None:
        try:
            check_message(message)
            take(message)
        except _REFUSALS as error:
            refuse(node, name, str(error))

    return checked


def serve(
    node: Node,
    service_type: Any,
    name: str,
    answer: Callable[[Any, Any], Any],
    group: CallbackGroup | None = None,
) -> Service:
    """Offer a service; `answer`, which may be asynchronous, gets the requests that passed.

    To the others goes the reason, in the answer's field `message` or `reason`.
    """

    def refused(response: Any, error: Exception) -> Any:
        refuse(node, name, str(error))
        return _with_reason(response, str(error))

    @functools.wraps(answer)
    def answered(request: Any, response: Any) -> Any:
        try:
            check_message(request)
            return answer(request, response)
        except _REFUSALS as error:
            return refused(response, error)

    @functools.wraps(answer)
    async def answered_later(request: Any, response: Any) -> Any:
        try:
            check_message(request)
            return await answer(request, response)
        except _REFUSALS as error:
            return refused(response, error)

    callback = answered_later if inspect.iscoroutinefunction(answer) else answered
    return node.create_service(service_type, name, callback, callback_group=group)


def serve_goals(
    server: type[_Server],
    node: Node,
    action_type: Any,
    name: str,
    execute: Callable[[ServerGoalHandle], Any],
    *,
    refusal: Callable[[Any, str], Any] | None = None,
    limit: Callable[[Any], None] | None = None,
    **options: Any,
) -> _Server:
    """Offer an action; `execute`, which may be asynchronous, gets the goals that passed.

    The others are accepted and aborted at once with the reason in their result: a rejection cannot
    carry one.

    Args:
        server: `ActionServer`, or what does more than that.
        refusal: makes the result of a goal and the reason; else the reason is its field `message`.
        limit: looks at a goal before its parts are looked at one by one, and raises a ValueError
            where there are so many that this would hold up the node.
        options: as `ActionServer` has them.
    """

    def check(goal: Any) -> None:
        if limit is not None:
            limit(goal)
        check_message(goal)

    def refused(handle: ServerGoalHandle, error: Exception) -> Any:
        refuse(node, name, str(error))
        handle.abort()
        if refusal is not None:
            return refusal(handle.request, str(error))
        return _with_reason(action_type.Result(), str(error))

    @functools.wraps(execute)
    def executed(handle: ServerGoalHandle) -> Any:
        try:
            check(handle.request)
            return execute(handle)
        except _REFUSALS as error:
            return refused(handle, error)

    @functools.wraps(execute)
    async def executed_later(handle: ServerGoalHandle) -> Any:
        try:
            check(handle.request)
            return await execute(handle)
        except _REFUSALS as error:
            return refused(handle, error)

    callback = executed_later if inspect.iscoroutinefunction(execute) else executed
    return server(node, action_type, name, callback, **options)


def _with_reason(response: Any, reason: str) -> Any:
    fields = response.get_fields_and_field_types()
    for field in ("success", "granted"):
        if field in fields:
            setattr(response, field, False)
    for field in ("message", "reason"):
        if field in fields:
            setattr(response, field, reason)
    return response
