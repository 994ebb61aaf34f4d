"""Every SIYI message, both directions, in the wire's own signs and units.

Source: SIYI Gimbal Camera SDK protocol V0.1.1 (2025-02), chapter 2; where the device differs from
it, the note says so. Names ending `_wire` carry the wire's sign (see `signs`).
"""

from __future__ import annotations

from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol.catalogue import Catalogue, Message
from gimbal_driver_pkg.protocol.fields import (
    Field,
    FieldLayout,
    also,
    choice,
    float32,
    i8,
    i16,
    i32,
    integer,
    pad,
    scaled,
    several,
    tenths,
    text,
    text_choice,
    u8,
    u16,
    u32,
    version,
)

TITLE_OF_PRODUCT = {model.product: model.title for model in MODELS.values() if model.product}
"""The hardware id begins with the product code, two ASCII characters."""

STREAM_HZ = {0: 0, 1: 2, 2: 4, 3: 5, 4: 10, 5: 20, 6: 50, 7: 100}
"""Rate codes of the data stream (0x25)."""


def _tenth(name: str) -> Field:
    return scaled(name, "h", 0.1, 1)


def _hundredth(name: str) -> Field:
    return scaled(name, "H", 0.01, 2)


def _celsius(name: str) -> Field:
    return scaled(name, "h", 0.01, 2)  # the vendor says unsigned; signed below freezing (ArduPilot)


def _meaning(code: str, texts: dict[int, str]) -> Field:
    return also(choice("meaning", code, texts))


def _message(name: str, code: int, *fields: Field) -> Message:
    return Message(name, code, (FieldLayout(*fields),))


_ANGLES = (_tenth("yaw_deg_wire"), _tenth("pitch_deg_wire"), _tenth("roll_deg"))
_SUCCESS = (u8("sta"), _meaning("B", {0: "error", 1: "ok"}))
_POINT = (u16("x"), u16("y"))
_BOX = (u16("start_x"), u16("start_y"), u16("end_x"), u16("end_y"))
_EXTREMES = (_celsius("max_c"), _celsius("min_c"), several("max_xy", "HH"), several("min_xy", "HH"))
_ENCODING = (u8("stream"), u8("codec"), u16("width"), u16("height"), u16("kbps"))
_ENVIRONMENT = (
    _hundredth("distance_m"),
    _hundredth("emissivity_percent"),
    _hundredth("humidity_percent"),
    _hundredth("air_c"),
    _hundredth("reflected_c"),
)
_ADDRESS = (several("ip", "BBBB"), several("mask", "BBBB"), several("gateway", "BBBB"))
_THRESHOLD_REGIONS = tuple(
    field
    for i in (1, 2, 3)
    for field in (u8(f"switch_{i}"), several(f"range_c_{i}", "hh"), several(f"rgb_{i}", "BBB"))
)
_FUNCTIONS = {
    0: "photo",
    1: "hdr on or off",
    2: "record on or off",
    3: "lock mode",
    4: "follow mode",
    5: "fpv mode",
    6: "HDMI out (after restart)",
    7: "CVBS out (after restart)",
    8: "HDMI and CVBS off",
    9: "look down",
    10: "zoom linkage",
}
_FEEDBACK = {
    0: "photo taken",
    1: "photo failed",
    2: "hdr on",
    3: "hdr off",
    4: "record failed",
    5: "recording started",
    6: "recording stopped",
}
_PALETTES = dict(
    enumerate(
        [
            "white_hot",
            "reserved",
            "sepia",
            "ironbow",
            "rainbow",
            "night",
            "aurora",
            "red_hot",
            "jungle",
            "medical",
            "black_hot",
            "glory_hot",
        ]
    )
)
_MODE = choice("mode", "B", {0: "lock", 1: "follow", 2: "fpv"})
_STREAM = (u8("data_type"), u8("freq_code"), also(choice("hz", "B", STREAM_HZ)))
_WEAK_THRESHOLDS = (_tenth("limit_v"), _tenth("voltage_v"), _tenth("error_deg"))
_CONFIG = (
    pad(1),
    u8("hdr"),
    pad(1),
    u8("record"),
    also(choice("record_text", "B", {0: "off", 1: "on", 2: "no TF card", 3: "data loss"})),
    _MODE,
    choice("mount", "B", {1: "normal", 2: "upside down"}),
    choice("video", "B", {0: "hdmi", 1: "cvbs"}),
)
_VERSIONS = (version("camera"), pad(1), version("gimbal"), pad(1))

