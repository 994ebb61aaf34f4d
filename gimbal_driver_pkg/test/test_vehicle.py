"""Where the vehicle is, from its autopilot's words: axes, whom to believe, what is no position."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.settings import MavlinkSettings, VehicleSettings
from gimbal_driver_pkg.core.vehicle_line import VehicleLine
from gimbal_driver_pkg.core.vehicle_watch import VehicleWatch
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.mavlink import MavlinkConversation
from gimbal_driver_pkg.mock.vehicle import MockVehicle
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol.checksums import crc16_mcrf4xx
from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.mavlink.vehicle import enu_from_ned
from gimbal_driver_pkg.protocol.mavlink.wire import decode
from gimbal_driver_pkg.protocol.vehicle_messages import VehicleReport

HALF = math.sqrt(0.5)
HERE = (47.3769, 8.5417)
SEA_M, GEOID_M = 408.0, 47.0
TELL = VehicleSettings(vehicle_attitude="full")
Source = tuple[int, int]


def said_by(source: Source, message: Any) -> bytes:
    return bytes(message.pack(mav.MAVLink(None, *source)))


def heartbeat(system: int = 1, autopilot: int = 3) -> bytes:
    kind = mav.MAV_TYPE_QUADROTOR
    return said_by((system, 1), mav.MAVLink_heartbeat_message(kind, autopilot, 0, 0, 0, 3))


def position(source: Source = (1, 1), at: tuple[float, float] = HERE, boot_ms: int = 1) -> bytes:
    lat, lon = (round(angle * 1e7) for angle in at)
    message = mav.MAVLink_global_position_int_message(
        boot_ms, lat, lon, round(SEA_M * 1e3), 0, 0, 0, 0, 9000
    )
    return said_by(source, message)


def receiver(fix_type: int = 3, **told: int) -> bytes:
    message = mav.MAVLink_gps_raw_int_message(
        *(0, fix_type, 0, 0, round(SEA_M * 1e3)), *(65535,) * 4, 9, **told
    )
    return said_by((1, 1), message)


def quaternion(q: Any, source: Source = (1, 1)) -> bytes:
    return said_by(source, mav.MAVLink_attitude_quaternion_message(1, *q, 0.1, 0.2, 0.3))


def angles(roll: float, pitch: float, yaw: float) -> bytes:
    return said_by((1, 1), mav.MAVLink_attitude_message(1, roll, pitch, yaw, 0.1, 0.2, 0.3))


def a_line(told: VehicleSettings = TELL, **ids: int) -> VehicleLine:
    line = VehicleLine(MavlinkCodec(ids=MavlinkIds(**ids)), VehicleWatch(told))
    line.opened(0.0)
    return line


def fix_after(*pieces: bytes, line: VehicleLine | None = None, now_s: float = 1.0) -> Any:
    line = line or a_line()
    line.receive(heartbeat(), now_s)
    for piece in pieces:
        line.receive(piece, now_s)
    return line.watch.fix(now_s)


@pytest.mark.parametrize(
    ("ned", "enu"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, HALF, HALF)),  # nose to the north: 90 deg left of east
        ((0.0, 0.0, 90.0), (0.0, 0.0, 0.0, 1.0)),  # to the east
        ((0.0, 0.0, 180.0), (0.0, 0.0, -HALF, HALF)),  # to the south
        ((0.0, 30.0, 90.0), (0.0, -math.sin(math.pi / 12), 0.0, math.cos(math.pi / 12))),  # nose up
        (
            (30.0, 0.0, 90.0),
            (math.sin(math.pi / 12), 0.0, 0.0, math.cos(math.pi / 12)),
        ),  # right low
    ],
)
def test_north_east_down_becomes_east_north_up(
    ned: tuple[float, float, float], enu: tuple[float, float, float, float]
) -> None:
    told = np.array(enu_from_ned(from_euler(*map(math.radians, ned))))
    assert np.allclose(told, enu, atol=1e-12) or np.allclose(told, np.negative(enu), atol=1e-12)


def matrix(x: float, y: float, z: float, w: float) -> Any:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@given(st.tuples(*[st.floats(-1.0, 1.0)] * 4).filter(lambda q: sum(c * c for c in q) > 0.01))
def test_a_turn_is_the_same_turn_in_both_worlds(q: tuple[float, float, float, float]) -> None:
    w, x, y, z = (c / math.sqrt(sum(d * d for d in q)) for c in q)
    world = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])  # NED into ENU
    body = np.diag([1, -1, -1])  # FLU into FRD
    wanted = world @ matrix(x, y, z, w) @ body
    assert np.allclose(matrix(*enu_from_ned((w, x, y, z))), wanted, atol=1e-9)


def test_a_position_is_what_the_autopilot_says_above_the_ellipsoid() -> None:
    above_mm = round((SEA_M + GEOID_M) * 1e3)
    fix = fix_after(receiver(h_acc=1200, v_acc=2500, alt_ellipsoid=above_mm), position())
    assert (fix.latitude_deg, fix.longitude_deg) == HERE
    assert fix.altitude_m == pytest.approx(SEA_M + GEOID_M)
    assert (fix.sigma_horizontal_m, fix.sigma_vertical_m) == (1.2, 2.5)


@pytest.mark.parametrize(
    "told", [{}, {"h_acc": 0, "v_acc": 0}, {"h_acc": 2**32 - 1, "v_acc": 2**32 - 1}]
)
def test_what_the_receiver_does_not_say_is_not_known(told: dict[str, int]) -> None:
    line = a_line()
    fix = fix_after(receiver(**told), position(), line=line)
    assert math.isnan(fix.sigma_horizontal_m)
    assert math.isnan(fix.sigma_vertical_m)
    assert fix.altitude_m == SEA_M
    assert any("heights count from the sea" in one for one in line.problems(1.0))
    line = a_line(VehicleSettings(vehicle_geoid_height_m=GEOID_M))
    assert fix_after(receiver(**told), position(), line=line).altitude_m == SEA_M + GEOID_M
    assert not any("heights" in one for one in line.problems(1.0))


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((position(at=(0.0, 0.0)),), "0, 0"),
        ((receiver(0), position(at=(0.0, 0.0))), "no fix"),
        ((receiver(1), position()), "no fix"),
        ((receiver(0), position()), "no fix"),
    ],
)
def test_what_is_said_without_a_fix_is_no_position(pieces: tuple[bytes, ...], why: str) -> None:
    line = a_line()
    fix = fix_after(*pieces, line=line)
    assert not fix.is_known
    assert math.isnan(fix.latitude_deg)
    assert why in line.problems(1.0)[0]


def test_with_a_fix_the_place_where_equator_and_meridian_meet_is_a_place() -> None:
    assert fix_after(receiver(3), position(at=(0.0, 0.0))).is_known


@pytest.mark.parametrize("at", [(90.1, 8.0), (47.0, 180.1), (-200.0, -200.0)])
def test_what_cannot_be_true_is_counted(at: tuple[float, float]) -> None:
    line = a_line()
    assert fix_after(position(at=at), line=line) is None
    assert line.watch.unbelievable == 1


def test_a_position_that_is_old_is_none_and_said_once() -> None:
    line = a_line()
    known = fix_after(position(), line=line)
    assert line.watch.fix(2.9) is known
    lost = line.watch.fix(3.1)
    assert lost is not None
    assert not lost.is_known
    assert line.watch.fix(9.0) is lost  # one message says it
    assert "any more" in line.problems(9.0)[0]
    assert line.figures(9.0)["position_age_s"] == "inf"
    assert fix_after(position(boot_ms=9000), line=line, now_s=10.0).is_known


def test_another_vehicle_s_words_are_counted_and_nothing_else() -> None:
    line = a_line()
    line.receive(heartbeat(1), 1.0)
    line.receive(heartbeat(2), 1.0)
    for source in ((2, 1), (1, 191), (1, 154)):  # another's autopilot, a companion, the gimbal
        line.receive(position(source) + quaternion((1.0, 0.0, 0.0, 0.0), source), 1.0)
    assert line.watch.fix(1.0) is None
    assert line.watch.attitude(1.0) is None
    assert line.figures(1.0)["foreign_frames"] == 7
    assert "1 is taken for ours, not 2" in line.problems(1.0)[0]
    chosen = a_line(vehicle_system=2)
    chosen.receive(position((1, 1)) + position((2, 1), at=(1.0, 2.0)), 1.0)
    fix = chosen.watch.fix(1.0)
    assert fix is not None
    assert fix.latitude_deg == 1.0


def test_nobody_is_believed_before_it_is_known_whose_words_they_are() -> None:
    line = a_line()
    line.receive(position(), 1.0)
    assert line.watch.fix(1.0) is None


def test_attitude_full_and_heading_alone() -> None:
    q = from_euler(0.2, 0.3, math.radians(60.0))
    line = a_line()
    line.receive(heartbeat() + quaternion(q), 1.0)
    told = line.watch.attitude(1.0)
    assert told is not None
    assert told.quaternion_xyzw == pytest.approx(enu_from_ned(q), abs=1e-6)
    assert told.rates_rad_s == pytest.approx((0.1, -0.2, -0.3))
    level = a_line(VehicleSettings())
    level.receive(heartbeat() + quaternion(q), 1.0)
    told = level.watch.attitude(1.0)
    assert told is not None
    half = math.radians(90.0 - 60.0) / 2.0
    assert told.quaternion_xyzw == pytest.approx((0, 0, math.sin(half), math.cos(half)), abs=1e-6)
    assert told.rates_rad_s == pytest.approx((0.0, 0.0, -0.3))
    assert level.watch.attitude(3.1) is None
    assert "attitude" in level.problems(3.1)[1]


def test_angles_count_where_no_quaternion_comes() -> None:
    line = a_line()
    line.receive(heartbeat() + angles(0.1, 0.2, 0.3), 1.0)
    told = line.watch.attitude(1.0)
    assert told is not None
    assert told.quaternion_xyzw == pytest.approx(enu_from_ned(from_euler(0.1, 0.2, 0.3)), abs=1e-6)
    line.receive(quaternion((1.0, 0.0, 0.0, 0.0)) + angles(0.1, 0.2, 0.3), 1.5)
    told = line.watch.attitude(1.5)
    assert told is not None
    assert told.report is VehicleReport.ATTITUDE


@pytest.mark.parametrize(
    "q", [(0.0,) * 4, (math.nan, 0.0, 0.0, 0.0), (math.inf, 0.0, 0.0, 0.0), (0.5, 0.0, 0.0, 0.0)]
)
def test_what_is_no_turn_is_no_attitude(q: tuple[float, ...]) -> None:
    line = a_line()
    line.receive(heartbeat() + quaternion(q) + angles(math.inf, 0.0, math.nan), 1.0)
    assert line.watch.attitude(1.0) is None
    assert line.watch.unbelievable == 2


def frame_of(kind: Any, payload: bytes) -> bytes:
    head = bytes([len(payload), 0, 0, 0, 1, 1]) + int(kind.id).to_bytes(3, "little")
    crc = crc16_mcrf4xx(head + payload + bytes([kind.crc_extra]))
    return b"\xfd" + head + payload + crc.to_bytes(2, "little")


KINDS = (
    mav.MAVLink_global_position_int_message,
    mav.MAVLink_gps_raw_int_message,
    mav.MAVLink_attitude_quaternion_message,
    mav.MAVLink_attitude_message,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KINDS), st.binary(max_size=60), st.binary(max_size=30))
def test_bytes_never_raise(kind: Any, payload: bytes, rubbish: bytes) -> None:
    """Frames with right checksums and any payload, too."""
    line = a_line()
    line.receive(heartbeat() + rubbish + frame_of(kind, payload) + rubbish, 1.0)
    fix, attitude = line.watch.fix(1.0), line.watch.attitude(1.0)
    assert fix is None or not fix.is_known or abs(fix.latitude_deg) <= 90.0
    assert attitude is None or all(map(math.isfinite, attitude.quaternion_xyzw))
    line.problems(1.0)
    line.figures(1.0)


# --- with the mock, in simulated time ------------------------------------------------------------

VEHICLE = MockVehicle(*HERE, SEA_M + GEOID_M, heading_deg=60.0)
MakeRig = Callable[..., Any]


def a_mock(vehicle: MockVehicle | None = VEHICLE) -> MavlinkConversation:
    gimbal = MockGimbal.create(MODELS["mavlink"], 100.0)
    gimbal.vehicle = vehicle
    return MavlinkConversation(gimbal, 100.0)


def on_one_line(make_rig: MakeRig, vehicle: MockVehicle | None = VEHICLE, **options: Any) -> Any:
    settings = MavlinkSettings(**options)
    driver = build_driver("mavlink", "udp://", mavlink=settings, vehicle=VehicleSettings())
    return make_rig("mavlink", driver=driver, conversation=a_mock(vehicle))


@pytest.mark.parametrize("role", ["device", "manager"])
def test_on_the_gimbal_s_line_the_autopilot_is_asked_and_heard(
    make_rig: MakeRig, role: str
) -> None:
    rig = on_one_line(make_rig, mavlink_role=role)
    rig.run(3.0)
    fix = rig.driver.vehicle.fix(rig.now_s)
    assert (fix.latitude_deg, fix.longitude_deg) == HERE
    assert fix.altitude_m == pytest.approx(VEHICLE.altitude_m, abs=0.01)
    assert fix.sigma_horizontal_m == 1.5
    assert not rig.state.problems
    assert rig.is_up()  # and the gimbal goes on as before
    rig.do(lambda driver, now_s: driver.point(0.5, 0.2, now_s))
    rig.run_until(lambda: rig.points_at(0.5, 0.2))


def test_the_rate_is_the_one_that_is_set(make_rig: MakeRig) -> None:
    rig = on_one_line(make_rig)
    rig.run(3.0)
    before, seen = None, 0
    for _ in range(200):
        rig.run(0.01)
        fix = rig.driver.vehicle.fix(rig.now_s)
        seen, before = seen + (fix is not before), fix
    assert 18 <= seen <= 22


def test_nobody_asks_who_did_not_set_it(make_rig: MakeRig) -> None:
    rig = make_rig("mavlink", conversation=a_mock())
    rig.run(3.0)
    asked = [decode(frame) for _, frame in rig.frames]
    wanted = {mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, mav.MAVLINK_MSG_ID_ATTITUDE_QUATERNION}
    assert not [one for one in asked if getattr(one, "param1", None) in wanted]


def test_an_autopilot_that_restarts_is_asked_again(make_rig: MakeRig) -> None:
    rig = on_one_line(make_rig)
    rig.run(3.0)
    rig.conversation.gimbal.reboot(rig.now_s, 1.0)
    rig.run_until(lambda: not rig.driver.vehicle.fix(rig.now_s).is_known)
    assert any("position" in one for one in rig.state.problems)
    took_s = rig.run_until(lambda: rig.driver.vehicle.fix(rig.now_s).is_known)
    assert took_s < 5.0


def test_an_autopilot_without_quaternions_gives_angles(make_rig: MakeRig) -> None:
    rig = on_one_line(make_rig, VEHICLE.changed({"has_quaternion": False}))
    rig.run(8.0)
    told = rig.driver.vehicle.attitude(rig.now_s)
    assert told.report is VehicleReport.EULER_ATTITUDE
    half = math.radians(30.0) / 2.0
    assert told.quaternion_xyzw == pytest.approx((0, 0, math.sin(half), math.cos(half)), abs=1e-6)


def test_a_receiver_that_loses_its_fix_takes_the_position_with_it(make_rig: MakeRig) -> None:
    rig = on_one_line(make_rig)
    rig.run(3.0)
    gimbal = rig.conversation.gimbal
    gimbal.vehicle = gimbal.vehicle.changed({"fix_type": 0})
    rig.run(1.5)
    lost = rig.driver.vehicle.fix(rig.now_s)
    assert not any(map(math.isfinite, lost[1:]))
    gimbal.vehicle = gimbal.vehicle.changed({"fix_type": 3, "latitude_deg": 47.5})
    rig.run(1.5)
    assert rig.driver.vehicle.fix(rig.now_s).latitude_deg == 47.5


def test_an_autopilot_that_has_no_position_is_a_problem_in_words(make_rig: MakeRig) -> None:
    rig = on_one_line(make_rig, vehicle=None)
    rig.run(3.0)
    assert any("nothing has come" in one for one in rig.state.problems)


def test_other_protocols_have_no_vehicle() -> None:
    with pytest.raises(InvalidValueError, match="publish_vehicle: true, allowed with protocol mav"):
        build_driver("siyi", "udp://", vehicle=VehicleSettings())


@pytest.mark.parametrize("text", ["", "47,8", "47,8,x", "47,8,1,2,3", "91,8,1", "47,8,nan"])
def test_a_mock_that_is_nowhere_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        MockVehicle.parse(text)
    assert "\n" not in str(caught.value)
