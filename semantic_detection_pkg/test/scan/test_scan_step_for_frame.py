"""A frame is decided on when it comes, not when the controller's timer is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import rclpy
from patience import wait_until
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from interfaces_pkg.msg import Detections
from ros_support_pkg.qos import SENSOR_DATA
from ros_support_pkg.steady_clock import steady_ns
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.node import ScanControllerNode

GOAL = Goal("0123456789abcdef0123456789abcdef", Area(-0.5, 0.5, 0.0, 0.5), ("person",))


class Robot:
    """A scan controller whose timer stands, and what tells it frames."""

    def __init__(self, context: Context) -> None:
        self.node = ScanControllerNode(context=context)
        self.camera = Node("camera", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.camera)
        self.node._pace._timer.cancel()
        self._frames = self.camera.create_publisher(Detections, "detections", SENSOR_DATA)
        wait_until(self._frames.get_subscription_count, timeout_s=30.0)

    def tell_frame(self) -> None:
        """Tell a frame in which nothing is seen."""
        seen = Detections(image_width=640, image_height=360, model="exact", vocabulary=["person"])
        seen.header.stamp = self.camera.get_clock().now().to_msg()
        self._frames.publish(seen)

    def spin_until(self, condition: Callable[[], object]) -> None:
        """Spin until a condition holds."""

        def look() -> object:
            self.executor.spin_once(timeout_sec=0.02)
            return condition()

        wait_until(look, timeout_s=30.0)


@pytest.fixture
def robot(ros_domain: dict[str, str]) -> Iterator[Robot]:
    context = Context()
    rclpy.init(context=context)
    robot = Robot(context)
    yield robot
    robot.executor.shutdown()
    robot.node.destroy_node()
    robot.camera.destroy_node()
    context.try_shutdown()


def test_a_frame_of_a_scan_is_decided_on_at_once(robot: Robot) -> None:
    robot.node._inbox.append(GOAL)
    robot.node._step()
    assert robot.node._controller.is_busy
    for _ in range(3):
        robot.node._pace._timer.cancel()  # a step for a frame puts the timer's next one off
        robot.node._pace._stepped_ns = 0
        steps = robot.node._steps
        robot.tell_frame()
        robot.spin_until(lambda steps=steps: robot.node._steps > steps)
        assert robot.node._inbox == [], "the step had the frame"


def test_without_a_scan_frames_wait_for_the_timer(robot: Robot) -> None:
    for count in (1, 2):
        robot.tell_frame()
        robot.spin_until(lambda count=count: len(robot.node._inbox) == count)
    for _ in range(5):
        robot.executor.spin_once(timeout_sec=0.02)
    assert len(robot.node._inbox) == 2, "nothing took a step"


def test_frames_that_come_together_are_one_step(robot: Robot) -> None:
    robot.node._inbox.append(GOAL)
    robot.node._step()
    robot.node._pace._timer.cancel()
    steps = robot.node._steps
    robot.node._pace._stepped_ns = steady_ns()
    robot.node._pace._take_early()
    assert robot.node._steps == steps, "the one before was just now"
    robot.node._pace._stepped_ns -= 10**9
    robot.node._pace._take_early()
    assert robot.node._steps == steps + 1
