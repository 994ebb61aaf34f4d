"""The driver's policy against a mock gimbal in memory, in simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.link_state import LinkState
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.errors import InvalidValueError, LinkError, UnsupportedError
from gimbal_driver_pkg.mock.faults import Faults
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

DEG = math.pi / 180
Rig = Any
MakeRig = Callable[..., Rig]
every_protocol = pytest.mark.parametrize("model", ["zr10", "a40", "mavlink"])


def is_up(rig: Rig) -> bool:
    return rig.state.link is LinkState.UP


def pointed(rig: Rig, yaw: float, pitch: float) -> bool:
    return (
        abs(rig.body.yaw.angle_rad - yaw) < 0.5 * DEG
        and abs(rig.body.pitch.angle_rad - pitch) < 0.5 * DEG
    )


# --- getting to know each other ----------------------------------------------------------------


@every_protocol
def test_link_comes_up_with_model_and_attitude(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    assert rig.state.link is LinkState.HANDSHAKE
    rig.run_until(lambda: is_up(rig), timeout_s=1.0)
    assert rig.state.model == model
    assert rig.state.age_s < 0.2
    rig.run(2.0)
    assert rig.state.firmware


def test_the_first_frame_on_a_new_line_is_a_stop(make_rig: MakeRig) -> None:
    rig = make_rig()
    assert rig.frames[0][1] == SIYI.write("gimbal_rotation", {})


@pytest.mark.parametrize("model", [m for m in MODELS if MODELS[m].protocol == "siyi"])
def test_every_siyi_model_is_recognised_and_its_limits_taken(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: rig.state.model == model)
    assert rig.state.limits.yaw.high_rad == pytest.approx(MODELS[model].yaw_deg[1] * DEG)
    rig.run(1.0)
    assert rig.state.limits.zoom_max == MODELS[model].zoom_max


def test_booting_gimbal_is_asked_until_it_is_ready(make_rig: MakeRig) -> None:
    rig = make_rig(boot_s=10.0)
    rig.run(9.5)
    assert rig.state.link is LinkState.HANDSHAKE
    assert rig.state.firmware == ""
    assert rig.sent().count("request_firmware_version") <= 14
    rig.run(2.5)
    assert is_up(rig)
    assert rig.state.firmware.startswith("camera 0.2.8")


def test_fixed_model_that_is_not_the_gimbals_is_told(make_rig: MakeRig) -> None:
    rig = make_rig("zr10")
    other = build_driver("siyi", "udp://", "a8mini")
    other.opened(0.0)
    other.receive(SIYI.write("hardware_id", {"id_ascii": "6B01"}), 0.0)
    assert other.state(0.0).model == "a8mini"
    assert other.state(0.0).problems == ("the gimbal says it is zr10, not a8mini",)
    rig.run(1.0)
    assert rig.state.problems == ()


def test_gimbal_that_never_says_what_it_is_is_driven_with_narrow_limits(make_rig: MakeRig) -> None:
    rig = make_rig("zr30", is_cut=True)
    rig.session._handlers["request_hardware_id"] = lambda _f, _n: []
    rig.is_cut = False
    rig.run_until(lambda: is_up(rig), timeout_s=4.0)
    assert rig.state.model == ""
    assert rig.state.limits.yaw.high_rad == pytest.approx(135 * DEG)


# --- attitude -----------------------------------------------------------------------------------


def test_stream_is_found_out_and_polling_ends(make_rig: MakeRig) -> None:
    rig = make_rig("zr10")
    rig.run_until(lambda: rig.state.is_streaming, timeout_s=1.0)
    before = len(rig.sent())
    rig.run(20.0)
    later = rig.sent()[before:]
    assert "request_attitude" not in later
    assert 3 <= later.count("request_stream") <= 5  # renewed every 5 s
    assert rig.state.age_s < 0.06


def test_gimbal_that_does_not_push_is_polled(make_rig: MakeRig) -> None:
    rig = make_rig("zr30")
    rig.run(10.0)
    assert not rig.state.is_streaming
    assert rig.sent().count("request_attitude") == pytest.approx(200, abs=10)


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.12, 0.3])
def test_late_answers_are_not_taken_for_a_stream(make_rig: MakeRig, delay_s: float) -> None:
    rig = make_rig("zr30", faults=Faults(delay_s=delay_s))
    for _ in range(50):
        rig.run(0.1)
        assert not rig.state.is_streaming
    assert is_up(rig)


def test_stream_lost_in_a_reboot_is_replaced_by_polling_and_comes_back(make_rig: MakeRig) -> None:
    rig = make_rig("zr10")
    rig.run_until(lambda: rig.state.is_streaming)
    rig.session.gimbal.reboot(rig.now_s, boot_s=1.0)
    rig.run(0.9)
    assert rig.state.link is LinkState.STALE
    rig.run_until(lambda: is_up(rig), timeout_s=1.0)
    assert not rig.state.is_streaming
    rig.run_until(lambda: rig.state.is_streaming, timeout_s=6.0)


def test_unbelievable_angle_is_not_believed(make_rig: MakeRig) -> None:
    """-120 deg of pitch: a byte in a million passes the checksum."""
    rig = make_rig()
    rig.run(1.0)
    rig.driver.receive(SIYI.write("attitude", {"pitch_deg_wire": -120.0}), rig.now_s)
    assert rig.state.attitude.pitch_rad == pytest.approx(0.0)
    assert rig.driver.counts()["unbelievable_readings"] == 1


@every_protocol
def test_rates_are_known_even_where_the_gimbal_does_not_tell_them(
    make_rig: MakeRig, model: str
) -> None:
    rig = make_rig(model)
    rig.run(1.0)
    for _ in range(20):
        rig.do(lambda d, now: d.turn(0.4, 0.1, now))
        rig.run(0.05)
    assert rig.state.attitude.yaw_rate_rad_s == pytest.approx(0.4, abs=0.05)
    assert rig.state.attitude.pitch_rate_rad_s == pytest.approx(0.1, abs=0.05)


def test_pose_at_a_capture_time_is_interpolated(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    truth = []
    for _ in range(40):
        rig.do(lambda d, now: d.turn(0.5, 0.0, now))
        rig.run(0.025)
        truth.append((rig.now_s, rig.body.yaw.angle_rad))
    for stamp_s, yaw in truth[5:-3]:
        pose = rig.driver.pose_at(stamp_s)
        assert pose.is_exact
        assert pose.yaw_rad == pytest.approx(yaw, abs=0.3 * DEG)
    assert not rig.driver.pose_at(rig.now_s + 1.0).is_exact


# --- moving -------------------------------------------------------------------------------------


@every_protocol
def test_points_where_it_is_told(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: is_up(rig))
    rig.do(lambda d, now: d.point(0.8, -0.3, now))
    rig.run_until(lambda: pointed(rig, 0.8, -0.3), timeout_s=2.0)
    rig.do(lambda d, now: d.center(now))
    rig.run_until(lambda: pointed(rig, 0.0, 0.0), timeout_s=2.0)
    assert not rig.driver.is_moving or rig.run_until(lambda: not rig.driver.is_moving) < 1.0


@every_protocol
def test_lost_set_point_is_said_again(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: is_up(rig))
    rig.faults = Faults(drop=1.0)
    rig.do(lambda d, now: d.point(0.8, -0.3, now))
    rig.faults = Faults()
    rig.run_until(lambda: pointed(rig, 0.8, -0.3), timeout_s=4.0)


@every_protocol
def test_dead_man_stops_a_rate_that_nobody_renews(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: is_up(rig))
    rig.do(lambda d, now: d.turn(1.0, 0.0, now))
    rig.run(0.19)
    assert abs(rig.body.yaw.rate_rad_s) > 0.9
    assert rig.run_until(lambda: rig.body.is_still, timeout_s=0.3) < 0.11
    assert not rig.driver.is_moving or rig.run_until(lambda: not rig.driver.is_moving) < 1.0


@every_protocol
def test_lost_stop_is_said_again(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run_until(lambda: is_up(rig))
    rig.do(lambda d, now: d.turn(0.5, 0.0, now))
    rig.run(0.15)
    rig.is_cut = True
    rig.run(0.1)  # the stop is lost
    rig.is_cut = False
    assert not rig.body.is_still
    rig.run_until(lambda: rig.body.is_still, timeout_s=0.4)


def test_no_rate_is_sent_blind(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.session._handlers["request_attitude"] = lambda _f, _n: []
    rig.session.pushes.clear()
    rig.session.gimbal.streams = False
    end_s = rig.now_s + 1.5
    while rig.now_s < end_s:
        rig.do(lambda d, now: d.turn(0.3, 0.0, now))
        rig.run(0.05)
    assert rig.state.link is LinkState.STALE
    assert rig.body.is_still


def test_newest_rate_wins_and_the_line_is_not_flooded(make_rig: MakeRig) -> None:
    rig = make_rig(settings=DriverSettings(command_hz=20.0))
    rig.run_until(lambda: is_up(rig))
    rig.frames.clear()
    for i in range(200):
        rig.do(lambda d, now, i=i: d.turn(0.2 + 0.002 * i, 0.0, now))
        rig.run(0.005)
    rates = [name for name in rig.sent() if name == "gimbal_rotation"]
    assert len(rates) <= 22
    assert rig.body.yaw.rate_rad_s == pytest.approx(0.598, abs=0.05)


def test_command_leaves_at_once(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.frames.clear()
    rig.do(lambda d, now: d.point(0.5, 0.0, now))
    assert rig.sent() == ["set_angles"]


def test_rate_is_repeated_though_it_does_not_change(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.frames.clear()
    for _ in range(20):
        rig.do(lambda d, now: d.turn(0.3, 0.0, now))
        rig.run(0.05)
    assert 9 <= rig.sent().count("gimbal_rotation") <= 12


def test_rate_command_ends_an_angle_and_the_other_way_round(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.do(lambda d, now: d.point(1.5, 0.0, now))
    rig.run(0.1)
    rig.do(lambda d, now: d.turn(-0.5, 0.0, now))
    rig.run(0.19)
    assert rig.body.yaw.rate_rad_s == pytest.approx(-0.5, abs=0.05)
    rig.do(lambda d, now: d.point(0.2, 0.0, now))
    rig.run(1.0)
    assert pointed(rig, 0.2, 0.0)


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "reached", "saturated"),
    [
        ((3.0, 0.0), (133 * DEG, 0.0), (True, False)),
        ((0.0, 2.0), (0.0, 88 * DEG), (False, True)),
        ((-9.0, -9.0), (-133 * DEG, -23 * DEG), (True, True)),
        ((1.0, 1.0), (1.0, 1.0), (False, False)),
    ],
)
def test_angle_beyond_the_limits_is_cut_and_reported(
    make_rig: MakeRig,
    goal: tuple[float, float],
    reached: tuple[float, float],
    saturated: tuple[bool, bool],
) -> None:
    rig = make_rig()
    rig.run_until(lambda: is_up(rig))
    aim = rig.do(lambda d, now: d.point(*goal, now))
    assert (aim.yaw_rad, aim.pitch_rad) == pytest.approx(reached)
    assert (aim.yaw_saturated, aim.pitch_saturated) == saturated
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == saturated
    rig.run_until(lambda: pointed(rig, *reached), timeout_s=3.0)


def test_rate_ends_at_the_soft_limit(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run_until(lambda: is_up(rig))
    for _ in range(120):
        rig.do(lambda d, now: d.turn(1.5, 1.5, now))
        rig.run(0.05)
    assert rig.body.yaw.angle_rad == pytest.approx(133 * DEG, abs=1.5 * DEG)
    assert rig.body.pitch.angle_rad == pytest.approx(88 * DEG, abs=1.5 * DEG)
    assert rig.body.yaw.angle_rad < 134.5 * DEG
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == (True, True)
    rig.do(lambda d, now: d.turn(-0.5, -0.5, now))
    rig.run(0.1)
    assert (rig.state.yaw_saturated, rig.state.pitch_saturated) == (False, False)


def test_endless_yaw_goes_through_half_a_turn(make_rig: MakeRig) -> None:
    rig = make_rig("zt30")
    rig.run_until(lambda: is_up(rig))
    aim = rig.do(lambda d, now: d.point(3.5, 0.0, now))
    assert not aim.yaw_saturated
    rig.run_until(lambda: not rig.driver.is_moving, timeout_s=3.0)
    assert rig.body.yaw.angle_rad == pytest.approx(3.5 - math.tau, abs=0.01)


def test_zr30_is_never_wrapped(make_rig: MakeRig) -> None:
    rig = make_rig("zr30")
    rig.run_until(lambda: is_up(rig))
    rig.do(lambda d, now: d.point(250 * DEG, 0.0, now))
    rig.run_until(lambda: pointed(rig, 250 * DEG, 0.0), timeout_s=5.0)
    rig.run(0.2)
    assert rig.state.attitude.yaw_rad == pytest.approx(250 * DEG, abs=0.01)


def test_limits_of_the_parameters_replace_the_models(make_rig: MakeRig) -> None:
    settings = DriverSettings(yaw_min_deg=-30, yaw_max_deg=30, soft_margin_deg=0, max_rate_deg_s=5)
    rig = make_rig(settings=settings)
    rig.run_until(lambda: is_up(rig))
    assert rig.do(lambda d, now: d.point(1.0, 0.0, now)).yaw_rad == pytest.approx(30 * DEG)
    rig.do(lambda d, now: d.turn(1.0, 0.0, now))
    rig.run(0.1)
    assert abs(rig.body.yaw.rate_rad_s) < 6 * DEG


def test_limits_that_the_gimbal_tells_itself_count(make_rig: MakeRig) -> None:
    rig = make_rig("mavlink", is_cut=True)
    rig.session.gimbal.model = MODELS["a8mini"]  # what it will tell
    rig.is_cut = False
    rig.run(2.0)
    assert rig.state.limits.yaw.high_rad == pytest.approx(135 * DEG)
    assert rig.state.limits.pitch.low_rad == pytest.approx(-25 * DEG)


def test_gimbal_that_turns_the_wrong_way_is_noticed(make_rig: MakeRig) -> None:
    rig = make_rig("a40")
    rig.run_until(lambda: is_up(rig))
    rig.session._signs = rig.session._signs.__class__(-1, 1, 1, -1, 1, -1, +1)  # pitch rate + down
    for _ in range(40):
        rig.do(lambda d, now: d.turn(0.2, 0.2, now))
        rig.run(0.05)
    (problem,) = rig.state.problems
    assert problem.startswith("pitch turns the other way than commanded")


# --- zoom, camera -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["zr10", "a8mini", "zr30", "a40"])
def test_zoom_to(make_rig: MakeRig, model: str) -> None:
    rig = make_rig(model)
    rig.run(1.0)
    ticket, goal = rig.do(lambda d, now: d.zoom_to(3.0, now))
    assert goal == 3.0
    rig.run(3.0)
    assert ticket.outcome.is_ok
    assert rig.state.zoom == pytest.approx(3.0, abs=0.11)
    wide = rig.state.hfov_rad
    _, goal = rig.do(lambda d, now: d.zoom_to(500.0, now))
    assert goal == MODELS[model].zoom_max
    rig.run(6.0)
    if not math.isnan(wide):
        assert rig.state.hfov_rad < wide / 1.5


def test_zoom_rate_runs_for_its_time_and_stops_once(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.frames.clear()
    rig.do(lambda d, now: d.zoom_at(1.0, 1.6, now))
    rig.run(4.0)
    zooms = [
        SIYI.read(frame, Direction.TO_GIMBAL).fields["zoom"]
        for _, frame in rig.frames
        if frame[7] == 0x05
    ]
    assert zooms == [1, 1, 1, 1, 0]
    assert rig.body.zoom == pytest.approx(1 + 1.6 * 29 / 4, abs=0.5)


@pytest.mark.parametrize("has_card", [True, False])
def test_photo_is_done_when_the_gimbal_says_so(make_rig: MakeRig, has_card: bool) -> None:
    rig = make_rig()
    rig.session.gimbal.camera.has_card = has_card
    rig.run(1.0)
    ticket = rig.do(lambda d, now: d.take_photo(now))
    rig.run(0.1)
    assert ticket.outcome.is_ok is has_card
    assert rig.session.gimbal.camera.photos == int(has_card)


def test_photo_without_an_answer_fails_and_is_not_taken_twice(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.faults = Faults(drop=1.0)
    ticket = rig.do(lambda d, now: d.take_photo(now))
    rig.faults = Faults()
    rig.run(2.5)
    assert ticket.outcome.message == "photo: no answer from the gimbal"
    assert rig.sent().count("photo_video") == 1


def test_recording_is_toggled_only_if_it_has_to_be(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    camera = rig.session.gimbal.camera
    for is_on in (True, True, False, False, True):
        ticket = rig.do(lambda d, now, is_on=is_on: d.record(is_on, now))
        rig.run(0.2)
        assert ticket.outcome.is_ok
        assert camera.is_recording is is_on
    assert rig.sent().count("photo_video") == 3


def test_recording_without_a_card_fails(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.session.gimbal.camera.has_card = False
    rig.run(1.0)
    ticket = rig.do(lambda d, now: d.record(True, now))
    rig.run(0.2)
    assert ticket.outcome.message == "recording on: refused by the gimbal"


def test_missing_acknowledgement_is_asked_for_again_then_given_up(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.session._handlers["absolute_zoom"] = lambda _f, _n: []
    rig.frames.clear()
    ticket, _ = rig.do(lambda d, now: d.zoom_to(2.0, now))
    rig.run(1.0)
    assert rig.sent().count("absolute_zoom") == 3
    assert ticket.outcome.message == "zoom to 2.0: no answer from the gimbal"
    assert is_up(rig)


def test_focus_and_mode(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    focus = rig.do(lambda d, now: d.focus(m.SetFocus(m.Focus.AUTO), now))
    mode = rig.do(lambda d, now: d.set_mode(m.Mode.LOCK, now))
    rig.run(0.5)
    assert focus.outcome.is_ok
    assert mode.outcome.is_ok
    assert rig.state.mode is m.Mode.LOCK


def test_command_that_the_protocol_lacks_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig("a40")
    with pytest.raises(UnsupportedError):
        rig.do(lambda d, now: d.set_mode(m.Mode.FPV, now))


# --- a bad line ---------------------------------------------------------------------------------


def test_silence_is_noticed(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.is_cut = True
    rig.run(0.7)
    assert rig.state.link is LinkState.STALE
    assert not rig.driver.is_silent(rig.now_s)
    rig.run(0.4)
    assert rig.driver.is_silent(rig.now_s)


def test_reconnect_stops_first_and_says_the_angle_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.do(lambda d, now: d.point(1.0, 0.0, now))
    rig.is_cut = True
    rig.run(0.3)
    rig.reopen()
    rig.is_cut = False
    rig.run_until(lambda: pointed(rig, 1.0, 0.0))
    rig.do(lambda d, now: d.turn(0.5, 0.0, now))
    rig.reopen()
    rig.run(0.3)
    assert rig.body.is_still


def test_commands_on_their_way_fail_with_the_line(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    ticket = rig.do(lambda d, now: d.take_photo(now))
    rig.driver.closed()
    assert ticket.outcome.message == "photo: the line to the gimbal is lost"
    assert rig.state.link is LinkState.DOWN
    for late in (GimbalDriver.take_photo, GimbalDriver.center):
        with pytest.raises(LinkError, match="no line to the gimbal"):
            rig.do(late)


def test_angle_of_long_ago_is_not_said_on_a_new_line(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.do(lambda d, now: d.point(0.5, 0.0, now))
    rig.run(11.0)
    rig.session.gimbal.body.yaw.go_to(0.0)  # somebody else
    rig.run(2.0)
    rig.reopen()
    rig.run(2.0)
    assert pointed(rig, 0.0, 0.0)


@every_protocol
def test_works_over_a_line_with_every_fault_at_once(make_rig: MakeRig, model: str) -> None:
    faults = Faults(
        noise=1e-3, drop=1e-3, bad_length=0.05, bad_checksum=0.05, split=True, delay_s=0.01
    )
    rig = make_rig(model, faults=faults)
    rig.run_until(lambda: is_up(rig), timeout_s=5.0)
    for goal in ((0.5, 0.2), (-0.5, 0.4), (1.5, -0.3)):
        rig.do(lambda d, now, goal=goal: d.point(*goal, now))
        rig.run_until(lambda goal=goal: pointed(rig, *goal), timeout_s=8.0)
    assert rig.driver.counts()["bad_frames"] > 0


def test_wrong_baud_rate_is_named(make_rig: MakeRig) -> None:
    driver = build_driver("siyi", "/dev/ttyUSB0")
    driver.opened(0.0)
    driver.receive(bytes(range(1, 251)), 0.5)
    assert driver.state(0.5).problems == ("bytes come, but no frame: wrong baud rate or protocol?",)


# --- bad arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        lambda d: d.point(math.nan, 0.0, 1.0),
        lambda d: d.turn(0.0, math.inf, 1.0),
        lambda d: d.zoom_to(math.nan, 1.0),
        lambda d: d.zoom_at(2.0, 1.0, 1.0),
        lambda d: d.zoom_at(1.0, 0.0, 1.0),
        lambda d: d.zoom_at(1.0, math.nan, 1.0),
    ],
)
def test_bad_argument_is_refused_and_nothing_is_sent(
    make_rig: MakeRig, command: Callable[[GimbalDriver], Any]
) -> None:
    rig = make_rig()
    rig.run(1.0)
    rig.driver.take_frames()
    with pytest.raises(InvalidValueError, match="allowed is"):
        command(rig.driver)
    assert rig.driver.take_frames() == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("smoke", "auto"), "protocol: 'smoke', allowed are siyi, viewpro, mavlink"),
        (("siyi", "zr99"), "model: 'zr99', allowed are a2mini, a40"),
        (("siyi", "a40"), "model: a40 speaks viewpro, not siyi"),
    ],
)
def test_unknown_names_are_refused(names: tuple[str, str], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        build_driver(names[0], "udp://", names[1])
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"attitude_hz": 0.0}, "attitude_hz: 0.0, allowed is 1..100"),
        ({"rate_timeout_s": math.nan}, "rate_timeout_s: nan, allowed is 0.05..1"),
        ({"yaw_min_deg": 10.0, "yaw_max_deg": -10.0}, "yaw_min_deg: 10.0, allowed is less than"),
    ],
)
def test_settings_are_checked(changed: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        DriverSettings(**changed)
    assert str(raised.value).startswith(words)
