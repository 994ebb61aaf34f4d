"""QoS profiles by purpose. A topic's profile is chosen here and nowhere else."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(
    reliability: ReliabilityPolicy, durability: DurabilityPolicy, depth: int
) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )


#: Streams where only the newest counts: images, detections, gimbal state. Depth 1, because each
#: waiting message is one whole frame time of delay.
SENSOR_DATA = _profile(ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 1)

#: Gimbal state for who looks up poses: all that comes during a long inference counts. 100 messages
#: are 2 s at 50 Hz.
HISTORY = _profile(ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 100)

#: Small readings of a standard type, for tools of others: camera info, joints. Reliable, which
#: serves readers of both kinds; readers of ours ask for `SENSOR_DATA`. Depth 10 for who pairs them.
READINGS = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)

#: Pictures for people. Reliable, because rviz2 asks for that by default; with depth 1 a slow viewer
#: loses frames rather than delaying them.
VIEW = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 1)

#: What a late joiner must know: scan state, coverage, GPU state, markers.
STATE = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1)

#: What a late joiner must know all of: findings.
RECORD = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 200)

#: What must not be lost: events, journals, diagnostics.
EVENT = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)

#: Set-points that replace each other: gimbal rates and angles.
COMMAND = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 1)