TO_GIMBAL = Catalogue(
    [
        _message("heartbeat", 0x00, u8("value")),  # TCP only, no reply
        _message("request_firmware_version", 0x01),
        _message("request_hardware_id", 0x02),
        Message(
            "auto_focus",
            0x04,
            (
                FieldLayout(u8("auto_focus"), u16("touch_x"), u16("touch_y")),
                FieldLayout(u8("auto_focus")),  # older form
            ),
        ),
        _message(
            "manual_zoom",
            0x05,
            i8("zoom"),
            _meaning("b", {1: "zoom in", 0: "stop", -1: "zoom out"}),
        ),
        _message(
            "manual_focus", 0x06, i8("focus"), _meaning("b", {1: "far", 0: "stop", -1: "near"})
        ),
        _message("gimbal_rotation", 0x07, i8("yaw_rate"), i8("pitch_rate")),  # -100..100
        _message("center", 0x08, u8("center_pos")),
        _message("request_config_info", 0x0A),
        _message("photo_video", 0x0C, u8("func_type"), _meaning("B", _FUNCTIONS)),  # no reply
        _message("request_attitude", 0x0D),
        _message(
            "set_angles",
            0x0E,
            _tenth("yaw_deg_wire"),
            also(scaled("yaw_deg_right_positive", "h", -0.1, 1)),
            _tenth("pitch_deg_wire"),
        ),
        _message("absolute_zoom", 0x0F, tenths("zoom_x")),
        _message("request_image_type", 0x10),
        _message("set_image_type", 0x11, u8("image_type")),
        _message("request_spot_temperature", 0x12, *_POINT, u8("flag")),
        _message("request_box_temperature", 0x13, *_BOX, u8("flag")),
        _message("request_global_temperature", 0x14, u8("flag")),
        _message("request_laser_distance", 0x15),
        _message("request_max_zoom", 0x16),
        _message("request_laser_target", 0x17),
        _message("request_current_zoom", 0x18),
        _message("request_gimbal_mode", 0x19),
        _message("request_palette", 0x1A),
        _message("set_palette", 0x1B, u8("palette"), _meaning("B", _PALETTES)),
        _message("request_encoding", 0x20, u8("stream")),
        _message("set_encoding", 0x21, *_ENCODING, pad(1)),
        _message(
            "send_aircraft_attitude",
            0x22,
            u32("time_boot_ms"),
            float32("roll_rad"),
            float32("pitch_rad"),
            float32("yaw_rad"),
            float32("rollspeed"),
            float32("pitchspeed"),
            float32("yawspeed"),
        ),
        _message("send_rc_channels", 0x23, several("channels", "H" * 18), u8("count"), u8("rssi")),
        _message("fc_stream_ack", 0x24, u8("data_type")),  # the flight controller's answer
        _message("request_stream", 0x25, *_STREAM),
        _message("request_encoder_angles", 0x26),
        _message("request_control_mode", 0x27),
        _message("request_weak_thresholds", 0x28),
        # The vendor's title of 0x29 repeats that of 0x2A.
        _message("set_weak_thresholds", 0x29, *_WEAK_THRESHOLDS),
        _message("request_motor_voltage", 0x2A),
        _message("set_utc_time", 0x30, integer("unix_us", "Q")),
        _message("request_laser_state", 0x31),
        _message("set_laser_state", 0x32, u8("on")),
        _message("request_thermal_output", 0x33),
        _message("set_thermal_output", 0x34, u8("output")),
        _message("request_thermal_frame", 0x35),
        _message("request_thermal_gain", 0x37),
        _message("set_thermal_gain", 0x38, u8("gain")),
        _message("request_environment", 0x39),
        _message("set_environment", 0x3A, *_ENVIRONMENT),
        _message("request_environment_switch", 0x3B),
        _message("set_environment_switch", 0x3C, u8("on")),
        _message(
            "send_gps",
            0x3E,
            u32("time_boot_ms"),
            i32("lat_degE7"),  # the vendor's caption swaps the words, not the values
            i32("lon_degE7"),
            i32("alt_cm"),
            i32("alt_ellipsoid_cm"),
            i32("vn_mm_s"),
            i32("ve_mm_s"),
            i32("vd_mm_s"),
        ),
        _message("request_system_time", 0x40),
        _message("single_axis_angle", 0x41, _tenth("angle_deg_wire"), u8("axis")),
        _message("request_threshold_map", 0x42),
        _message("set_threshold_map", 0x43, u8("on")),
        _message("request_thresholds", 0x44),
        _message("set_thresholds", 0x45, *_THRESHOLD_REGIONS),
        _message("request_threshold_precision", 0x46),
        _message("set_threshold_precision", 0x47, u8("precision")),
        Message("format_sd", 0x48, (FieldLayout(), FieldLayout(u8("format_sta")))),
        _message("request_file_naming", 0x49, u8("file_type")),
        _message("set_file_naming", 0x4A, u8("file_type"), u8("naming")),
        _message("request_osd", 0x4B),
        _message("set_osd", 0x4C, u8("on")),
        _message("request_ai_mode", 0x4D),
        _message("request_ai_stream", 0x4E),
        _message("thermal_shutter", 0x4F),
        _message("set_ai_stream", 0x51, u8("on")),
        _message("request_weak_mode", 0x70),
        _message("set_weak_mode", 0x71, u8("on")),
        _message("reboot", 0x80, u8("camera"), u8("gimbal")),
        _message("request_ip", 0x81),
        _message("set_ip", 0x82, *_ADDRESS),
    ]
)

