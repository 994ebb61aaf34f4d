"""The driver's side of SIYI: radians and REP 103 in, wire units and signs out, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gimbal_driver_pkg.errors import UnsupportedError
from gimbal_driver_pkg.models import RATE_MAPS, RateMap, model_of_product
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.codec import Codec, Traits
from gimbal_driver_pkg.protocol.framing import Counters, Deframer
from gimbal_driver_pkg.protocol.order import ArrivalOrder
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.siyi.table import FROM_GIMBAL, STREAM_HZ

_RAD = math.radians(0.1)  # an angle or rate is sent in tenths of a degree
_ATTITUDE = FROM_GIMBAL["attitude"]
_ATTITUDE_LAYOUT = _ATTITUDE.layouts[0]
_ATTITUDE_SIZE = 10 + _ATTITUDE_LAYOUT.size
_STREAM_OF_ATTITUDE = 1
_SEQUENCE_MODULUS = 2**16
_MOST_OVERTAKEN = 64
"""Frames that may overtake one: half a second of the fastest stream, and less than a turn of a
counter of 8 bits."""

_QUESTIONS = {
    m.Query.MODEL: "request_hardware_id",
    m.Query.FIRMWARE: "request_firmware_version",
    m.Query.CONFIG: "request_config_info",
    m.Query.ATTITUDE: "request_attitude",
    m.Query.ZOOM: "request_current_zoom",
    m.Query.ZOOM_MAX: "request_max_zoom",
}
_PHOTO, _TOGGLE_RECORDING = 0, 2
_MODE_FUNCTIONS = {m.Mode.LOCK: 3, m.Mode.FOLLOW: 4, m.Mode.FPV: 5}
_FOCUS_STEPS = {m.Focus.FAR: 1, m.Focus.STOP: 0, m.Focus.NEAR: -1}

TRAITS = Traits(
    questions=(m.Query.MODEL, m.Query.FIRMWARE, m.Query.CONFIG, m.Query.ZOOM_MAX, m.Query.ZOOM),
    streams=True,
    poll_hz=50.0,
    keep_alive_s=0.0,
    rate_repeat_s=0.1,
    angle_repeat_s=1.0,
    acknowledged=frozenset(
        {m.Center, m.SetZoom, m.ZoomAtRate, m.SetFocus, m.SetAngle, m.SetRate, m.TakePhoto}
    ),
)


_TCP_HEARTBEAT_S = 1.0
"""No interval is published; mzahana/siyi_sdk sends one a second."""


class SiyiCodec(Codec):
    """One gimbal's conversation."""

    def __init__(
        self,
        rate_map: RateMap = RATE_MAPS["measured"],
        picture_size: tuple[int, int] = (1280, 720),
        is_tcp: bool = False,
    ) -> None:
        """Take the map of the rate command, and the stream's (width, height) for touch focus.

        On TCP the gimbal wants a heartbeat; on other lines it knows none.
        """
        self.traits = replace(TRAITS, keep_alive_s=_TCP_HEARTBEAT_S) if is_tcp else TRAITS
        self._deframer = Deframer(SIYI.wire)
        self._order = ArrivalOrder(_SEQUENCE_MODULUS, _MOST_OVERTAKEN)
        self._rate_map = rate_map
        self._picture_size = picture_size
        self._sequence = -1
        self._turn(is_upside_down=False)

    @property
    def counters(self) -> Counters:
        return self._deframer.counters

    def reset(self) -> None:
        self._deframer.reset()
        self._order.reset()

    def feed(self, data: bytes, now_s: float) -> list[m.Event]:
        events: list[m.Event] = []
        for frame in self._deframer.feed(data, now_s):
            # Some number each kind of answer on its own: only frames of a kind are compared.
            if self._order.is_late(frame[7], frame[5] | frame[6] << 8, now_s):
                self.counters.late_frames += 1
                events += self._acknowledgements(frame, now_s)
            elif frame[7] == _ATTITUDE.code and len(frame) == _ATTITUDE_SIZE:
                events.append(self._attitude(frame, now_s))
            else:
                events += self._events(frame, now_s)
        return events

    def encode(self, command: m.Command) -> bytes:
        name, fields = self._message(command)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return SIYI.write(name, {"seq": self._sequence, **fields})

    def _message(self, command: m.Command) -> tuple[str, Mapping[str, Any]]:
        match command:
            case m.Ask(query) if query in _QUESTIONS:
                return _QUESTIONS[query], {}
            case m.StreamAttitude(rate_hz):
                return "request_stream", {
                    "data_type": _STREAM_OF_ATTITUDE,
                    "hz": _stream_hz(rate_hz),
                }
            case m.KeepAlive():
                return "heartbeat", {}
            case m.SetRate(yaw, pitch):
                return "gimbal_rotation", {
                    "yaw_rate": self._signs.rate_yaw * self._rate_map.unit_of(yaw),
                    "pitch_rate": self._signs.rate_pitch * self._rate_map.unit_of(pitch),
                }
            case m.SetAngle(yaw, pitch):
                return "set_angles", {
                    "yaw_deg_wire": self._signs.angle_yaw * math.degrees(yaw),
                    "pitch_deg_wire": math.degrees(self._pitch_on_wire(pitch)),
                }
            case m.Center():
                return "center", {"center_pos": 1}
            case m.SetMode(mode):
                return "photo_video", {"func_type": _MODE_FUNCTIONS[mode]}
            case m.SetZoom(zoom):
                return "absolute_zoom", {"zoom_x": zoom}
            case m.ZoomAtRate(rate):
                return "manual_zoom", {"zoom": (rate > 0) - (rate < 0)}
            case m.SetFocus(m.Focus.AUTO, x, y):
                width, height = self._picture_size
                touch = {"touch_x": round(x * (width - 1)), "touch_y": round(y * (height - 1))}
                return "auto_focus", {"auto_focus": 1, **touch}
            case m.SetFocus(focus):
                return "manual_focus", {"focus": _FOCUS_STEPS[focus]}
            case m.TakePhoto():
                return "photo_video", {"func_type": _PHOTO}
            case m.SwitchRecording():
                return "photo_video", {"func_type": _TOGGLE_RECORDING}
            case m.Raw(name, fields):
                return name, fields
        raise UnsupportedError(f"{command} is not in the SIYI protocol")

    def _attitude(self, frame: bytes, now_s: float) -> m.Attitude:
        yaw, pitch, roll, yaw_rate, pitch_rate, roll_rate = _ATTITUDE_LAYOUT.words(frame[8:-2])
        if self._is_upside_down:
            pitch = (pitch + 3600) % 3600 - 1800  # level reads +-180 (ArduPilot)
        to_yaw, to_pitch, to_roll = self._to_rad
        return m.Attitude(
            now_s,
            to_yaw * yaw,
            to_pitch * pitch,
            to_roll * roll,
            to_yaw * yaw_rate,
            to_pitch * pitch_rate,
            to_roll * roll_rate,
        )

    def _pitch_on_wire(self, pitch_rad: float) -> float:
        if not self._is_upside_down:
            return self._signs.angle_pitch * pitch_rad
        # Inferred: set-points are in the frame of the reports.
        turned = self._signs.angle_pitch * pitch_rad + math.pi
        return (turned + math.pi) % math.tau - math.pi

    def _read(self, frame: bytes, now_s: float) -> list[m.Event]:
        record = SIYI.read(frame, Direction.FROM_GIMBAL)
        handler = _HANDLERS.get(record.command)
        if handler is None:
            return [m.Other(now_s, record.command, record.fields)]
        return handler(now_s, record.fields)

    def _acknowledgements(self, frame: bytes, now_s: float) -> list[m.Event]:
        """Return what is true of a late frame, too: how things were is not how they are."""
        return [event for event in self._read(frame, now_s) if isinstance(event, m.Ack)]

    def _events(self, frame: bytes, now_s: float) -> list[m.Event]:
        events = self._read(frame, now_s)
        for event in events:
            if isinstance(event, m.Config) and event.is_upside_down is not None:
                self._turn(event.is_upside_down)
        return events

    def _turn(self, is_upside_down: bool) -> None:
        signs = signs_of("siyi")
        self._is_upside_down = is_upside_down
        self._signs = signs = signs.turned_over() if is_upside_down else signs
        self._to_rad = signs.report_yaw * _RAD, signs.report_pitch * _RAD, signs.report_roll * _RAD


