"""Whole sweeps of unseen simulated worlds: what was looked at, and which things were reported.

The scan controller sweeps at its usual pace; candidates wait, so that nobody looks closer at what
was seen and so makes its probability of detection (POD) better than that of what was not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from measure_detector.records import Truth, match
from measure_detector.worlds import FAR_M
from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.optics import bearing
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.decisions import AskRequest, InspectRequest, VocabularyRequest
from semantic_detection_pkg.scan.core.inputs import (
    FrameDetections,
    Goal,
    InspectionResult,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import CLASS_NAMES, Board
from simulation_pkg.harness.rendered_scan import PicturedScan
from simulation_pkg.harness.robot import PICTURE_DELAY_S, CameraRobot
from simulation_pkg.harness.scan_harness import START_NS

_HEIGHT_M = (25.0, 60.0)
_PER_CLASS = 5
_HALF_YAW_RAD = math.radians(50.0)
_ZOOMS = (1.0, 1.0, 1.0, 2.0)
_FRAME_RATE_HZ = 5.0
_LONGEST_S = 90.0
_NEAR_RAD = math.radians(1.2)
_WHOLE = 0.98


def sweep_world(model: Path, seed: int) -> dict[str, Any]:
    """Sweep one world and return what a map of the POD needs to know, for JSON.

    Returns:
        `height_m`, `area` [rad], `looks`: [stamp_s, yaw, pitch, hfov, yaw rate, pitch rate, gain],
        and `things`: [class, yaw, pitch, best score in a frame, is a track].
    """
    cv2.setNumThreads(1)
    rng = np.random.default_rng((seed, 37))
    height_m, zoom = float(rng.uniform(*_HEIGHT_M)), float(rng.choice(_ZOOMS))
    layout = WorldLayout(
        seed,
        height_m,
        sector_rad=2.0 * _HALF_YAW_RAD,
        per_class=_PER_CLASS,
        plants=200,
        far_m=FAR_M,
    )
    top, bottom = (math.atan2(height_m, distance) for distance in (FAR_M, 30.0))
    area = Area(-_HALF_YAW_RAD, _HALF_YAW_RAD, top - 0.02, bottom + 0.02)
    with load_detector(model, threads=1) as detector:
        scan = _Sweep(build_world(layout), detector.pipeline, zoom)
        scan.run(area)
    return {
        "seed": seed,
        "height_m": round(height_m, 3),
        "area": [round(one, 6) for one in _edges(area)],
        "looks": scan.looks,
        "things": scan.things(area),
    }


def _edges(area: Area) -> tuple[float, float, float, float]:
    return area.yaw_min_rad, area.yaw_max_rad, area.pitch_min_rad, area.pitch_max_rad


class _Sweep(PicturedScan):
    """One sweep, without close looks."""

    def __init__(self, world: World, pipeline: DetectorPipeline, zoom: float) -> None:
        settings = ScanSettings()
        settings = replace(
            settings,
            sweep_zoom=zoom,
            sweep=replace(settings.sweep, frame_rate_hz=_FRAME_RATE_HZ),
            candidates=replace(settings.candidates, max_candidate_wait_s=3600.0),
        )
        lens = Lens()
        super().__init__(CameraRobot(Renderer(world, lens), lens), settings)
        self._min_score = settings.candidates.min_score
        self.looks: list[list[float]] = []
        self._world, self._pipeline = world, pipeline
        self._scores: dict[int, float] = {}
        self._tracks: dict[int, Track] = {}
        self._has_swept = False

    def run(self, area: Area) -> None:
        """Sweep the area once."""
        self.deliver(Goal("sweep", area, CLASS_NAMES), START_NS)
        while self.robot.now_s < _LONGEST_S and self.result is None:
            leaf = self.step().status.leaf
            for track in self.controller.tracks:
                if track.state is not TrackState.TENTATIVE:
                    self._tracks[track.id] = track
            self._has_swept = self._has_swept or leaf == "sweep area"
            if self._has_swept and leaf != "sweep area":
                return

    def things(self, area: Area) -> list[list[Any]]:
        """Return the things inside the area and what became of them."""
        found: list[list[Any]] = []
        for board in self._world.boards:
            if board.id == 0 or board.is_decoy:
                continue
            middle_m = board.height_m / 2 - self._world.layout.camera_height_m
            yaw, pitch = bearing(np.array([board.x_m, board.y_m, middle_m]))
            is_in = area.yaw_min_rad + 0.02 < yaw < area.yaw_max_rad - 0.02
            if not is_in or not area.pitch_min_rad < pitch < area.pitch_max_rad:
                continue
            near = any(self._is_of(track, board) for track in self._tracks.values())
            score = round(self._scores.get(board.id, 0.0), 3)
            found.append([board.class_name, round(yaw, 5), round(pitch, 5), score, near])
        return found

    def _is_of(self, track: Track, board: Board) -> bool:
        """Return whether a track is that of a thing, which may have walked."""
        if track.class_name != board.class_name or track.score_mean < self._min_score:
            return False
        x, y = board.foot((track.last_seen_ns - START_NS) * 1e-9)
        middle_m = board.height_m / 2 - self._world.layout.camera_height_m
        yaw, pitch = bearing(np.array([x, y, middle_m]))
        aside = (track.yaw_rad - yaw) * math.cos(pitch)
        return math.hypot(aside, track.pitch_rad - pitch) < _NEAR_RAD

    def take_picture(self) -> None:
        """See `PicturedScan`."""
        picture = self.robot.capture()
        result = self._pipeline.process(picture.image)
        found = result.detections
        gain = max(look.gain for look in result.looks)
        at, view = self.robot.gimbal, picture.view
        told = [picture.stamp_s, view.yaw_rad, view.pitch_rad, view.hfov_rad]
        told += [at.yaw_rate_rad_s, at.pitch_rate_rad_s, gain]
        self.looks.append([round(one, 5) for one in told])
        for class_id, name in enumerate(result.vocabulary):
            seen = [one for one in picture.truth.objects if one.class_name == name]
            wanted = [not one.is_decoy and one.visible >= _WHOLE for one in seen]
            truth = Truth(
                tuple(one.id for one in seen),
                np.array([one.box_xyxy for one in seen]).reshape(-1, 4),
                np.array(wanted, bool),
                np.zeros((0, 4)),
            )
            rows = found.class_ids == class_id
            scores, _ = match(found.boxes_xyxy[rows], found.scores[rows], truth, gain)
            for one, score in zip(seen, scores.tolist(), strict=True):
                self._scores[one.id] = max(self._scores.get(one.id, 0.0), score)
        frame = FrameDetections(
            START_NS + round(picture.stamp_s * 1e9),
            found,
            result.vocabulary,
            self._pipeline.info.name,
            looks=result.looks,
        )
        self.deliver(frame, frame.stamp_ns + round(PICTURE_DELAY_S * 1e9))

    def choose_words(self, request: VocabularyRequest) -> VocabularyReply:
        """See `ScanHarness`."""
        return VocabularyReply(request.request_id, True, "", self._pipeline.vocabulary)

    def classify(self, request: InspectRequest) -> InspectionResult:
        """See `ScanHarness`; nobody asks."""
        return InspectionResult(request.request_id, request.frame_ns)

    def ask(self, question: AskRequest) -> None:
        """See `ScanHarness`; nobody asks."""
