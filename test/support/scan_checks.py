"""What must hold of a scan, whoever started the graph: refusals, evidence, the way to rest.

Shared by `test/test_scan_graph.py` and `test/launch/scan_test.py`; the world is that of seed 7.
"""

from __future__ import annotations

from action_msgs.msg import GoalStatus
from ros_actions import ActionProbe

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Bearing, Finding, ScanArea, TierResult

#: A slice of the world of seed 7 in which things and decoys stand.
AREA = ScanArea(yaw_min_rad=-0.5, yaw_max_rad=0.3, pitch_min_rad=0.15, pitch_max_rad=0.45)
WORDS = ["person", "tent", "vehicle", "boat"]


def check_refusals(client: ActionProbe) -> None:
    """Goals that cannot be carried out end at once, with the reason."""
    contradictory = ScanArea(yaw_min_rad=0.5, yaw_max_rad=-0.5, pitch_max_rad=0.4)
    many = ScanArea(bearings=[Bearing()] * 20_000)
    for goal, reason in (
        (Scan.Goal(area=AREA), "words: none is given"),
        (Scan.Goal(area=contradictory, words=WORDS), "area: yaw"),
        (Scan.Goal(area=AREA, words=WORDS, zoom=0.5), "zoom 0.5: allowed is 1 or more"),
        (Scan.Goal(area=AREA, words=WORDS, zoom=99.0), "zoom 99: allowed is 1.."),
        (Scan.Goal(area=many, words=WORDS), "area: 20000 bearings are too many, at most 5000"),
        (Scan.Goal(area=AREA, words=["unicorn"]), "'unicorn' is unknown; known: "),
    ):
        outcome = client.send_goal(goal).result(f"the end of the goal: {reason}")
        assert outcome.status == GoalStatus.STATUS_ABORTED
        assert reason in outcome.result.message


def check_evidence(finding: Finding) -> None:
    """A finding says what it rests on."""
    assert finding.revision >= 1
    assert finding.class_name in WORDS
    assert [tier.tier for tier in finding.tiers][:2] == [1, 2]
    second = finding.tiers[1]
    if second.verdict in (TierResult.VERDICT_YES, TierResult.VERDICT_NO):
        assert second.model == "demo_classifier.onnx"
        assert second.frames
    x_min, y_min, x_max, y_max = finding.best_box_xyxy
    assert x_max - x_min > 8
    assert y_max - y_min > 8
    assert len(finding.track_bearings) == len(finding.track_stamps) > 0
    # It stands in the area, or just beyond its edge, where the pictures of the edge show it.
    assert AREA.yaw_min_rad - 0.6 < finding.bearing.yaw_rad < AREA.yaw_max_rad + 0.6
