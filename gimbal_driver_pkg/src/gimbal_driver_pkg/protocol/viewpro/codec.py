"""The driver's side of Viewpro: radians and REP 103 in, wire units and signs out, and back.

Servo and camera go in frames of their own (0x1A, 0x1C, 0x2C): in a combined frame an idle camera
packet would stop a running zoom, and a camera command would need a servo state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gimbal_driver_pkg.errors import UnsupportedError
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.codec import Codec, Traits
from gimbal_driver_pkg.protocol.dialect import Dialect
from gimbal_driver_pkg.protocol.framing import Counters, Deframer
from gimbal_driver_pkg.protocol.rotation import from_yaw_pitch_roll
from gimbal_driver_pkg.protocol.signs import Signs, signs_of
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP
from gimbal_driver_pkg.protocol.viewpro.table import COUNT_DEG

_RAD = math.radians(COUNT_DEG)
#: The wire's 12 bits of roll have no 0: the counts beside it, 0.022 deg off, mean level. Taken at
#: their word they would turn yaw by as much.
_LEVEL_DEG = 0.6 * 180.0 / 4095.0
_ZOOM_SPEEDS = 7
_QUESTIONS = {
    m.Query.MODEL: "u_query_model",
    m.Query.FIRMWARE: "u_query_firmware",
    m.Query.ATTITUDE: "heartbeat",  # answered by the status, which holds everything else too
}
_MODES = {m.Mode.FOLLOW: "a1_follow_yaw", m.Mode.LOCK: "a1_follow_yaw_off"}
_MODE_OF_SERVO = {0x03: m.Mode.FOLLOW, 0x0A: m.Mode.LOCK}
_FOCUS = {
    m.Focus.AUTO: "c1_auto_focus",
    m.Focus.STOP: "c1_stop_zoom_focus",
    m.Focus.FAR: "c1_focus_plus",  # unverified: the vendor's examples contradict its table
    m.Focus.NEAR: "c1_focus_minus",
}
_RECORDING = 1

TRAITS = Traits(
    questions=(m.Query.MODEL, m.Query.FIRMWARE),
    streams=False,
    poll_hz=10.0,  # bursts of requests were followed by a TCP reset
    keep_alive_s=0.0,
    rate_repeat_s=0.5,  # the gimbal shakes at every new rate frame (ArduPilot PR 22892)
    angle_repeat_s=2.0,
)


class ViewproCodec(Codec):
    """One gimbal's conversation."""

    traits = TRAITS

    def __init__(self, signs: Signs | None = None, has_envelope: bool = False) -> None:
        """Take the model's signs (None: the protocol's), and whether the link is TCP."""
        self._dialect: Dialect = VIEWPRO_TCP if has_envelope else VIEWPRO
        self._deframer = Deframer(self._dialect.wire)
        self._signs = signs or signs_of("viewpro")
        self._counter = -1

    @property
    def counters(self) -> Counters:
        return self._deframer.counters

    def reset(self) -> None:
        self._deframer.reset()

    def feed(self, data: bytes, now_s: float) -> list[m.Event]:
        events: list[m.Event] = []
        for frame in self._deframer.feed(data, now_s):
            record = self._dialect.read(frame, Direction.FROM_GIMBAL)
            events += self._events(record.command, record.fields, now_s)
        return events

    def encode(self, command: m.Command) -> bytes:
        name, fields = self._message(command)
        self._counter = (self._counter + 1) & 3
        return self._dialect.write(name, {"frame_counter": self._counter, **fields})

    def _message(self, command: m.Command) -> tuple[str, Mapping[str, Any]]:
        signs = self._signs
        match command:
            case m.Ask(query) if query in _QUESTIONS:
                return _QUESTIONS[query], {}
            case m.SetRate(yaw, pitch):
                return "a1_rate", {
                    "yaw_dps": signs.rate_yaw * math.degrees(yaw),
                    "pitch_raw_dps": signs.rate_pitch * math.degrees(pitch),
                }
            case m.SetAngle(yaw, pitch):
                return "a1_absolute_angle", {
                    "yaw_deg": signs.angle_yaw * math.degrees(yaw),
                    "pitch_deg_raw": signs.angle_pitch * math.degrees(pitch),
                }
            case m.Center():
                return "a1_home", {}
            case m.SetMode(mode) if mode in _MODES:
                return _MODES[mode], {}
            case m.SetZoom(zoom):
                return "c2_absolute_zoom", {"zoom_x": zoom}
            case m.ZoomAtRate(0.0):
                return "c1_stop_zoom_focus", {}
            case m.ZoomAtRate(rate):
                speed = max(1, round(abs(rate) * _ZOOM_SPEEDS))
                return "c1_zoom_in" if rate > 0 else "c1_zoom_out", {"speed": speed}
            case m.SetFocus(focus):
                return _FOCUS[focus], {}
            case m.TakePhoto():
                return "c1_take_photo", {}
            case m.SwitchRecording(is_on):
                return "c1_start_record" if is_on else "c1_stop_record", {}
            case m.Raw(name, fields):
                return name, fields
        raise UnsupportedError(f"{command} is not in the Viewpro protocol")

    def _events(self, name: str, fields: Mapping[str, Any], now_s: float) -> list[m.Event]:
        match name:
            case "t1_f1_b1_d1" | "t1_f1_b1_d1_osd":
                return self._status(fields, now_s)
            case "v_firmware":
                return [m.Firmware(now_s, fields["text"], bool(fields["text"]))]
            case "v_model":
                return [m.Model(now_s, _model_name(fields["text"]), fields["text"])]
        return [m.Other(now_s, name, fields)]

    def _status(self, fields: Mapping[str, Any], now_s: float) -> list[m.Event]:
        signs, roll_deg = self._signs, fields["roll"]
        angles = from_yaw_pitch_roll(
            signs.report_yaw * _RAD * fields["yaw_counts"],
            signs.report_pitch * _RAD * fields["pitch_counts"],
            signs.report_roll * math.radians(0.0 if abs(roll_deg) < _LEVEL_DEG else roll_deg),
        )
        return [
            m.Attitude(now_s, *angles),
            m.Zoom(now_s, fields["zoom"]),
            m.FieldOfView(now_s, math.radians(fields["hfov_deg"])),
            m.Config(
                now_s,
                mode=_MODE_OF_SERVO.get(fields["servo"]),
                is_recording=fields["rec"] == _RECORDING,
            ),
        ]


def _model_name(text: str) -> str:
    key = text.strip().lower()
    return key if key in MODELS else ""
