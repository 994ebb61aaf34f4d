"""The pose at capture: published with the detections, read from rclpy's and recorded messages."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import rclpy
from patience import patience
from rclpy.context import Context
from rclpy.node import Node

from interfaces_pkg.msg import Detections, GimbalState, PoseAtCapture
from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.qos import HISTORY
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.common.core.from_messages import pose_at_capture
from semantic_detection_pkg.common.ros.gimbal_poses import GimbalPoses
from semantic_detection_pkg.detector.ros.conversions import to_pose_at_capture

MS = 1_000_000
POSE = Pose(500 * MS, 0.1, 0.2, 0.3, 0.4, 0.5, 2.0, 0.6)
COUNT = 40


def detections(pose: PoseAtCapture) -> Detections:
    message = Detections(pose=pose)
    message.header.stamp = to_time(POSE.stamp_ns)
    return message


def test_a_pose_comes_back_as_it_was_published() -> None:
    published = to_pose_at_capture(POSE, Pose(510 * MS, 0.0, 0.0))
    assert published.newest_reading == to_time(510 * MS)
    assert pose_at_capture(detections(published)) == POSE


@pytest.mark.parametrize(
    "message",
    [
        detections(to_pose_at_capture(None, POSE)),
        detections(to_pose_at_capture(None, None)),
        detections(PoseAtCapture(is_known=True, yaw_rad=math.nan)),
        SimpleNamespace(header=None),  # of a recording from before it was published
    ],
)
def test_what_nobody_knew_is_no_pose(message: object) -> None:
    assert pose_at_capture(message) is None


@pytest.fixture
def node(ros_domain: dict[str, str]) -> Iterator[Node]:
    context = Context()
    rclpy.init(context=context)
    node = Node("poses", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def state(number: int, link: int = GimbalState.LINK_UP) -> GimbalState:
    message = GimbalState(yaw_rad=0.01 * number, zoom=1.0, hfov_rad=1.0, link=link)
    message.header.stamp = to_time(20 * MS * number)
    return message


def test_what_came_during_a_long_callback_is_there_for_the_lookup(node: Node) -> None:
    """The executor would have taken one message, and the pose would have been a guess."""
    poses = GimbalPoses(node)
    publisher = node.create_publisher(GimbalState, "gimbal/state", HISTORY)
    end_s = time.monotonic() + patience(10.0)
    while not publisher.get_subscription_count() and time.monotonic() < end_s:
        time.sleep(0.01)
    for number in range(1, COUNT + 1):
        publisher.publish(state(number))
    publisher.publish(state(COUNT + 1, GimbalState.LINK_STALE))
    newest = None
    while newest is None or newest.stamp_ns < 20 * MS * COUNT:
        assert time.monotonic() < end_s, f"the newest that came is {newest}"
        poses.take_waiting()  # nobody spins
        newest = poses.newest
    assert newest.stamp_ns == 20 * MS * COUNT, "a stale line tells no pose"
    between = poses.at(30 * MS)
    assert between is not None
    assert between.yaw_rad == pytest.approx(0.015)
