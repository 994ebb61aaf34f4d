"""MAVLink gimbal protocol v2, the driver's side, against pymavlink's own decoder."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.errors import InvalidValueError, UnsupportedError
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds
from gimbal_driver_pkg.protocol.mavlink.codec import DEVICE, MANAGER, MavlinkCodec
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler, to_euler
from gimbal_driver_pkg.protocol.rotation import from_yaw_pitch_roll


def sent(codec: MavlinkCodec, command: m.Command) -> Any:
    parser = mav.MAVLink(None, 1, 154)
    (message,) = parser.parse_buffer(codec.encode(command))
    return message


def from_gimbal(message: Any, component: int = 154) -> bytes:
    return bytes(message.pack(mav.MAVLink(None, 1, component)))


def attitude_status(**changed: Any) -> Any:
    fields: dict[str, Any] = {
        "time_boot_ms": 1,
        "flags": 32,
        "q": [1.0, 0.0, 0.0, 0.0],
        "angular_velocity_x": 0.0,
        "angular_velocity_y": 0.0,
        "angular_velocity_z": 0.0,
        "failure_flags": 0,
    } | changed
    return mav.MAVLink_gimbal_device_attitude_status_message(0, 0, **fields)


def test_rate_to_a_device_leaves_the_attitude_unset() -> None:
    message = sent(MavlinkCodec(DEVICE), m.SetRate(0.3, 0.2))
    assert message.get_type() == "GIMBAL_DEVICE_SET_ATTITUDE"
    assert all(math.isnan(c) for c in message.q)
    assert message.angular_velocity_y == pytest.approx(-0.2)  # + is up
    assert message.angular_velocity_z == pytest.approx(-0.3)  # + is right


def test_angle_to_a_device_leaves_the_rates_unset() -> None:
    message = sent(MavlinkCodec(DEVICE), m.SetAngle(0.3, 0.2))
    assert to_euler(message.q) == pytest.approx((0.0, -0.2, -0.3), abs=1e-6)
    assert math.isnan(message.angular_velocity_z)


def test_set_points_to_a_manager_are_radians() -> None:
    message = sent(MavlinkCodec(MANAGER), m.SetAngle(0.3, 0.2))
    assert message.get_type() == "GIMBAL_MANAGER_SET_PITCHYAW"
    assert (message.pitch, message.yaw) == pytest.approx((-0.2, -0.3))
    assert math.isnan(message.pitch_rate)
    message = sent(MavlinkCodec(MANAGER), m.SetRate(0.3, 0.2))
    assert (message.pitch_rate, message.yaw_rate) == pytest.approx((-0.2, -0.3))
    assert math.isnan(message.yaw)


@pytest.mark.parametrize("role", [DEVICE, MANAGER])
@pytest.mark.parametrize("command", [m.SetAngle(0, 0), m.STOP, m.Center(), m.SetMode(m.Mode.LOCK)])
def test_exactly_one_yaw_frame_flag_is_set(role: str, command: m.Command) -> None:
    flags = sent(MavlinkCodec(role), command).flags
    assert bool(flags & 32) != bool(flags & 64)


@pytest.mark.parametrize(
    ("command", "number", "parameters"),
    [
        (m.Ask(m.Query.MODEL), 512, [283]),
        (m.Ask(m.Query.ATTITUDE), 512, [285]),
        (m.StreamAttitude(20.0), 511, [285, 50_000]),
        (m.StreamAttitude(0.0), 511, [285, -1]),
        (m.SetZoom(5.5), 531, [2, 50]),
        (m.ZoomAtRate(-0.5), 531, [1, -0.5]),
        (m.SetFocus(m.Focus.AUTO), 532, [4, 0]),
        (m.SetFocus(m.Focus.NEAR), 532, [1, -1]),
        (m.TakePhoto(), 2000, [0, 0, 1]),
        (m.SwitchRecording(True), 2500, []),
        (m.SwitchRecording(False), 2501, []),
    ],
)
def test_command_long(command: m.Command, number: int, parameters: list[float]) -> None:
    message = sent(MavlinkCodec(DEVICE, zoom_max=10.0), command)
    values = [getattr(message, f"param{i + 1}") for i in range(len(parameters))]
    assert (message.command, values) == (number, parameters)


def test_manager_is_asked_for_control_with_our_ids() -> None:
    codec = MavlinkCodec(MANAGER, MavlinkIds(system=3, component=192, gimbal_component=2))
    message = sent(codec, m.Ask(m.Query.CONTROL))
    assert (message.command, message.param1, message.param2) == (1001, 3, 192)
    assert (message.param3, message.param4, message.param7) == (-1, -1, 2)


@pytest.mark.parametrize(("owner", "is_ours"), [((1, 191), True), ((255, 190), False)])
def test_loss_of_control_is_noticed(owner: tuple[int, int], is_ours: bool) -> None:
    status = mav.MAVLink_gimbal_manager_status_message(0, 0, 154, *owner, 0, 0)
    assert MavlinkCodec(MANAGER).feed(from_gimbal(status, 1), 2.0) == [m.Control(2.0, is_ours)]


@given(yaw=st.floats(-3.1, 3.1), pitch=st.floats(-1.5, 1.5), roll=st.floats(-1.0, 1.0))
def test_angles_survive_quaternion_and_sign_table(yaw: float, pitch: float, roll: float) -> None:
    q = list(from_euler(roll, -pitch, -yaw))
    expected = from_yaw_pitch_roll(yaw, pitch, roll)
    attitude = MavlinkCodec().feed(from_gimbal(attitude_status(q=q)), 1.0)[0]
    assert isinstance(attitude, m.Attitude)
    found = (attitude.yaw_rad, attitude.pitch_rad, attitude.roll_rad)
    turn = (math.remainder(a - b, math.tau) for a, b in zip(found, expected, strict=True))
    assert tuple(turn) == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)


@given(yaw=st.floats(-3.1, 3.1), pitch=st.sampled_from([-math.pi / 2, math.pi / 2]))
def test_yaw_is_kept_straight_down_and_straight_up(yaw: float, pitch: float) -> None:
    """Roll and yaw are one there; a gimbal's roll is held at 0, so all of it is yaw."""
    frame = from_gimbal(attitude_status(q=list(from_euler(0.0, -pitch, -yaw))))
    attitude = MavlinkCodec().feed(frame, 1.0)[0]
    assert isinstance(attitude, m.Attitude)
    found = (attitude.yaw_rad, attitude.pitch_rad, attitude.roll_rad)
    assert found == pytest.approx((yaw, pitch, 0.0), abs=1e-3)
    set_point = sent(MavlinkCodec(DEVICE), m.SetAngle(yaw, pitch))
    assert to_euler(set_point.q) == pytest.approx((0.0, -pitch, -yaw), abs=1e-3)


