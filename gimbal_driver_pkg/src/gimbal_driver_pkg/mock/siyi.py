"""A SIYI gimbal that answers as the device does, and is silent where it is. Pure.

Known silences: photo_video (the result comes as function_feedback), the heartbeat, vehicle data,
the commands that the model does not acknowledge, an A8 mini's stop of a zoom that does not run, and
everything for a sensor that the model lacks. While it boots only the version is answered: all zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gimbal_driver_pkg.mock.conversation import Conversation, MockGimbal, Push
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.dialect import UNKNOWN
from gimbal_driver_pkg.protocol.messages import Mode, SetAngle, SetRate, SetZoom
from gimbal_driver_pkg.protocol.signs import Signs, signs_of
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.siyi.table import FROM_GIMBAL, STREAM_HZ

Fields = Mapping[str, Any]
Reply = tuple[str, Fields]

_SERIAL_NUMBER = "01130111"
_SHORT_VERSION = {"a8mini", "a2mini"}
_STREAMS = {1: "attitude", 2: "laser_distance", 3: "encoder_angles", 4: "motor_voltage"}
_HIGHEST_STREAM = max(STREAM_HZ)
_CREEP_RAD_S = math.radians(0.25)  # a unit
_GREATEST_RATE_DEG_S = 3276.7  # of the wire; only a mock in a hurry gets there
_NO_REPLY = frozenset(
    {"heartbeat", "send_aircraft_attitude", "send_rc_channels", "send_gps", "format_sd"}
)
# Commands of sensors that only some models have.
_LASER = ({0x15, 0x17, 0x31, 0x32}, {"zt30"})
_THERMAL = (
    {*range(0x10, 0x15), 0x1A, 0x1B, *range(0x33, 0x3D), *range(0x42, 0x48), 0x4F},
    {"zt30", "zt6"},
)
_PITCH_OF_CENTER = {1: 0.0, 2: math.pi / 2, 3: 0.0, 4: math.pi / 2}


@dataclass(frozen=True)
class _Reported:
    """Angles and rates in degrees with the wire's signs."""

    yaw: float
    pitch: float
    yaw_rate: float
    pitch_rate: float


