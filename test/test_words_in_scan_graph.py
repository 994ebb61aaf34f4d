"""A box that is drawn while a scan flies: looked for from then on, by the same scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import text_encoders
from launch_runner import LaunchSession
from rclpy.qos import QoSProfile, ReliabilityPolicy
from replay_checks import check_heard_replay
from ros_graph import GraphProbe
from scan_checks import AREA
from scan_graph import write_scan_launch

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Coverage, Detections, GimbalState, ScanJournal, ScanState
from interfaces_pkg.srv import AddExample, SetVocabulary
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.journal import inputs_from_json

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
START_TIMEOUT_S = 90.0
DEEP = QoSProfile(depth=4000, reliability=ReliabilityPolicy.BEST_EFFORT)
#: Of 10 in a second: longer than a mission takes to tell a detector its own words again.
FRAMES = 40


def test_an_example_in_a_scan_is_looked_for_by_that_scan(tmp_path: Path, probe: GraphProbe) -> None:
    model = text_encoders.prompt_model_with_text(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = (255, 0, 255)
    cv2.imwrite(str(pictures / "boot.png"), picture)
    launch = tmp_path / "scan.launch.yaml"
    write_scan_launch(
        launch,
        {"planner": "sweep", "min_score": 1.0},  # nothing is worth a closer look
        source=f"images:{pictures}?loop=1&rate=10",
        detector={"model": str(model), "classes": ["red"]},
        has_classifier=False,
    )
    found = probe.listen(Detections, "detections", DEEP)
    gimbal = probe.listen(GimbalState, "gimbal/state", DEEP)
    journals = probe.listen(ScanJournal, "scan/journal", QoSProfile(depth=4000))
    states = probe.listen(ScanState, "scan/state", STATE)
    maps = probe.listen(Coverage, "scan/coverage", STATE)

    def is_by_scan(words: list[str]) -> Callable[[], bool]:
        return lambda: (
            bool(states) and list(states[-1].words) == words and words == list(found[-1].vocabulary)
        )

    with LaunchSession(launch) as session:
        session.wait_for_start("scan_controller")
        probe.wait_for(lambda: len(found) > 2, "detections", START_TIMEOUT_S)
        probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
        sent = probe.action(Scan, "scan").send_goal(
            Scan.Goal(area=AREA, words=["red"], repeat=True)
        )
        assert sent.accepted
        probe.wait_for(lambda: maps and any(maps[-1].results), "something that was seen")

        taken = probe.call(
            AddExample,
            "detector/add_example",
            AddExample.Request(
                name="boot", frame=found[-1].header.stamp, box_xyxy=[16.0, 16.0, 48.0, 48.0]
            ),
        )
        assert taken.success, taken.message
        probe.wait_for(is_by_scan(["red", "boot"]), "the scan looks for both")
        probe.wait_for(
            lambda: [one.class_name for one in maps[-1].classes] == ["red", "boot"],
            "the POD of both",
        )
        told, count = len(journals), len(found)
        probe.wait_for(lambda: len(found) >= count + FRAMES, "more frames")
        assert is_by_scan(["red", "boot"])()
        assert not [one for one in journals[told:] if '"words":["red"]' in one.decision]

        answer = probe.call(
            SetVocabulary, "detector/set_vocabulary", SetVocabulary.Request(words=["boot"])
        )
        assert answer.success
        assert answer.words_since != Detections().words_since
        probe.wait_for(is_by_scan(["boot"]), "the scan looks for boots alone")
        assert states[-1].goal_id == sent.goal_id
        sent.cancel()
        sent.result()
        check_heard_replay(list(journals), list(gimbal), list(found))
    causes = [
        one.cause
        for journal in journals
        for one in inputs_from_json(journal.inputs).others
        if isinstance(one, WordsInForce)
    ]
    assert causes[-2:] == ["shown", "set"]
