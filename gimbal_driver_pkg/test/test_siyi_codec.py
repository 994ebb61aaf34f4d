"""SIYI, the driver's side: exact bytes, signs, units, every event."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import RATE_MAPS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

DEG = math.pi / 180


def read(codec: SiyiCodec, name: str, **fields: Any) -> list[m.Event]:
    return codec.feed(SIYI.write(name, fields), now_s=5.0)


def sent(command: m.Command, codec: SiyiCodec | None = None) -> dict[str, Any]:
    record = SIYI.read((codec or SiyiCodec()).encode(command), Direction.TO_GIMBAL)
    return {"command": record.command, **record.fields}


@pytest.mark.parametrize(
    ("command", "frame"),
    [
        (m.Ask(m.Query.ATTITUDE), "556601000000000de805"),
        (m.Ask(m.Query.MODEL), "556601000000000207f4"),
        (m.Ask(m.Query.ZOOM_MAX), "5566010000000016b2a6"),
        (m.KeepAlive(), "5566010100000000 00598b"),
        (m.STOP, "55660102000000070000f124"),
        (m.SetAngle(0.0, math.pi / 2), "5566010400000 00e00007cfc4fa4"),
        (m.Center(), "556601010000000801d112"),
        (m.SetMode(m.Mode.FOLLOW), "556601010000000c04b08e"),
        (m.ZoomAtRate(1.0), "5566010100000005018d64"),
        (m.SetFocus(m.Focus.FAR), "556601010000000601de31"),
        (m.SetFocus(m.Focus.NEAR), "5566010100000006ff0f3f"),
    ],
)
def test_command_to_bytes(command: m.Command, frame: str) -> None:
    assert SiyiCodec().encode(command) == bytes.fromhex(frame.replace(" ", ""))


def test_angle_and_rate_have_opposite_yaw_signs_on_the_wire() -> None:
    """The vendor's most expensive surprise: left is + as an angle and - as a rate."""
    left = m.SetAngle(60.5 * DEG, 0.0)
    assert sent(left)["yaw_deg_wire"] == 60.5
    assert sent(m.SetRate(0.5, 0.0))["yaw_rate"] < 0
    assert sent(m.SetRate(0.0, 0.5))["pitch_rate"] < 0  # nose down is + in REP 103, - on the wire


def test_captured_attitude() -> None:
    """A real capture: 0.9 deg right, 88 deg down, turning right and further down."""
    frame = bytes.fromhex("55660 20c000600 0df7ff90fc0000fdff7fff000089 4b".replace(" ", ""))
    (attitude,) = SiyiCodec().feed(frame, now_s=3.0)
    assert isinstance(attitude, m.Attitude)
    assert attitude.stamp_s == 3.0
    assert attitude.yaw_rad == pytest.approx(-0.9 * DEG)
    assert attitude.pitch_rad == pytest.approx(88.0 * DEG)
    assert attitude.yaw_rate_rad_s == pytest.approx(-0.3 * DEG)
    assert attitude.pitch_rate_rad_s == pytest.approx(12.9 * DEG)


@given(yaw=st.integers(-2700, 2700), pitch=st.integers(-900, 900), is_upside_down=st.booleans())
def test_angles_survive_the_sign_tables(yaw: int, pitch: int, is_upside_down: bool) -> None:
    """A gimbal that goes where it is told reports what was asked."""
    codec = SiyiCodec()
    mount = "upside down" if is_upside_down else "normal"
    read(codec, "config_info", mount=mount)
    goal = m.SetAngle(yaw * 0.1 * DEG, pitch * 0.1 * DEG)
    wire = sent(goal, codec)

    (attitude,) = read(
        codec, "attitude", yaw_deg_wire=wire["yaw_deg_wire"], pitch_deg_wire=wire["pitch_deg_wire"]
    )

    assert isinstance(attitude, m.Attitude)
    assert attitude.yaw_rad == pytest.approx(goal.yaw_rad)
    assert attitude.pitch_rad == pytest.approx(goal.pitch_rad)


