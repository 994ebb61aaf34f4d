"""A blackboard with a mission on which single behaviours of the scan's tree are ticked."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from py_trees.common import Status

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.behaviours import sweep
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.decision_builder import DecisionBuilder
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading, Goal
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.search import Search
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import AREA

S = 1_000_000_000
AGAIN = "again"  # RUNNING, and the tree is ticked once more in this step
PIXELS = (1280, 720)


class BehaviourHarness:
    """Ticks single behaviours on a blackboard with a mission."""

    def __init__(self, has_mission: bool = True, is_planned: bool = True, **goal: Any) -> None:
        self.blackboard = Blackboard(ScanSettings())
        self.now_s = 100.0
        self.add_inputs()
        if has_mission:
            asked = {"goal_id": "g", "area": AREA, "words": ("person",), **goal}
            self.blackboard.mission = Mission(
                self.blackboard.now_ns, Goal(**asked), self.blackboard.settings
            )
        if has_mission and is_planned:
            self.mission.words.vocabulary = ("person",)
            assert self.tick(sweep.PrepareSearch) is Status.SUCCESS

    def add_inputs(
        self,
        yaw: float = 0.0,
        pitch: float = 0.3,
        zoom: float = 1.0,
        link: str = "up",
        boxes: Sequence[tuple[float, float, float, float]] = (),
    ) -> None:
        """Add a gimbal reading and a frame; the boxes show persons."""
        blackboard = self.blackboard
        self.now_s += 0.1
        blackboard.now_ns = round(self.now_s * S)
        hfov = 2 * math.atan(math.tan(math.radians(31.0)) / zoom)
        reading = GimbalReading(
            blackboard.now_ns, yaw, pitch, zoom=zoom, zoom_max=6.0, hfov_rad=hfov, link=link
        )
        picture = Detections(
            *PIXELS,
            np.zeros(len(boxes), np.uint16),
            np.full(len(boxes), 0.8, np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
        )
        frame = FrameDetections(blackboard.now_ns, picture, ("person",), "net")
        blackboard.picture_size = PIXELS
        blackboard.watchdog.note_input(blackboard.now_ns, reading)
        blackboard.watchdog.note_input(blackboard.now_ns, frame)
        blackboard.poses.add(reading)
        if blackboard.mission is not None:
            blackboard.mission.add_frame(frame, blackboard.poses)
        blackboard.decision = DecisionBuilder()

    def add_person(self, side_px: float = 30.0, **pose: Any) -> None:
        """Add frames with a person in the centre until it is a candidate."""
        half = side_px / 2
        box = (640 - half, 360 - half, 640 + half, 360 + half)
        for _ in range(4):
            self.add_inputs(boxes=[box], **pose)

    @property
    def mission(self) -> Mission:
        assert self.blackboard.mission is not None
        return self.blackboard.mission

    @property
    def search(self) -> Search:
        assert self.mission.search is not None
        return self.mission.search

    def tick(self, behaviour: type) -> Status | str:
        """Tick one behaviour once; return its status, or `AGAIN`."""
        self.blackboard.wants_tick = False
        status = behaviour(self.blackboard).update()
        return AGAIN if self.blackboard.wants_tick else status
