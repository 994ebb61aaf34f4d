"""Looks at things in simulated worlds: many sizes, sharp and blurred, again and again.

In each world the camera visits some things, each several times with half a minute between, and once
while it turns so fast that the picture is blurred. A visit is a few frames, as of a sweep.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from measure_detector.records import ClassRecord, Look, Truth, match
from semantic_detection_pkg.common.core.optics import bearing
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from simulation_pkg.core.world.geometry import CameraPose, Lens, image_velocity
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.truth import View

FAR_M = 400.0
_HEIGHT_M = (20.0, 60.0)
_PER_CLASS = 8
_ZOOM = (1.0, 8.0)
_AIMS = 7  # things that are visited, in each world
_VISITS = 3
_FRAMES = 3
_FRAME_S = 0.1
_PAUSE_S = 30.0
_SMEARS_PX = (1.5, 3.0, 6.0, 12.0)  # [px] of the network's input
_WHOLE = 0.98  # share of a box inside the picture from which a thing is wanted
_NAMES_APART = 1000  # visits of one aim are numbered from here on


@dataclass(frozen=True)
class Job:
    """One world, and with what it is looked at."""

    model: Path
    seed: int
    confidence: float
    tiles: str


@dataclass(frozen=True)
class _Shot:
    visit: int
    pose: CameraPose
    time_s: float
    seed: int


def measure_worlds(
    model: Path, seeds: Sequence[int], confidence: float, tiles: str, workers: int
) -> Iterator[dict[str, ClassRecord]]:
    """Yield the records of each world; classes that the model does not know are left out."""
    jobs = [Job(model, seed, confidence, tiles) for seed in seeds]
    if workers < 2:
        yield from map(measure_world, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(measure_world, jobs)


def measure_world(job: Job) -> dict[str, ClassRecord]:
    """Return the records of one world by class."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng((job.seed, 31))
    layout = WorldLayout(
        job.seed, float(rng.uniform(*_HEIGHT_M)), per_class=_PER_CLASS, plants=250, far_m=FAR_M
    )
    world, lens = build_world(layout), Lens()
    renderer = Renderer(world, lens, Effects(noise=float(rng.uniform(2.0, 4.0))))
    records: dict[str, ClassRecord] = {}
    with load_detector(
        job.model,
        threads=1,
        settings=DetectorSettings(confidence_threshold=job.confidence),
        tiling=TileSettings(job.tiles),
    ) as detector:
        for shot in _shots(world, lens, rng):
            view = renderer.render(shot.pose, shot.time_s, shot.seed)
            _add(records, view, detector.pipeline, lens, shot, job.seed)
    return records


def _shots(world: World, lens: Lens, rng: np.random.Generator) -> Iterator[_Shot]:
    things = [board for board in world.boards if board.id > 0 and not board.is_decoy]
    number = 0
    for aim, index in enumerate(rng.permutation(len(things))[:_AIMS]):
        thing = things[int(index)]
        x, y = thing.foot(0.0)
        yaw, pitch = bearing(np.array([x, y, thing.height_m / 2 - world.layout.camera_height_m]))
        zoom = math.exp(rng.uniform(math.log(_ZOOM[0]), math.log(_ZOOM[1])))
        beside = lens.hfov_rad(zoom) * rng.uniform(-0.3, 0.3, 2) * (1.0, 0.5)
        for visit in range(_VISITS + 1):
            begin_s = visit * _PAUSE_S + float(rng.uniform(0.0, 5.0))
            smear_px = float(rng.choice(_SMEARS_PX)) if visit == _VISITS else 0.0
            rate = smear_px / (lens.exposure_s * lens.focal_px(zoom)) * lens.width / 640.0
            drift = float(rng.uniform(-0.02, 0.02)) * lens.hfov_rad(zoom)
            for frame in range(_FRAMES):
                number += 1
                yield _Shot(
                    _NAMES_APART * aim + visit,
                    CameraPose(
                        yaw + beside[0] + drift * frame,
                        min(max(pitch + beside[1], 0.02), 1.5),
                        zoom=zoom,
                        yaw_rate_rad_s=rate,
                    ),
                    begin_s + _FRAME_S * frame,
                    number,
                )


def _add(
    records: dict[str, ClassRecord],
    view: View,
    pipeline: DetectorPipeline,
    lens: Lens,
    shot: _Shot,
    seed: int,
) -> None:
    result = pipeline.process(view.image)
    found = result.detections
    gain = max(look.gain for look in result.looks)
    smear_px = lens.exposure_s * math.hypot(*image_velocity(lens, shot.pose)) * gain
    for class_id, name in enumerate(result.vocabulary):
        seen = [one for one in view.truth.objects if one.class_name == name]
        truth = Truth(
            tuple(one.id for one in seen),
            np.array([one.box_xyxy for one in seen]).reshape(-1, 4),
            np.array([not one.is_decoy and one.visible >= _WHOLE for one in seen], bool),
            np.zeros((0, 4)),
        )
        rows = found.class_ids == class_id
        scores, false = match(found.boxes_xyxy[rows], found.scores[rows], truth, gain)
        record = records.setdefault(name, ClassRecord())
        if smear_px < 0.5:
            record.pictures += 1
            record.false_scores += false
        for row in np.flatnonzero(truth.is_wanted):
            box = truth.boxes_xyxy[row]
            size_px = float((box[2:] - box[:2]).max()) * gain
            record.looks.append(
                Look(seed, truth.things[row], shot.visit, size_px, smear_px, float(scores[row]))
            )
