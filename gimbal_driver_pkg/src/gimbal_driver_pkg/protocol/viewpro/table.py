"""Every Viewpro message, both directions, in the wire's own signs and units.

A frame carries one packet (A1, C1, ...) or several in a row (A1+C1+E1); what a frame commands is
told by the command byte of the packet that is not idle. Names of single packets begin with the
packet's name. `_raw` values carry the wire's sign of pitch (see `signs`).

Source: Viewpro serial command protocol V3.4.4, chapter 3.
"""

from __future__ import annotations

from gimbal_driver_pkg.protocol.catalogue import Catalogue, Message
from gimbal_driver_pkg.protocol.fields import (
    Field,
    FieldLayout,
    also,
    bits,
    choice,
    counts,
    hexadecimal,
    i16,
    i32,
    pad,
    scaled,
    several,
    text,
    u8,
    u16,
    u32,
)

COUNT_DEG = 360 / 65536
"""[deg] per count of an angle."""

KEEP_SERVO = 0x0F
"""Servo state of a frame that leaves the servo alone."""


def _layout(*fields: Field) -> FieldLayout:
    return FieldLayout(*fields, order=">")


def _message(name: str, code: int, *fields: Field, **marks: int | str) -> Message:
    return Message(name, code, (_layout(*fields),), {k: (v,) for k, v in marks.items()})


def _angle(name: str, counts_name: str) -> tuple[Field, Field]:
    return i16(counts_name), also(counts(name, COUNT_DEG))


_PARAMETERS = (i16("p1"), i16("p2"), i16("p3"), i16("p4"))
_RATE = (scaled("yaw_dps", "h", 0.01, 2), scaled("pitch_raw_dps", "h", 0.01, 2), pad(4))
_ABSOLUTE = (*_angle("yaw_deg", "yaw_counts"), *_angle("pitch_deg_raw", "pitch_counts"), pad(4))
_ABSOLUTE_720 = (
    scaled("yaw_deg", "h", 720 / 32768, 2),
    scaled("pitch_deg_raw", "h", 720 / 32768, 2),
    pad(4),
)
_RELATIVE = (
    scaled("yaw_speed_0p1dps", "h", 1, 0),
    counts("yaw_deg", COUNT_DEG),
    i16("pitch_speed"),
    counts("pitch_deg_raw", COUNT_DEG),
)
_CLICK = (u16("yaw_speed"), i16("x"), u16("pitch_speed"), i16("y"))
_RC = (u16("yaw_speed"), u16("yaw_rc"), u16("pitch_speed"), u16("pitch_rc"))

# (name in a frame of its own, name in a combined frame, servo state, parameters, marks)
_SERVO: tuple[tuple[str, str, int, tuple[Field, ...], dict[str, int]], ...] = (
    ("a1_motor_on", "motor_on", 0x00, _PARAMETERS, {"p1": 0x0100}),
    ("a1_motor_off", "motor_off", 0x00, _PARAMETERS, {"p1": 0x0001}),
    ("a1_rate", "rate", 0x01, _RATE, {}),
    ("a1_follow_yaw", "follow_yaw_on", 0x03, _PARAMETERS, {}),
    ("a1_home", "home", 0x04, _PARAMETERS, {}),
    ("a1_track", "track", 0x06, _PARAMETERS, {}),
    ("a1_relative_angle", "relative_angle", 0x09, _RELATIVE, {}),
    ("a1_follow_yaw_off", "follow_yaw_off", 0x0A, _PARAMETERS, {}),
    ("a1_absolute_angle", "absolute_angle", 0x0B, _ABSOLUTE, {}),
    ("a1_rc", "rc", 0x0D, _RC, {}),
    ("a1_click_to_point", "click_to_point", 0x0E, _CLICK, {}),
    ("a1_look_down", "look_down", 0x12, _PARAMETERS, {}),
    ("a1_absolute_angle_720", "absolute_angle_720", 0x1B, _ABSOLUTE_720, {}),
)
_OPERATIONS = {
    0x01: "stop_zoom_focus",
    0x08: "zoom_out",
    0x09: "zoom_in",
    0x0A: "focus_plus",
    0x0B: "focus_minus",
    0x0E: "white_hot",
    0x0F: "black_hot",
    0x12: "rainbow",
    0x13: "take_photo",
    0x14: "start_record",
    0x15: "stop_record",
    0x16: "picture_mode",
    0x17: "record_mode",
    0x18: "toggle_mode",
    0x19: "auto_focus",
    0x1A: "manual_focus",
    0x1B: "ir_dzoom_in",
    0x1C: "ir_dzoom_out",
    0x1D: "format_sd",
}
_RANGEFINDER = {1: "range_once", 2: "range_on", 3: "range_on_low_power", 5: "range_off"}
_ZOOM_X = (scaled("zoom_x", "H", 0.1, 1),)
_CAMERA: dict[int, tuple[str, tuple[Field, ...]]] = {
    0x06: ("eo_dzoom_on", (u16("value"),)),
    0x07: ("eo_dzoom_off", (u16("value"),)),
    0x4E: ("reboot", (u16("value"),)),
    0x53: ("absolute_zoom", _ZOOM_X),
    0x56: ("ir_zoom", _ZOOM_X),
}
_TRACKING = {1: "stop_tracking", 2: "search", 3: "start_tracking", 5: "ai"}
_TRACKING_POINTS = {
    0x0A: "track_point",
    0x0B: "track_box_top_left",
    0x0C: "track_box_bottom_right",
    0x20: "ai_output_on",
    0x21: "ai_output_off",
}


