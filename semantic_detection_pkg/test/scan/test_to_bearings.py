"""Places on a map as bearings: plane geometry, terrain, what is not known, over the graph."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import rclpy
from patience import wait_until
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_graph import destroy

from semantic_detection_pkg.dashboard.api.commands import CommandStatus, Outcome, ToBearings
from semantic_detection_pkg.dashboard.ros.robot import RosRobot
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.ground_model import GroundModel
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import pack_terrain
from semantic_detection_pkg.scan.core.thing_sizes import PodSettings
from semantic_detection_pkg.scan.ros.bearings import serve_bearings

PLACE = (0.0, 11.0)  # on the equator a degree is as long both ways, to a percent
DEG_M = 111_320.0
FIX, EAST = Fix(1, *PLACE, 530.0), BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))
NORTH = BaseAttitude(1, (0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)))
KNOWN = replace(ScanSettings(), pod=PodSettings(camera_height_m=30.0))


def place(east_m: float, north_m: float) -> tuple[float, float]:
    return PLACE[0] + north_m / DEG_M, PLACE[1] + east_m / DEG_M


def test_places_lie_where_geometry_says():
    model = GroundModel(KNOWN)
    places = [place(100.0, 0.0), place(0.0, 100.0), place(-60.0, -80.0)]
    found = np.array(model.bearings_of(places, FIX, EAST))
    down = math.atan2(30.0, 100.0)
    # Ahead is east, left is north; behind to the right is south-west.
    behind = math.atan2(-80.0, -60.0)
    assert found[:, 0] == pytest.approx([0.0, math.pi / 2, behind], abs=0.01)
    assert found[:, 1] == pytest.approx([down] * 3, abs=0.005)
    turned = np.array(model.bearings_of(places, FIX, NORTH))
    assert turned[:2, 0] == pytest.approx([-math.pi / 2, 0.0], abs=0.01)
    assert model.bearings_of([], FIX, EAST) == []


def test_places_on_a_terrain_lie_as_high_as_it_is():
    model = GroundModel(KNOWN)
    axis = 10.0 * np.arange(-50, 51)
    model.terrain = pack_terrain("dem.tif", PLACE, 10.0, np.tile(0.2 * axis, (101, 1)))
    (uphill,), (beyond,) = (
        model.bearings_of([place(east_m, 0.0)], FIX, EAST) for east_m in (300.0, 900.0)
    )
    assert uphill[1] == pytest.approx(math.atan2(30.0 - 60.0, 300.0), abs=0.005)
    assert beyond[1] == pytest.approx(math.atan2(30.0, 900.0), abs=0.005)


@pytest.mark.parametrize(
    ("fix", "attitude", "settings", "places", "told"),
    [
        (None, EAST, KNOWN, [place(1, 1)], "no fix has come"),
        (replace(FIX, latitude_deg=1e9), EAST, KNOWN, [place(1, 1)], "no fix has come"),
        (replace(FIX, altitude_m=math.inf), EAST, KNOWN, [place(1, 1)], "no fix has come"),
        (FIX, None, KNOWN, [place(1, 1)], "no imu has told it"),
        (FIX, EAST, ScanSettings(), [place(1, 1)], "how high the camera is above the ground"),
        (FIX, EAST, KNOWN, [place(1, 1), (95.0, 11.0)], "place latitude 95, longitude 11"),
        (FIX, EAST, KNOWN, [(math.nan, 11.0)], "place latitude nan"),
        (FIX, EAST, KNOWN, [place(1, 1), (11.0, 0.0)], "km from the robot, at most 50 km"),
    ],
)
def test_what_is_not_known_or_makes_no_sense_is_one_line(fix, attitude, settings, places, told):
    with pytest.raises(ConfigurationError) as caught:
        GroundModel(settings).bearings_of(places, fix, attitude)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def nodes(ros_domain: dict[str, str]) -> Iterator[tuple[RosRobot, Node, SingleThreadedExecutor]]:
    context = Context()
    rclpy.init(context=context)
    page, scan = Node("page", context=context), Node("scan", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(page)
    executor.add_node(scan)
    yield RosRobot(page), scan, executor
    destroy(page)
    destroy(scan)
    context.try_shutdown()


def test_the_page_is_told_over_the_graph(nodes):
    robot, scan, executor = nodes
    controller = ScanController(KNOWN)
    serve_bearings(scan, lambda: controller)

    def ask(*places: tuple[float, float]) -> Outcome:
        latitudes, longitudes = zip(*places, strict=True)
        outcomes: list[Outcome] = []
        asked = ToBearings(latitudes_deg=latitudes, longitudes_deg=longitudes)
        robot.send(asked, outcomes.append)
        wait_until(lambda: executor.spin_once(timeout_sec=0.01) or outcomes, timeout_s=30.0)
        return outcomes[0]

    wait_until(
        lambda: executor.spin_once(timeout_sec=0.01) or robot.presence()["scan/to_bearings"],
        timeout_s=30.0,
    )
    refused = ask(place(100.0, 0.0))
    assert refused.status is CommandStatus.REFUSED
    assert refused.message == "where the robot is is not known: no fix has come, or none lately"
    controller.step(1_000_000_000, [FIX, EAST])
    told = ask(place(100.0, 0.0), place(0.0, 100.0))
    assert told.status is CommandStatus.DONE
    assert np.array(told.bearings) == pytest.approx(
        np.array(controller.bearings_of([place(100.0, 0.0), place(0.0, 100.0)]))
    )
