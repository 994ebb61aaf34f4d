"""Between what the driver knows and messages; the only place that knows both."""

from __future__ import annotations

import math

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.protocol.messages import Focus
from interfaces_pkg.msg import GimbalState as GimbalStateMessage
from ros_support_pkg.core.words import FocusAction, GimbalMode
from ros_support_pkg.stamps import to_time

#: Joints of config/gimbal.urdf, from the base to the camera.
JOINTS = ("gimbal_yaw_joint", "gimbal_roll_joint", "gimbal_pitch_joint")

#: What a request of type SetFocus says, as the driver has it; the names are the same.
FOCUS_ACTIONS = {action.value: Focus[action.name] for action in FocusAction}


def to_gimbal_state(state: GimbalState, stamp_ns: int, frame_id: str) -> GimbalStateMessage:
    """Return what is known now; `stamp_ns` [ns, ROS time] is that of the newest angles."""
    limits = state.limits
    message = GimbalStateMessage(
        header=Header(stamp=to_time(stamp_ns), frame_id=frame_id),
        zoom=state.zoom,
        zoom_max=limits.zoom_max,
        hfov_rad=state.hfov_rad,
        mode=GimbalMode["UNKNOWN" if state.mode is None else state.mode.name].value,
        link=state.link.value,
        age_s=state.age_s,
        yaw_saturated=state.yaw_saturated,
        pitch_saturated=state.pitch_saturated,
        is_recording=state.is_recording,
        yaw_min_rad=limits.yaw.soft_low_rad,
        yaw_max_rad=limits.yaw.soft_high_rad,
        pitch_min_rad=limits.pitch.soft_low_rad,
        pitch_max_rad=limits.pitch.soft_high_rad,
        model=state.model,
        firmware=state.firmware,
    )
    if (reading := state.attitude) is not None:
        message.yaw_rad, message.pitch_rad = reading.yaw_rad, reading.pitch_rad
        message.roll_rad = reading.roll_rad
        message.yaw_rate_rad_s = _known(reading.yaw_rate_rad_s)
        message.pitch_rate_rad_s = _known(reading.pitch_rate_rad_s)
        message.roll_rate_rad_s = _known(reading.roll_rate_rad_s)
    return message


def to_joint_state(state: GimbalState, stamp_ns: int) -> JointState | None:
    """Return the joints of the gimbal's URDF; None while nothing is known of them."""
    reading = state.attitude
    if reading is None:
        return None
    return JointState(
        header=Header(stamp=to_time(stamp_ns)),
        name=list(JOINTS),
        position=[reading.yaw_rad, reading.roll_rad, reading.pitch_rad],
        velocity=[
            _known(reading.yaw_rate_rad_s),
            _known(reading.roll_rate_rad_s),
            _known(reading.pitch_rate_rad_s),
        ],
    )


def _known(rate_rad_s: float) -> float:
    """Return the rate, or 0 for the first reading of a gimbal that does not tell rates."""
    return 0.0 if math.isnan(rate_rad_s) else rate_rad_s
