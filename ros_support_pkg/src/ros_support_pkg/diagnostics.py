"""Publishing to /diagnostics in the standard form, without the diagnostic_updater package.

diagnostic_updater is not on PyPI, and what a node needs of it is this one function.
"""

import dataclasses
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from ros_support_pkg.edge import advertise, refused_by
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
    """Call `check` once a second and publish its answer under the node's name.

    What the node refused at its edge is added, and is a warning while it is recent.
    """
    publisher = advertise(node, DiagnosticArray, "/diagnostics", EVENT)
    name = node.get_fully_qualified_name().lstrip("/")

    def publish() -> None:
        health = _with_refused(node, check())
        status = DiagnosticStatus(level=health.level, name=name, message=health.message)
        status.values = [
            KeyValue(key=key, value=str(value)) for key, value in health.values.items()
        ]
        message = DiagnosticArray(status=[status])
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)

    every(node, PERIOD_S, publish)


def _with_refused(node: Node, health: Health) -> Health:
    refused = dict(refused_by(node))
    if not refused:
        return health
    figures = {f"refused {name}": f"{one.count}: {one.reason}" for name, one in refused.items()}
    health = dataclasses.replace(health, values={**health.values, **figures})
    recent = [f"{name} refused: {one.reason}" for name, one in refused.items() if one.is_recent]
    if not recent or health.level != DiagnosticStatus.OK:
        return health
    return dataclasses.replace(health, level=DiagnosticStatus.WARN, message="; ".join(recent))
