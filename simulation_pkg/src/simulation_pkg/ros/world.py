"""The simulated camera's two ties to the graph: where the gimbal points, and the truth."""

from __future__ import annotations

import threading
from functools import partial

from rclpy.node import Node

from interfaces_pkg.msg import Bearing, GimbalState, GroundTruth, WorldObject
from ros_support_pkg.core.pose_history import Pose as GimbalPose
from ros_support_pkg.core.pose_history import PoseHistory
from ros_support_pkg.qos import EVENT, SENSOR_DATA
from ros_support_pkg.running import tolerating_shutdown
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.camera.sources.registry import Opener
from semantic_detection_pkg.common.core.from_messages import pose_of_state
from simulation_pkg import camera
from simulation_pkg.core.world.geometry import Pose
from simulation_pkg.core.world.truth import Seen, Truth


def attach(node: Node, frame_id: str) -> Opener:
    """Return what opens a camera that turns with `gimbal/state` and publishes its truth."""
    poses = GimbalPoses(node)
    truths = node.create_publisher(GroundTruth, "world/ground_truth", EVENT)

    def publish(stamp_ns: int, truth: Truth) -> None:
        with tolerating_shutdown(node):
            truths.publish(to_ground_truth(truth, stamp_ns, frame_id))

    return partial(camera.open_source, pose_at=poses.at, on_truth=publish)


class GimbalPoses:
    """Where the gimbal pointed in the last seconds, from `gimbal/state`."""

    def __init__(self, node: Node) -> None:
        self._lock = threading.Lock()  # the camera asks from its own thread
        self._history: PoseHistory[GimbalPose] = PoseHistory()
        node.create_subscription(GimbalState, "gimbal/state", self._add, SENSOR_DATA)

    def at(self, stamp_ns: int) -> Pose | None:
        """Return the pose at a time [ns since the epoch]; the newest where none is near it.

        A gimbal that falls silent stays where it is.
        """
        with self._lock:
            pose = self._history.at(stamp_ns) or self._history.newest
        if pose is None:
            return None
        return Pose(
            pose.yaw_rad,
            pose.pitch_rad,
            pose.roll_rad,
            zoom=max(1.0, pose.zoom),  # also while it is unknown (NaN)
            yaw_rate_rad_s=pose.yaw_rate_rad_s,
            pitch_rate_rad_s=pose.pitch_rate_rad_s,
        )

    def _add(self, state: GimbalState) -> None:
        with self._lock:
            self._history.add(pose_of_state(state))


def to_ground_truth(truth: Truth, stamp_ns: int, frame_id: str) -> GroundTruth:
    """The truth of one picture as a message."""
    message = GroundTruth(
        image_width=truth.width,
        image_height=truth.height,
        yaw_rad=truth.pose.yaw_rad,
        pitch_rad=truth.pose.pitch_rad,
        hfov_rad=truth.hfov_rad,
        objects=[_to_world_object(seen) for seen in truth.objects],
    )
    message.header.stamp = to_time(stamp_ns)
    message.header.frame_id = frame_id
    return message


def _to_world_object(seen: Seen) -> WorldObject:
    return WorldObject(
        id=seen.id,
        class_name=seen.class_name,
        is_decoy=seen.is_decoy,
        bearing=Bearing(yaw_rad=seen.yaw_rad, pitch_rad=seen.pitch_rad),
        width_rad=seen.width_rad,
        height_rad=seen.height_rad,
        box_xyxy=list(seen.box_xyxy),
        visible=seen.visible,
    )
