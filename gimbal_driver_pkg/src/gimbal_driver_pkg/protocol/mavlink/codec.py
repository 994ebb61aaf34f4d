"""The driver's side of MAVLink gimbal protocol v2.

Two roles: the manager of a gimbal device (we steer the device, component 154), or a client of a
gimbal manager (an autopilot owns the gimbal, we steer through it). `addresses` says who is who.
Units trap: message 287 takes radians, command 1000 degrees; this codec sends no 1000.

Source: mavlink.io, gimbal protocol v2 and common.xml; verified with pymavlink 2.4.50.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.errors import InvalidValueError, UnsupportedError
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.codec import Codec, Traits
from gimbal_driver_pkg.protocol.framing import Counters, Deframer
from gimbal_driver_pkg.protocol.mavlink.addresses import Addresses, MavlinkIds
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.mavlink.vehicle import MESSAGE_IDS, to_vehicle_event
from gimbal_driver_pkg.protocol.mavlink.wire import MavlinkWire, decode
from gimbal_driver_pkg.protocol.order import ArrivalOrder
from gimbal_driver_pkg.protocol.rotation import from_quaternion
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.vehicle_messages import StreamVehicle

DEVICE, MANAGER = "device", "manager"

_UNSET = math.nan
_YAW_IN_VEHICLE = mav.GIMBAL_DEVICE_FLAGS_YAW_IN_VEHICLE_FRAME
_YAW_IN_EARTH = mav.GIMBAL_DEVICE_FLAGS_YAW_IN_EARTH_FRAME
_YAW_LOCK = mav.GIMBAL_DEVICE_FLAGS_YAW_LOCK
_MICROSECONDS = 1e6
_CLOCK_MODULUS, _LATE_MS = 2**32, 1000  # `time_boot_ms`
_ACK_KINDS: dict[int, type] = {
    mav.MAV_CMD_SET_CAMERA_ZOOM: m.SetZoom,
    mav.MAV_CMD_SET_CAMERA_FOCUS: m.SetFocus,
    mav.MAV_CMD_IMAGE_START_CAPTURE: m.TakePhoto,
    mav.MAV_CMD_VIDEO_START_CAPTURE: m.SwitchRecording,
    mav.MAV_CMD_VIDEO_STOP_CAPTURE: m.SwitchRecording,
    mav.MAV_CMD_SET_MESSAGE_INTERVAL: m.StreamAttitude,
}
_FAULTS = {
    mav.GIMBAL_DEVICE_ERROR_FLAGS_ENCODER_ERROR: "encoder",
    mav.GIMBAL_DEVICE_ERROR_FLAGS_POWER_ERROR: "power",
    mav.GIMBAL_DEVICE_ERROR_FLAGS_MOTOR_ERROR: "motor",
    mav.GIMBAL_DEVICE_ERROR_FLAGS_SOFTWARE_ERROR: "software",
    mav.GIMBAL_DEVICE_ERROR_FLAGS_COMMS_ERROR: "comms",
}
"""Limits reached and calibration in progress are no faults (ArduPilot)."""


class MavlinkCodec(Codec):
    """One gimbal's conversation."""

    def __init__(
        self,
        role: str = DEVICE,
        ids: MavlinkIds | None = None,
        zoom_max: float = 1.0,
    ) -> None:
        """Take the role (DEVICE or MANAGER), the ids, and the magnification of 100 % zoom.

        Raises:
            InvalidValueError: another role.
        """
        if role not in (DEVICE, MANAGER):
            raise InvalidValueError(f"mavlink_role: {role!r}, allowed are {DEVICE}, {MANAGER}")
        is_manager = role == MANAGER
        asked = (m.Query.LIMITS, m.Query.CONTROL) if is_manager else (m.Query.MODEL,)
        self.traits = Traits(
            questions=asked,
            streams=True,
            poll_hz=20.0,
            keep_alive_s=1.0,
            rate_repeat_s=0.1,
            angle_repeat_s=0.2,  # devices expect set-points at 5 Hz or more
            acknowledged=frozenset({m.SetZoom, m.SetFocus, m.TakePhoto, m.SwitchRecording}),
        )
        self._deframer = Deframer(MavlinkWire())
        self._mav = mav.MAVLink(None)
        self._addresses = Addresses(ids or MavlinkIds(), is_manager)
        self._order = ArrivalOrder(_CLOCK_MODULUS, _LATE_MS)
        self._is_manager = is_manager
        self._zoom_max = zoom_max
        self._signs = signs_of("mavlink")
        self._mode_flags = _YAW_IN_VEHICLE

    @property
    def counters(self) -> Counters:
        return self._deframer.counters

    def reset(self) -> None:
        self._deframer.reset()
        self._order.reset()

    def ready_s(self) -> float:
        return self._addresses.ready_s()

    @property
    def addressee(self) -> Hashable:
        return self._addresses.target, self._addresses.device_id

    def problems(self) -> tuple[str, ...]:
        return self._addresses.problems()

    def vehicle_problems(self) -> tuple[str, ...]:
        """Return what is wrong but for the gimbal, a line each."""
        return self._addresses.vehicle_problems()

    def encode(self, command: m.Command) -> bytes:
        self._mav.srcSystem, self._mav.srcComponent = self._addresses.own
        packed: bytes = self._message(command).pack(self._mav)
        self._mav.seq = (self._mav.seq + 1) & 0xFF
        return packed

    def _message(self, command: m.Command) -> Any:
        match command:
            case m.KeepAlive():
                return mav.MAVLink_heartbeat_message(
                    mav.MAV_TYPE_ONBOARD_CONTROLLER, mav.MAV_AUTOPILOT_INVALID, 0, 0, 0, 3
                )
            case m.Ask(query):
                return self._question(query)
            case m.StreamAttitude(rate_hz):
                interval_us = _MICROSECONDS / rate_hz if rate_hz else -1
                message_id = mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
                return self._long(mav.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, interval_us)
            case StreamVehicle(report, rate_hz):
                interval = MESSAGE_IDS[report], _MICROSECONDS / rate_hz
                return self._long(
                    mav.MAV_CMD_SET_MESSAGE_INTERVAL, *interval, target=self._addresses.autopilot
                )
            case m.SetRate(yaw, pitch):
                rates = self._signs.rate_pitch * pitch, self._signs.rate_yaw * yaw
                return self._set_point((_UNSET, _UNSET), rates)
            case m.SetAngle(yaw, pitch):
                angles = self._signs.angle_pitch * pitch, self._signs.angle_yaw * yaw
                return self._set_point(angles, (_UNSET, _UNSET))
            case m.Center():
                return self._set_point((0.0, 0.0), (_UNSET, _UNSET))
            case m.SetMode(m.Mode.LOCK | m.Mode.FOLLOW as mode):
                lock = _YAW_LOCK if mode is m.Mode.LOCK else 0
                self._mode_flags = _YAW_IN_VEHICLE | lock
                return self._set_point((_UNSET, _UNSET), (0.0, 0.0))
            case m.SetZoom(zoom) if self._zoom_max > 1:
                percent = 100 * (min(zoom, self._zoom_max) - 1) / (self._zoom_max - 1)
                return self._camera(mav.MAV_CMD_SET_CAMERA_ZOOM, mav.ZOOM_TYPE_RANGE, percent)
            case m.ZoomAtRate(rate):
                return self._camera(mav.MAV_CMD_SET_CAMERA_ZOOM, mav.ZOOM_TYPE_CONTINUOUS, rate)
            case m.SetFocus(m.Focus.AUTO):
                return self._camera(mav.MAV_CMD_SET_CAMERA_FOCUS, mav.FOCUS_TYPE_AUTO, 0)
            case m.SetFocus(focus):
                step = {m.Focus.FAR: 1, m.Focus.NEAR: -1}.get(focus, 0)
                return self._camera(mav.MAV_CMD_SET_CAMERA_FOCUS, mav.FOCUS_TYPE_CONTINUOUS, step)
            case m.TakePhoto():
                return self._camera(mav.MAV_CMD_IMAGE_START_CAPTURE, 0, 0, 1)
            case m.SwitchRecording(True):
                return self._camera(mav.MAV_CMD_VIDEO_START_CAPTURE)
            case m.SwitchRecording(False):
                return self._camera(mav.MAV_CMD_VIDEO_STOP_CAPTURE)
        raise UnsupportedError(
            f"{command} is not in the MAVLink gimbal protocol, or not for this camera"
        )

    def _question(self, query: m.Query) -> Any:
        if query is m.Query.CONTROL:
            device_id = self._addresses.device_id
            return self._long(
                mav.MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE,
                *self._addresses.own,
                *(-1, -1, 0, 0),
                device_id,
            )
        message_id = {
            m.Query.MODEL: mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_INFORMATION,
            m.Query.LIMITS: mav.MAVLINK_MSG_ID_GIMBAL_MANAGER_INFORMATION,
            m.Query.ATTITUDE: mav.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS,
            m.Query.ZOOM: mav.MAVLINK_MSG_ID_CAMERA_SETTINGS,
        }.get(query)
        if message_id is None:
            raise UnsupportedError(f"{query.value} cannot be asked in the MAVLink gimbal protocol")
        if query is m.Query.ZOOM:
            return self._camera(mav.MAV_CMD_REQUEST_MESSAGE, message_id)
        return self._long(mav.MAV_CMD_REQUEST_MESSAGE, message_id)

    def _long(self, command: int, *parameters: float, target: tuple[int, int] | None = None) -> Any:
        padded = [*parameters, *[0.0] * 7][:7]
        whom = target or self._addresses.target
        return mav.MAVLink_command_long_message(*whom, command, 0, *padded)

    def _camera(self, command: int, *parameters: float) -> Any:
        return self._long(command, *parameters, target=self._addresses.camera)

    def _set_point(self, pitch_yaw: tuple[float, float], rates: tuple[float, float]) -> Any:
        """Return a set-point in MAVLink's signs; NaN is "unset"."""
        pitch, yaw = pitch_yaw
        target = self._addresses.target
        if self._is_manager:
            return mav.MAVLink_gimbal_manager_set_pitchyaw_message(
                *target, self._mode_flags, self._addresses.device_id, pitch, yaw, *rates
            )
        q = [_UNSET] * 4 if math.isnan(pitch) else list(from_euler(0.0, pitch, yaw))
        return mav.MAVLink_gimbal_device_set_attitude_message(
            *target, self._mode_flags, q, _UNSET, *rates
        )

    def feed(self, data: bytes, now_s: float) -> list[m.Event]:
        events: list[m.Event] = []
        for frame in self._deframer.feed(data, now_s):
            message = decode(frame)
            if message is None:
                continue
            if not self._addresses.hear(message, now_s):
                self.counters.foreign_frames += 1
            elif self._is_late(message, now_s):
                self.counters.late_frames += 1
            else:
                events += self._events(message, now_s)
        return events

    def _is_late(self, message: Any, now_s: float) -> bool:
        boot_ms = getattr(message, "time_boot_ms", None)
        stream = message.get_srcComponent(), message.get_type()
        return boot_ms is not None and self._order.is_late(stream, boot_ms, now_s)

    def _events(self, message: Any, now_s: float) -> list[m.Event]:
        match message.get_type():
            case "HEARTBEAT":
                return []
            case "GIMBAL_DEVICE_ATTITUDE_STATUS":
                return self._attitude(message, now_s)
            case "GIMBAL_DEVICE_INFORMATION":
                name = f"{message.vendor_name} {message.model_name}".strip()
                word = message.firmware_version
                version = ".".join(str(word >> shift & 0xFF) for shift in (0, 8, 16))
                return [
                    m.Model(now_s, "mavlink", name),
                    m.Firmware(now_s, version, True),
                    self._limits(message, now_s),
                ]
            case "GIMBAL_MANAGER_INFORMATION":
                return [m.Model(now_s, "mavlink", "gimbal manager"), self._limits(message, now_s)]
            case "GIMBAL_MANAGER_STATUS" if self._is_manager:
                owner = message.primary_control_sysid, message.primary_control_compid
                return [m.Control(now_s, owner == self._addresses.own)]
            case "COMMAND_ACK" if message.command in _ACK_KINDS:
                kind, is_ok = _ACK_KINDS[message.command], message.result == mav.MAV_RESULT_ACCEPTED
                return [m.Ack(now_s, kind, is_ok)]
            case "CAMERA_SETTINGS" if message.zoomLevel == message.zoomLevel:  # not NaN
                return [m.Zoom(now_s, 1 + (self._zoom_max - 1) * message.zoomLevel / 100)]
            case "CAMERA_CAPTURE_STATUS":
                return [m.Config(now_s, is_recording=message.video_status == 1)]
        if (event := to_vehicle_event(message, now_s)) is not None:
            return [event]
        return [m.Other(now_s, message.get_type().lower(), message.to_dict())]

    def _attitude(self, message: Any, now_s: float) -> list[m.Event]:
        if not 0 < sum(c * c for c in message.q) < math.inf:
            return []
        yaw, pitch, roll = from_quaternion(message.q)
        flags = message.flags
        is_earth = flags & _YAW_IN_EARTH or (not flags & _YAW_IN_VEHICLE and flags & _YAW_LOCK)
        if is_earth and math.isfinite(message.delta_yaw):
            yaw = math.remainder(yaw - message.delta_yaw, math.tau)
        signs = self._signs
        mode = m.Mode.LOCK if flags & _YAW_LOCK else m.Mode.FOLLOW
        return [
            m.Attitude(
                now_s,
                signs.report_yaw * yaw,
                signs.report_pitch * pitch,
                signs.report_roll * roll,
                signs.report_yaw * message.angular_velocity_z,
                signs.report_pitch * message.angular_velocity_y,
                signs.report_roll * message.angular_velocity_x,
            ),
            m.Config(now_s, mode=mode),
            m.Faults(now_s, tuple(n for bit, n in _FAULTS.items() if message.failure_flags & bit)),
        ]

    def _limits(self, message: Any, now_s: float) -> m.Limits:
        signs = self._signs
        yaw = sorted((signs.report_yaw * message.yaw_min, signs.report_yaw * message.yaw_max))
        pitch = sorted(
            (signs.report_pitch * message.pitch_min, signs.report_pitch * message.pitch_max)
        )
        return m.Limits(now_s, yaw[0], yaw[1], pitch[0], pitch[1])
