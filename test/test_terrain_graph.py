"""A scan in real processes over a terrain model: read from its file, told, journalled, replayed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from launch_runner import LaunchSession
from rclpy.qos import QoSProfile
from ros_graph import GraphProbe
from scan_checks import AREA, WORDS
from scan_graph import write_scan_launch
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus
from terrain_files import write_heights

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Coverage, GimbalState, ScanJournal
from interfaces_pkg.srv import ToBearings
from ros_support_pkg.qos import SENSOR_DATA, STATE
from semantic_detection_pkg.scan.core.from_messages import from_journal
from semantic_detection_pkg.scan.core.inputs import BaseLost, Input
from semantic_detection_pkg.scan.core.journal import inputs_from_json
from semantic_detection_pkg.scan.core.terrain import Terrain

pytest.importorskip(
    "rasterio", reason="rasterio, an optional extra, is not installed: pip install rasterio"
)

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
START_TIMEOUT_S = 90.0
LATITUDE, LONGITUDE = 47.3, 11.4
SLOPE = -0.2  # of the ground, to the east, which is ahead


@pytest.fixture
def terrain_file(tmp_path: Path) -> Path:
    """A slope of two kilometres, in degrees, as surveys give them out."""
    path, side_deg, count = tmp_path / "dem.tif", 1e-4, 200
    east_m = (np.arange(count) - count / 2 + 0.5) * side_deg * 111_320.0
    east_m *= math.cos(math.radians(LATITUDE))
    heights = np.tile(600.0 + SLOPE * east_m, (count, 1)).astype(np.float32)
    corner = (LONGITUDE - count / 2 * side_deg, LATITUDE + count / 2 * side_deg)
    return write_heights(path, heights, corner, side_deg)


@pytest.fixture
def graph(tmp_path: Path, terrain_file: Path, probe: GraphProbe) -> Iterator[LaunchSession]:
    path = tmp_path / "scan.launch.yaml"
    controller = {"terrain_file": str(terrain_file), "camera_height_m": 26.0}
    write_scan_launch(path, controller, has_classifier=False)
    with LaunchSession(path) as session:
        session.wait_for_start("scan_controller")
        yield session


@pytest.mark.long
def test_a_scan_goes_by_the_terrain_of_a_file(graph: LaunchSession, probe: GraphProbe) -> None:
    journals = probe.listen(ScanJournal, "scan/journal", QoSProfile(depth=2000))
    gimbal = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    maps = probe.listen(Coverage, "scan/coverage", STATE)
    fixes = probe.node.create_publisher(NavSatFix, "fix", SENSOR_DATA)
    attitudes = probe.node.create_publisher(Imu, "imu", SENSOR_DATA)
    client = probe.action(Scan, "scan")
    probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")

    def stand() -> None:
        """Say where the robot is and how it lies: ahead is east."""
        fix = NavSatFix(latitude=LATITUDE, longitude=LONGITUDE, altitude=674.0)
        fix.status.status = NavSatStatus.STATUS_FIX
        fixes.publish(fix)
        imu = Imu()
        imu.orientation.w = 1.0
        attitudes.publish(imu)

    sent = client.send_goal(Scan.Goal(area=AREA, words=WORDS, repeat=True))
    assert sent.accepted

    def by_terrain() -> Coverage | None:
        stand()
        return next((one for one in list(maps) if one.is_range_by_terrain), None)

    told = probe.wait_for(by_terrain, "distances by the terrain", START_TIMEOUT_S)
    ranges = np.array(told.range_m).reshape(told.rows, told.columns)
    yaw = told.yaw_min_rad + told.cell_rad * (np.arange(told.columns) + 0.5)
    pitch = told.pitch_min_rad + told.cell_rad * (np.arange(told.rows) + 0.5)
    ahead, row = int(np.argmin(np.abs(yaw))), int(np.argmin(np.abs(pitch - 0.5)))
    fall = math.sin(pitch[row]) + SLOPE * math.cos(pitch[row]) * math.cos(yaw[ahead])
    assert ranges[row, ahead] == pytest.approx(26.0 / fall, rel=0.05)
    assert not told.is_range_assumed

    request = ToBearings.Request(latitude_deg=[LATITUDE], longitude_deg=[LONGITUDE + 1e-3])
    stand()
    answer = probe.call(ToBearings, "scan/to_bearings", request)
    assert answer.success, answer.message
    east_m = 1e-3 * 111_320.0 * math.cos(math.radians(LATITUDE))
    seen = answer.bearings[0]
    assert seen.yaw_rad == pytest.approx(0.0, abs=0.01)
    assert seen.pitch_rad == pytest.approx(math.atan2(26.0 - SLOPE * east_m, east_m), abs=0.01)

    def inputs() -> Iterator[Input]:
        for message in list(journals):
            yield from inputs_from_json(from_journal(message).inputs).others

    def journalled() -> Terrain | None:
        return next((one for one in inputs() if isinstance(one, Terrain)), None)

    terrain = probe.wait_for(journalled, "the terrain in the journal", START_TIMEOUT_S)
    assert terrain.name == "dem.tif"
    assert terrain.height_at((0.0, 0.0)) == pytest.approx(600.0, abs=1.0)

    def lost() -> bool:
        """Say that there is no fix any more."""
        none = NavSatFix(latitude=math.nan, longitude=math.nan, altitude=math.nan)
        none.status.status = NavSatStatus.STATUS_NO_FIX
        fixes.publish(none)
        return BaseLost("fix") in inputs()

    probe.wait_for(lost, "the loss in the journal", START_TIMEOUT_S)
    answer = probe.call(ToBearings, "scan/to_bearings", request)
    assert not answer.success
    assert answer.message == "where the robot is is not known: no fix has come, or none lately"
    assert any("fix: not known any more" in line for line in graph.lines)
    sent.cancel()
    assert not [line for line in graph.lines if "Traceback" in line]