def _stream_hz(rate_hz: float) -> int:
    """Return the least rate of the table that is not below `rate_hz`, or its greatest."""
    return min((hz for hz in STREAM_HZ.values() if hz >= rate_hz), default=max(STREAM_HZ.values()))


_Handler = Callable[[float, Mapping[str, Any]], list[m.Event]]


def _firmware(now_s: float, fields: Mapping[str, Any]) -> list[m.Event]:
    parts = {part: fields[part] for part in ("camera", "gimbal", "zoom") if part in fields}
    is_ready = any(version != "0.0.0" for version in parts.values())  # all zero while booting
    return [m.Firmware(now_s, ", ".join(f"{p} {v}" for p, v in parts.items()), is_ready)]


def _model(now_s: float, fields: Mapping[str, Any]) -> list[m.Event]:
    text = fields["id_ascii"]
    model = model_of_product(text[:2])
    return [m.Model(now_s, model.name if model else "", text)]


def _mode(fields: Mapping[str, Any]) -> m.Mode | None:
    text = fields["mode"]
    return m.Mode(text) if isinstance(text, str) else None


def _config(now_s: float, fields: Mapping[str, Any]) -> list[m.Event]:
    return [
        m.Config(
            now_s,
            mode=_mode(fields),
            is_upside_down=fields["mount"] == "upside down",
            is_recording=fields["record_text"] == "on",
            has_card=fields["record_text"] != "no TF card",
        )
    ]


