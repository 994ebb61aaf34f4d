"""A MAVLink gimbal: a device (component 154) with its camera (100), on a vehicle or alone. Pure.

Heartbeat at 1 Hz, manager status at 5 Hz, attitude at 10 Hz or as asked; information on request;
follows set-points to the device (284) and to the manager (287). Its autopilot tells where the
vehicle is (`mock.vehicle`) where there is one. On a vehicle the autopilot
(component 1) is the manager, else the device itself. What is addressed to others is not heard;
acknowledgements name whom they are for.
"""

from __future__ import annotations

import math
from typing import Any

from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.mock.conversation import Conversation, MockGimbal, Push
from gimbal_driver_pkg.mock.vehicle import AUTOPILOT
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler, to_euler
from gimbal_driver_pkg.protocol.mavlink.wire import MavlinkWire, decode
from gimbal_driver_pkg.protocol.messages import Mode
from gimbal_driver_pkg.protocol.signs import signs_of

_COMPONENT, _CAMERA, _EVERYBODY = 154, 100, 0
_ATTITUDE = mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
_OF_MANAGER = frozenset(
    {
        mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION,
        mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_STATUS,
    }
)
_AUTOPILOT_HEARTBEAT = "heartbeat of the autopilot"
_YAW_LOCK = mav.GIMBAL_DEVICE_FLAGS_YAW_LOCK


