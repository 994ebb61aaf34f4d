"""Where the robot is, from a mock autopilot's MAVLink to `fix` and `imu`, on both kinds of line."""

from __future__ import annotations

import functools
import math
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from node_process import running_node
from patience import patience
from ros_graph import GraphProbe
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus

from gimbal_driver_pkg.mock.background import BackgroundMock
from gimbal_driver_pkg.mock.vehicle import MockVehicle
from interfaces_pkg.msg import GimbalState
from ros_support_pkg.qos import EVENT, READINGS, SENSOR_DATA

pytestmark = pytest.mark.graph
HERE = MockVehicle(47.3769, 8.5417, 434.0, heading_deg=60.0, pitch_deg=10.0)


node = functools.partial(running_node, package="gimbal_driver_pkg")


class Graph:
    """What is heard of the vehicle."""

    def __init__(self, probe: GraphProbe) -> None:
        self.probe = probe
        self.fixes = probe.listen(NavSatFix, "fix", SENSOR_DATA)
        self.imus = probe.listen(Imu, "imu", SENSOR_DATA)
        self.health = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        return self.probe.wait_for(condition, what)

    def wait_for_health(self, name: str, text: str, level: bytes = DiagnosticStatus.WARN) -> None:
        before = len(self.health)

        def is_said() -> bool:
            news = list(self.health)[before:]
            told = [one for array in news for one in array.status if one.name == name]
            return any(text in one.message and one.level == level for one in told)

        self.wait(is_said, f"{text!r} in the diagnostics of {name}")


@pytest.fixture
def graph(probe: GraphProbe) -> Graph:
    return Graph(probe)


@pytest.fixture
def mock() -> Iterator[BackgroundMock]:
    with BackgroundMock("mavlink", vehicle=HERE) as one:
        yield one


def check_told(graph: Graph) -> None:
    fix = graph.wait(
        lambda: graph.fixes and graph.fixes[-1].position_covariance[0] and graph.fixes[-1], "a fix"
    )
    assert fix.status.status == NavSatStatus.STATUS_FIX
    assert (fix.latitude, fix.longitude) == pytest.approx((47.3769, 8.5417), abs=1e-7)
    assert fix.altitude == pytest.approx(434.0, abs=0.01)  # above the ellipsoid
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_DIAGONAL_KNOWN
    assert list(fix.position_covariance[::4]) == pytest.approx([1.5**2, 1.5**2, 3.0**2])
    assert fix.header.frame_id == "gimbal_base"
    imu = graph.wait(lambda: graph.imus and graph.imus[-1], "an attitude")
    turn, half = imu.orientation, math.radians(90.0 - 60.0) / 2.0  # from east, to the left
    assert (turn.x, turn.y) == (0.0, 0.0)  # the gimbal keeps pitch to the horizon
    assert (turn.z, turn.w) == pytest.approx((math.sin(half), math.cos(half)), abs=1e-6)
    assert imu.linear_acceleration_covariance[0] == -1.0


@pytest.mark.long
def test_a_line_of_its_own(graph: Graph, mock: BackgroundMock) -> None:
    with node("vehicle", line=f"socket://127.0.0.1:{mock.tcp_port}") as process:
        check_told(graph)
        graph.wait_for_health("vehicle", "position and attitude", DiagnosticStatus.OK)
        mock.order(vehicle={"fix_type": 1})
        graph.wait(lambda: graph.fixes[-1].status.status == NavSatStatus.STATUS_NO_FIX, "the loss")
        assert math.isnan(graph.fixes[-1].latitude)
        graph.wait_for_health("vehicle", "its receiver has no fix")
        mock.order(vehicle={"fix_type": 3, "latitude_deg": 47.5}, cut=True)
        graph.wait(lambda: graph.fixes[-1].latitude == pytest.approx(47.5), "the new place")
        mock.order(faults={"half_open": True})
        graph.wait_for_health("vehicle", "position is not known")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=patience(10.0))
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.long
def test_the_gimbal_s_line(graph: Graph, mock: BackgroundMock) -> None:
    states = graph.probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    address = f"127.0.0.1:{mock.tcp_port}"
    with node(
        "gimbal_driver",
        gimbal_mode="mock_tcp",
        mock_address=address,
        protocol="mavlink",
        publish_vehicle=True,
    ):
        check_told(graph)
        graph.wait(lambda: states and states[-1].link == GimbalState.LINK_UP, "the gimbal, too")


@pytest.mark.long
def test_who_tells_it_already_is_left_alone(graph: Graph, mock: BackgroundMock) -> None:
    other = graph.probe.node.create_publisher(NavSatFix, "fix", READINGS)
    with node("vehicle", line=f"socket://127.0.0.1:{mock.tcp_port}") as process:
        whose = f"fix comes from /{graph.probe.node.get_name()}: this node does not publish it"
        graph.wait(lambda: graph.imus, "the attitude, which nobody else tells")
        graph.wait_for_health("vehicle", whose, DiagnosticStatus.OK)
        graph.wait_for_health("vehicle", whose, DiagnosticStatus.OK)  # what was on its way is here
        before = len(graph.fixes)
        graph.wait_for_health("vehicle", whose, DiagnosticStatus.OK)
        assert len(graph.fixes) == before
        graph.probe.node.destroy_publisher(other)
        graph.wait(lambda: graph.fixes, "the position, once nobody else tells it")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=patience(10.0))
    assert errors.count(whose) == 1


@pytest.mark.parametrize(
    ("name", "parameters", "wanted"),
    [
        ("vehicle", {"line": "socket://nowhere"}, "url: 'socket://nowhere', allowed is socket://"),
        ("vehicle", {"line": "udpin://1.2.3.4:x"}, "url: 'udpin://1.2.3.4:x', allowed is udpin://"),
        ("vehicle", {"vehicle_attitude": "north"}, "parameter 'vehicle_attitude' is 'north'"),
        ("gimbal_driver", {"publish_vehicle": True}, "publish_vehicle: true, allowed with protoc"),
    ],
)
def test_mistakes_are_one_line(
    name: str, parameters: dict[str, object], wanted: str, ros_domain: dict[str, str]
) -> None:
    with node(name, **parameters) as process:
        _, errors = process.communicate(timeout=patience(20.0))
    assert process.returncode == 2
    assert errors.startswith(f"error: {wanted}")
    assert errors.count("\n") == 1
