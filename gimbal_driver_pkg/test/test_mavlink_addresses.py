"""On a line with other vehicles and other gimbals only ours is listened to and steered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.settings import MavlinkSettings
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.mavlink import MavlinkConversation
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol import messages as m
from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds
from gimbal_driver_pkg.protocol.mavlink.codec import DEVICE, MANAGER, MavlinkCodec
from gimbal_driver_pkg.protocol.mavlink.quaternion import from_euler
from gimbal_driver_pkg.protocol.mavlink.wire import decode

DriverHarness = Any
MakeRig = Callable[..., DriverHarness]
Source = tuple[int, int]


def said_by(source: Source, message: Any) -> bytes:
    return bytes(message.pack(mav.MAVLink(None, *source)))


def gimbal_heartbeat(source: Source) -> bytes:
    return said_by(source, mav.MAVLink_heartbeat_message(mav.MAV_TYPE_GIMBAL, 8, 0, 0, 0, 3))


def autopilot_heartbeat(system: int) -> bytes:
    message = mav.MAVLink_heartbeat_message(mav.MAV_TYPE_QUADROTOR, 3, 0, 0, 0, 3)
    return said_by((system, 1), message)


def manager_status(source: Source, device: int, owner: Source = (0, 0)) -> bytes:
    message = mav.MAVLink_gimbal_manager_status_message(0, 0, device, *owner, 0, 0)
    return said_by(source, message)


def manager_information(source: Source, device: int) -> bytes:
    limits = (0.0, 0.0, -1.5, 0.4, -2.0, 2.0)
    message = mav.MAVLink_gimbal_manager_information_message(0, 0, device, *limits)
    return said_by(source, message)


def attitude(source: Source, yaw: float = 0.5, device: int = 0) -> bytes:
    q = list(from_euler(0.0, 0.0, yaw))
    message = mav.MAVLink_gimbal_device_attitude_status_message(
        0, 0, 0, 32, q, 0.0, 0.0, 0.0, 0, gimbal_device_id=device
    )
    return said_by(source, message)


def device_information(source: Source, device: int = 0) -> bytes:
    message = mav.MAVLink_gimbal_device_information_message(
        *(0, b"Maker", b"M1", b"", 0, 0, 0, 0, 0, 0, 0, -0.1, 0.1, -0.1, 0.1),
        gimbal_device_id=device,
    )
    return said_by(source, message)


def acknowledgement(source: Source, target: Source, command: int = 2000) -> bytes:
    return said_by(source, mav.MAVLink_command_ack_message(command, 0, 0, 0, *target))


def camera_settings(source: Source) -> bytes:
    return said_by(source, mav.MAVLink_camera_settings_message(0, 0, 50.0, 0.0))


def target_after(codec: MavlinkCodec, *frames: bytes) -> Source:
    """Return whom a set-point is addressed to after these frames."""
    for frame in frames:
        codec.feed(frame, 0.0)
    message = decode(codec.encode(m.SetAngle(0.1, 0.1)))
    assert message is not None
    return message.target_system, message.target_component


def device_id_of(codec: MavlinkCodec) -> int:
    message = decode(codec.encode(m.SetAngle(0.1, 0.1)))
    assert message is not None
    return int(message.gimbal_device_id)


OTHERS = {
    "another vehicle's gimbal": gimbal_heartbeat((2, 154)),
    "another vehicle's gimbal, as its own manager": manager_status((2, 154), 154),
    "another vehicle's manager": manager_information((2, 1), 171),
    "a second gimbal": gimbal_heartbeat((1, 171)),
    "a ground station": said_by((255, 190), mav.MAVLink_heartbeat_message(6, 8, 0, 0, 0, 3)),
    "a gimbal that claims to be an autopilot": said_by(
        (5, 154), mav.MAVLink_heartbeat_message(mav.MAV_TYPE_GIMBAL, 3, 0, 0, 0, 3)
    ),
    "a companion computer": said_by((4, 191), mav.MAVLink_heartbeat_message(18, 8, 0, 0, 0, 3)),
}


@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize(("role", "target"), [(DEVICE, (1, 154)), (MANAGER, (1, 1))])
@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_else_is_ever_commanded(who: str, role: str, target: Source, is_first: bool) -> None:
    ours = [autopilot_heartbeat(1), manager_status((1, 1), 154), gimbal_heartbeat((1, 154))]
    frames = [OTHERS[who], *ours] if is_first else [*ours, OTHERS[who]]
    codec = MavlinkCodec(role)
    for i in range(len(frames) + 1):
        assert target_after(codec, *frames[i : i + 1]) == target
    assert role == DEVICE or device_id_of(codec) == 154


@pytest.mark.parametrize(
    ("role", "ids", "frames", "target"),
    [
        # The vehicle's system.
        (DEVICE, MavlinkIds(), [], (1, 154)),
        (MANAGER, MavlinkIds(), [], (1, 1)),
        (DEVICE, MavlinkIds(), [autopilot_heartbeat(3)], (3, 154)),
        (MANAGER, MavlinkIds(), [autopilot_heartbeat(3)], (3, 1)),
        (DEVICE, MavlinkIds(), [autopilot_heartbeat(3), autopilot_heartbeat(2)], (3, 154)),
        (DEVICE, MavlinkIds(vehicle_system=7), [], (7, 154)),
        (DEVICE, MavlinkIds(vehicle_system=7), [autopilot_heartbeat(3)], (7, 154)),
        # The gimbal, by its manager's word.
        (DEVICE, MavlinkIds(), [manager_status((1, 1), 171)], (1, 171)),
        (DEVICE, MavlinkIds(), [manager_information((1, 1), 172)], (1, 172)),
        (DEVICE, MavlinkIds(), [manager_status((2, 1), 171)], (1, 154)),
        (DEVICE, MavlinkIds(), [manager_status((1, 171), 171), manager_status((1, 154), 154)],
         (1, 154)),
        (DEVICE, MavlinkIds(), [manager_status((1, 154), 154), manager_status((1, 1), 171)],
         (1, 171)),
        (DEVICE, MavlinkIds(), [manager_status((1, 1), 1)], (1, 154)),
        (DEVICE, MavlinkIds(gimbal_component=172), [manager_status((1, 1), 171)], (1, 172)),
        # The manager.
        (MANAGER, MavlinkIds(), [manager_status((1, 154), 154)], (1, 154)),
        (MANAGER, MavlinkIds(), [manager_status((1, 154), 154), manager_status((1, 1), 154)],
         (1, 1)),
        (MANAGER, MavlinkIds(gimbal_component=171),
         [manager_status((1, 1), 154), manager_status((1, 171), 171)], (1, 171)),
        # What another system said before ours was known is forgotten.
        (MANAGER, MavlinkIds(), [manager_status((1, 154), 154), autopilot_heartbeat(3)], (3, 1)),
        (DEVICE, MavlinkIds(), [manager_status((1, 171), 171), autopilot_heartbeat(3)], (3, 154)),
    ],
)  # fmt: skip
def test_whom_we_steer(role: str, ids: MavlinkIds, frames: list[bytes], target: Source) -> None:
    assert target_after(MavlinkCodec(role, ids), *frames) == target


@pytest.mark.parametrize(
    ("ids", "frames", "device"),
    [
        (MavlinkIds(), [], 154),
        (MavlinkIds(), [manager_status((1, 1), 1)], 1),
        (MavlinkIds(), [manager_status((1, 1), 2), manager_status((1, 1), 1)], 1),
        (MavlinkIds(), [manager_status((1, 1), 1), manager_status((1, 1), 2)], 1),
        (MavlinkIds(gimbal_component=2), [manager_status((1, 1), 1)], 2),
        (MavlinkIds(), [manager_status((1, 1), 0)], 154),
    ],
)
def test_which_device_the_manager_is_told_to_steer(
    ids: MavlinkIds, frames: list[bytes], device: int
) -> None:
    codec = MavlinkCodec(MANAGER, ids)
    target_after(codec, *frames)
    assert device_id_of(codec) == device
    control = decode(codec.encode(m.Ask(m.Query.CONTROL)))
    assert control is not None
    assert control.param7 == device


@pytest.mark.parametrize(
    ("ids", "own"),
    [
        (MavlinkIds(), (3, 191)),
        (MavlinkIds(system=9, component=195), (9, 195)),
    ],
)
def test_we_are_of_the_vehicles_system_unless_told_otherwise(ids: MavlinkIds, own: Source) -> None:
    codec = MavlinkCodec(DEVICE, ids)
    codec.feed(autopilot_heartbeat(3), 0.0)
    message = decode(codec.encode(m.KeepAlive()))
    assert message is not None
    assert (message.get_srcSystem(), message.get_srcComponent()) == own


@pytest.mark.parametrize(
    ("frame", "is_heard"),
    [
        (attitude((1, 154)), True),
        (attitude((2, 154)), False),
        (attitude((1, 171)), False),
        (attitude((1, 1), device=154), True),  # the manager passes it on
        (attitude((1, 1), device=1), False),
        (attitude((1, 154), device=171), False),
        (device_information((1, 154)), True),
        (device_information((1, 171)), False),
        (device_information((2, 154)), False),
        (manager_information((1, 1), 154), True),
        (manager_information((2, 1), 154), False),
        (acknowledgement((1, 100), (1, 191)), True),
        (acknowledgement((1, 100), (0, 0)), True),
        (acknowledgement((1, 154), (1, 0)), True),
        (acknowledgement((1, 100), (255, 190)), False),
        (acknowledgement((1, 100), (1, 190)), False),
        (acknowledgement((2, 100), (1, 191)), False),
        (acknowledgement((1, 171), (1, 191)), False),
        (camera_settings((1, 100)), True),
        (camera_settings((2, 100)), False),
        (camera_settings((1, 105)), False),
    ],
)
@pytest.mark.parametrize("role", [DEVICE, MANAGER])
def test_whose_words_count(role: str, frame: bytes, is_heard: bool) -> None:
    codec = MavlinkCodec(role, zoom_max=10.0)
    assert bool(codec.feed(frame, 1.0)) is is_heard
    assert codec.counters.foreign_frames == (not is_heard)


def test_a_gimbal_without_mavlink_speaks_through_the_autopilot() -> None:
    codec = MavlinkCodec(MANAGER)
    codec.feed(manager_information((1, 1), 1), 0.0)
    assert any(isinstance(e, m.Attitude) for e in codec.feed(attitude((1, 1), device=1), 0.1))
    assert codec.feed(attitude((1, 1), device=2), 0.2) == []


@pytest.mark.parametrize(
    ("ids", "frames", "words"),
    [
        (MavlinkIds(), [gimbal_heartbeat((1, 154)), attitude((1, 154))], ""),
        (
            MavlinkIds(),
            [gimbal_heartbeat((7, 154))],
            "no word of gimbal 1/154 (system/component), but of 7/154: set mavlink_vehicle_",
        ),
        (
            MavlinkIds(),
            [gimbal_heartbeat((1, 171)), gimbal_heartbeat((2, 154))],
            "no word of gimbal 1/154 (system/component), but of 1/171, 2/154: set mavlink_",
        ),
        (MavlinkIds(), [gimbal_heartbeat((2, 154)), attitude((1, 154))], ""),
        (
            MavlinkIds(),
            [autopilot_heartbeat(2), autopilot_heartbeat(1)],
            "autopilots of several systems are heard: 2 is taken for ours, not 1; set mavlink_",
        ),
        (MavlinkIds(vehicle_system=1), [autopilot_heartbeat(2), autopilot_heartbeat(1)], ""),
    ],
)
def test_what_the_user_should_set_is_told(ids: MavlinkIds, frames: list[bytes], words: str) -> None:
    codec = MavlinkCodec(DEVICE, ids)
    for frame in frames:
        codec.feed(frame, 0.0)
    problems = codec.problems()
    assert len(problems) == bool(words)
    assert all(problem.startswith(words) for problem in problems)


FOREIGN = st.tuples(st.integers(1, 255), st.integers(1, 255)).filter(
    lambda source: source[0] != 3 and source[1] != 1
)
KINDS = st.sampled_from(
    [
        gimbal_heartbeat,
        attitude,
        device_information,
        camera_settings,
        lambda source: manager_status(source, source[1]),
        lambda source: manager_information(source, 154),
        lambda source: acknowledgement(source, (3, 191)),
    ]
)


@given(st.lists(st.tuples(KINDS, FOREIGN), max_size=30), st.sampled_from([DEVICE, MANAGER]))
def test_whatever_other_systems_say_changes_nothing(
    crowd: list[tuple[Callable[[Source], bytes], Source]], role: str
) -> None:
    codec = MavlinkCodec(role)
    ours = [autopilot_heartbeat(3), manager_status((3, 1), 154)]
    target = target_after(codec, *ours)
    for say, source in crowd:
        assert codec.feed(say(source), 0.0) == []
        assert target_after(codec) == target


class Crowd:
    """The mock gimbal of one vehicle on a network with others; notes what is sent to others."""

    def __init__(self, conversation: MavlinkConversation, system: int) -> None:
        self.conversation = conversation
        self.gimbal = conversation.gimbal
        self.strays: list[Source] = []
        self._ours = {(system, component) for component in (1, 100, 154)}

    def receive(self, data: bytes, now_s: float) -> list[bytes]:
        message = decode(data)
        target = getattr(message, "target_system", None), getattr(message, "target_component", 0)
        if target[0] is not None and target not in self._ours:
            self.strays.append(target)
        return [*self.conversation.receive(data, now_s), acknowledgement((2, 100), (2, 191))]

    def push(self, now_s: float) -> list[bytes]:
        others = [
            gimbal_heartbeat((2, 154)),
            attitude((2, 154), 1.2),
            attitude((self.gimbal_system, 171), -1.2),
            gimbal_heartbeat((self.gimbal_system, 171)),
            manager_status((2, 1), 171, (2, 191)),
            acknowledgement((self.gimbal_system, 100), (255, 190)),
        ]
        return [*self.conversation.push(now_s), *others]

    def next_push_s(self) -> float:
        return self.conversation.next_push_s()

    @property
    def gimbal_system(self) -> int:
        return next(iter(self._ours))[0]


@pytest.mark.parametrize("role", ["device", "manager"])
@pytest.mark.parametrize(
    ("system", "has_autopilot", "vehicle_id"),
    [(1, False, 0), (1, True, 0), (3, True, 0), (3, False, 3), (3, True, 3)],
)
def test_the_driver_steers_its_own_gimbal_in_a_crowd(
    make_rig: MakeRig, role: str, system: int, has_autopilot: bool, vehicle_id: int
) -> None:
    gimbal = MockGimbal.create(MODELS["mavlink"], 100.0)
    crowd = Crowd(MavlinkConversation(gimbal, 100.0, system, has_autopilot), system)
    settings = MavlinkSettings(mavlink_role=role, mavlink_vehicle_system_id=vehicle_id)
    harness = make_rig("mavlink", driver=build_driver("mavlink", "udp://", mavlink=settings),
                   conversation=crowd)  # fmt: skip
    harness.run_until(lambda: harness.is_up(), timeout_s=3.0)
    harness.do(lambda d, now: d.point(0.8, 0.3, now))
    harness.run_until(lambda: harness.points_at(0.8, 0.3))
    harness.run(0.3)
    assert harness.state.attitude.yaw_rad == pytest.approx(0.8, abs=0.01)
    ticket = harness.do(lambda d, now: d.take_photo(now))
    harness.run_until(lambda: ticket.outcome is not None)
    assert ticket.outcome.is_ok
    assert gimbal.camera.photos == 1
    assert crowd.strays == []
    assert harness.state.problems == ()


@pytest.mark.parametrize("heard", [[], [attitude((2, 154))], [gimbal_heartbeat((7, 154))]])
def test_nobody_is_commanded_before_it_is_known_who_is_ours(heard: list[bytes]) -> None:
    driver = build_driver("mavlink", "udp://")
    driver.opened(0.0)
    for i in range(100):
        for frame in heard:
            driver.receive(frame, i * 0.05)
        driver.tick(i * 0.05)
    sent = [decode(frame) for frame in driver.take_frames()]
    assert {message.get_type() for message in sent if message} == {"HEARTBEAT"}
    assert len(sent) == 5
    with pytest.raises(LinkError, match="it is not known yet which gimbal on the line is ours"):
        driver.point(0.1, 0.1, 5.0)
    driver.receive(autopilot_heartbeat(3), 5.0)
    answers = [decode(frame) for frame in driver.take_frames()]
    targets = {getattr(message, "target_system", None) for message in answers}
    assert targets == {3, None}  # a heartbeat is for everybody
    driver.point(0.1, 0.1, 5.0)


def test_waiting_for_an_autopilot_costs_no_time_of_the_processor() -> None:
    driver = build_driver("mavlink", "udp://")
    driver.opened(0.0)
    for heard in (b"", attitude((1, 154))):
        driver.receive(heard, 0.1)
        assert driver.due_s() >= 1.0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"mavlink_component_id": 0}, "parameter 'mavlink_component_id' is 0"),
        ({"mavlink_vehicle_system_id": 256}, "parameter 'mavlink_vehicle_system_id' is 256"),
        ({"mavlink_gimbal_component_id": -1}, "parameter 'mavlink_gimbal_component_id' is -1"),
    ],
)
def test_ids_are_checked(changed: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        MavlinkSettings(**changed)
    assert str(raised.value).startswith(words)
