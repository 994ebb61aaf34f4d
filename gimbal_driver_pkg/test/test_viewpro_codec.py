"""Viewpro, the driver's side: exact bytes, signs, units, envelope."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gimbal_driver_pkg.errors import UnsupportedError
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.viewpro.codec import ViewproCodec
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP

DEG = math.pi / 180


def sent(command: m.Command, codec: ViewproCodec | None = None) -> dict[str, Any]:
    record = VIEWPRO.read((codec or ViewproCodec()).encode(command), Direction.TO_GIMBAL)
    return {"command": record.command, **record.fields}


@pytest.mark.parametrize(
    ("command", "frame"),
    [
        (m.Ask(m.Query.ATTITUDE), "55aadc04100014"),
        (m.SetAngle(-45 * DEG, -30 * DEG), "55aadc0c1a0b2000eaab000000007c"),
        (m.SetZoom(4.5), "55aadc062c53002d54"),
    ],
)
def test_command_to_bytes(command: m.Command, frame: str) -> None:
    assert ViewproCodec().encode(command).hex() == frame


def test_frame_counter_is_counted_and_checked() -> None:
    codec = ViewproCodec()
    counters = [sent(m.Center(), codec)["frame_counter"] for _ in range(5)]
    assert counters == [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("command", "name", "fields"),
    [
        (m.SetRate(0.2, 0.1), "a1_rate", {"yaw_dps": -11.46, "pitch_raw_dps": -5.73}),
        (m.Center(), "a1_home", {}),
        (m.SetMode(m.Mode.FOLLOW), "a1_follow_yaw", {}),
        (m.SetMode(m.Mode.LOCK), "a1_follow_yaw_off", {}),
        (m.ZoomAtRate(1.0), "c1_zoom_in", {"speed": 7}),
        (m.ZoomAtRate(-0.01), "c1_zoom_out", {"speed": 1}),
        (m.ZoomAtRate(0.0), "c1_stop_zoom_focus", {}),
        (m.SetFocus(m.Focus.AUTO), "c1_auto_focus", {}),
        (m.TakePhoto(), "c1_take_photo", {}),
        (m.SwitchRecording(True), "c1_start_record", {}),
        (m.SwitchRecording(False), "c1_stop_record", {}),
        (m.Ask(m.Query.MODEL), "u_query_model", {"cmd": "0xE4"}),
    ],
)
def test_command_to_record(command: m.Command, name: str, fields: dict[str, Any]) -> None:
    record = sent(command)
    assert {"command": record["command"], **{k: record[k] for k in fields}} == {
        "command": name,
        **fields,
    }


def test_servo_and_camera_never_share_a_frame() -> None:
    """A combined frame with an idle camera packet stops a running zoom."""
    for command in (m.SetRate(0.1, 0.1), m.SetAngle(0.1, 0.1), m.Center(), m.ZoomAtRate(1.0)):
        assert sent(command)["frame_id"] in {"0x1A", "0x1C"}


@pytest.mark.parametrize("command", [m.Ask(m.Query.ZOOM_MAX), m.SetMode(m.Mode.FPV), m.KeepAlive()])
def test_what_the_protocol_lacks_is_refused(command: m.Command) -> None:
    with pytest.raises(UnsupportedError, match="not in the Viewpro protocol"):
        ViewproCodec().encode(command)


def status(**fields: Any) -> bytes:
    return VIEWPRO.write("t1_f1_b1_d1", {"roll": 0.0, **fields})


def test_status_tells_everything_at_once() -> None:
    frame = status(yaw=10, pitch_raw=5, servo=3, zoom=4.5, hfov_deg=50.0, rec=1)
    attitude, zoom, view, config = ViewproCodec().feed(frame, 5.0)
    assert isinstance(attitude, m.Attitude)
    assert attitude.yaw_rad == pytest.approx(-10 * DEG, abs=1e-4)
    assert attitude.pitch_rad == pytest.approx(5 * DEG, abs=1e-4)
    assert attitude.roll_rad == pytest.approx(0.0, abs=1e-3)
    assert math.isnan(attitude.yaw_rate_rad_s)
    assert zoom == m.Zoom(5.0, 4.5)
    assert isinstance(view, m.FieldOfView)
    assert view.hfov_rad == pytest.approx(50 * DEG)
    assert config == m.Config(5.0, mode=m.Mode.FOLLOW, is_recording=True)


def test_vendor_example_of_the_servo_status() -> None:
    """V3.4.9: D7 FF 1B F0 E3 8C = servo 0x0D, roll -0.02, yaw 39.29, pitch raw -40.01."""
    record = VIEWPRO.read(
        VIEWPRO.write("unknown", {"frame_id": "1B", "data": "d7ff1bf0e38c"}), Direction.FROM_GIMBAL
    )
    shown = [record.fields[name] for name in ("servo", "roll", "yaw", "pitch_raw")]
    assert shown == [0x0D, -0.02, 39.29, -40.01]


@pytest.mark.parametrize("code", ["0xD0", "0xFC"])
def test_firmware_answer_of_the_device_and_of_the_document(code: str) -> None:
    (event,) = ViewproCodec().feed(
        VIEWPRO.write("v_firmware", {"cmd": code, "text": "S20220301"}), 1.0
    )
    assert event == m.Firmware(1.0, "S20220301", True)


@pytest.mark.parametrize(("text", "name"), [("A40", "a40"), ("Q30TIR", "q30tir"), ("X99", "")])
def test_model_answer(text: str, name: str) -> None:
    (event,) = ViewproCodec().feed(VIEWPRO.write("v_model", {"text": text}), 1.0)
    assert event == m.Model(1.0, name, text)


@given(yaw=st.floats(-math.pi + 0.001, math.pi - 0.001), pitch=st.floats(-1.57, 1.57))
def test_angles_survive_the_sign_tables(yaw: float, pitch: float) -> None:
    wire = sent(m.SetAngle(yaw, pitch))
    frame = status(yaw_counts=wire["yaw_counts"], pitch_counts=wire["pitch_counts"])
    attitude = ViewproCodec().feed(frame, 0.0)[0]
    assert isinstance(attitude, m.Attitude)
    assert attitude.yaw_rad == pytest.approx(yaw, abs=1e-4)
    assert attitude.pitch_rad == pytest.approx(pitch, abs=1e-4)


def test_pitch_rate_sign_is_the_models() -> None:
    down = m.SetRate(0.0, 0.1)
    assert sent(down)["pitch_raw_dps"] < 0
    assert sent(down, ViewproCodec(signs_of("viewpro", "q30tir")))["pitch_raw_dps"] > 0


def test_tcp_envelope_goes_around_every_frame() -> None:
    codec = ViewproCodec(has_envelope=True)
    assert codec.encode(m.Ask(m.Query.ATTITUDE)).hex() == "eb900755aadc0410001403"
    reply = VIEWPRO_TCP.write("t1_f1_b1_d1", {"zoom": 2.0})
    assert m.Zoom(0.0, 2.0) in codec.feed(reply, 0.0)


@given(data=st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    ViewproCodec().feed(data, 0.0)
    ViewproCodec(has_envelope=True).feed(data, 0.0)


@given(frame_id=st.integers(0, 255), payload=st.binary(min_size=1, max_size=60))
def test_any_intact_frame_is_read_and_written_back(frame_id: int, payload: bytes) -> None:
    frame = VIEWPRO.write("unknown", {"frame_id": f"{frame_id:02X}", "data": payload.hex()})
    codec = ViewproCodec()
    # A frame of unusual size that ends in a header is believed only when nothing follows it.
    assert codec.feed(frame, 0.0) + codec.feed(b"", 1.0)
    for direction in Direction:
        record = VIEWPRO.read(frame, direction)
        assert VIEWPRO.write(record.command, record.fields) == frame
