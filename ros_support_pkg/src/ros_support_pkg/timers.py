"""Periodic work on a steady clock.

`Node.create_timer` uses the node's clock, which is the system's: set back by NTP, or on a board
without a battery, every timer stands until the clock has caught up. Stamps may jump, work may not
stop; so all timers are made here.
"""

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

_STEADY = Clock(clock_type=ClockType.STEADY_TIME)


def every(node: Node, period_s: float, work: Callable[[], object]) -> Timer:
    """Call `work` each `period_s` [s] in the node's executor, whatever the system's clock does.

    With `use_sim_time`, too: simulated time stamps, real time drives.
    """
    return node.create_timer(period_s, work, clock=_STEADY)
