"""The node `tak` between a graph and a real TAK server, and the mission that does not notice it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from node_process import running_node
from patience import patience
from ros_graph import GraphProbe
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus
from tak_server import NAME, Client, Taky, corners_drawn, event, lifetime_s, place_of, running

from interfaces_pkg.msg import Finding, GimbalAngle, GimbalState
from ros_support_pkg.qos import COMMAND, EVENT, READINGS, RECORD, SENSOR_DATA
from ros_support_pkg.stamps import to_time

pytestmark = pytest.mark.graph
ROBOT = "semantic-detection.finder"
HERE = (47.0, 8.0, 540.0)


tak = partial(running_node, "tak")


class Graph:
    """What else is there: a receiver, a gimbal, a scan."""

    def __init__(self, probe: GraphProbe) -> None:
        node = probe.node
        self.probe = probe
        self._fixes = node.create_publisher(NavSatFix, "fix", READINGS)
        self._imus = node.create_publisher(Imu, "imu", READINGS)
        self._gimbal = node.create_publisher(GimbalState, "gimbal/state", SENSOR_DATA)
        self._findings = node.create_publisher(Finding, "findings", RECORD)
        self.looks = probe.listen(GimbalAngle, "scan/point_here", COMMAND)
        self.health = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def tell_where(self) -> None:
        fix = NavSatFix(latitude=HERE[0], longitude=HERE[1], altitude=HERE[2])
        fix.status.status = NavSatStatus.STATUS_FIX
        self._fixes.publish(fix)
        imu = Imu()
        imu.orientation.w = 1.0  # ahead is east
        self._imus.publish(imu)
        limits = {"yaw_min_rad": -3.0, "yaw_max_rad": 3.0, "pitch_min_rad": -1.0}
        state = GimbalState(link=GimbalState.LINK_UP, pitch_max_rad=1.5, **limits)
        state.yaw_rad, state.pitch_rad, state.hfov_rad = 0.5, 0.2, 0.6
        state.zoom = state.zoom_max = 1.0
        state.header.stamp = to_time(time.time_ns())
        self._gimbal.publish(state)

    def find(
        self, latitude: float, state: int = Finding.STATE_CONFIRMED, name: str = "1-1"
    ) -> None:
        finding = Finding(
            id=name,
            revision=1,
            state=state,
            class_name="tent",
            score=0.9,
            has_position=True,
            latitude_deg=latitude,
            longitude_deg=8.1,
            altitude_m=500.0,
            range_m=100.0,
            ellipse_major_m=5.0,
            ellipse_minor_m=2.0,
        )
        finding.header.stamp = to_time(time.time_ns())
        self._findings.publish(finding)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something, telling meanwhile where the robot is, as receivers do."""

        def checked() -> Any:
            self.tell_where()
            return condition()

        return self.probe.wait_for(checked, what)


@pytest.fixture
def graph(probe: GraphProbe) -> Graph:
    return Graph(probe)


@pytest.fixture(scope="module")
def taky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taky]:
    with running(Taky(tmp_path_factory.mktemp("tak") / "server")) as one:
        yield one


@pytest.fixture
def client(taky: Taky) -> Iterator[Client]:
    one = Client(taky)
    yield one
    one.close()


def test_teams_see_robot_camera_and_findings_and_ask_it_to_look(
    graph: Graph, taky: Taky, client: Client
) -> None:
    parameters = {"server": taky.url, "callsign": "finder", "allow_look_here": True}
    with tak(**parameters) as process:
        graph.wait(lambda: client.of(ROBOT), "the robot on the map")
        assert place_of(client.of(ROBOT)[-1]) == HERE[:2]
        graph.wait(lambda: client.of(f"{ROBOT}.camera"), "its camera")
        sensor = client.of(f"{ROBOT}.camera")[-1].find("detail/sensor")
        assert sensor is not None
        assert float(sensor.attrib["azimuth"]) == pytest.approx(90.0 - 28.6, abs=0.1)
        uid = f"{ROBOT}.finding.1-1"
        start_s = time.monotonic()
        graph.find(47.001)
        graph.wait(lambda: client.of(uid), "the finding")
        assert time.monotonic() - start_s < patience(2.0)
        graph.find(47.002)
        graph.wait(lambda: place_of(client.of(uid)[-1])[0] == 47.002, "its move")
        graph.find(47.002, Finding.STATE_REJECTED)
        graph.wait(lambda: lifetime_s(client.of(uid)[-1]) == 0.0, "its end")
        # 100 m to the north, 40 m down: to the left of ahead, which is east.
        client.send(event("north", "b-m-p-s-m", 47.0009, 8.0, sent_to="finder", hae="500.0"))
        graph.wait(lambda: graph.looks, "a look")
        assert graph.looks[-1].yaw_rad == pytest.approx(1.571, abs=0.01)
        assert graph.looks[-1].pitch_rad == pytest.approx(0.381, abs=0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=patience(10.0))
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.long
def test_nobody_steers_the_camera_unless_that_is_allowed(
    graph: Graph, taky: Taky, client: Client
) -> None:
    with tak(server=taky.url, callsign="guarded"):
        graph.wait(lambda: client.of("semantic-detection.guarded"), "the robot on the map")
        client.send(event("north", "b-m-p-s-m", 47.0009, 8.0, sent_to="guarded", hae="500.0"))
        meadow = corners_drawn([(47.001, 8.0), (47.001, 8.001), (47.002, 8.0)])
        client.send(event("meadow", "u-d-f", sent_to="guarded", drawn=meadow))

        def is_counted() -> bool:
            told = [status for one in graph.health for status in one.status if status.name == "tak"]
            values = [value for status in told for value in status.values]
            return any(one.key == "requests_ignored" and one.value == "2" for one in values)

        graph.wait(is_counted, "the requests in the diagnostics")
        assert not graph.looks


