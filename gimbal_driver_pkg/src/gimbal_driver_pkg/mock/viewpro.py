"""A Viewpro gimbal that answers as the device does. Pure.

Status comes only on demand: as the answer to a heartbeat, a handshake or a combined frame, or
periodically after S2 command 0x0A. Commands in frames of their own are not answered. An idle camera
packet in a combined frame stops a running zoom.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gimbal_driver_pkg.mock.conversation import Conversation, MockGimbal, Push
from gimbal_driver_pkg.protocol.catalogue import Direction, Message
from gimbal_driver_pkg.protocol.messages import Mode
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP
from gimbal_driver_pkg.protocol.viewpro.table import COUNT_DEG, KEEP_SERVO, TO_GIMBAL

Fields = Mapping[str, Any]

_PERIODIC_STATUS = 0x0A
_ANSWERS = {0xD0: ("v_firmware", "S20220301"), 0xEE: ("v_serial", "MOCK0001")}
_HANDSHAKE, _HEARTBEAT, _U, _S2 = 0x00, 0x10, 0x01, 0x26
_A1, _C1, _C2, _A1_C1_E1, _A1_C1_E1_S1 = 0x1A, 0x1C, 0x2C, 0x30, 0x32


class ViewproConversation(Conversation):
    """One client of a Viewpro gimbal."""

    def __init__(self, gimbal: MockGimbal, now_s: float, has_envelope: bool) -> None:
        """Begin a conversation; on TCP frames are in envelopes."""
        self._dialect = VIEWPRO_TCP if has_envelope else VIEWPRO
        super().__init__(gimbal, self._dialect.wire, now_s)
        self._signs = signs_of("viewpro", gimbal.model.name)
        self._servo = 0x04

    def answer(self, frame: bytes, now_s: float) -> list[bytes]:
        if self.gimbal.is_booting(now_s):
            return []
        code, payload, _ = self._dialect.open(frame)
        if code in (_HANDSHAKE, _HEARTBEAT):
            return [self._status()]
        fields = _plain_fields(code, payload)
        if fields is None:
            return []
        if code == _U:
            return self._information(int(fields["cmd"], 16))
        if code == _S2:
            self._periodic(fields, now_s)
        if code in (_A1, _A1_C1_E1, _A1_C1_E1_S1):
            self._steer(fields)
        if code in (_C1, _A1_C1_E1, _A1_C1_E1_S1):
            self._operate(fields["op"], is_combined=code != _C1)
        if code == _C2 and int(fields["cmd"], 16) == 0x53:
            self.gimbal.body.zoom_to(fields["value"] / 10)
        return [self._status()] if code in (_A1_C1_E1, _A1_C1_E1_S1) else []

    def pushed(self, key: object, now_s: float) -> list[bytes]:  # noqa: ARG002 only the status
        return [] if self.gimbal.is_booting(now_s) else [self._status()]

    def data_size(self, frame: bytes) -> int:
        return len(self._dialect.open(frame)[1])

    def with_data_size(self, frame: bytes, size: int) -> bytes:
        code, payload, header = self._dialect.open(frame)
        payload = payload[:size].ljust(size, b"\0")
        return self._dialect.close(code, payload, header, Direction.FROM_GIMBAL)

    def _frame(self, name: str, fields: Fields) -> bytes:
        counter = self.gimbal.next_sequence() & 3
        return self._dialect.write(name, {**fields, "frame_counter": counter})

    def _information(self, command: int) -> list[bytes]:
        if command == 0xE4:
            return [self._frame("v_model", {"text": self.gimbal.model.title})]
        if command not in _ANSWERS:
            return []
        name, text = _ANSWERS[command]
        return [self._frame(name, {"text": text})]

    def _periodic(self, fields: Fields, now_s: float) -> None:
        if int(fields["s2_cmd"], 16) != _PERIODIC_STATUS:
            return
        value = fields["s2_value"]
        period_ms = value >> 16 or value & 0xFFFF  # the parameter's layout is not published
        self.pushes.clear()
        if period_ms:
            self.pushes["status"] = Push(1000 / period_ms, now_s)

    def _steer(self, fields: Fields) -> None:
        body, camera, signs = self.gimbal.body, self.gimbal.camera, self._signs
        servo, p1, p2 = fields["servo"], fields["p1"], fields["p2"]
        match servo:
            case 0x00 if p1 == 0x0001:
                body.yaw.turn(0.0)
                body.pitch.turn(0.0)
            case 0x01:
                body.yaw.turn(signs.rate_yaw * math.radians(p1 * 0.01))
                body.pitch.turn(signs.rate_pitch * math.radians(p2 * 0.01))
            case 0x03 | 0x0A:
                camera.mode = Mode.FOLLOW if servo == 0x03 else Mode.LOCK
            case 0x04:
                body.yaw.go_to(0.0)
                body.pitch.go_to(0.0)
            case 0x09:
                angles = p2, fields["p4"]
                self._go_to(*angles, from_yaw=body.yaw.angle_rad, from_pitch=body.pitch.angle_rad)
            case 0x0B:
                self._go_to(p1, p2)
            case 0x1B:
                self._go_to(4 * p1, 4 * p2)
            case 0x12:
                body.pitch.go_to(math.pi / 2)
        if servo != KEEP_SERVO:
            self._servo = servo

    def _go_to(self, yaw: int, pitch: int, from_yaw: float = 0.0, from_pitch: float = 0.0) -> None:
        """Go to angles in counts, relative to given ones."""
        count = math.radians(COUNT_DEG)
        self.gimbal.body.yaw.go_to(from_yaw + self._signs.angle_yaw * yaw * count)
        self.gimbal.body.pitch.go_to(from_pitch + self._signs.angle_pitch * pitch * count)

    def _operate(self, operation: int, is_combined: bool) -> None:
        body, camera = self.gimbal.body, self.gimbal.camera
        match operation:
            case 0x01:
                body.zoom_towards(0)
            case 0x00 if is_combined:
                body.zoom_towards(0)
            case 0x08:
                body.zoom_towards(-1)
            case 0x09:
                body.zoom_towards(1)
            case 0x13:
                camera.take_photo()
            case 0x14 | 0x15:
                camera.record(operation == 0x14)

    def _status(self) -> bytes:
        body, camera, signs = self.gimbal.body, self.gimbal.camera, self._signs
        count = math.radians(COUNT_DEG)
        hfov_deg = math.degrees(self.gimbal.hfov_rad())
        return self._frame(
            "t1_f1_b1_d1",
            {
                "servo": self._servo & 0x0F,
                "roll": 0.0,
                "yaw_counts": _wrapped(signs.report_yaw * body.yaw.angle_rad / count),
                "pitch_counts": _wrapped(signs.report_pitch * body.pitch.angle_rad / count),
                "rec": int(camera.is_recording),
                "hfov_deg": hfov_deg,
                "vfov_deg": hfov_deg * 9 / 16,
                "zoom": body.zoom,
            },
        )


def _wrapped(counts: float) -> int:
    return (round(counts) + 2**15) % 2**16 - 2**15


_PLAIN: dict[int, Message] = {
    TO_GIMBAL[name].code: TO_GIMBAL[name]
    for name in ("u", "s2", "a1", "c1", "c2", "a1_c1_e1", "a1_c1_e1_s1")
}


def _plain_fields(code: int, payload: bytes) -> Fields | None:
    """Return the numbers of a frame without regard to what they mean together."""
    message = _PLAIN.get(code)
    layout = message.layout_of_size(len(payload)) if message else None
    return layout.decode(payload) if layout else None
