"""The system's clock steps under a scan in real processes: nothing stops, nothing is blinded.

The nodes that work by themselves and the mock gimbal are started with a clock that the test steps
(`step_clock.c`); the test's own clock goes right. It begins in 1970, as on a board without a
battery, is set by NTP, and is then stepped by -5 s, -1 h and +1 year. One launch for all of it;
every wait is for a condition.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from free_port import free_port
from launch_runner import LaunchSession
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_graph import GraphProbe
from scan_graph import write_scan_launch
from std_srvs.srv import Trigger
from step_clock import StepClock

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import (
    Detections,
    GimbalState,
    HealthState,
    RecorderStatus,
    ScanArea,
    ScanState,
)
from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.qos import SENSOR_DATA, STATE

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]
NS_PER_S = 1_000_000_000
START_TIMEOUT_S = 90.0
GROWTH_TIMEOUT_S = 40.0
NODES = (
    "gimbal_driver",
    "camera",
    "detector",
    "scan_controller",
    "recorder",
    "health_monitor",
    "dashboard",
)
#: Shown minus true time [s], in this order; before the first it is February 1970.
STEPS = {
    "set by NTP": 0.0,
    "set back by 5 s": -5.0,
    "set back by an hour": -3600.0 - 5.0,
    "set on by a year": 365 * 24 * 3600.0 - 3600.0 - 5.0,
}
#: Messages with the new time until a topic goes on.
MESSAGES = 3
#: Shown minus stamp [s]: a message of the new time is not from after now, and not old.
EARLIEST_S, LATEST_S = -1.0, 30.0
#: Wide, so that the sweep takes a while.
AREA = ScanArea(yaw_min_rad=-1.3, yaw_max_rad=1.3, pitch_min_rad=0.0, pitch_max_rad=0.6)
DIAGNOSTICS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)


def age_s(clock: StepClock, message: object) -> float:
    """Return how old a message is on the shown clock, as it comes."""
    stamp_ns = from_time(message.header.stamp)  # type: ignore[attr-defined]
    return clock.now_s() - stamp_ns / NS_PER_S


@pytest.fixture
def clock(tmp_path: Path) -> StepClock:
    """It shows February 1970."""
    clock = StepClock(tmp_path)
    clock.set(40 * 24 * 3600.0 - time.time())
    return clock


@pytest.fixture
def graph(tmp_path: Path, clock: StepClock, probe: GraphProbe) -> Iterator[LaunchSession]:
    path = tmp_path / "clock.launch.yaml"
    source = "sim:7?width=640&height=360&rate=4&light=0&noise=0"
    folder = {"output_dir": str(tmp_path / "recordings")}
    write_scan_launch(
        path,
        {"frame_rate_hz": 3.0},
        source=source,
        has_classifier=False,
        also={
            "recorder": {**folder, "min_free_mb": 0},
            "health_monitor": folder,
            "dashboard": {**folder, "port": free_port()},
        },
    )
    with LaunchSession(path, env=clock.environment) as session:
        session.wait_for_start("scan_controller")
        yield session


@pytest.mark.long
def test_nothing_stops_where_the_clock_steps(
    graph: LaunchSession, clock: StepClock, probe: GraphProbe
) -> None:
    gimbal = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    states = probe.listen(ScanState, "scan/state", STATE)
    recorder = probe.listen(RecorderStatus, "recorder/status", STATE)
    health = probe.listen(HealthState, "health/level", STATE)
    diagnostics = probe.listen(DiagnosticArray, "/diagnostics", DIAGNOSTICS)

    def check_all_goes_on(what: str) -> None:
        for name, messages in (
            ("gimbal/state", gimbal),
            ("detections", detections),
            ("scan/state", states),
            ("recorder/status", recorder),
            ("health/level", health),
        ):
            wait_for_news(probe, clock, messages, f"{name} after the clock was {what}")
        wait_for_all_nodes(probe, clock, diagnostics, f"diagnostics after the clock was {what}")
        assert probe.call(Trigger, "gimbal/photo", Trigger.Request()).success
        written = recorder[-1].messages
        probe.wait_for(
            lambda: recorder[-1].messages > written, f"a recording after the clock was {what}"
        )

    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
    probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
    check_all_goes_on("in 1970")
    sent = probe.action(Scan, "scan").send_goal(Scan.Goal(area=AREA, words=["boat"], repeat=True))
    assert sent.accepted
    wait_for_coverage(probe, states, "in 1970")
    for what, offset_s in STEPS.items():
        clock.set(offset_s)
        check_all_goes_on(what)
        wait_for_coverage(probe, states, what)
        probe.wait_for(lambda: detections[-1].pose.is_known, f"a pose after the clock was {what}")
    assert not [line for line in graph.lines if "Traceback" in line]


def wait_for_news(probe: GraphProbe, clock: StepClock, messages: list, what: str) -> None:
    """Wait until messages with the new time have come."""
    known, fresh = len(messages), [0]

    def are_there() -> bool:
        nonlocal known
        for message in messages[known:]:
            fresh[0] += EARLIEST_S < age_s(clock, message) < LATEST_S
        known = len(messages)
        return fresh[0] >= MESSAGES

    probe.wait_for(are_there, what)


def wait_for_all_nodes(probe: GraphProbe, clock: StepClock, arrays: list, what: str) -> None:
    """Wait until each node has told how it is, with the new time."""
    known, silent = len(arrays), set(NODES)

    def have_told() -> bool:
        nonlocal known
        for array in arrays[known:]:
            if EARLIEST_S < age_s(clock, array) < LATEST_S:
                names = " ".join(status.name for status in array.status)
                silent.difference_update([node for node in NODES if node in names])
        known = len(arrays)
        return not silent

    probe.wait_for(have_told, what)


def wait_for_coverage(probe: GraphProbe, states: list, what: str) -> None:
    """Wait until the scan has seen more than it had; where the area is covered it begins again."""
    begin = len(states) - 1

    def has_grown() -> bool:
        shares = [state.coverage for state in states[begin:]]
        return sum(max(0.0, b - a) for a, b in itertools.pairwise(shares)) > 0.01

    probe.wait_for(has_grown, f"more coverage after the clock was {what}", GROWTH_TIMEOUT_S)