def _c1(speed: str) -> tuple[Field, ...]:
    return (
        bits(u16("sensor"), 0, 3),
        also(bits(u16(speed), 3, 3)),
        also(bits(u16("op"), 6, 7)),
        also(bits(u16("lrf"), 13, 3)),
    )


def _e1(prefix: str) -> tuple[Field, ...]:
    return (
        bits(u8(f"{prefix}source"), 0, 3),
        also(bits(u8(f"{prefix}param"), 3, 5)),
        u8(f"{prefix}cmd"),
        u8(f"{prefix}param2"),
    )


_A2 = (bits(u8("a2_cmd"), 0, 5), also(bits(u8("a2_feedback"), 5, 3)), u8("a2_value"))
_E2 = (hexadecimal("e2_cmd"), i16("x"), i16("y"))
_S1 = (u8("s1_cmd"), u8("s1_param"), i32("s1_1"), i32("s1_2"), i32("s1_3"))
_S2 = (hexadecimal("s2_cmd"), u32("s2_value"))
_C1_ALONE, _C1 = _c1("speed"), _c1("speed_field")
_E1_ALONE, _E1 = _e1(""), _e1("e1_")


def _servo_messages() -> list[Message]:
    alone = [
        _message(name, 0x1A, u8("servo"), *parameters, servo=servo, **marks)
        for name, _, servo, parameters, marks in _SERVO
    ]
    return [*alone, _message("a1", 0x1A, u8("servo"), *_PARAMETERS)]


def _optics_messages() -> list[Message]:
    operations = [
        _message(f"c1_{name}", 0x1C, *_C1_ALONE, op=op) for op, name in _OPERATIONS.items()
    ]
    ranging = [
        _message(f"c1_{n}", 0x1C, *_C1_ALONE, op=0, lrf=lrf) for lrf, n in _RANGEFINDER.items()
    ]
    settings = [
        _message(f"c2_{name}", 0x2C, hexadecimal("cmd"), *fields, cmd=f"0x{cmd:02X}")
        for cmd, (name, fields) in _CAMERA.items()
    ]
    return [
        *operations,
        *ranging,
        _message("c1", 0x1C, *_C1_ALONE),
        *settings,
        _message("c2", 0x2C, hexadecimal("cmd"), u16("value")),
    ]


def _tracking_messages() -> list[Message]:
    alone = [_message(f"e1_{name}", 0x1E, *_E1_ALONE, cmd=cmd) for cmd, name in _TRACKING.items()]
    points = [
        _message(_e2_name(cmd, name), 0x2E, *_E2, e2_cmd=f"0x{cmd:02X}")
        for cmd, name in _TRACKING_POINTS.items()
    ]
    return [*alone, _message("e1", 0x1E, *_E1_ALONE), *points, _message("e2", 0x2E, *_E2)]