@pytest.mark.long
def test_a_request_whose_sender_s_clock_is_off_is_said_and_counted(
    graph: Graph, taky: Taky, client: Client
) -> None:
    """It was dropped in silence; on a board without a clock every request is."""
    with tak(server=taky.url, callsign="late", allow_look_here=True):
        graph.wait(lambda: client.of("semantic-detection.late"), "the robot on the map")
        point = {"sent_to": "late", "hae": "500.0", "ahead_s": 7205.0}
        client.send(event("north", "b-m-p-s-m", 47.0009, 8.0, **point))

        def is_said() -> bool:
            told = [status for one in graph.health for status in one.status if status.name == "tak"]
            return any(
                status.level == DiagnosticStatus.WARN
                and status.message.startswith("a team's request 'north' is not taken: its sender's")
                and "clock is 2 h ahead of ours, allowed is 60 s" in status.message
                and any(v.key == "requests_off_clock" and v.value == "1" for v in status.values)
                for status in told
            )

        graph.wait(is_said, "the request in the diagnostics")
        assert not graph.looks


@pytest.mark.long
def test_a_server_that_is_not_there_is_a_warning_and_no_more(graph: Graph, tmp_path: Path) -> None:
    taky = Taky(tmp_path / "server")
    with tak(server=taky.url, callsign="finder", max_reconnect_wait_s=1.0) as process:

        def has_warned() -> bool:
            return any(
                status.name == "tak"
                and status.level == DiagnosticStatus.WARN
                and status.message == f"{taky.url}: connection refused"
                for one in graph.health
                for status in one.status
            )

        graph.find(47.001)
        graph.wait(has_warned, "a warning")
        assert process.poll() is None
        with running(taky):
            client = Client(taky)
            graph.wait(lambda: client.of(f"{ROBOT}.finding.1-1"), "the finding of before")
            client.close()


@pytest.mark.long
def test_a_thousand_findings_of_a_mission_are_on_the_map(
    graph: Graph, taky: Taky, client: Client
) -> None:
    with tak(server=taky.url, callsign="finder"):
        graph.wait(lambda: client.of(ROBOT), "the robot on the map")
        for begin in range(0, 1000, 100):  # as fast as they arrive: history is of 200
            names = [f"1-{number}" for number in range(begin, begin + 100)]
            for name in names:
                graph.find(47.001, name=name)
            wanted = {f"{ROBOT}.finding.{name}" for name in names}
            graph.wait(
                lambda wanted=wanted: wanted <= {one.get("uid") for one in client.read()},
                f"findings from {begin} on",
            )


@pytest.mark.long
def test_a_server_of_another_authority_is_a_warning_and_no_more(
    graph: Graph, tmp_path: Path
) -> None:
    server = Taky(tmp_path / "server", is_tls=True)
    stranger = Taky(tmp_path / "stranger", is_tls=True)
    certificate, key = server.client_files("robot")
    files = {"ca_file": stranger.ca_file, "certificate_file": certificate, "key_file": key}
    with running(server), tak(server=server.url, server_name=NAME, **files) as process:

        def has_warned() -> bool:
            return any(
                status.name == "tak"
                and status.level == DiagnosticStatus.WARN
                and "the server's certificate is refused" in status.message
                for one in graph.health
                for status in one.status
            )

        graph.find(47.001)
        graph.wait(has_warned, "a warning")
        assert process.poll() is None


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"server": "http://host"}, "server 'http://host': allowed is tcp://"),
        ({"server": "tls://127.0.0.1", "ca_file": "/no/such.pem"}, "ca_file /no/such.pem: no such"),
        ({"states": "[confirmed, lost]"}, "states 'lost': allowed are confirmed, uncertain"),
    ],
)
def test_mistakes_are_one_line(
    parameters: dict[str, str], wanted: str, ros_domain: dict[str, str]
) -> None:
    with tak(**parameters) as process:
        _, errors = process.communicate(timeout=patience(20.0))
    assert process.returncode == 2
    assert errors.startswith(f"error: {wanted}")
    assert errors.count("\n") == 1