def test_upside_down_mount_is_turned_over() -> None:
    codec = SiyiCodec()
    read(codec, "config_info", mount="upside down")
    (attitude,) = read(codec, "attitude", yaw_deg_wire=10.0, pitch_deg_wire=-179.9)
    assert isinstance(attitude, m.Attitude)
    assert attitude.pitch_rad == pytest.approx(0.1 * DEG)
    assert attitude.yaw_rad == pytest.approx(-10.0 * DEG)
    (config,) = read(codec, "config_info", mount="normal")
    assert isinstance(config, m.Config)
    (attitude,) = read(codec, "attitude", pitch_deg_wire=-10.0)
    assert isinstance(attitude, m.Attitude)
    assert attitude.pitch_rad == pytest.approx(10.0 * DEG)


EVENTS: list[tuple[str, dict[str, Any], list[m.Event]]] = [
    ("hardware_id", {"id_ascii": "6B01130111"}, [m.Model(5.0, "zr10", "6B01130111")]),
    ("hardware_id", {"id_ascii": "7301130111"}, [m.Model(5.0, "a8mini", "7301130111")]),
    ("hardware_id", {"id_ascii": "FF"}, [m.Model(5.0, "", "FF")]),
    (
        "firmware_version",
        {"camera": "0.2.8", "gimbal": "0.3.9"},
        [m.Firmware(5.0, "camera 0.2.8, gimbal 0.3.9", True)],
    ),
    (
        "firmware_version",
        {"camera": "0.0.0", "gimbal": "0.0.0", "zoom": "0.0.0"},
        [m.Firmware(5.0, "camera 0.0.0, gimbal 0.0.0, zoom 0.0.0", False)],
    ),
    (
        "config_info",
        {"record": 1, "mode": "fpv", "mount": "normal"},
        [m.Config(5.0, m.Mode.FPV, False, True, True)],
    ),
    (
        "config_info",
        {"record": 2, "mode": 9, "mount": "upside down", "zoom_linkage": 1},
        [m.Config(5.0, None, True, False, False)],
    ),
    ("function_feedback", {"info_type": 0}, [m.Ack(5.0, m.TakePhoto, True)]),
    ("function_feedback", {"info_type": 1}, [m.Ack(5.0, m.TakePhoto, False)]),
    ("function_feedback", {"info_type": 4}, [m.Ack(5.0, m.SwitchRecording, False)]),
    ("function_feedback", {"info_type": 5}, [m.Config(5.0, is_recording=True)]),
    ("function_feedback", {"info_type": 6}, [m.Config(5.0, is_recording=False)]),
    ("current_zoom", {"zoom_x": 4.5}, [m.Zoom(5.0, 4.5)]),
    ("max_zoom", {"zoom_x": 30.0}, [m.ZoomMax(5.0, 30.0)]),
    ("manual_zoom_ack", {"zoom_x": 2.3}, [m.Ack(5.0, m.ZoomAtRate, True), m.Zoom(5.0, 2.3)]),
    ("absolute_zoom_ack", {"sta": 1}, [m.Ack(5.0, m.SetZoom, True)]),
    ("center_ack", {"sta": 0}, [m.Ack(5.0, m.Center, False)]),
    ("set_angles_ack", {}, [m.Ack(5.0, m.SetAngle, True)]),
    ("gimbal_mode", {"mode": "follow"}, [m.Config(5.0, m.Mode.FOLLOW)]),
    ("request_stream_ack", {"data_type": 1}, [m.Ack(5.0, m.StreamAttitude, True)]),
]


@pytest.mark.parametrize(("name", "fields", "expected"), EVENTS)
def test_reply_to_events(name: str, fields: dict[str, Any], expected: list[m.Event]) -> None:
    assert read(SiyiCodec(), name, **fields) == expected


def test_message_without_neutral_meaning_is_passed_on() -> None:
    (event,) = read(SiyiCodec(), "laser_distance", raw_dm=123)
    assert isinstance(event, m.Other)
    assert (event.command, event.fields["raw_dm"]) == ("laser_distance", 123)


def test_every_reply_of_the_table_becomes_an_event() -> None:
    codec = SiyiCodec()
    for message in SIYI.catalogues[Direction.FROM_GIMBAL]:
        for layout in message.layouts:
            frame = SIYI.write(message.name, {"data": bytes(layout.size).hex()})
            assert codec.feed(frame, 0.0), message.name


