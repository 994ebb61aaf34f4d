"""A scan of a photograph: the product's controller, tracker, tiers and detector on real pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix
from semantic_detection_pkg.detector.core.need import NeedMap
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
from simulation_pkg.core.photo.labels import Box, Labels
from simulation_pkg.core.photo.render import PhotoRenderer
from simulation_pkg.core.scoring import box_iou
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.harness.rendered_scan import PicturedScan, to_ns
from simulation_pkg.harness.robot import PICTURE_DELAY_S, CameraRobot
from simulation_pkg.harness.scan_harness import START_NS

_LONGEST_S = 300.0
_NEAR = 0.5  # of a thing's size: so far beside its box a finding may point

#: What is searched for, by group: words of the labels, and of the models.
GROUPS: Mapping[str, frozenset[str]] = {
    "person": frozenset({"person"}),
    "vehicle": frozenset({"car", "van", "truck", "bus"}),
}


@dataclass(frozen=True)
class Mark:
    """What was said of a place in the photograph.

    Attributes:
        point: [px] of the photograph.
        class_name: of what is said to be there.
        kind: "found", "twice", "false", or "ignored" where nobody knows.
        thing: index of the label that it points at; -1: none.
    """

    point: tuple[float, float]
    class_name: str
    kind: str
    thing: int = -1


@dataclass(frozen=True)
class PhotoScore:
    """What came of one photograph, by group.

    Attributes:
        found: things that a finding points at.
        things: all that are there.
        false: findings that point at nothing of their group, ignored regions aside.
        doubles: findings of what was found before.
        elapsed_s: [s] of mission time.
        looks: inferences.
        marks: one for each finding.
    """

    found: Mapping[str, int]
    things: Mapping[str, int]
    false: int
    doubles: int
    elapsed_s: float
    looks: int = 1
    marks: tuple[Mark, ...] = ()


class PhotoScan(PicturedScan):
    """A controller before a photograph, without a classifier and a vision-language model.

    So Tier 1 decides: what the detector sees again from close up, frame after frame.
    """

    def __init__(
        self,
        photo: PhotoRenderer,
        lens: Lens,
        pipeline: DetectorPipeline,
        settings: ScanSettings | None = None,
    ) -> None:
        """Start at rest, looking at the middle."""
        settings = settings or ScanSettings()
        tiers = replace(
            settings.tiers, vlm_policy="never", vlm_unavailable_policy="lower", path_classes=()
        )
        super().__init__(CameraRobot(photo, lens), replace(settings, tiers=tiers))
        self._photo = photo
        self._pipeline = pipeline
        self.inferences = 0

    def scan(self, words: Sequence[str]) -> float:
        """Run a whole goal over all of the photograph; return how long it took. [s]"""
        width, height = (side / 2.0 for side in self._photo.extent_rad)
        area = Area(-width, width, -height, height)
        self.deliver(Goal("photo", area, tuple(words)), START_NS)
        while self.result is None and self.robot.now_s < _LONGEST_S:
            self.step()
        return self.robot.now_s

    def take_picture(self) -> None:
        """See `PicturedScan`; tiles are chosen by the scan's needs, as in the graph."""
        picture = self.robot.capture()
        coverage, needs, need = self.controller.coverage, self.controller.needs, None
        if coverage is not None and needs is not None:
            grid = coverage.yaw_min_rad, coverage.pitch_min_rad, coverage.cell_rad
            need = NeedMap(*grid, needs.astype(np.float32)).in_picture(picture.view)
        result = self._pipeline.process(picture.image, need)
        self.inferences += len(result.looks)
        frame = FrameDetections(
            to_ns(picture.stamp_s),
            result.detections,
            result.vocabulary,
            self._pipeline.info.name,
            looks=result.looks,
        )
        self.deliver(frame, to_ns(picture.stamp_s + PICTURE_DELAY_S))

    def choose_words(self, request: VocabularyRequest) -> VocabularyReply:
        """See `ScanHarness`."""
        words = self._pipeline.set_vocabulary(request.words)
        return VocabularyReply(request.request_id, True, "", words)

    def classify(self, request: InspectRequest) -> InspectionResult:
        """See `ScanHarness`; there is no classifier."""
        return InspectionResult(request.request_id, request.frame_ns)

    def ask(self, question: AskRequest) -> None:
        """See `ScanHarness`; nobody asks."""


