"""The gimbal driver node in a real process, its gimbal the mock on a TCP socket.

How soon a gimbal stops is tested in simulated time (gimbal_driver_pkg/test/test_driver_motion.py).
Here one that needs 20 seconds to its limit must stand before that.
"""

from __future__ import annotations

import math
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from patience import patience
from ros_graph import GraphProbe, isolated_domain
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from gimbal_driver_pkg.mock.background import BackgroundMock
from gimbal_driver_pkg.ros.conversions import JOINTS
from interfaces_pkg.action import PointGimbal
from interfaces_pkg.msg import GimbalAngle, GimbalRate, GimbalState
from interfaces_pkg.srv import SetFocus, SetZoom, SetZoomRate
from ros_support_pkg.qos import COMMAND, EVENT, SENSOR_DATA

pytestmark = pytest.mark.graph
DEG = math.pi / 180
SLOW = 0.05  # times life's speed: 0.1 rad/s
CONFIG = Path(get_package_share_directory("semantic_detection_pkg")) / "config"


@contextmanager
def node(**parameters: object) -> Iterator[subprocess.Popen[str]]:
    """Run the node with its shipped parameters and these."""
    package = "gimbal_driver_pkg"
    command = [
        str(Path(get_package_prefix(package)) / "lib" / package / "gimbal_driver"),
        "--ros-args",
        "--params-file",
        str(CONFIG / "gimbal_driver.param.yaml"),
        *(word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Loop:
    """The node, its gimbal and a probe on the graph."""

    def __init__(
        self, mock: BackgroundMock, probe: GraphProbe, process: subprocess.Popen[str]
    ) -> None:
        self.mock = mock
        self.probe = probe
        self.process = process
        self.states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
        self.rates = probe.node.create_publisher(GimbalRate, "gimbal/cmd_rate", COMMAND)
        self.angles = probe.node.create_publisher(GimbalAngle, "gimbal/cmd_angle", COMMAND)

    @property
    def state(self) -> GimbalState:
        return self.states[-1]

    def wait_for(self, condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
        return self.probe.wait_for(condition, what, timeout_s, poll_s=0.005)

    def wait_until_up(self) -> None:
        self.wait_for(lambda: self.states and self.state.link == GimbalState.LINK_UP, "link up")

    def wait_for_the_slew(self) -> None:
        """Until it is under way to the left; it goes on for long, as it is slow."""
        self.wait_for(lambda: self.mock.state()["yaw_rad"] > 0.02, "the slew")

    def stands_still(self) -> bool:
        return bool(self.mock.state()["is_still"])

    def point(self, **goal: Any) -> Any:
        """Send a goal and return it and the feedback, which grows."""
        client = self.probe.action(PointGimbal, "gimbal/point")
        feedback: list[Any] = []
        sent = client.send_goal(
            PointGimbal.Goal(**goal), feedback=lambda f: feedback.append(f.feedback)
        )
        return sent, feedback


@contextmanager
def running_loop(probe: GraphProbe, speed: float = 1.0) -> Iterator[Loop]:
    with (
        BackgroundMock("zr10", speed) as mock,
        node(gimbal_mode="mock_tcp", mock_address=f"127.0.0.1:{mock.tcp_port}") as process,
    ):
        loop = Loop(mock, probe, process)
        loop.wait_until_up()
        yield loop


@pytest.fixture(scope="module")
def shared_loop() -> Iterator[Loop]:
    """One node for all tests that leave it alive."""
    with isolated_domain() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        with running_loop(probe) as loop:
            yield loop
        probe.close()


@pytest.fixture
def loop(shared_loop: Loop) -> Loop:
    """The shared loop, in order again: centred, zoomed out, with a card, fast, without faults."""
    shared_loop.mock.order(faults={"freeze": False}, camera={"has_card": True}, speed=1.0)
    shared_loop.wait_until_up()
    assert shared_loop.probe.call(Trigger, "gimbal/center", Trigger.Request()).success
    zoom = SetZoom.Request(zoom=1.0)
    assert shared_loop.probe.call(SetZoom, "gimbal/set_zoom", zoom).success
    shared_loop.wait_for(
        lambda: (
            shared_loop.stands_still()
            and abs(shared_loop.mock.state()["yaw_rad"]) < 0.01
            and abs(shared_loop.state.yaw_rad) < 0.01
        ),
        "the middle",
    )
    return shared_loop


def test_state_joints_and_diagnostics_tell_the_truth(loop: Loop) -> None:
    begun_s = time.time()
    joints = loop.probe.listen(JointState, "joint_states", SENSOR_DATA)
    diagnostics = loop.probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    loop.wait_for(
        lambda: (
            loop.angles.publish(GimbalAngle(yaw_rad=0.5, pitch_rad=0.3))
            or abs(loop.state.yaw_rad - 0.5) < 0.01
        ),
        "the angle",
    )
    loop.wait_for(lambda: joints and abs(joints[-1].position[0] - 0.5) < 0.01, "the joints")
    state = loop.state
    assert state.header.frame_id == "gimbal_base"
    assert 0.0 <= state.age_s < patience(0.5)
    assert begun_s < state.header.stamp.sec + state.header.stamp.nanosec / 1e9 <= time.time()
    assert (state.model, state.mode) == ("zr10", GimbalState.MODE_FOLLOW)
    assert state.zoom_max == 30.0
    assert state.hfov_rad == pytest.approx(61.5 * DEG, abs=1e-3)
    assert (state.yaw_min_rad, state.yaw_max_rad) == pytest.approx((-133 * DEG, 133 * DEG))
    assert list(joints[-1].name) == list(JOINTS)
    stamps = [(j.header.stamp.sec, j.header.stamp.nanosec) for j in joints]
    assert len(set(stamps)) == len(stamps)

    def status() -> Any:
        own = [s for array in diagnostics for s in array.status if s.name == "gimbal_driver"]
        return own[-1] if own and own[-1].level == b"\x00" else None

    health = loop.wait_for(status, "good news in the diagnostics")
    assert "zr10 on socket://" in health.message
    assert {v.key for v in health.values} >= {"frames", "bad_frames", "reconnects", "age_s"}


def test_rate_turns_until_nobody_renews_it(loop: Loop) -> None:
    def renew() -> bool:
        loop.rates.publish(GimbalRate(yaw_rate_rad_s=0.1, pitch_rate_rad_s=0.0))
        return loop.mock.state()["yaw_rad"] > 0.05

    loop.wait_for(renew, "the gimbal to turn left")
    loop.wait_for(loop.stands_still, "the dead-man stop")
    assert loop.mock.state()["yaw_rad"] < 2.0


def test_nonsense_is_refused_and_the_node_goes_on(loop: Loop) -> None:
    for _ in range(5):
        loop.rates.publish(GimbalRate(yaw_rate_rad_s=math.nan))
        loop.angles.publish(GimbalAngle(yaw_rad=math.inf))
    loop.wait_for(
        lambda: (
            loop.angles.publish(GimbalAngle(yaw_rad=3.0, pitch_rad=-3.0))
            or loop.state.yaw_saturated
        ),
        "a saturated angle",
    )
    loop.wait_for(lambda: abs(loop.mock.state()["yaw_rad"] - 133 * DEG) < 0.01, "the soft limit")
    assert loop.state.pitch_saturated
    assert loop.process.poll() is None


def test_services(loop: Loop) -> None:
    call = loop.probe.call
    zoom = call(SetZoom, "gimbal/set_zoom", SetZoom.Request(zoom=99.0))
    assert (zoom.success, zoom.zoom) == (True, 30.0)
    loop.wait_for(lambda: loop.state.zoom > 2.0, "zoom")
    stop = call(SetZoomRate, "gimbal/set_zoom_rate", SetZoomRate.Request(rate=0.0, duration_s=1.0))
    assert stop.success
    wrong = call(SetZoomRate, "gimbal/set_zoom_rate", SetZoomRate.Request(rate=0.5))
    assert (wrong.success, wrong.message) == (
        False,
        "duration_s: 0.0, allowed is more than 0, up to 10",
    )
    photos = loop.mock.state()["photos"]
    assert call(Trigger, "gimbal/photo", Trigger.Request()).success
    assert loop.mock.state()["photos"] > photos
    assert call(SetBool, "gimbal/record", SetBool.Request(data=True)).success
    loop.wait_for(lambda: loop.state.is_recording, "recording")
    loop.mock.order(camera={"has_card": False})
    refused = call(Trigger, "gimbal/photo", Trigger.Request())
    assert (refused.success, refused.message) == (False, "photo: refused by the gimbal")
    focus = SetFocus.Request(action=SetFocus.Request.ACTION_AUTO, x=0.5, y=0.5)
    assert call(SetFocus, "gimbal/set_focus", focus).success
    wrong = call(SetFocus, "gimbal/set_focus", SetFocus.Request(action=9))
    assert (wrong.success, wrong.message) == (
        False,
        "action is 9, allowed are 0 (STOP), 1 (AUTO), 2 (NEAR), 3 (FAR)",
    )
    loop.point(yaw_rad=0.5)
    assert call(Trigger, "gimbal/center", Trigger.Request()).success
    loop.wait_for(
        lambda: loop.stands_still() and abs(loop.mock.state()["yaw_rad"]) < 0.01, "the middle"
    )


def test_point_with_zoom_feedback_and_tolerance(loop: Loop) -> None:
    sent, feedback = loop.point(yaw_rad=1.0, pitch_rad=0.4, zoom=3.0, tolerance_rad=0.01)
    answer = sent.result()
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    result = answer.result
    assert (result.success, result.saturated, result.message) == (True, False, "")
    assert result.error_rad < 0.01
    assert (result.yaw_rad, result.pitch_rad) == pytest.approx((1.0, 0.4), abs=0.01)
    assert loop.state.zoom == pytest.approx(3.0, abs=0.2)
    errors = [f.error_rad for f in feedback if math.isfinite(f.error_rad)]
    assert errors[0] > errors[-1]


def test_point_beyond_a_limit_succeeds_there_and_says_so(loop: Loop) -> None:
    sent, _ = loop.point(yaw_rad=0.0, pitch_rad=9.0)
    result = sent.result().result
    assert (result.success, result.saturated) == (True, True)
    assert result.message == "pitch cut to the soft limits"
    assert result.pitch_rad == pytest.approx(88 * DEG, abs=0.02)


@pytest.mark.long
def test_point_that_is_cancelled_stops_the_gimbal(loop: Loop) -> None:
    loop.mock.order(speed=SLOW)
    sent, _ = loop.point(yaw_rad=2.2, timeout_s=600.0)
    loop.wait_for_the_slew()
    sent.cancel()
    assert sent.result().status == GoalStatus.STATUS_CANCELED
    assert loop.wait_for(loop.stands_still, "standing still")
    assert loop.mock.state()["yaw_rad"] < 2.0


@pytest.mark.parametrize(
    ("timeout_s", "disturb", "message"),
    [
        (600.0, lambda loop: loop.point(yaw_rad=-1.0), "a newer goal took over"),
        (
            600.0,
            lambda loop: loop.angles.publish(GimbalAngle(yaw_rad=-1.0)),
            "replaced by another command",
        ),
        (2.0, lambda loop: loop.mock.order(faults={"freeze": True}), "not there in time"),
    ],
)
def test_point_that_cannot_be_reached_says_why(
    loop: Loop, timeout_s: float, disturb: Callable[[Loop], Any], message: str
) -> None:
    loop.mock.order(speed=SLOW)
    sent, _ = loop.point(yaw_rad=2.2, timeout_s=timeout_s)
    loop.wait_for_the_slew()
    disturb(loop)
    answer = sent.result()
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.message.startswith(message)


def test_point_with_nonsense_is_one_clear_line(loop: Loop) -> None:
    diagnostics = loop.probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    sent, _ = loop.point(yaw_rad=math.nan)
    answer = sent.result()
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert (answer.result.success, answer.result.message, answer.result.error_rad) == (
        False,
        "yaw_rad is nan: numbers must be finite and at most 1000 in size",
        math.inf,
    )

    def counted() -> list[str]:
        values = (v for array in diagnostics for s in array.status for v in s.values)
        return [value.value for value in values if value.key == "refused gimbal/point"]

    loop.wait_for(lambda: counted() and "yaw_rad is nan" in counted()[-1], "it in the diagnostics")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_node_that_dies_in_a_slew_leaves_the_gimbal_still(
    probe: GraphProbe, number: signal.Signals
) -> None:
    with running_loop(probe, SLOW) as loop:
        loop.point(yaw_rad=2.2, timeout_s=600.0)
        loop.wait_for_the_slew()
        loop.process.send_signal(number)
        loop.wait_for(loop.stands_still, "standing still")
        assert loop.mock.state()["yaw_rad"] < 2.0


def test_gimbal_that_comes_late_and_goes_away_is_followed(probe: GraphProbe) -> None:
    diagnostics = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def errors() -> list[str]:
        return [s.message for array in diagnostics for s in array.status if s.level == b"\x02"]

    with BackgroundMock("a8mini") as mock:
        port = mock.tcp_port
    with node(gimbal_mode="mock_tcp", mock_address=f"127.0.0.1:{port}") as process:
        probe.wait_for(
            lambda: any("Connection refused" in error for error in errors()), "the refusal"
        )
        with BackgroundMock("a8mini", tcp_port=port) as mock:
            loop = Loop(mock, probe, process)
            loop.wait_until_up()
            assert loop.state.model == "a8mini"
        loop.wait_for(lambda: loop.state.link == GimbalState.LINK_DOWN, "the loss of the line")


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"gimbal_mode": "telepathy"}, "error: parameter 'gimbal_mode' is 'telepathy', allowed is"),
        ({"model": "zr99"}, "error: parameter 'model' is 'zr99', allowed is one of auto, a2mini"),
        ({"model": "a40"}, "error: model: a40 speaks viewpro, not siyi"),
        ({"serial_baud": 12345}, "error: baud: 12345, allowed are 9600, 19200"),
        (
            {"gimbal_mode": "udp", "udp_address": "nowhere"},
            "error: url: 'udp://nowhere', allowed is udp://host:port",
        ),
        ({"yaw_min_deg": 20.0, "yaw_max_deg": 10.0}, "error: yaw_min_deg: 20.0, allowed is less"),
    ],
)
def test_mistake_is_one_line_and_the_node_does_not_start(
    ros_domain: dict[str, str], parameters: dict[str, object], line: str
) -> None:
    with node(**parameters) as process:
        _, errors = process.communicate(timeout=patience(20.0))
    assert process.returncode == 2
    assert errors.startswith(line)
    assert errors.count("\n") == 1


