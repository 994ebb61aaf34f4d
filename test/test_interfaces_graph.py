"""Every message, service and action of ours crosses the middleware with all its fields."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rclpy.action import ActionServer
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    NamespacedType,
)

from semantic_detection_pkg.recorder.ros.topics import type_hash

FOLDER = Path(__file__).resolve().parent.parent / "interfaces_pkg"
#: What is published stays for a reader that is discovered later.
KEPT = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def types(kind: str) -> Iterator[Any]:
    """Our interfaces of a kind ("msg", "srv", "action"), as generated for Python."""
    module = import_module(f"interfaces_pkg.{kind}")
    return (getattr(module, path.stem) for path in sorted(FOLDER.glob(f"{kind}/*.{kind}")))


def filled(message_type: Any) -> Any:
    """A message without a field that is at its default."""
    message = message_type()
    for name, kind in zip(message.get_fields_and_field_types(), message.SLOT_TYPES, strict=True):
        setattr(message, name, value_of(kind))
    return message


def value_of(kind: Any) -> Any:
    if isinstance(kind, AbstractNestedType):
        size = kind.size if isinstance(kind, Array) else 3
        return [value_of(kind.value_type) for _ in range(size)]
    if isinstance(kind, NamespacedType):
        return filled(getattr(import_module(".".join(kind.namespaces)), kind.name))
    if isinstance(kind, AbstractString):
        return "nähe"
    assert isinstance(kind, BasicType), kind
    return {"boolean": True, "float": 0.5, "double": 0.1}.get(kind.typename, 7)


@pytest.fixture
def received(probe) -> dict[Any, list[Any]]:
    """Each message type, and what arrived of the filled one that was published."""
    lists = {kind: probe.listen(kind, kind.__name__, KEPT) for kind in types("msg")}
    for kind in lists:
        probe.node.create_publisher(kind, kind.__name__, KEPT).publish(filled(kind))
    return lists


def test_messages(probe, received) -> None:
    assert len(received) > 20
    probe.wait_for(lambda: all(received.values()), "one of every message")
    for kind, messages in received.items():
        assert messages[0] == filled(kind)
        assert messages[0] != kind()


@pytest.mark.skipif(
    os.environ.get("ROS_DISTRO") == "humble",
    reason="Humble has no type hashes, and none can be added",
)
def test_type_hashes_of_the_graph_are_those_of_the_files(probe, received) -> None:
    """What a bag says of a type is what its publishers say."""
    for kind in received:
        (publisher,) = probe.node.get_publishers_info_by_topic(f"/{kind.__name__}")
        assert str(publisher.topic_type_hash) == type_hash(f"interfaces_pkg/msg/{kind.__name__}")


def test_services(probe) -> None:
    asked = {}
    for kind in types("srv"):

        def answer(request: Any, _: Any, kind: Any = kind) -> Any:
            asked[kind] = request
            return filled(kind.Response)

        probe.node.create_service(kind, kind.__name__, answer)
        assert probe.call(kind, kind.__name__, filled(kind.Request)) == filled(kind.Response)
    assert len(asked) > 5
    assert asked == {kind: filled(kind.Request) for kind in asked}


def test_actions(probe) -> None:
    asked, told = {}, {}
    for kind in types("action"):

        def run(goal: Any, kind: Any = kind) -> Any:
            asked[kind] = goal.request
            goal.publish_feedback(filled(kind.Feedback))
            goal.succeed()
            return filled(kind.Result)

        def hear(message: Any, kind: Any = kind) -> None:
            told[kind] = message.feedback

        ActionServer(probe.node, kind, kind.__name__, run)
        goal = probe.action(kind, kind.__name__).send_goal(filled(kind.Goal), hear)
        assert goal.result().result == filled(kind.Result)
    probe.wait_for(lambda: len(told) == len(asked), "feedback of every action")
    assert len(asked) >= 3
    assert asked == {kind: filled(kind.Goal) for kind in asked}
    assert told == {kind: filled(kind.Feedback) for kind in told}