class SiyiConversation(Conversation):
    """One client of a SIYI gimbal."""

    def __init__(self, gimbal: MockGimbal, now_s: float) -> None:
        """Begin a conversation."""
        super().__init__(gimbal, SIYI.wire, now_s)
        self._handlers: dict[str, Callable[[Fields, float], list[Reply]]] = {
            "request_firmware_version": self._firmware,
            "request_hardware_id": lambda _f, _n: [
                ("hardware_id", {"id_ascii": self._hardware_id()})
            ],
            "request_config_info": lambda _f, _n: [("config_info", self._config())],
            "request_gimbal_mode": lambda _f, _n: [
                ("gimbal_mode", {"mode": gimbal.camera.mode.value})
            ],
            "request_attitude": lambda _f, _n: [self._attitude()],
            "request_encoder_angles": lambda _f, _n: [("encoder_angles", self._angles())],
            "request_current_zoom": lambda _f, _n: [("current_zoom", {"zoom_x": gimbal.body.zoom})],
            "request_max_zoom": lambda _f, _n: [("max_zoom", {"zoom_x": gimbal.model.zoom_max})],
            "request_encoding": lambda f, _n: [
                ("encoding_params", self._set_before("encoding", f))
            ],
            "request_system_time": self._system_time,
            "set_utc_time": self._set_utc_time,
            "gimbal_rotation": self._rotate,
            "set_angles": self._set_angles,
            "single_axis_angle": self._set_one_angle,
            "center": self._center,
            "absolute_zoom": self._absolute_zoom,
            "manual_zoom": self._manual_zoom,
            "auto_focus": lambda _f, _n: [("auto_focus_ack", {"sta": int(self._is_optical())})],
            "manual_focus": lambda _f, _n: [("manual_focus_ack", {"sta": int(self._is_optical())})],
            "photo_video": self._photo_video,
            "request_stream": self._stream,
            "reboot": self._reboot,
        }

    def answer(self, frame: bytes, now_s: float) -> list[bytes]:
        record = SIYI.read(frame, Direction.TO_GIMBAL)
        name, fields = record.command, {k: v for k, v in record.fields.items() if k != "data"}
        if name == UNKNOWN or name in _NO_REPLY or self._lacks_sensor_for(frame[7]):
            return []
        if self.gimbal.is_booting(now_s) and name != "request_firmware_version":
            return []
        handler = self._handlers.get(name)
        replies = handler(fields, now_s) if handler else self._setting(name, fields)
        return [self._frame(reply) for reply in replies]

    def pushed(self, key: object, now_s: float) -> list[bytes]:
        if self.gimbal.is_booting(now_s):
            return []
        name = str(key)
        if name == "attitude":
            return [self._frame(self._attitude())]
        fields = self._angles() if name == "encoder_angles" else {}
        return [self._frame((name, fields))]

    def data_size(self, frame: bytes) -> int:
        return len(frame) - 10

    def with_data_size(self, frame: bytes, size: int) -> bytes:
        code, payload, header = SIYI.open(frame)
        payload = payload[:size].ljust(size, b"\0")
        return SIYI.close(code, payload, header, Direction.FROM_GIMBAL)

    def _frame(self, reply: Reply) -> bytes:
        name, fields = reply
        known = {k: v for k, v in fields.items() if k in FROM_GIMBAL[name].names}
        return SIYI.write(name, {**known, "seq": self.gimbal.next_sequence()})

    def _lacks_sensor_for(self, code: int) -> bool:
        model = self.gimbal.model.name
        return any(code in codes and model not in models for codes, models in (_LASER, _THERMAL))

    def _is_optical(self) -> bool:
        return self.gimbal.model.zoom_max > 6.0

    def _hardware_id(self) -> str:
        return self.gimbal.model.product + _SERIAL_NUMBER

    def _firmware(self, _fields: Fields, now_s: float) -> list[Reply]:
        is_booting = self.gimbal.is_booting(now_s)
        camera, own, zoom = ("0.0.0",) * 3 if is_booting else ("0.2.8", "0.3.9", "0.1.2")
        short = {"camera": camera, "gimbal": own}
        has_zoom = self.gimbal.model.name not in _SHORT_VERSION
        return [("firmware_version", {**short, "zoom": zoom} if has_zoom else short)]

    def _config(self) -> Fields:
        camera = self.gimbal.camera
        record = 2 if not camera.has_card else int(camera.is_recording)
        return {
            "hdr": int(camera.is_hdr),
            "record": record,
            "mode": camera.mode.value,
            "mount": "upside down" if camera.is_upside_down else "normal",
            "video": "hdmi",
            "zoom_linkage": 0,
        }

    def _signs(self) -> Signs:
        signs = signs_of("siyi")
        return signs.turned_over() if self.gimbal.camera.is_upside_down else signs

    def _reported(self) -> _Reported:
        body, signs = self.gimbal.body, self._signs()
        pitch = signs.report_pitch * body.pitch.angle_rad
        if self.gimbal.camera.is_upside_down:
            pitch = math.remainder(pitch + math.pi, math.tau)
        return _Reported(
            signs.report_yaw * math.degrees(body.yaw.angle_rad),
            math.degrees(pitch),
            _in_range(signs.report_yaw * math.degrees(body.yaw.rate_rad_s)),
            _in_range(signs.report_pitch * math.degrees(body.pitch.rate_rad_s)),
        )

    def _attitude(self) -> Reply:
        reported = self._reported()
        return "attitude", {
            **self._angles(),
            "yaw_rate_dps_wire": reported.yaw_rate,
            "pitch_rate_dps_wire": reported.pitch_rate,
        }

    def _angles(self) -> Fields:
        reported = self._reported()
        return {"yaw_deg_wire": reported.yaw, "pitch_deg_wire": reported.pitch}

    def _rotate(self, fields: Fields, _now_s: float) -> list[Reply]:
        units = [max(-100, min(100, fields[name])) for name in ("yaw_rate", "pitch_rate")]
        signs = self._signs()
        self.gimbal.body.yaw.turn(signs.rate_yaw * self._rate_of(units[0]))
        self.gimbal.body.pitch.turn(signs.rate_pitch * self._rate_of(units[1]))
        return self._acknowledged(SetRate, ("gimbal_rotation_ack", {"sta": 1}))

    def _rate_of(self, unit: int) -> float:
        """Return the rate in rad/s; where none was measured it creeps.

        Public clients steer with a P controller to within 1 deg and do arrive on real gimbals; in
        a hard dead band they would wait for ever.
        """
        return self.gimbal.rate_map.rate_of(unit) or unit * _CREEP_RAD_S

    def _set_angles(self, fields: Fields, _now_s: float) -> list[Reply]:
        self._go_to(yaw=fields["yaw_deg_wire"], pitch=fields["pitch_deg_wire"])
        return self._acknowledged(SetAngle, ("set_angles_ack", self._angles()))

    def _set_one_angle(self, fields: Fields, _now_s: float) -> list[Reply]:
        if self.gimbal.model.name != "a8mini":
            return []
        axis = "yaw" if fields["axis"] == 0 else "pitch"
        self._go_to(**{axis: fields["angle_deg_wire"]})
        return [("set_angles_ack", self._angles())]

    def _go_to(self, yaw: float | None = None, pitch: float | None = None) -> None:
        """Go to angles in degrees, as on the wire."""
        body, signs = self.gimbal.body, self._signs()
        if yaw is not None:
            body.yaw.go_to(signs.angle_yaw * math.radians(yaw))
        if pitch is not None:
            if self.gimbal.camera.is_upside_down:
                pitch = math.remainder(pitch + 180, 360)
            body.pitch.go_to(signs.angle_pitch * math.radians(pitch))

    def _center(self, fields: Fields, _now_s: float) -> list[Reply]:
        position = fields["center_pos"]
        if position not in _PITCH_OF_CENTER:
            return [("center_ack", {"sta": 0})]
        if position != 4:
            self.gimbal.body.yaw.go_to(0.0)
        self.gimbal.body.pitch.go_to(_PITCH_OF_CENTER[position])
        return [("center_ack", {"sta": 1})]

    def _absolute_zoom(self, fields: Fields, _now_s: float) -> list[Reply]:
        self.gimbal.body.zoom_to(fields["zoom_x"])
        return self._acknowledged(SetZoom, ("absolute_zoom_ack", {"sta": 1}))

    def _manual_zoom(self, fields: Fields, _now_s: float) -> list[Reply]:
        body, step = self.gimbal.body, fields["zoom"]
        is_idle_stop = step == 0 and not body.is_zooming
        body.zoom_towards(step)
        if is_idle_stop and self.gimbal.model.name == "a8mini":
            return []
        return [("manual_zoom_ack", {"zoom_x": body.zoom})]

    def _acknowledged(self, command: type, reply: Reply) -> list[Reply]:
        return [] if command in self.gimbal.model.silent else [reply]

    def _photo_video(self, fields: Fields, _now_s: float) -> list[Reply]:
        """Push what came of a photo, HDR or recording; the command itself is never acknowledged."""
        camera = self.gimbal.camera
        match fields["func_type"]:
            case 0:
                feedback = 0 if camera.take_photo() else 1
            case 1:
                camera.is_hdr = not camera.is_hdr
                feedback = 2 if camera.is_hdr else 3
            case 2 if not camera.record(not camera.is_recording):
                feedback = 4
            case 2:
                feedback = 5 if camera.is_recording else 6
            case 3 | 4 | 5 as function:
                camera.mode = (Mode.LOCK, Mode.FOLLOW, Mode.FPV)[function - 3]
                return []
            case 9:
                self.gimbal.body.pitch.go_to(math.pi / 2)
                return []
            case _:
                return []
        return [("function_feedback", {"info_type": feedback})]

    def _stream(self, fields: Fields, now_s: float) -> list[Reply]:
        kind, code = fields["data_type"], fields["freq_code"]
        if not self.gimbal.streams or kind not in _STREAMS or code > _HIGHEST_STREAM:
            return []
        self.pushes.pop(_STREAMS[kind], None)
        if code:
            self.pushes[_STREAMS[kind]] = Push(STREAM_HZ[code], now_s)
        return [("request_stream_ack", {"data_type": kind})]

    def _reboot(self, fields: Fields, now_s: float) -> list[Reply]:
        if fields["gimbal"] or fields["camera"]:
            self.gimbal.reboot(now_s, boot_s=5.0)
        return [("reboot_ack", fields)]

    def _setting(self, name: str, fields: Fields) -> list[Reply]:
        """Remember what is set, and answer what is asked with what was set."""
        noun = name.removeprefix("request_").removeprefix("set_")
        if name.startswith("set_"):
            self.gimbal.settings[_place(noun, fields)] = fields
        known = [n for n in (f"{name}_ack", noun, f"{noun}_ack") if n in FROM_GIMBAL]
        return [(reply, {**self._set_before(noun, fields), "sta": 1}) for reply in known[:1]]

    def _set_before(self, noun: str, fields: Fields) -> Fields:
        """Return what was set of a thing, else what the factory set, with the question's fields."""
        values = {**_FACTORY.get(noun, {}), **self.gimbal.settings.get(_place(noun, fields), {})}
        told_as = _TOLD_AS.get(noun, {})
        return {**values, **{told_as[k]: v for k, v in values.items() if k in told_as}, **fields}

    def _set_utc_time(self, fields: Fields, now_s: float) -> list[Reply]:
        self.gimbal.settings["utc_time"] = {"unix_us": fields["unix_us"] - int(now_s * 1e6)}
        return [("set_utc_time_ack", {"sta": 1})]

    def _system_time(self, _fields: Fields, now_s: float) -> list[Reply]:
        """Tell the time since the clock was set; unset it counts from 1970."""
        began_us = self.gimbal.settings.get("utc_time", {}).get("unix_us", 0)
        unix_us = began_us + int(now_s * 1e6)
        return [("system_time", {"unix_us": unix_us, "time_boot_ms": int(now_s * 1000)})]


def _in_range(rate_deg_s: float) -> float:
    """Return the rate as a sensor does that cannot tell a greater one."""
    return max(-_GREATEST_RATE_DEG_S, min(_GREATEST_RATE_DEG_S, rate_deg_s))


def _place(noun: str, fields: Fields) -> str:
    """Return where a setting is kept: there is one for each stream, kind of file."""
    which = _ONE_FOR_EACH.get(noun)
    return noun if which is None else f"{noun} {fields.get(which, 0)}"


_FACTORY: dict[str, Fields] = {
    "threshold_precision": {"precision": 1},
    "encoding": {"codec": 2, "width": 1920, "height": 1080, "kbps": 4000, "fps": 30},
}
_ONE_FOR_EACH = {"encoding": "stream", "file_naming": "file_type"}
_TOLD_AS = {"ai_stream": {"on": "state"}}
"""Fields that are set under one name and told under another."""