def test_frames_of_the_urdf_turn_as_the_state_says() -> None:
    """REP 103: yaw + looks left, pitch + looks down, and the optical frame looks along z."""
    robot = ElementTree.parse(CONFIG / "gimbal.urdf").getroot()
    joints = {joint.get("name"): joint for joint in robot.iter("joint")}
    assert set(JOINTS) <= set(joints)
    angles = dict(zip(JOINTS, (0.5, 0.0, 0.3), strict=True))
    sight, below, name = (
        np.array([0.0, 0.0, 1.0]),
        np.array([0.0, 1.0, 0.0]),
        "camera_optical_frame",
    )
    while name != "gimbal_base":
        joint = next(j for j in joints.values() if j.find("child").get("link") == name)
        origin = joint.find("origin")
        rpy = (
            [float(x) for x in (origin.get("rpy") or "0 0 0").split()]
            if origin is not None
            else [0] * 3
        )
        turn = rotation("z", rpy[2]) @ rotation("y", rpy[1]) @ rotation("x", rpy[0])
        if (axis := joint.find("axis")) is not None:
            which = "xyz"[axis.get("xyz").split().index("1")]
            turn = turn @ rotation(which, angles[joint.get("name")])
        sight, below = turn @ sight, turn @ below
        name = joint.find("parent").get("link")
    expected = [math.cos(0.5) * math.cos(0.3), math.sin(0.5) * math.cos(0.3), -math.sin(0.3)]
    assert sight == pytest.approx(expected)
    assert below[2] < -0.9


def rotation(axis: str, angle: float) -> Any:
    c, s = math.cos(angle), math.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]
