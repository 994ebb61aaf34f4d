"""The simulated camera's two ties to the graph: where the gimbal points, and the truth."""

from __future__ import annotations

from functools import partial

from rclpy.node import Node

from interfaces_pkg.msg import Bearing, GroundTruth, WorldObject
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import EVENT
from ros_support_pkg.running import tolerating_shutdown
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.camera.sources.registry import Opener
from semantic_detection_pkg.camera.sources.source import FrameSource
from semantic_detection_pkg.common.ros.gimbal_poses import GimbalPoses
from simulation_pkg import camera, photo_camera
from simulation_pkg.core.world.geometry import CameraPose
from simulation_pkg.core.world.truth import Seen, Truth


def attach(node: Node, frame_id: str) -> partial[FrameSource]:
    """Return what opens a camera that turns with `gimbal/state` and publishes its truth."""
    poses = GimbalPoses(node)
    truths = advertise(node, GroundTruth, "world/ground_truth", EVENT)

    def publish(stamp_ns: int, truth: Truth) -> None:
        with tolerating_shutdown(node):
            truths.publish(to_ground_truth(truth, stamp_ns, frame_id))

    return partial(camera.open_source, pose_at=partial(pose_of_camera, poses), on_truth=publish)


def attach_photo(node: Node, frame_id: str) -> Opener:
    """Return what opens `photo:`, a camera that looks into a photograph; else as `attach`."""
    bound = attach(node, frame_id)
    return partial(photo_camera.open_source, **bound.keywords)


def pose_of_camera(poses: GimbalPoses, stamp_ns: int) -> CameraPose | None:
    """Return the simulated camera's pose at a time [ns since the epoch]; None before any is known.

    A gimbal that falls silent stays where it is.
    """
    pose = poses.at(stamp_ns) or poses.newest
    if pose is None:
        return None
    return CameraPose(
        pose.yaw_rad,
        pose.pitch_rad,
        pose.roll_rad,
        zoom=max(1.0, pose.zoom),  # also while it is unknown (NaN)
        yaw_rate_rad_s=pose.yaw_rate_rad_s,
        pitch_rate_rad_s=pose.pitch_rate_rad_s,
    )


def to_ground_truth(truth: Truth, stamp_ns: int, frame_id: str) -> GroundTruth:
    """Return the truth of one picture as a message."""
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
