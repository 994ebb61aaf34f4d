"""Slow, late and silent streams are said as a person would say them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
import rclpy
from patience import wait_until
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from interfaces_pkg.msg import Detections, GimbalState, GpuState, HealthState
from ros_support_pkg.qos import SENSOR_DATA, STATE
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.core.serialised import stamp_of
from semantic_detection_pkg.health.core.rates import RateMeter
from semantic_detection_pkg.health.core.streams import (
    DETECTIONS,
    GIMBAL,
    Stream,
    StreamLimits,
    streams_of,
)
from semantic_detection_pkg.health.node import HealthMonitorNode

S = 1_000_000_000


def heard(rate_hz: float, latency_s: float, *, min_hz: float = 3.0, max_s: float = 1.0) -> str:
    """What is said of a stream after ten seconds."""
    stream = Stream("detections", min_hz, max_s, RateMeter(0.0))
    for number in range(int(10.0 * rate_hz)):
        stream.count(number / rate_hz, latency_s)
    return stream.complaint(10.0)


@pytest.mark.parametrize(
    ("rate_hz", "latency_s", "words"),
    [
        (10.0, 0.2, ""),
        (3.0, 0.9, ""),
        (10.0, math.nan, ""),
        (1.0, 0.2, "detections are slow, 1.0 a second, at least 3 are wanted"),
        (2.0, 0.2, "detections are slow, 2.0 a second"),
        (10.0, 1.4, "detections are late, 1.4 s after the capture, at most 1 s is wanted"),
        (1.0, 1.4, "detections are slow, 1.0 a second, at least 3 are wanted and late, 1.4 s"),
        (10.0, 3600.0, "late, 3600.0 s"),
        (10.0, -30.0, "detections are stamped 30.0 s in the future: clocks differ"),
        (10.0, -0.1, ""),
        (0.1, 0.1, "no detections for 3 s"),
    ],
)
def test_what_is_said(rate_hz: float, latency_s: float, words: str) -> None:
    said = heard(rate_hz, latency_s)
    assert said == words or (words and said.startswith(words)) or (words and words in said)
    assert bool(said) == bool(words)


def test_the_first_seconds_are_no_complaint() -> None:
    stream = streams_of(StreamLimits(), 100.0)[DETECTIONS]
    assert stream.complaint(102.9) == ""
    assert stream.complaint(103.1) == "no detections for 3 s"
    stream.excuse(103.2)
    assert stream.complaint(106.0) == ""


def test_a_step_of_the_clock_is_no_delay() -> None:
    stream = Stream("pictures", 5.0, 1.0, RateMeter(0.0))
    for number in range(100):
        # The few frames that were under way when the clock was set forward an hour.
        stream.count(number / 10, 3600.1 if 80 <= number < 83 else 0.1)
        assert stream.complaint(number / 10) == ""


def test_what_is_not_there_is_not_expected() -> None:
    limits = StreamLimits(camera_min_hz=0.0, detections_min_hz=0.0)
    assert list(streams_of(limits, 0.0)) == [GIMBAL]


def test_the_stamp_is_read_of_the_bytes() -> None:
    little = bytes([0, 1, 0, 0]) + (7).to_bytes(4, "little") + (5).to_bytes(4, "little")
    big = bytes([0, 0, 0, 0]) + (7).to_bytes(4, "big") + (5).to_bytes(4, "big")
    assert stamp_of(little) == stamp_of(big) == 7 * S + 5
    assert stamp_of(little[:11]) == stamp_of(b"") == 0


class Robot:
    """The monitor, and a robot whose streams are as a test wants them."""

    def __init__(self) -> None:
        self.monitor = HealthMonitorNode()
        self.node = Node("robot")
        self.executor = SingleThreadedExecutor()
        for node in (self.monitor, self.node):
            self.executor.add_node(node)
        create = self.node.create_publisher
        self.camera = create(CameraInfo, "camera/camera_info", SENSOR_DATA)
        self.detections = create(Detections, "detections", SENSOR_DATA)
        self.gimbal = create(GimbalState, "gimbal/state", SENSOR_DATA)
        self.gpu = create(GpuState, "gpu/state", STATE)
        self.said: list[HealthState] = []
        self.node.create_subscription(HealthState, "health/level", self.said.append, STATE)
        self._due_s = dict.fromkeys((self.camera, self.detections, self.gimbal), 0.0)

    def run(self, detections_hz: float, late_s: float) -> HealthState | None:
        """Go on for a moment; the newest word of a monitor that has had time to judge."""
        now_s = time.monotonic()
        for publisher, rate_hz, delay_s in (
            (self.camera, 20.0, 0.0),
            (self.gimbal, 30.0, 0.0),
            (self.detections, detections_hz, late_s),
        ):
            if rate_hz and now_s >= self._due_s[publisher]:
                self._due_s[publisher] = max(now_s, self._due_s[publisher]) + 1.0 / rate_hz
                message = publisher.msg_type()
                stamp_ns = self.node.get_clock().now().nanoseconds - int(delay_s * S)
                message.header.stamp = to_time(stamp_ns)
                publisher.publish(message)
        self.executor.spin_once(timeout_sec=0.005)
        return self.said[-1] if self.said else None


@pytest.fixture
def robot(ros_domain: dict[str, str]) -> Iterator[Robot]:
    rclpy.init(domain_id=int(ros_domain["ROS_DOMAIN_ID"]))
    robot = Robot()
    yield robot
    robot.node.destroy_node()
    robot.monitor.destroy_node()
    rclpy.try_shutdown()


def reasons_of(state: HealthState | None) -> str:
    found = [one for one in state.reasons if "detections" in one] if state else []
    return "; ".join(found)


@pytest.mark.long
def test_a_frame_a_second_and_1_4_s_late_is_not_ok(robot: Robot) -> None:
    wait_until(
        lambda: "slow, 1." in (said := reasons_of(robot.run(1.0, 1.4))) and "late, 1.4 s" in said,
        "slow and late",
        timeout_s=20.0,
    )
    assert robot.said[-1].level == HealthState.LEVEL_WARN
    wait_until(lambda: not reasons_of(robot.run(20.0, 0.0)), "all well", timeout_s=20.0)


@pytest.mark.long
def test_a_detector_that_waits_for_the_model_is_not_blamed(robot: Robot) -> None:
    wait_until(lambda: "no detections" in reasons_of(robot.run(0.0, 0.0)), "silence", 20.0)
    robot.gpu.publish(GpuState(owner=GpuState.OWNER_LEASE))
    wait_until(lambda: not reasons_of(robot.run(0.0, 0.0)), "the excuse", 20.0)
    robot.gpu.publish(GpuState(owner=GpuState.OWNER_DETECTOR))
    wait_until(lambda: "no detections" in reasons_of(robot.run(0.0, 0.0)), "silence", 20.0)
