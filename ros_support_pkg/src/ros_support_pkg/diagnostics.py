"""Publishing to /diagnostics in the standard form, without the diagnostic_updater package.

diagnostic_updater is not on PyPI, and what a node needs of it is this one function.
"""

import dataclasses
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from ros_support_pkg.qos import EVENT
from ros_support_pkg.timers import every

PERIOD_S = 1.0


@dataclasses.dataclass(frozen=True)
class Health:
    """What a node says of itself: DiagnosticStatus level, a sentence, figures by name with unit."""

    level: bytes
    message: str
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @classmethod
    def ok(cls, message: str, **values: object) -> "Health":
        return cls(DiagnosticStatus.OK, message, values)

    @classmethod
    def warn(cls, message: str, **values: object) -> "Health":
        return cls(DiagnosticStatus.WARN, message, values)

    @classmethod
    def error(cls, message: str, **values: object) -> "Health":
        return cls(DiagnosticStatus.ERROR, message, values)


def publish_diagnostics(node: Node, check: Callable[[], Health]) -> None:
    """Call `check` once a second and publish its answer under the node's name."""
    publisher = node.create_publisher(DiagnosticArray, "/diagnostics", EVENT)
    name = node.get_fully_qualified_name().lstrip("/")

    def publish() -> None:
        health = check()
        status = DiagnosticStatus(level=health.level, name=name, message=health.message)
        status.values = [
            KeyValue(key=key, value=str(value)) for key, value in health.values.items()
        ]
        message = DiagnosticArray(status=[status])
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    every(node, PERIOD_S, publish)