def _e2_name(cmd: int, name: str) -> str:
    return name if cmd in (0x20, 0x21) else f"e2_{name}"


def _combined_messages() -> list[Message]:
    """Return the frames of several packets: the first packet that is not idle names them."""
    optics = (*_C1, *_E1)
    idle = (u8("servo"), pad(8), *optics)
    both_sensors = {"white_hot": "video_eo_ir_white_hot", "black_hot": "video_eo_ir_black_hot"}
    a2_c2_e2 = (*_A2, hexadecimal("c2_cmd"), u16("c2_value"), *_E2)
    return [
        *(
            _message(name, 0x30, u8("servo"), *_PARAMETERS, *optics, e1_cmd=cmd)
            for cmd, name in _TRACKING.items()
        ),
        *(
            _message(name, 0x30, u8("servo"), *parameters, *optics, servo=servo, **marks)
            for _, name, servo, parameters, marks in _SERVO
        ),
        *(
            _message(both_sensors[name], 0x30, *idle, servo=KEEP_SERVO, sensor=3, op=op)
            for op, name in _OPERATIONS.items()
            if name in both_sensors
        ),
        *(_message(name, 0x30, *idle, servo=KEEP_SERVO, op=op) for op, name in _OPERATIONS.items()),
        *(
            _message(name, 0x30, *idle, servo=KEEP_SERVO, op=0, lrf=lrf)
            for lrf, name in _RANGEFINDER.items()
        ),
        _message("a1_c1_e1", 0x30, u8("servo"), *_PARAMETERS, *optics),
        _message("a1_c1_e1_s1", 0x32, u8("servo"), *_PARAMETERS, *optics, *_S1),
        *(
            _message(name, 0x31, *_A2, hexadecimal("c2_cmd"), *f, *_E2, c2_cmd=f"0x{cmd:02X}")
            for cmd, (name, f) in _CAMERA.items()
        ),
        _message("a2_c2_e2", 0x31, *a2_c2_e2),
        _message("a2_c2_e2_s2", 0x33, *a2_c2_e2, *_S2),
    ]


_U = {0xD0: "u_query_firmware", 0xE4: "u_query_model", 0xEE: "u_query_serial"}
_AHRS = (
    u8("data_type"),  # 7: attitude, GPS, gyro
    pad(7),
    counts("roll_deg", COUNT_DEG),  # the vendor's text calls both roll and pitch "tilt"
    counts("pitch_deg", COUNT_DEG),
    counts("yaw_deg", COUNT_DEG),
    bits(u16("year_2000"), 0, 7),
    also(bits(u16("month"), 7, 4)),
    also(bits(u16("day"), 11, 5)),
    several("time_0p01s_bytes", "BBB"),
    u16("gps_yaw"),
    u8("mark"),
    i32("lat_degE7"),
    i32("lon_degE7"),
    i32("height_mm"),
    i16("vn_cm_s"),
    i16("ve_cm_s"),
    u16("vdop"),
    i16("vd_cm_s"),
)

TO_GIMBAL = Catalogue(
    [
        _message("handshake", 0x00, u8("value")),
        *(
            _message(name, 0x01, hexadecimal("cmd"), several("params", "B" * 9), cmd=f"0x{cmd:02X}")
            for cmd, name in _U.items()
        ),
        _message("u", 0x01, hexadecimal("cmd"), several("params", "B" * 9)),
        _message("heartbeat", 0x10, u8("value")),
        *_servo_messages(),
        *_optics_messages(),
        *_tracking_messages(),
        *_combined_messages(),
        _message("s1", 0x16, *_S1),
        _message("s2", 0x26, *_S2),
        _message("a2", 0x2A, *_A2),
        Message("m_ahrs", 0xB1, (_layout(*_AHRS),)),
        Message("m_ahrs_short", 0xB1, (_layout(u8("data_type")),), has_rest=True),
        Message("ip_query", 0x19, (_layout(),), has_rest=True),
        Message("set_ip", 0x29, (_layout(),), has_rest=True),
        _message("sd_card", 0x5D, u8("cmd"), u8("value")),
    ]
)

