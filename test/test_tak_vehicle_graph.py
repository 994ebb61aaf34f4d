"""From a mock vehicle's MAVLink to a team's map: a shape drawn there is searched, what is found
there is in the stream of a real TAK server's other clients, where it truly stands.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymap3d
import pytest
import yaml
from free_port import free_port
from launch_runner import LaunchSession
from patience import patience
from ros_graph import GraphProbe
from scan_checks import AREA, WORDS
from scan_graph import write_scan_launch
from tak_server import Client, Taky, corners_drawn, event, lifetime_s, place_of, running

from interfaces_pkg.msg import Finding, ScanState
from ros_support_pkg.qos import RECORD, STATE
from simulation_pkg.core.world.layout import WorldLayout, build_world

pytestmark = [pytest.mark.graph, pytest.mark.timeout(300)]
_log = logging.getLogger(__name__)
ROBOT = "semantic-detection.finder"
PAGE = "http://127.0.0.1:8080"
PLACE = (47.3769, 8.5417, 434.0)  # 26 m above the ground, as the mast of the simulated world
HEADING_DEG = 30.0
ON_TIME_S = 2.0
_START_TIMEOUT_S, _SCAN_TIMEOUT_S = 90.0, 150.0


def on_map(ahead_m: float, left_m: float) -> tuple[float, float]:
    """Where something stands that is so far from the robot."""
    heading = math.radians(HEADING_DEG)
    east = ahead_m * math.sin(heading) - left_m * math.cos(heading)
    north = ahead_m * math.cos(heading) + left_m * math.sin(heading)
    latitude, longitude, _ = pymap3d.enu2geodetic(east, north, -26.0, *PLACE)
    return float(latitude), float(longitude)


def metres_between(one: tuple[float, float], other: tuple[float, float]) -> float:
    east, north, _ = pymap3d.geodetic2enu(*one, 0.0, *other, 0.0)
    return math.hypot(east, north)


def drawn() -> str:
    """What the team draws: a slice of the ground in which things stand."""
    corners = []
    for yaw, pitch in (
        (AREA.yaw_min_rad, AREA.pitch_max_rad),
        (AREA.yaw_max_rad, AREA.pitch_max_rad),
        (AREA.yaw_max_rad, AREA.pitch_min_rad),
        (AREA.yaw_min_rad, AREA.pitch_min_rad),
    ):
        away_m = 26.0 / math.tan(pitch)
        corners.append(on_map(away_m * math.cos(yaw), away_m * math.sin(yaw)))
    return corners_drawn(corners)


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    with running(Taky(tmp_path / "server")) as one:
        yield one


@pytest.fixture
def graph(tmp_path: Path, taky: Taky, probe: GraphProbe) -> Iterator[LaunchSession]:
    path = tmp_path / "scan.launch.yaml"
    write_scan_launch(path, {"frame_rate_hz": 5.0, "ground_height_m": PLACE[2] - 26.0})
    launch = yaml.safe_load(path.read_text())
    port = free_port()
    where = ",".join(map(str, (*PLACE, HEADING_DEG)))
    vehicle = "$(find-pkg-prefix gimbal_driver_pkg)/lib/gimbal_driver_pkg/mock_gimbal"
    launch["launch"] += [
        {
            "executable": {
                "cmd": f"{vehicle} --protocol mavlink --tcp {port} --vehicle {where}",
                "name": "mock_vehicle",
            }
        },
        _node("gimbal_driver_pkg", "vehicle", line=f"socket://127.0.0.1:{port}"),
        _node(
            "semantic_detection_pkg",
            "tak",
            server=taky.url,
            callsign="finder",
            page_url=PAGE,
            allow_search_area=True,
            search_words=WORDS,
        ),
    ]
    path.write_text(yaml.safe_dump(launch, sort_keys=False))
    with LaunchSession(path) as session:
        session.wait_for_start("scan_controller")
        yield session


def _node(package: str, name: str, **parameters: object) -> dict[str, Any]:
    listed = [{"name": key, "value": value} for key, value in parameters.items()]
    return {"node": {"pkg": package, "exec": name, "param": listed, "output": "screen"}}


class Findings:
    """What the scan publishes, and when it came here, by the steady clock."""

    def __init__(self, probe: GraphProbe) -> None:
        self.first_s: dict[str, float] = {}
        self.newest: dict[str, Finding] = {}
        probe.node.create_subscription(Finding, "findings", self._take, RECORD)

    def _take(self, finding: Finding) -> None:
        if finding.state == Finding.STATE_CONFIRMED:
            self.first_s.setdefault(finding.id, time.monotonic())
        self.newest[finding.id] = finding


@pytest.mark.long
def test_a_shape_on_the_map_is_searched_and_what_is_found_is_on_the_map(
    graph: LaunchSession, probe: GraphProbe, taky: Taky
) -> None:
    client = Client(taky)
    findings = Findings(probe)
    states = probe.listen(ScanState, "scan/state", STATE)
    probe.wait_for(lambda: client.of(ROBOT), "the robot on the map", _START_TIMEOUT_S)
    assert place_of(client.of(ROBOT)[-1]) == pytest.approx(PLACE[:2], abs=1e-6)
    camera = f"{ROBOT}.camera"
    probe.wait_for(lambda: client.of(camera), "where it looks", _START_TIMEOUT_S)

    def ask() -> bool:
        """Draw it again, as people do who see nothing happen: a new drawing each time."""
        if not states or states[-1].level == ScanState.LEVEL_IDLE:
            client.send(event("area", "u-d-f", callsign="meadow", sent_to="finder", drawn=drawn()))
        return bool(states) and states[-1].level == ScanState.LEVEL_SWEEP

    probe.wait_for(ask, "a sweep", _START_TIMEOUT_S)
    area = states[-1].area
    # The edge between the near corners is nearest in its middle.
    half_rad = (AREA.yaw_max_rad - AREA.yaw_min_rad) / 2.0
    nearest_rad = math.atan(math.tan(AREA.pitch_max_rad) / math.cos(half_rad))
    wanted = (AREA.yaw_min_rad, AREA.yaw_max_rad, AREA.pitch_min_rad, nearest_rad)
    got = (area.yaw_min_rad, area.yaw_max_rad, area.pitch_min_rad, area.pitch_max_rad)
    assert got == pytest.approx(wanted, abs=0.005)
    assert list(states[-1].words) == WORDS

    def told() -> str:
        client.read()
        seen = (one for one in list(findings.first_s) if client.of(f"{ROBOT}.finding.{one}"))
        return next(seen, "")

    name = probe.wait_for(told, "a finding on the map", _SCAN_TIMEOUT_S)
    first = client.of(f"{ROBOT}.finding.{name}")[0]
    at_s = next(
        at
        for one, at in zip(client.events, client.times_s, strict=True)
        if one.get("uid") == f"{ROBOT}.finding.{name}"
    )
    took_s = at_s - findings.first_s[name]
    _log.info("from the finding to the other client's stream: %.3f s", took_s)
    assert took_s < patience(ON_TIME_S)
    finding = findings.newest[name]
    board = min(
        build_world(WorldLayout(7)).boards,
        key=lambda one: metres_between(on_map(one.x_m, one.y_m), place_of(first)),
    )
    off_m = metres_between(on_map(board.x_m, board.y_m), place_of(first))
    assert board.class_name == finding.class_name
    assert off_m < max(3.0 * finding.ellipse_major_m, 4.0), (off_m, finding.ellipse_major_m)
    assert f"{PAGE}/api/findings/{name}/thumbnail" in (first.findtext("detail/remarks") or "")
    assert lifetime_s(first) > 60.0
    client.close()

    taky.stop()  # the scan does not notice
    before = len(states)
    probe.wait_for(
        lambda: len(states) >= before + 10 or states[-1].outcome.startswith("succeeded"),
        "the scan to go on",
        _SCAN_TIMEOUT_S,
    )
    assert states[-1].level != ScanState.LEVEL_SAFE
    taky.start()
    later = Client(taky)
    probe.wait_for(
        lambda: later.of(f"{ROBOT}.finding.{name}"), "the finding again", _SCAN_TIMEOUT_S
    )
    later.close()
    lines = "\n".join(line for line in graph.lines if "Traceback" in line)
    assert not lines, json.dumps(lines)