@given(
    yaw=st.floats(-3.1, 3.1), tilt_deg=st.floats(0.0, 1.0), is_up=st.booleans(), turn=st.booleans()
)
def test_yaw_is_steady_on_the_way_through_straight_down(
    yaw: float, tilt_deg: float, is_up: bool, turn: bool
) -> None:
    pitch = math.copysign(math.radians(90.0 - tilt_deg), 1 if is_up else -1)
    q = [(-1 if turn else 1) * c for c in from_euler(0.0, pitch, yaw)]  # q and -q are the same
    attitude = MavlinkCodec().feed(from_gimbal(attitude_status(q=q)), 1.0)[0]
    assert isinstance(attitude, m.Attitude)
    assert attitude.yaw_rad == pytest.approx(-yaw, abs=1e-3)
    assert attitude.pitch_rad == pytest.approx(-pitch, abs=1e-5)


@pytest.mark.parametrize("flags", [64, 16])
def test_yaw_in_the_earth_frame_is_made_relative_to_the_vehicle(flags: int) -> None:
    q = list(from_euler(0.0, 0.0, 1.0))
    status = attitude_status(q=q, flags=flags, delta_yaw=0.4)
    attitude = MavlinkCodec().feed(from_gimbal(status), 1.0)[0]
    assert isinstance(attitude, m.Attitude)
    assert attitude.yaw_rad == pytest.approx(-0.6)


def test_faults_are_told_but_limits_are_none() -> None:
    frame = from_gimbal(attitude_status(failure_flags=1 | 2 | 4 | 32 | 256))
    assert m.Faults(1.0, ("motor",)) in MavlinkCodec().feed(frame, 1.0)


def test_attitude_without_a_rotation_is_no_attitude() -> None:
    for q in ([0.0] * 4, [math.nan] * 4):
        assert MavlinkCodec().feed(from_gimbal(attitude_status(q=q)), 1.0) == []


def test_device_information_tells_model_firmware_and_limits() -> None:
    info = mav.MAVLink_gimbal_device_information_message(
        0, b"Maker", b"M1", b"", 0x00030201, 0, 0, 0, 0, 0, 0, -1.5, 0.5, -2.0, 3.0
    )
    model, firmware, limits = MavlinkCodec().feed(from_gimbal(info), 4.0)
    assert model == m.Model(4.0, "mavlink", "Maker M1")
    assert firmware == m.Firmware(4.0, "1.2.3", True)
    assert isinstance(limits, m.Limits)
    assert (limits.yaw_min_rad, limits.yaw_max_rad) == pytest.approx((-3.0, 2.0))
    assert (limits.pitch_min_rad, limits.pitch_max_rad) == pytest.approx((-0.5, 1.5))


@pytest.mark.parametrize(("result", "is_ok"), [(0, True), (2, False)])
def test_acknowledgement_is_matched_by_command(result: int, is_ok: bool) -> None:
    frame = from_gimbal(mav.MAVLink_command_ack_message(2000, result), 100)
    assert MavlinkCodec().feed(frame, 1.0) == [m.Ack(1.0, m.TakePhoto, is_ok)]


def test_zoom_without_a_known_range_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        MavlinkCodec(zoom_max=1.0).encode(m.SetZoom(2.0))


def test_unknown_role_is_refused() -> None:
    with pytest.raises(
        InvalidValueError, match="mavlink_role: 'boss', allowed are device, manager"
    ):
        MavlinkCodec("boss")


@given(data=st.binary(max_size=300))
def test_random_bytes_never_raise(data: bytes) -> None:
    MavlinkCodec().feed(b"\xfd" + data, 0.0)