def test_every_command_of_the_table_can_be_sent_raw() -> None:
    codec = SiyiCodec()
    for message in SIYI.catalogues[Direction.TO_GIMBAL]:
        frame = codec.encode(m.Raw(message.name, {}))
        assert SIYI.read(frame, Direction.TO_GIMBAL).command == message.name


@pytest.mark.parametrize(
    ("rate_hz", "code"),
    [(0, 0), (1, 1), (2, 1), (3, 2), (10, 4), (20, 5), (21, 6), (100, 7), (150, 7)],
)
def test_stream_rate_is_rounded_up_to_one_that_exists(rate_hz: float, code: int) -> None:
    assert sent(m.StreamAttitude(rate_hz))["freq_code"] == code


def test_touch_focus_is_in_pixels_of_the_stream() -> None:
    fields = sent(m.SetFocus(m.Focus.AUTO, 1.0, 0.5), SiyiCodec(picture_size=(1920, 1080)))
    assert (fields["touch_x"], fields["touch_y"]) == (1919, 540)


@pytest.mark.parametrize("zoom", [1.0, 1.04, 1.96, 4.5, 9.95, 29.999, 30.0])
def test_zoom_is_rounded_so_that_tenths_never_become_ten(zoom: float) -> None:
    fields = sent(m.SetZoom(zoom))
    assert bytes.fromhex(fields["data"])[1] < 10
    assert fields["zoom_x"] == pytest.approx(zoom, abs=0.051)


def test_sequence_counts_and_wraps() -> None:
    codec = SiyiCodec()
    codec._sequence = 65534
    numbers = [sent(m.Center(), codec)["seq"] for _ in range(3)]
    assert numbers == [65535, 0, 1]


@pytest.mark.parametrize("name", RATE_MAPS)
def test_rate_map_is_monotonic_and_inverts(name: str) -> None:
    rate_map = RATE_MAPS[name]
    rates = [rate_map.rate_of(unit) for unit in range(-100, 101)]
    assert rates == sorted(rates)
    assert rate_map.rate_of(0) == 0.0
    moving = range(5, 101)
    assert [rate_map.unit_of(rate_map.rate_of(unit)) for unit in moving] == list(moving)
    assert rate_map.unit_of(-rate_map.rate_of(50)) == -50
    assert rate_map.unit_of(100.0) == 100
    assert rate_map.unit_of(0.0) == 0


def test_measured_rates_match_their_source() -> None:
    measured = RATE_MAPS["measured"]
    assert math.degrees(measured.rate_of(50)) == pytest.approx(68.1)
    assert math.degrees(measured.rate_of(3)) == 0.0
    assert math.degrees(RATE_MAPS["linear"].rate_of(50)) == pytest.approx(45.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: m.SetAngle(math.nan, 0.0), "yaw_rad: nan, allowed is a finite number"),
        (lambda: m.SetRate(0.0, math.inf), "pitch_rate_rad_s: inf, allowed is a finite number"),
        (lambda: m.SetZoom(0.5), "zoom: 0.5, allowed is 1..200"),
        (lambda: m.SetZoom(math.nan), "zoom: nan, allowed is 1..200"),
        (lambda: m.ZoomAtRate(2.0), "rate: 2.0, allowed is -1..1"),
        (lambda: m.SetFocus(m.Focus.AUTO, 1.5, 0.0), "x: 1.5, allowed is 0..1"),
    ],
)
def test_what_no_gimbal_can_follow_cannot_be_said(make: Any, words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        make()
    assert str(raised.value) == words


def test_angle_beyond_the_wire_is_refused_before_a_byte_leaves() -> None:
    with pytest.raises(InvalidValueError, match="yaw_deg_wire: .*allowed is a number"):
        SiyiCodec().encode(m.SetAngle(1000.0, 0.0))


@given(data=st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    SiyiCodec().feed(data, 0.0)


@given(command=st.integers(0, 255), payload=st.binary(max_size=64), split=st.integers(0, 80))
def test_any_intact_frame_is_read_and_written_back(
    command: int, payload: bytes, split: int
) -> None:
    frame = SIYI.write("unknown", {"cmd_id": f"{command:02X}", "data": payload.hex()})
    codec = SiyiCodec()
    assert codec.feed(frame[:split], 0.0) + codec.feed(frame[split:], 0.0)
    for direction in Direction:
        record = SIYI.read(frame, direction)
        assert SIYI.write(record.command, record.fields) == frame
