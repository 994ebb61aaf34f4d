"""What does not belong: how much of it is proposed, at how many proposals, and what a frame costs.

In simulated worlds stand things of odd colour that the demo's detector has no class for: barrels,
tarpaulins, rucksacks. The camera looks around as a sweep does. Twice: where nothing else stands
than plants and water, and in the demo's own worlds, whose persons, tents and vehicles have signal
colours, too; there the detector gives many odd things a name, which come after those without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.row import Row
from bench.stopwatch import medians_ms
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.proposer import Proposer
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.things import ODDITY_NAMES
from simulation_pkg.core.world.truth import View
from simulation_pkg.harness.robot import detector

_SEEDS = range(201, 207)  # no setting was chosen by these
_ODDITIES = 4
_YAWS_DEG = (-45.0, -15.0, 15.0, 45.0)
_PITCH_RAD = 0.42
_FOUND = 0.3  # intersection over the smaller of two boxes
_NAMED = 0.5  # score from which on the detector gives a name
ROWS = (
    "anomaly_ms",
    "anomaly_speedup",
    "anomaly_and_colours_ms",
    "anomaly_alone_proposed",
    "anomaly_alone_per_frame",
    "anomaly_alone_false_per_frame",
    "anomaly_unnamed_proposed",
    "anomaly_named_proposed",
    "anomaly_demo_proposed",
    "anomaly_demo_per_frame",
)


@dataclass
class _Tally:
    """Odd things shown whole, those that were proposed, and proposals."""

    frames: int = 0
    things: int = 0
    proposed: int = 0
    named: int = 0
    named_proposed: int = 0
    proposals: int = 0
    on_nothing: int = 0

    def add(self, view: View, boxes: NDArray[np.float32], named: NDArray[np.float32]) -> None:
        """Count a frame; `named`: boxes of what the detector is sure of."""
        truth = [one.box_xyxy for one in view.truth.objects]
        self.frames += 1
        self.proposals += len(boxes)
        self.on_nothing += sum(not _meets(box, truth) for box in boxes)
        for one in view.truth.objects:
            if one.class_name not in ODDITY_NAMES or one.visible < 0.98:
                continue
            is_named = _meets(np.array(one.box_xyxy), named)
            is_proposed = _meets(np.array(one.box_xyxy), boxes)
            self.things += 1
            self.proposed += is_proposed
            self.named += is_named
            self.named_proposed += is_named and is_proposed


def rows() -> Iterator[Row]:
    cv2.setNumThreads(1)
    yield from _times()
    alone, demo = _Tally(), _Tally()
    pipeline = detector()
    for seed in _SEEDS:
        for tally, per_class in ((alone, 0), (demo, WorldLayout(seed).per_class)):
            proposer = Proposer(ProposalSettings(propose_anomalies=True))
            for view in _views(seed, per_class):
                found = pipeline.process(view.image).detections if per_class else None
                boxes = proposer.propose(view.image, found).boxes_xyxy
                sure = np.empty((0, 4), np.float32) if found is None else _sure(found)
                tally.add(view, boxes, sure)
    share = alone.proposed / alone.things
    yield Row("anomaly_alone_proposed", share, "", goal=0.8, better="higher")
    yield Row("anomaly_alone_per_frame", alone.proposals / alone.frames, "", goal=3.0)
    yield Row("anomaly_alone_false_per_frame", alone.on_nothing / alone.frames, "")
    unnamed = (demo.proposed - demo.named_proposed) / max(demo.things - demo.named, 1)
    yield Row("anomaly_unnamed_proposed", unnamed, "", goal=0.8, better="higher")
    yield Row(
        "anomaly_named_proposed", demo.named_proposed / max(demo.named, 1), "", better="higher"
    )
    yield Row("anomaly_demo_proposed", demo.proposed / demo.things, "", better="higher")
    yield Row("anomaly_demo_per_frame", demo.proposals / demo.frames, "", goal=3.0)


def _times() -> Iterator[Row]:
    """A 1080p frame of a demo's world, reduction included; the NumPy twin beside it."""
    image = next(_views(_SEEDS[0], 3)).image
    twin = import_module("semantic_detection_pkg.detector.kernels.twins.proposals")
    settings = ProposalSettings(propose_anomalies=True)
    ours = partial(Proposer(settings).propose, image)
    theirs = partial(Proposer(settings, twin).propose, image)
    both = ProposalSettings(propose_anomalies=True, propose_colours=("yellow", "red", "blue"))
    colours = partial(Proposer(both).propose, image)
    ours_ms, theirs_ms, colours_ms = medians_ms(ours, theirs, colours, seconds=4.0)
    yield Row("anomaly_ms", ours_ms, "ms", goal=3.0, baseline=theirs_ms)
    yield Row("anomaly_speedup", theirs_ms / ours_ms, "x", better="higher", baseline=theirs_ms)
    yield Row("anomaly_and_colours_ms", colours_ms, "ms")


def _views(seed: int, per_class: int) -> Iterator[View]:
    rng = np.random.default_rng((seed, 41))
    world = build_world(WorldLayout(seed, per_class=per_class, oddities=_ODDITIES))
    effects = Effects(noise=float(rng.uniform(2.0, 4.0)))
    renderer = Renderer(world, Lens(1920, 1080), effects)
    for number, yaw_deg in enumerate(_YAWS_DEG):
        pose = CameraPose(math.radians(yaw_deg), _PITCH_RAD)
        yield renderer.render(pose, float(number), number)


def _sure(found: Detections) -> NDArray[np.float32]:
    return found.boxes_xyxy[found.scores >= _NAMED]


def _meets(box: NDArray[np.floating], others: object) -> bool:
    """Return whether a box and one of (n, 4) others share enough of the smaller of both."""
    boxes = np.asarray(others, np.float64).reshape(-1, 4)
    common = np.clip(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0, None)
    areas = np.minimum(np.prod(boxes[:, 2:] - boxes[:, :2], 1), np.prod(box[2:] - box[:2]))
    return bool((np.prod(common, 1) > _FOUND * areas).any())
