"""A search by probability in real processes that chooses how the detector looks at pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from launch_runner import LaunchSession
from rclpy.qos import QoSProfile, ReliabilityPolicy
from replay_checks import check_heard_replay
from ros_graph import GraphProbe
from scan_checks import AREA, WORDS
from scan_graph import write_scan_launch

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import (
    DetectionCurves,
    Detections,
    GimbalState,
    ScanJournal,
    ScanState,
    SearchNeed,
)
from ros_support_pkg.qos import STATE

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
START_TIMEOUT_S = 90.0
#: Deep, so that the replay misses nothing that the controller may have heard.
DEEP = QoSProfile(depth=2000, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def graph(tmp_path: Path, probe: GraphProbe) -> Iterator[LaunchSession]:
    path = tmp_path / "scan.launch.yaml"
    write_scan_launch(
        path,
        {"camera_height_m": 26.0, "planner": "probability"},
        detector={"tiles_by_scan": True},
        has_classifier=False,
    )
    with LaunchSession(path) as session:
        session.wait_for_start("scan_controller")
        yield session


def is_in_tiles(message: Detections) -> bool:
    """Return whether some look was at a part of the picture."""
    size = message.image_width, message.image_height
    corners = list(message.looks_xyxy)
    looks = [tuple(corners[at : at + 4]) for at in range(0, len(corners), 4)]
    return any((right - left, bottom - top) != size for left, top, right, bottom in looks)


@pytest.mark.long
def test_the_detector_looks_as_the_plan_asks_while_it_is_searched(
    graph: LaunchSession, probe: GraphProbe
) -> None:
    curves = probe.listen(DetectionCurves, "detector/curves", STATE)
    needs = probe.listen(SearchNeed, "scan/need", STATE)
    states = probe.listen(ScanState, "scan/state", STATE)
    gimbal = probe.listen(GimbalState, "gimbal/state", DEEP)
    detections = probe.listen(Detections, "detections", DEEP)
    journals = probe.listen(ScanJournal, "scan/journal", QoSProfile(depth=2000))
    client = probe.action(Scan, "scan")
    probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
    probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
    assert not any(map(is_in_tiles, list(detections)))

    def offered() -> DetectionCurves | None:
        return next((one for one in list(curves) if len(one.way_names) == 3), None)

    ways = probe.wait_for(offered, "the ways of looking that are offered")
    assert list(ways.way_names) == ["full", "rotating", "tiles"]
    assert ways.way_gains[2] > ways.way_gains[0]

    # Without zoom what is far can be seen in tiles only, whatever they take.
    sent = client.send_goal(Scan.Goal(area=AREA, words=WORDS, zoom=1.0, wanted_pod=0.99))
    assert sent.accepted
    asked = probe.wait_for(
        lambda: next((one for one in list(needs) if one.looking not in ("", "full")), None),
        "the plan's way of looking",
        START_TIMEOUT_S,
    )
    words = {"tiles": "in all tiles of each picture", "rotating": "in tiles by turns"}
    told = probe.wait_for(
        lambda: next((one for one in list(states) if one.forecast), None), "the forecast"
    )
    assert words[asked.looking] in told.forecast
    assert told.planner == "probability"
    probe.wait_for(lambda: is_in_tiles(detections[-1]), "a picture in tiles", START_TIMEOUT_S)

    sent.cancel()
    sent.result()
    # What was asked holds for seconds, then the detector's own way is back.
    probe.wait_for(
        lambda: not any(map(is_in_tiles, list(detections)[-3:])), "whole pictures", START_TIMEOUT_S
    )
    check_heard_replay(list(journals), list(gimbal), list(detections))
    assert not [line for line in graph.lines if "Traceback" in line]