def score_findings(scan: PhotoScan, photo: PhotoRenderer, labels: Labels) -> PhotoScore:
    """Compare the confirmed findings of a scan with what is truly in the photograph."""
    bearings = np.array([claim.bearing for claim in scan.claims]).reshape(-1, 2)
    marks: list[Mark] = []
    taken: set[int] = set()
    for claim, at in zip(scan.claims, photo.boxes_in_photo(bearings), strict=True):
        near = _near(at, _group_of(claim.class_name), labels)
        fresh = [index for index in near if index not in taken]
        taken.update(fresh[:1])
        thing = (*fresh, *near, -1)[0]
        kind = "found" if fresh else "twice" if near else _no_thing(at, labels)
        marks.append(Mark((float(at[0]), float(at[1])), claim.class_name, kind, thing))
    return _score(marks, labels, scan.robot.now_s, scan.inferences)


def score_boxes(
    names: Sequence[str], boxes_xyxy: NDArray[np.float32], labels: Labels, iou: float
) -> PhotoScore:
    """Compare boxes of one look, best first, with what is truly there, as data sets do."""
    marks: list[Mark] = []
    groups = np.array([_group_of(one.class_name) for one in labels.things])
    truth = np.array([one.box_xyxy for one in labels.things], np.float32).reshape(-1, 4)
    overlaps = box_iou(boxes_xyxy.reshape(-1, 4), truth)
    for name, box, row in zip(names, boxes_xyxy, overlaps, strict=True):
        group = _group_of(name)
        if not group:
            continue
        middle = ((box[:2] + box[2:]) / 2.0).astype(np.float64)
        row = np.where(groups == group, row, 0.0)
        kind, thing = _no_thing(middle, labels), -1
        if len(row) and row.max() >= iou:
            kind, thing = "found", int(row.argmax())
            overlaps[:, thing] = 0.0  # each thing once
        marks.append(Mark((float(middle[0]), float(middle[1])), name, kind, thing))
    return _score(marks, labels, 0.0, 1)


def _score(marks: Sequence[Mark], labels: Labels, elapsed_s: float, looks: int) -> PhotoScore:
    found = {
        group: sum(one.kind == "found" and one.class_name in words for one in marks)
        for group, words in GROUPS.items()
    }
    false, twice = (sum(one.kind == kind for one in marks) for kind in ("false", "twice"))
    return PhotoScore(found, _counts(labels), false, twice, elapsed_s, looks, tuple(marks))


def _group_of(class_name: str) -> str:
    return next((name for name, words in GROUPS.items() if class_name in words), "")


def _no_thing(point: Matrix, labels: Labels) -> str:
    """Return what a finding at a point is where no thing of its group is."""
    return "ignored" if any(_is_in(point, box, 0.0) for box in labels.ignored) else "false"


def _counts(labels: Labels) -> dict[str, int]:
    return {
        name: sum(one.class_name in words for one in labels.things)
        for name, words in GROUPS.items()
    }


def _near(point: Matrix, group: str, labels: Labels) -> list[int]:
    """Return things of a group that a point may mean, the nearest middle first."""
    candidates = []
    for index, one in enumerate(labels.things):
        if group and _group_of(one.class_name) == group and _is_in(point, one.box_xyxy, _NEAR):
            x0, y0, x1, y1 = one.box_xyxy
            offset = float(np.hypot(point[0] - (x0 + x1) / 2, point[1] - (y0 + y1) / 2))
            candidates.append((offset, index))
    return [index for _, index in sorted(candidates)]


def _is_in(point: Matrix, box: Box, margin: float) -> bool:
    x0, y0, x1, y1 = box
    beside_x, beside_y = margin * (x1 - x0), margin * (y1 - y0)
    return bool(
        x0 - beside_x <= point[0] <= x1 + beside_x and y0 - beside_y <= point[1] <= y1 + beside_y
    )