FROM_GIMBAL = Catalogue(
    [
        Message(
            "firmware_version",
            0x01,
            (
                FieldLayout(*_VERSIONS, version("zoom"), pad(1)),
                FieldLayout(*_VERSIONS),  # A8 mini
            ),
        ),
        _message(
            "hardware_id",
            0x02,
            text("id_ascii", 12),
            also(text_choice("model", 2, TITLE_OF_PRODUCT)),
        ),
        _message("auto_focus_ack", 0x04, *_SUCCESS),
        _message("manual_zoom_ack", 0x05, scaled("zoom_x", "H", 0.1, 1)),
        _message("manual_focus_ack", 0x06, *_SUCCESS),
        _message("gimbal_rotation_ack", 0x07, *_SUCCESS),
        _message("center_ack", 0x08, *_SUCCESS),
        Message(
            "config_info", 0x0A, (FieldLayout(*_CONFIG, u8("zoom_linkage")), FieldLayout(*_CONFIG))
        ),
        _message("function_feedback", 0x0B, u8("info_type"), _meaning("B", _FEEDBACK)),
        _message(
            "attitude",
            0x0D,
            _tenth("yaw_deg_wire"),
            also(scaled("yaw_deg_ned_right_positive", "h", -0.1, 1)),
            _tenth("pitch_deg_wire"),
            _tenth("roll_deg"),
            _tenth("yaw_rate_dps_wire"),
            _tenth("pitch_rate_dps_wire"),
            _tenth("roll_rate_dps"),
        ),
        _message("set_angles_ack", 0x0E, *_ANGLES),  # the current angles, not the target
        _message("absolute_zoom_ack", 0x0F, *_SUCCESS),
        _message("image_type", 0x10, u8("image_type")),
        _message("set_image_type_ack", 0x11, u8("image_type")),
        _message("spot_temperature", 0x12, _celsius("spot_c"), *_POINT),
        _message("box_temperature", 0x13, *_BOX, *_EXTREMES),
        _message("global_temperature", 0x14, *_EXTREMES),
        # Decimetres, 0 without an echo; ArduPilot reads metres, the vendor and MAVProxy decimetres.
        _message("laser_distance", 0x15, u16("raw_dm")),
        _message("max_zoom", 0x16, tenths("zoom_x")),
        _message("laser_target", 0x17, i32("lon_degE7"), i32("lat_degE7")),
        _message("current_zoom", 0x18, tenths("zoom_x")),
        _message("gimbal_mode", 0x19, _MODE),
        _message("palette", 0x1A, u8("palette"), _meaning("B", _PALETTES)),
        _message("set_palette_ack", 0x1B, u8("palette"), _meaning("B", _PALETTES)),
        _message("encoding_params", 0x20, *_ENCODING, u8("fps")),
        _message("set_encoding_ack", 0x21, u8("stream"), *_SUCCESS),
        _message("request_fc_stream", 0x24, *_STREAM),  # the camera asks the flight controller
        _message("request_stream_ack", 0x25, u8("data_type")),
        _message("encoder_angles", 0x26, *_ANGLES),
        _message("control_mode", 0x27, u8("control_mode")),
        _message("weak_thresholds", 0x28, *_WEAK_THRESHOLDS),
        _message("set_weak_thresholds_ack", 0x29, *_SUCCESS),
        _message("motor_voltage", 0x2A, i16("yaw_mv"), i16("pitch_mv"), i16("roll_mv")),
        _message("set_utc_time_ack", 0x30, i8("sta"), _meaning("b", {0: "error", 1: "ok"})),
        _message("laser_state", 0x31, u8("on")),
        _message("set_laser_state_ack", 0x32, *_SUCCESS),
        _message("thermal_output", 0x33, u8("output")),
        _message("set_thermal_output_ack", 0x34, u8("output")),
        _message("thermal_frame_ack", 0x35, *_SUCCESS),
        _message("thermal_gain", 0x37, u8("gain")),
        _message("set_thermal_gain_ack", 0x38, u8("gain")),
        _message("environment", 0x39, *_ENVIRONMENT),
        _message("set_environment_ack", 0x3A, *_SUCCESS),
        _message("environment_switch", 0x3B, u8("on")),
        _message("set_environment_switch_ack", 0x3C, u8("on")),
        _message("system_time", 0x40, integer("unix_us", "Q"), u32("time_boot_ms")),
        _message("single_axis_angle_ack", 0x41, *_ANGLES),  # the A8 mini answers as set_angles_ack
        _message("threshold_map", 0x42, u8("on")),
        _message("set_threshold_map_ack", 0x43, u8("on")),
        _message("thresholds", 0x44, *_THRESHOLD_REGIONS),
        _message("set_thresholds_ack", 0x45, *_SUCCESS),
        _message("threshold_precision", 0x46, u8("precision")),
        _message("set_threshold_precision_ack", 0x47, u8("precision")),
        _message("format_sd_ack", 0x48, *_SUCCESS),
        _message("file_naming", 0x49, u8("file_type"), u8("naming")),
        _message("set_file_naming_ack", 0x4A, u8("file_type"), u8("naming")),
        _message("osd", 0x4B, u8("on")),
        _message("set_osd_ack", 0x4C, u8("on")),
        _message("ai_mode", 0x4D, u8("on")),
        _message("ai_stream", 0x4E, u8("state")),
        _message("thermal_shutter_ack", 0x4F, *_SUCCESS),
        _message(  # pushed; pixels of a 1280 x 720 picture
            "ai_target",
            0x50,
            u16("x"),
            u16("y"),
            u16("width"),
            u16("height"),
            u8("class"),
            u8("state"),
        ),
        _message("set_ai_stream_ack", 0x51, u8("on")),
        _message("weak_mode", 0x70, u8("on")),
        _message("set_weak_mode_ack", 0x71, *_SUCCESS, u8("on")),
        _message("reboot_ack", 0x80, u8("camera"), u8("gimbal")),
        _message("ip", 0x81, *_ADDRESS),
        _message("set_ip_ack", 0x82, *_SUCCESS),
    ]
)
