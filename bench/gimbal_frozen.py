"""A driver that freezes in a slew (SIGSTOP): how long until its gimbal stands still.

The driver's node is a real process and moves a mock gimbal over a loopback TCP socket; nobody but
its last will can stop it (`gimbal_driver_pkg.links.last_will`). The worst of 30 is told, each
frozen at another moment of the driver's turns.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.gimbal import node
from bench.row import Row

if TYPE_CHECKING:
    from ros_graph import GraphProbe

    from gimbal_driver_pkg.mock.background import BackgroundMock

ROWS = ("gimbal_frozen_stop_ms",)

_ROOT = Path(__file__).resolve().parent.parent
_ROUNDS = 30
_RATE_RAD_S = 0.4
_COMMAND_PERIOD_S = 0.02
_POLL_S = 0.001
_ON_THE_WAY_S = 0.2  # and up to twice that
_GIVEN_UP_S = 5.0


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    yield Row("gimbal_frozen_stop_ms", 1000.0 * max(_stops_s()), "ms", goal=300.0)


def _stops_s() -> Iterator[float]:
    """Yield the time from each freeze to the standstill [s]."""
    from ros_graph import GraphProbe, isolated_domain

    from gimbal_driver_pkg.mock.background import BackgroundMock

    with isolated_domain() as environment, BackgroundMock("zr10") as mock:
        os.environ.update(environment)
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        try:
            with node(mock.tcp_port) as process:
                yield from _freezes_s(mock, probe, process.pid)
        finally:
            probe.close()


def _freezes_s(mock: BackgroundMock, probe: GraphProbe, pid: int) -> Iterator[float]:
    from interfaces_pkg.msg import GimbalRate, GimbalState
    from ros_support_pkg.qos import COMMAND, SENSOR_DATA

    states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    rates = probe.node.create_publisher(GimbalRate, "gimbal/cmd_rate", COMMAND)
    dice = random.Random(1)

    def is_slewing(yaw_rate_rad_s: float) -> bool:
        """Ask for it again, as who holds a stick does."""
        rates.publish(GimbalRate(yaw_rate_rad_s=yaw_rate_rad_s))
        time.sleep(_COMMAND_PERIOD_S)
        return not mock.state()["is_still"]

    for number in range(_ROUNDS):
        probe.wait_for(lambda: states and states[-1].link == GimbalState.LINK_UP, "the gimbal")
        rate_rad_s = _RATE_RAD_S if number % 2 else -_RATE_RAD_S  # and back: never at a limit
        end_s = 0.0
        while not (is_slewing(rate_rad_s) and end_s and time.monotonic() > end_s):
            end_s = end_s or time.monotonic() + _ON_THE_WAY_S * dice.uniform(1.0, 2.0)
        os.kill(pid, signal.SIGSTOP)
        frozen_s = time.monotonic()
        try:
            while not mock.state()["is_still"]:
                assert time.monotonic() - frozen_s < _GIVEN_UP_S, "the gimbal went on"
                time.sleep(_POLL_S)
            yield time.monotonic() - frozen_s
        finally:
            os.kill(pid, signal.SIGCONT)
        states.clear()
