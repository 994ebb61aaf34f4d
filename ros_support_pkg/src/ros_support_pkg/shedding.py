"""What is to be shed because the machine runs short, as `health/level` says it."""

from rclpy.node import Node

from interfaces_pkg.msg import HealthState
from ros_support_pkg.edge import subscribe
from ros_support_pkg.qos import STATE

TIER3 = "tier3"  # no questions to the vision-language model
RATES = "rates"  # half the pictures, a slower recording


class Shedding:
    """Listens for a node; without a health monitor nothing is shed."""

    def __init__(self, node: Node) -> None:
        self._shed: frozenset[str] = frozenset()
        subscribe(node, HealthState, "health/level", self._take, STATE)

    def __contains__(self, what: str) -> bool:
        return what in self._shed

    def _take(self, state: HealthState) -> None:
        self._shed = frozenset(state.shed)