def _feedback(now_s: float, fields: Mapping[str, Any]) -> list[m.Event]:
    match fields["meaning"]:
        case "photo taken" | "photo failed" as text:
            return [m.Ack(now_s, m.TakePhoto, text == "photo taken")]
        case "record failed":
            return [m.Ack(now_s, m.SwitchRecording, False)]
        case "recording started" | "recording stopped" as text:
            return [m.Config(now_s, is_recording=text == "recording started")]
    return [m.Other(now_s, "function_feedback", fields)]


def _acknowledges(kind: type) -> _Handler:
    return lambda now_s, fields: [m.Ack(now_s, kind, fields.get("sta", 1) == 1)]


_HANDLERS: dict[str, _Handler] = {
    "firmware_version": _firmware,
    "hardware_id": _model,
    "config_info": _config,
    "gimbal_mode": lambda now_s, fields: [m.Config(now_s, mode=_mode(fields))],
    "function_feedback": _feedback,
    "current_zoom": lambda now_s, fields: [m.Zoom(now_s, fields["zoom_x"])],
    "max_zoom": lambda now_s, fields: [m.ZoomMax(now_s, fields["zoom_x"])],
    "manual_zoom_ack": lambda now_s, fields: [
        m.Ack(now_s, m.ZoomAtRate, True),
        m.Zoom(now_s, fields["zoom_x"]),
    ],
    "absolute_zoom_ack": _acknowledges(m.SetZoom),
    "auto_focus_ack": _acknowledges(m.SetFocus),
    "manual_focus_ack": _acknowledges(m.SetFocus),
    "gimbal_rotation_ack": _acknowledges(m.SetRate),
    "center_ack": _acknowledges(m.Center),
    "set_angles_ack": _acknowledges(m.SetAngle),
    "request_stream_ack": _acknowledges(m.StreamAttitude),
}