_T1 = (
    bits(u8("distance_source"), 0, 3),
    also(bits(u8("gps_state"), 3, 2)),
    pad(1),
    i32("lat_degE7"),
    i32("lon_degE7"),
    i16("alt_m"),
    i32("target_lat_degE7"),
    i32("target_lon_degE7"),
    i16("target_alt_m"),
)
_F1 = (bits(u8("track_sensor"), 0, 3), also(bits(u8("track"), 3, 2)))
_B1 = (
    bits(u16("servo"), 12, 4),
    also(
        bits(
            Field(
                "roll",
                "H",
                lambda raw: round(raw * 180 / 4095 - 90, 2),
                lambda value: round((float(value) + 90) * 4095 / 180),
                "-90..90",
            ),
            0,
            12,
        )
    ),
    *_angle("yaw", "yaw_counts"),
    *_angle("pitch_raw", "pitch_counts"),
)
_D1 = (
    bits(u8("video"), 0, 3),  # one lower than the sensor number of C1
    also(bits(u8("ir_zoom_less_1"), 3, 4)),
    also(bits(u8("black_hot"), 7, 1)),
    pad(1),  # range counter and latency, or the range's high byte: by firmware
    bits(u16("rec"), 0, 2),
    also(bits(choice("rec_text", "H", {0: "stopped", 1: "recording", 2: "picture mode"}), 0, 2)),
    also(bits(u16("ir_palette"), 2, 4)),
    also(bits(u16("eo_dzoom_less_1"), 6, 4)),
    scaled("lrf", "H", 0.1, 1),  # [m], 0 without an echo
    scaled("vfov_deg", "H", 0.01, 2),
    scaled("hfov_deg", "H", 0.01, 2),
    scaled("zoom", "H", 0.1, 1),
)
_F2 = (pad(11), i16("track_x"), i16("track_y"))
_B2 = (
    u8("servo_action"),
    scaled("correction_deg", "h", 0.001, 3),
    counts("roll", COUNT_DEG),
    scaled("roll_dps", "h", 0.01, 2),
    scaled("yaw_dps", "h", 0.01, 2),
    scaled("pitch_dps_raw", "h", 0.01, 2),
)
_D2 = (u8("sensor_state"), u8("pixels"), u8("extra"), i16("extra_value"))
_ANSWERS = {
    "v_firmware": ("0xD0", "0xFC"),  # the first as devices answer, the second as the vendor writes
    "v_model": ("0xE4", "0xFD"),
    "v_serial": ("0xEE", "0xFE"),
}
_ANSWER_TEXT = tuple(
    _layout(hexadecimal("cmd"), text("text", size)) for size in (21, *range(1, 59))
)
_STATUS = (*_T1, *_F1, *_B1, *_D1)

FROM_GIMBAL = Catalogue(
    [
        _message("t1_f1_b1_d1", 0x40, *_STATUS),
        _message("t1_f1_b1_d1_osd", 0x42, *_STATUS),
        _message("t2_f2_b2_d2", 0x41, pad(18), *_F2, *_B2, *_D2),
        _message("t1", 0x17, *_T1),
        _message("f1", 0x1F, *_F1),
        _message("b1", 0x1B, *_B1),
        _message("d1", 0x1D, *_D1),
        _message("t2", 0x27, pad(18)),
        _message("f2", 0x2F, *_F2),
        _message("b2", 0x2B, *_B2),
        _message("d2", 0x2D, *_D2),
        *(Message(name, 0x02, _ANSWER_TEXT, {"cmd": cmds}) for name, cmds in _ANSWERS.items()),
        Message("v", 0x02, (_layout(hexadecimal("cmd")),), has_rest=True),
        _message("ack", 0xAC, hexadecimal("acked_frame_id")),
        Message("ai_targets", 0xF3, (_layout(),), has_rest=True),
        Message("sd_card_ack", 0xD5, (_layout(u8("cmd")),), has_rest=True),
        Message("ip_ack", 0x92, (_layout(),), has_rest=True),
        Message("transparent", 0xFF, (_layout(),), has_rest=True),
    ]
)