class MavlinkConversation(Conversation):
    """One client of a MAVLink gimbal."""

    def __init__(
        self, gimbal: MockGimbal, now_s: float, system: int = 1, has_autopilot: bool = True
    ) -> None:
        """Begin a conversation: the gimbal of the vehicle `system` speaks first."""
        self._manager = AUTOPILOT if has_autopilot else _COMPONENT
        super().__init__(gimbal, MavlinkWire(), now_s)
        self._mav = mav.MAVLink(None, srcSystem=system, srcComponent=_COMPONENT)
        self._signs = signs_of("mavlink")
        self._owner = (0, 0)

    def initial_pushes(self, now_s: float) -> dict[object, Push]:
        autopilot = {_AUTOPILOT_HEARTBEAT: Push(1.0, now_s - 1.0)}
        return (autopilot if self._manager == AUTOPILOT else {}) | {
            mav.MAVLINK_MSG_ID_HEARTBEAT: Push(1.0, now_s - 1.0),
            mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_STATUS: Push(5.0, now_s),
            _ATTITUDE: Push(10.0, now_s),
        }

    def answer(self, frame: bytes, now_s: float) -> list[bytes]:
        message = decode(frame)
        if message is None or self.gimbal.is_booting(now_s) or not self._is_for_us(message):
            return []
        match message.get_type():
            case "GIMBAL_DEVICE_SET_ATTITUDE":
                self._take_mode(message.flags)
                has_angles = not any(map(math.isnan, message.q))
                _, pitch, yaw = to_euler(message.q) if has_angles else (0.0, math.nan, math.nan)
                self._follow(pitch, yaw, message.angular_velocity_y, message.angular_velocity_z)
            case "GIMBAL_MANAGER_SET_PITCHYAW" if message.gimbal_device_id in (0, _COMPONENT):
                self._take_mode(message.flags)
                self._follow(message.pitch, message.yaw, message.pitch_rate, message.yaw_rate)
            case "COMMAND_LONG":
                return self._command(message, now_s)
        return []

    def pushed(self, key: object, now_s: float) -> list[bytes]:
        return [] if self.gimbal.is_booting(now_s) else self._message(key, now_s)

    def data_size(self, frame: bytes) -> int:
        return frame[1]

    def with_data_size(self, frame: bytes, size: int) -> bytes:  # noqa: ARG002
        return frame  # MAVLink cuts and fills payloads itself: no length is wrong

    def _is_for_us(self, message: Any) -> bool:
        """Tell whether a message is addressed to the gimbal, its manager or its camera."""
        system = getattr(message, "target_system", _EVERYBODY)
        component = getattr(message, "target_component", _EVERYBODY)
        ours = {_EVERYBODY, _COMPONENT, _CAMERA, self._manager}
        return system in (_EVERYBODY, self._mav.srcSystem) and component in ours

    def _take_mode(self, flags: int) -> None:
        self.gimbal.camera.mode = Mode.LOCK if flags & _YAW_LOCK else Mode.FOLLOW

    def _pack(self, message: Any, component: int = _COMPONENT) -> bytes:
        self._mav.seq = self.gimbal.next_sequence() & 0xFF
        self._mav.srcComponent = component
        return bytes(message.pack(self._mav))

    def _follow(self, pitch: float, yaw: float, pitch_rate: float, yaw_rate: float) -> None:
        """Follow a set-point in MAVLink's signs; NaN is "unset"."""
        body, signs = self.gimbal.body, self._signs
        if not math.isnan(yaw):
            body.yaw.go_to(signs.angle_yaw * yaw)
        elif not math.isnan(yaw_rate):
            body.yaw.turn(signs.rate_yaw * yaw_rate)
        if not math.isnan(pitch):
            body.pitch.go_to(signs.angle_pitch * pitch)
        elif not math.isnan(pitch_rate):
            body.pitch.turn(signs.rate_pitch * pitch_rate)

    def _command(self, message: Any, now_s: float) -> list[bytes]:
        replies: list[bytes] = []
        result = mav.MAV_RESULT_ACCEPTED
        body, camera = self.gimbal.body, self.gimbal.camera
        match message.command:
            case mav.MAV_CMD_REQUEST_MESSAGE:
                replies = self._message(int(message.param1), now_s)
                result = result if replies else mav.MAV_RESULT_UNSUPPORTED
            case mav.MAV_CMD_SET_MESSAGE_INTERVAL if int(message.param1) == _ATTITUDE:
                self.pushes.pop(_ATTITUDE, None)
                if message.param2 > 0:
                    self.pushes[_ATTITUDE] = Push(1e6 / message.param2, now_s)
            case mav.MAV_CMD_SET_MESSAGE_INTERVAL if self._tells(int(message.param1)):
                self.pushes.pop(int(message.param1), None)
                if message.param2 > 0:
                    self.pushes[int(message.param1)] = Push(1e6 / message.param2, now_s)
            case mav.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE:
                self._owner = (int(message.param1), int(message.param2))
            case mav.MAV_CMD_DO_GIMBAL_MANAGER_PITCHYAW:  # degrees, unlike the set-points
                self._follow(*(math.radians(getattr(message, f"param{i}")) for i in (1, 2, 3, 4)))
            case mav.MAV_CMD_SET_CAMERA_ZOOM if message.param1 == mav.ZOOM_TYPE_RANGE:
                body.zoom_to(1 + (body.zoom_max - 1) * message.param2 / 100)
            case mav.MAV_CMD_SET_CAMERA_ZOOM if message.param1 == mav.ZOOM_TYPE_CONTINUOUS:
                body.zoom_towards(message.param2)
            case mav.MAV_CMD_IMAGE_START_CAPTURE if not camera.take_photo():
                result = mav.MAV_RESULT_DENIED
            case mav.MAV_CMD_VIDEO_START_CAPTURE | mav.MAV_CMD_VIDEO_STOP_CAPTURE as number:
                if not camera.record(number == mav.MAV_CMD_VIDEO_START_CAPTURE):
                    result = mav.MAV_RESULT_DENIED
            case mav.MAV_CMD_SET_CAMERA_FOCUS | mav.MAV_CMD_IMAGE_START_CAPTURE:
                pass
            case _:
                result = mav.MAV_RESULT_UNSUPPORTED
        asker = message.get_srcSystem(), message.get_srcComponent()
        ack = mav.MAVLink_command_ack_message(message.command, result, 0, 0, *asker)
        return [self._pack(ack, message.target_component or _COMPONENT), *replies]

    def _message(self, message_id: object, now_s: float) -> list[bytes]:
        body, boot_ms = self.gimbal.body, int(now_s * 1000) & 0xFFFFFFFF
        match message_id:
            case mav.MAVLINK_MSG_ID_HEARTBEAT:
                message = mav.MAVLink_heartbeat_message(
                    mav.MAV_TYPE_GIMBAL, mav.MAV_AUTOPILOT_INVALID, 0, 0, mav.MAV_STATE_ACTIVE, 3
                )
            case str():
                message = mav.MAVLink_heartbeat_message(
                    mav.MAV_TYPE_QUADROTOR,
                    mav.MAV_AUTOPILOT_ARDUPILOTMEGA,
                    *(0, 0),
                    mav.MAV_STATE_ACTIVE,
                    3,
                )
                return [self._pack(message, AUTOPILOT)]
            case mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS:
                message = self._attitude(boot_ms)
            case mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION:
                message = mav.MAVLink_gimbal_device_information_message(
                    boot_ms, b"mock", b"gimbal", b"", 0x00000201, 0, 0, 0, 0, 0, 0, *self._limits()
                )
            case mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION:
                limits = (0.0, 0.0, *self._limits())
                message = mav.MAVLink_gimbal_manager_information_message(
                    boot_ms, 0, _COMPONENT, *limits
                )
            case mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_STATUS:
                message = mav.MAVLink_gimbal_manager_status_message(
                    boot_ms, 0, _COMPONENT, *self._owner, 0, 0
                )
            case mav.MAVLINK_MSG_ID_CAMERA_SETTINGS:
                span = max(body.zoom_max - 1, 1e-9)
                percent = 100 * (body.zoom - 1) / span
                message = mav.MAVLink_camera_settings_message(boot_ms, 0, percent, math.nan)
                return [self._pack(message, _CAMERA)]
            case _ if self._tells(message_id) and self.gimbal.vehicle:
                message = self.gimbal.vehicle.message(message_id, boot_ms)
                return [self._pack(message, AUTOPILOT)]
            case _:
                return []
        return [self._pack(message, self._manager if message_id in _OF_MANAGER else _COMPONENT)]

    def _tells(self, message_id: object) -> bool:
        """Tell whether it is a report of the autopilot that this one gives."""
        vehicle = self.gimbal.vehicle if self._manager == AUTOPILOT else None
        return vehicle is not None and vehicle.message(message_id, 0) is not None

    def _limits(self) -> tuple[float, float, float, float]:
        """Return pitch and yaw limits (least, greatest) in MAVLink's signs."""
        (yaw_low, yaw_high), (pitch_low, pitch_high) = (
            tuple(map(math.radians, limits))
            for limits in (self.gimbal.model.yaw_deg, self.gimbal.model.pitch_deg)
        )
        return -pitch_high, -pitch_low, -yaw_high, -yaw_low

    def _attitude(self, boot_ms: int) -> Any:
        body, signs = self.gimbal.body, self._signs
        pitch, yaw = (
            signs.report_pitch * body.pitch.angle_rad,
            signs.report_yaw * body.yaw.angle_rad,
        )
        return mav.MAVLink_gimbal_device_attitude_status_message(
            0,
            0,
            boot_ms,
            mav.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
            | (_YAW_LOCK if self.gimbal.camera.mode is Mode.LOCK else 0),
            list(from_euler(0.0, pitch, yaw)),
            0.0,
            signs.report_pitch * body.pitch.rate_rad_s,
            signs.report_yaw * body.yaw.rate_rad_s,
            0,
        )
