"""How the driver gets to know its gimbal and where it points; simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.mock.faults import InjectedFaults
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.words import LinkState

DEG = math.pi / 180
DriverHarness = Any
MakeRig = Callable[..., DriverHarness]
every_protocol = pytest.mark.parametrize("model", ["zr10", "a40", "mavlink"])


@every_protocol
def test_link_comes_up_with_model_and_attitude(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    assert harness.state.link is LinkState.HANDSHAKE
    harness.run_until(lambda: harness.is_up(), timeout_s=1.0)
    assert harness.state.model == model
    assert harness.state.age_s < 0.2
    harness.run(2.0)
    assert harness.state.firmware


def test_the_first_frame_on_a_new_line_is_a_stop(make_rig: MakeRig) -> None:
    harness = make_rig()
    assert harness.frames[0][1] == SIYI.write("gimbal_rotation", {})


@pytest.mark.parametrize("model", [m for m in MODELS if MODELS[m].protocol == "siyi"])
def test_every_siyi_model_is_recognised_and_its_limits_taken(make_rig: MakeRig, model: str) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.state.model == model)
    assert harness.state.limits.yaw.high_rad == pytest.approx(MODELS[model].yaw_deg[1] * DEG)
    harness.run(1.0)
    assert harness.state.limits.zoom_max == MODELS[model].zoom_max


def test_booting_gimbal_is_asked_until_it_is_ready(make_rig: MakeRig) -> None:
    harness = make_rig(boot_s=10.0)
    harness.run(9.5)
    assert harness.state.link is LinkState.HANDSHAKE
    assert harness.state.firmware == ""
    assert harness.sent().count("request_firmware_version") <= 14
    harness.run(2.5)
    assert harness.is_up()
    assert harness.state.firmware.startswith("camera 0.2.8")


def test_fixed_model_that_is_not_the_gimbals_is_told(make_rig: MakeRig) -> None:
    harness = make_rig("zr10")
    other = build_driver("siyi", "udp://", "a8mini")
    other.opened(0.0)
    other.receive(SIYI.write("hardware_id", {"id_ascii": "6B01"}), 0.0)
    assert other.state(0.0).model == "a8mini"
    assert other.state(0.0).problems == ("the gimbal says it is zr10, not a8mini",)
    harness.run(1.0)
    assert harness.state.problems == ()


def test_gimbal_that_never_says_what_it_is_is_driven_with_narrow_limits(make_rig: MakeRig) -> None:
    harness = make_rig("zr30", is_cut=True)
    harness.conversation._handlers["request_hardware_id"] = lambda _f, _n: []
    harness.is_cut = False
    harness.run_until(lambda: harness.is_up(), timeout_s=4.0)
    assert harness.state.model == ""
    assert harness.state.limits.yaw.high_rad == pytest.approx(135 * DEG)


@pytest.mark.parametrize(("url", "beats"), [("socket://x:1", 5), ("udp://x:1", 0), ("/dev/x", 0)])
def test_heartbeat_is_for_tcp_only(url: str, beats: int) -> None:
    driver = build_driver("siyi", url)
    driver.opened(0.0)
    for i in range(48):
        driver.tick(i * 0.1)
    names = [SIYI.read(f, Direction.TO_GIMBAL).command for f in driver.take_frames()]
    assert names.count("heartbeat") == beats


def test_stream_is_found_out_and_polling_ends(make_rig: MakeRig) -> None:
    harness = make_rig("zr10")
    harness.run_until(lambda: harness.state.is_streaming, timeout_s=1.0)
    before = len(harness.sent())
    harness.run(20.0)
    later = harness.sent()[before:]
    assert "request_attitude" not in later
    assert 3 <= later.count("request_stream") <= 5  # renewed every 5 s
    assert harness.state.age_s < 0.06


def test_gimbal_that_does_not_push_is_polled(make_rig: MakeRig) -> None:
    harness = make_rig("zr30")
    harness.run(10.0)
    assert not harness.state.is_streaming
    assert harness.sent().count("request_attitude") == pytest.approx(200, abs=10)


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.12, 0.3])
def test_late_answers_are_not_taken_for_a_stream(make_rig: MakeRig, delay_s: float) -> None:
    harness = make_rig("zr30", faults=InjectedFaults(delay_s=delay_s))
    for _ in range(50):
        harness.run(0.1)
        assert not harness.state.is_streaming
    assert harness.is_up()


def test_stream_lost_in_a_reboot_is_replaced_by_polling_and_comes_back(make_rig: MakeRig) -> None:
    harness = make_rig("zr10")
    harness.run_until(lambda: harness.state.is_streaming)
    harness.conversation.gimbal.reboot(harness.now_s, boot_s=1.0)
    harness.run(0.9)
    assert harness.state.link is LinkState.STALE
    harness.run_until(lambda: harness.is_up(), timeout_s=1.0)
    assert not harness.state.is_streaming
    harness.run_until(lambda: harness.state.is_streaming, timeout_s=6.0)


def test_unbelievable_angle_is_not_believed(make_rig: MakeRig) -> None:
    """-120 deg of pitch: a byte in a million passes the checksum."""
    harness = make_rig()
    harness.run(1.0)
    seq = harness.conversation.gimbal.next_sequence()
    noise = SIYI.write("attitude", {"pitch_deg_wire": -120.0, "seq": seq})
    harness.driver.receive(noise, harness.now_s)
    assert harness.state.attitude.pitch_rad == pytest.approx(0.0)
    assert harness.driver.counts()["unbelievable_readings"] == 1
    assert harness.state.problems == ()


@pytest.mark.parametrize(
    ("model", "yaw_deg", "pitch_deg", "words"),
    [
        ("zr10", 172.0, 0.0, "the zr10 reads yaw 172.0 deg, beyond its -135..135 deg: "),
        ("zr10", -175.0, 10.0, "the zr10 reads yaw -175.0 deg, beyond its -135..135 deg: "),
        ("zr10", 0.0, 130.0, "the zr10 reads pitch 130.0 deg, beyond its -25..90 deg: "),
        ("a8mini", 165.0, -60.0, "the a8mini reads yaw 165.0 deg, beyond its -135..135 deg and "),
        ("a2mini", 40.0, 0.0, "the a2mini reads yaw 40.0 deg, beyond its 0..0 deg: "),
    ],
)
def test_gimbal_that_stands_beyond_its_limits_is_believed_and_told(
    make_rig: MakeRig, model: str, yaw_deg: float, pitch_deg: float, words: str
) -> None:
    harness = make_rig(model)
    harness.run_until(lambda: harness.state.model == model)
    body = harness.conversation.gimbal.body
    for axis, angle_deg in ((body.yaw, yaw_deg), (body.pitch, pitch_deg)):
        axis._low, axis._high = -math.pi, math.pi
        axis.angle_rad = axis._goal = angle_deg * DEG
    harness.run(1.0)
    assert harness.is_up()
    assert harness.state.attitude.yaw_rad == pytest.approx(yaw_deg * DEG, abs=1e-3)
    (problem,) = harness.state.problems
    assert problem.startswith(words)
    body.yaw.angle_rad = body.yaw._goal = body.pitch.angle_rad = body.pitch._goal = 0.0
    harness.run(0.5)
    assert harness.state.problems == ()


@pytest.mark.parametrize("url", ["udp://x:1", "/dev/x"])
def test_a_datagram_that_was_overtaken_is_not_the_newest(url: str) -> None:
    driver = build_driver("siyi", url)
    driver.opened(0.0)
    for i, (seq, yaw_deg) in enumerate([(7, 10.0), (9, 12.0), (8, 11.0)]):
        frame = SIYI.write("attitude", {"yaw_deg_wire": yaw_deg, "seq": seq})
        driver.receive(frame, 0.02 * i)
    reading = driver.state(0.05).attitude
    assert reading is not None
    assert (reading.yaw_rad, reading.stamp_s) == (pytest.approx(12.0 * DEG), 0.02)
    assert driver.counts()["late_frames"] == 1


@every_protocol
def test_rates_are_known_even_where_the_gimbal_does_not_tell_them(
    make_rig: MakeRig, model: str
) -> None:
    harness = make_rig(model)
    harness.run(1.0)
    for _ in range(20):
        harness.do(lambda d, now: d.turn(0.4, 0.1, now))
        harness.run(0.05)
    assert harness.state.attitude.yaw_rate_rad_s == pytest.approx(0.4, abs=0.05)
    assert harness.state.attitude.pitch_rate_rad_s == pytest.approx(0.1, abs=0.05)


def test_pose_at_a_capture_time_is_interpolated(make_rig: MakeRig) -> None:
    harness = make_rig()
    harness.run(1.0)
    truth = []
    history: PoseHistory[Pose] = PoseHistory()
    for _ in range(40):
        harness.do(lambda d, now: d.turn(0.5, 0.0, now))
        harness.run(0.025)
        truth.append((harness.now_s, harness.body.yaw.angle_rad))
        told = harness.state.attitude
        history.add(Pose(round(told.stamp_s * 1e9), told.yaw_rad, told.pitch_rad))
    for stamp_s, yaw in truth[5:-3]:
        pose = history.at(round(stamp_s * 1e9))
        assert pose is not None
        assert pose.yaw_rad == pytest.approx(yaw, abs=0.3 * DEG)
    assert history.at(round((harness.now_s + 1.0) * 1e9)) is None
