"""The mock gimbals answer as the devices do, and are silent where they are."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.mavlink import MavlinkConversation
from gimbal_driver_pkg.mock.siyi import SiyiConversation
from gimbal_driver_pkg.mock.viewpro import ViewproConversation
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.catalogue import Direction, Record
from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds
from gimbal_driver_pkg.protocol.mavlink.codec import MANAGER, MavlinkCodec
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from gimbal_driver_pkg.protocol.siyi.table import TO_GIMBAL
from gimbal_driver_pkg.protocol.viewpro.dialect import VIEWPRO, VIEWPRO_TCP

FRAME = {"ctrl", "seq", "data_len", "data", "cmd_id"}
"""Fields that say nothing of the gimbal."""


class Siyi:
    """A client of a mock SIYI gimbal, in simulated time."""

    def __init__(self, model: str = "zr10", **options: Any) -> None:
        self.gimbal = MockGimbal.create(MODELS[model], 0.0, **options)
        self.conversation = SiyiConversation(self.gimbal, 0.0)
        self.now_s = 0.0

    def ask(self, command: str, **fields: Any) -> list[Record]:
        frames = self.conversation.receive(SIYI.write(command, fields), self.now_s)
        return [SIYI.read(frame, Direction.FROM_GIMBAL) for frame in frames]

    def wait(self, seconds: float) -> list[Record]:
        """Let time pass and return what came by itself."""
        end_s, frames = self.now_s + seconds, []
        while (due_s := self.conversation.next_push_s()) <= end_s:
            frames += self.conversation.push(due_s)
        self.now_s = end_s
        self.gimbal.body.advance(end_s)
        return [SIYI.read(frame, Direction.FROM_GIMBAL) for frame in frames]

    def angles(self) -> tuple[float, float]:
        (record,) = self.ask("request_attitude")
        return record.fields["yaw_deg_wire"], record.fields["pitch_deg_wire"]


@pytest.mark.parametrize(
    ("command", "fields", "reply", "values"),
    [
        ("request_hardware_id", {}, "hardware_id", {"model": "ZR10"}),
        ("request_firmware_version", {}, "firmware_version", {"camera": "0.2.8", "zoom": "0.1.2"}),
        ("request_config_info", {}, "config_info", {"mode": "follow", "mount": "normal"}),
        ("request_attitude", {}, "attitude", {"yaw_deg_wire": 0.0, "pitch_rate_dps_wire": 0.0}),
        ("request_encoder_angles", {}, "encoder_angles", {"yaw_deg_wire": 0.0}),
        ("request_max_zoom", {}, "max_zoom", {"zoom_x": 30.0}),
        ("request_current_zoom", {}, "current_zoom", {"zoom_x": 1.0}),
        ("request_gimbal_mode", {}, "gimbal_mode", {"mode": "follow"}),
        ("request_encoding", {"stream": 1}, "encoding_params", {"stream": 1, "width": 1920}),
        ("gimbal_rotation", {"yaw_rate": 20}, "gimbal_rotation_ack", {"sta": 1}),
        ("set_angles", {"yaw_deg_wire": 50}, "set_angles_ack", {"yaw_deg_wire": 0.0}),
        ("center", {"center_pos": 1}, "center_ack", {"sta": 1}),
        ("center", {"center_pos": 9}, "center_ack", {"sta": 0}),
        ("absolute_zoom", {"zoom_x": 4.5}, "absolute_zoom_ack", {"sta": 1}),
        ("manual_zoom", {"zoom": 0}, "manual_zoom_ack", {"zoom_x": 1.0}),
        ("auto_focus", {"auto_focus": 1}, "auto_focus_ack", {"sta": 1}),
        (
            "request_stream",
            {"data_type": 1, "freq_code": 4},
            "request_stream_ack",
            {"data_type": 1},
        ),
        ("set_utc_time", {"unix_us": 5}, "set_utc_time_ack", {"sta": 1}),
        ("set_osd", {"on": 1}, "set_osd_ack", {"on": 1}),
        ("reboot", {"gimbal": 1}, "reboot_ack", {"gimbal": 1}),
    ],
)
def test_siyi_answers(
    command: str, fields: dict[str, Any], reply: str, values: dict[str, Any]
) -> None:
    (record,) = Siyi().ask(command, **fields)
    assert record.command == reply
    assert {name: record.fields[name] for name in values} == values
    assert record.fields["ctrl"] == 2


SILENT = [
    ("zr10", "heartbeat", {}),
    ("zr10", "photo_video", {"func_type": 4}),
    ("zr10", "send_aircraft_attitude", {}),
    ("zr10", "send_gps", {}),
    ("zr10", "format_sd", {}),
    ("zr10", "request_laser_distance", {}),
    ("zr10", "request_global_temperature", {"flag": 1}),
    ("zr10", "single_axis_angle", {"angle_deg_wire": 5}),
    ("zr30", "gimbal_rotation", {"yaw_rate": 20}),
    ("zr30", "set_angles", {"yaw_deg_wire": 50}),
    ("zr30", "absolute_zoom", {"zoom_x": 4.5}),
    ("zr30", "request_stream", {"data_type": 1, "freq_code": 4}),
    ("a8mini", "manual_zoom", {"zoom": 0}),
]


@pytest.mark.parametrize(("model", "command", "fields"), SILENT)
def test_siyi_is_silent(model: str, command: str, fields: dict[str, Any]) -> None:
    client = Siyi(model)
    assert client.ask(command, **fields) == []
    assert len(client.ask("request_attitude")) == 1


def test_siyi_with_all_sensors_answers_every_question_of_the_table() -> None:
    client = Siyi("zt30")
    questions = [msg.name for msg in TO_GIMBAL if msg.name.startswith("request_")]
    unanswered = [q for q in questions if q != "request_stream" and not client.ask(q)]
    assert unanswered == []


def test_siyi_numbers_its_own_frames_over_all_clients() -> None:
    first = Siyi()
    second = SiyiConversation(first.gimbal, 0.0)
    frame = SIYI.write("request_attitude", {"seq": 500})
    numbers = []
    for conversation in (first.conversation, second, first.conversation):
        (reply,) = conversation.receive(frame, 0.0)
        numbers.append(SIYI.read(reply, Direction.FROM_GIMBAL).fields["seq"])
    assert numbers == [0, 1, 2]


def test_siyi_yaw_has_opposite_signs_as_rate_and_as_angle() -> None:
    client = Siyi()
    client.ask("gimbal_rotation", yaw_rate=50, pitch_rate=20)
    client.wait(1.0)
    yaw, pitch = client.angles()
    assert yaw == pytest.approx(-68.1, abs=5)
    assert pitch == pytest.approx(23.8, abs=2)


def test_siyi_rate_persists_until_zero_is_sent_though_the_client_is_gone() -> None:
    client = Siyi()
    client.ask("gimbal_rotation", yaw_rate=-20)
    client.wait(3.0)
    assert client.angles()[0] == pytest.approx(3 * 23.8, abs=3)
    client.ask("gimbal_rotation")
    client.wait(0.3)
    assert client.gimbal.body.is_still


def test_siyi_booting_answers_only_its_version_all_zero() -> None:
    client = Siyi(boot_s=5.0)
    (record,) = client.ask("request_firmware_version")
    assert record.fields["gimbal"] == "0.0.0"
    assert client.ask("request_attitude") == []
    client.wait(5.1)
    assert client.ask("request_attitude") != []


def test_siyi_version_is_8_bytes_on_the_a8_mini() -> None:
    (record,) = Siyi("a8mini").ask("request_firmware_version")
    assert record.fields["data_len"] == 8


def test_siyi_pushes_attitude_at_the_asked_rate_until_told_otherwise() -> None:
    client = Siyi()
    client.ask("request_stream", data_type=1, freq_code=5)
    pushed = client.wait(2.0)
    assert {record.command for record in pushed} == {"attitude"}
    assert len(pushed) == pytest.approx(40, abs=1)
    client.ask("request_stream", data_type=1, freq_code=0)
    assert client.wait(1.0) == []


def test_siyi_streams_end_with_a_reboot() -> None:
    client = Siyi()
    client.ask("request_stream", data_type=1, freq_code=5)
    client.ask("reboot", camera=1, gimbal=1)
    assert client.wait(10.0) == []


@pytest.mark.parametrize(("has_card", "photo", "record"), [(True, 0, 5), (False, 1, 4)])
def test_siyi_tells_what_came_of_photo_and_recording(
    has_card: bool, photo: int, record: int
) -> None:
    client = Siyi()
    client.gimbal.camera.has_card = has_card
    (feedback,) = client.ask("photo_video", func_type=0)
    assert feedback.fields["info_type"] == photo
    (feedback,) = client.ask("photo_video", func_type=2)
    assert feedback.fields["info_type"] == record
    (config,) = client.ask("request_config_info")
    assert config.fields["record_text"] == ("on" if has_card else "no TF card")


def test_siyi_upside_down_reads_half_a_turn_when_level() -> None:
    client = Siyi()
    client.gimbal.camera.is_upside_down = True
    assert abs(client.angles()[1]) == 180.0


SETTINGS = sorted(
    message.name.removeprefix("set_")
    for message in TO_GIMBAL
    if message.name.startswith("set_")
    and f"request_{message.name.removeprefix('set_')}" in TO_GIMBAL
)


@pytest.mark.parametrize("noun", SETTINGS)
def test_siyi_remembers_what_it_acknowledged(noun: str) -> None:
    client = Siyi("zt30")
    layout = TO_GIMBAL[f"set_{noun}"].layouts[0]
    payload = bytes(range(1, layout.size + 1))
    setting = SIYI.close(TO_GIMBAL[f"set_{noun}"].code, payload, {}, Direction.TO_GIMBAL)
    fields = SIYI.read(setting, Direction.TO_GIMBAL).fields
    assert client.conversation.receive(setting, 0.0), "no acknowledgement"
    asked = {k: fields[k] for k in ("stream", "file_type") if k in fields}
    (record,) = client.ask(f"request_{noun}", **asked)
    told = {k: v for k, v in record.fields.items() if k in fields and k not in FRAME}
    expected = {k: v for k, v in fields.items() if k in told}
    assert told == expected
    assert told or record.fields["state"] == fields["on"]


def test_siyi_remembers_the_encoding_of_each_stream() -> None:
    client = Siyi()
    main = {"codec": 1, "width": 1280, "height": 720, "kbps": 1500}
    client.ask("set_encoding", stream=1, **main)
    (record,) = client.ask("request_encoding", stream=1)
    assert {name: record.fields[name] for name in main} == main
    assert record.fields["fps"] == 30
    (other,) = client.ask("request_encoding", stream=2)
    assert (other.fields["codec"], other.fields["width"]) == (2, 1920)


def test_siyi_clock_goes_on_from_what_was_set() -> None:
    client = Siyi()
    client.ask("set_utc_time", unix_us=1_700_000_000_000_000)
    client.wait(2.0)
    (record,) = client.ask("request_system_time")
    assert record.fields["unix_us"] == 1_700_000_002_000_000


class Viewpro:
    """A client of a mock Viewpro gimbal, in simulated time."""

    def __init__(self, has_envelope: bool = False) -> None:
        self.gimbal = MockGimbal.create(MODELS["a40"], 0.0)
        self.conversation = ViewproConversation(self.gimbal, 0.0, has_envelope)
        self.dialect = VIEWPRO_TCP if has_envelope else VIEWPRO

    def ask(self, command: str, now_s: float, **fields: Any) -> list[Record]:
        frames = self.conversation.receive(self.dialect.write(command, fields), now_s)
        return [self.dialect.read(frame, Direction.FROM_GIMBAL) for frame in frames]


@pytest.mark.parametrize("command", ["heartbeat", "handshake", "rate", "take_photo", "a1_c1_e1_s1"])
def test_viewpro_status_answers_heartbeat_handshake_and_combined_frames(command: str) -> None:
    (record,) = Viewpro().ask(command, 0.0)
    assert record.command == "t1_f1_b1_d1"


@pytest.mark.parametrize(
    "command", ["a1_rate", "c1_zoom_in", "c2_absolute_zoom", "e1_stop_tracking"]
)
def test_viewpro_commands_in_frames_of_their_own_are_not_answered(command: str) -> None:
    assert Viewpro().ask(command, 0.0) == []


def test_viewpro_idle_camera_packet_stops_a_running_zoom() -> None:
    client = Viewpro()
    client.ask("c1_zoom_in", 0.0, speed=7)
    client.ask("a1_rate", 0.5)
    assert client.gimbal.body.is_zooming
    client.ask("rate", 0.6)
    assert not client.gimbal.body.is_zooming


def test_viewpro_absolute_angle_and_status_have_the_same_signs() -> None:
    client = Viewpro()
    client.ask("a1_absolute_angle", 0.0, yaw_deg=40, pitch_deg_raw=30)
    (status,) = client.ask("heartbeat", 2.0)
    assert (status.fields["yaw"], status.fields["pitch_raw"]) == (40.0, 30.0)
    assert client.gimbal.body.pitch.angle_rad == pytest.approx(math.radians(30), abs=1e-3)
    client.ask("a1_relative_angle", 2.0, yaw_deg=10, pitch_deg_raw=-5)
    (status,) = client.ask("heartbeat", 4.0)
    assert (status.fields["yaw"], status.fields["pitch_raw"]) == (50.0, 25.0)
    client.ask("a1_look_down", 4.0)
    client.ask("a1_home", 6.0)
    (status,) = client.ask("heartbeat", 8.0)
    assert (status.fields["yaw"], status.fields["pitch_raw"]) == (0.0, 0.0)


def test_viewpro_status_comes_periodically_when_asked_to() -> None:
    client = Viewpro()
    client.ask("s2", 0.0, s2_cmd="0x0A", s2_value=200 << 16)
    assert client.conversation.next_push_s() == pytest.approx(0.2)
    assert len(client.conversation.push(0.2)) == 1


def test_viewpro_counts_its_frames_and_wraps_them_on_tcp() -> None:
    client = Viewpro(has_envelope=True)
    counters = [client.ask("heartbeat", 0.0)[0].fields["frame_counter"] for _ in range(5)]
    assert counters == [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("query", "text"), [("u_query_model", "A40"), ("u_query_serial", "MOCK0001")]
)
def test_viewpro_tells_what_it_is(query: str, text: str) -> None:
    (record,) = Viewpro().ask(query, 0.0)
    assert record.fields["text"] == text


@pytest.mark.parametrize("role", ["device", MANAGER])
def test_mavlink_follows_set_points_of_device_and_manager(role: str) -> None:
    gimbal = MockGimbal.create(MODELS["mavlink"], 0.0)
    conversation, codec = MavlinkConversation(gimbal, 0.0), MavlinkCodec(role)
    for frame in conversation.push(0.2):  # who the manager is
        codec.feed(frame, 0.2)
    conversation.receive(codec.encode(m.SetAngle(0.5, -0.2)), 0.0)
    gimbal.body.advance(2.0)
    assert gimbal.body.yaw.angle_rad == pytest.approx(0.5, abs=1e-6)
    assert gimbal.body.pitch.angle_rad == pytest.approx(-0.2, abs=1e-6)
    conversation.receive(codec.encode(m.SetRate(-0.3, 0.1)), 2.0)
    gimbal.body.advance(3.0)
    assert gimbal.body.yaw.rate_rad_s == pytest.approx(-0.3, abs=1e-6)


@pytest.mark.parametrize("has_autopilot", [False, True])
def test_mavlink_manager_gives_control_to_who_asks(has_autopilot: bool) -> None:
    gimbal = MockGimbal.create(MODELS["mavlink"], 0.0)
    conversation = MavlinkConversation(gimbal, 0.0, system=3, has_autopilot=has_autopilot)
    codec = MavlinkCodec(MANAGER, MavlinkIds(vehicle_system=3))
    events = [e for frame in conversation.push(0.25) for e in codec.feed(frame, 0.25)]
    assert m.Control(0.25, False) in events
    conversation.receive(codec.encode(m.Ask(m.Query.CONTROL)), 0.3)
    events = [e for frame in conversation.push(0.5) for e in codec.feed(frame, 0.5)]
    assert m.Control(0.5, True) in events


@pytest.mark.parametrize("target", [(2, 154), (1, 171), (2, 1), (3, 100)])
def test_mavlink_does_not_hear_what_is_addressed_to_others(target: tuple[int, int]) -> None:
    gimbal = MockGimbal.create(MODELS["mavlink"], 0.0)
    conversation, sender = MavlinkConversation(gimbal, 0.0), mav.MAVLink(None, 1, 191)
    q = list(from_euler(0.0, 0.3, 0.3))
    nan = math.nan
    for message in (
        mav.MAVLink_gimbal_device_set_attitude_message(*target, 32, q, nan, nan, nan),
        mav.MAVLink_gimbal_manager_set_pitchyaw_message(*target, 32, 154, 0.3, 0.3, nan, nan),
        mav.MAVLink_command_long_message(*target, 512, 0, 280, *[0.0] * 6),
    ):
        assert conversation.receive(bytes(message.pack(sender)), 0.1) == []
    assert gimbal.body.is_still


def test_mavlink_acknowledgement_names_whom_it_is_for() -> None:
    conversation = MavlinkConversation(MockGimbal.create(MODELS["mavlink"], 0.0), 0.0)
    question = mav.MAVLink_command_long_message(1, 100, 2000, 0, 0.0, 0.0, 1.0, *[0.0] * 4)
    frames = conversation.receive(bytes(question.pack(mav.MAVLink(None, 255, 190))), 0.1)
    ack = mav.MAVLink(None).decode(bytearray(frames[0]))
    assert (ack.target_system, ack.target_component) == (255, 190)
    assert (ack.get_srcSystem(), ack.get_srcComponent()) == (1, 100)


def test_mavlink_remembers_the_mode() -> None:
    conversation, codec = (
        MavlinkConversation(MockGimbal.create(MODELS["mavlink"], 0.0), 0.0),
        MavlinkCodec(),
    )
    for mode in (m.Mode.LOCK, m.Mode.FOLLOW):
        conversation.receive(codec.encode(m.SetMode(mode)), 0.0)
        frames = conversation.receive(codec.encode(m.Ask(m.Query.ATTITUDE)), 0.1)
        events = [event for frame in frames for event in codec.feed(frame, 0.1)]
        assert m.Config(0.1, mode=mode) in events


def test_mavlink_command_1000_is_in_degrees() -> None:
    gimbal = MockGimbal.create(MODELS["mavlink"], 0.0)
    conversation, codec = MavlinkConversation(gimbal, 0.0), MavlinkCodec()
    nan = math.nan
    conversation.receive(codec._long(1000, -30.0, 45.0, nan, nan).pack(codec._mav), 0.0)
    gimbal.body.advance(2.0)
    assert gimbal.body.pitch.angle_rad == pytest.approx(math.radians(30), abs=1e-6)
    assert gimbal.body.yaw.angle_rad == pytest.approx(math.radians(-45), abs=1e-6)
