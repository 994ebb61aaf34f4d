"""The demo finds a kind that it has no word for by one example, in a world that nothing knows."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from demo_training.metrics import box_overlaps
from demo_training.samples import renderer_of
from demo_training.views import APPROACH, shots

from semantic_detection_pkg.detector.backends.loading import load_detector
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world

MODELS = Path(__file__).parents[3] / "models" / "demo"
SEED, EXAMPLE_SEED = 9101, 9102  # neither trained on nor part of the evaluation
KIND = "tarpaulin"


def views(seed):
    """Approaches of a world with oddities that show the kind: pictures, boxes of it [px]."""
    world = build_world(WorldLayout(seed, oddities=18))
    renderer = renderer_of(world, Lens())
    for shot in shots(world, Lens(), 0, 40, 0):
        if shot.level != APPROACH:
            continue
        view = renderer.render(shot.pose, shot.time_s, shot.seed)
        boxes = [
            seen.box_xyxy
            for seen in view.truth.objects
            if seen.class_name == KIND and seen.visible > 0.9
        ]
        if boxes:
            yield view.image, np.array(boxes, np.float32)


@pytest.fixture(scope="module", params=["demo_detector.onnx", "demo_detector.fast.onnx"])
def detector(request):
    with load_detector(MODELS / request.param, threads=1, words=["tent", "boat"]) as loaded:
        yield loaded


def test_a_kind_is_found_by_one_example(detector):
    """At the default confidence; the full evaluation is in models/demo/evaluation.md."""
    image, boxes = next(views(EXAMPLE_SEED))
    embedding = detector.embed_example("sheet", image, boxes[0].tolist())
    assert detector.pipeline.add_example("sheet", embedding) == ("tent", "boat", "sheet")
    things = right = told = 0
    for picture, wanted in views(SEED):
        result = detector.pipeline.process(picture)
        found = result.detections.boxes_xyxy[result.detections.class_ids == 2]
        overlaps = box_overlaps(found, wanted)
        things, told = things + len(wanted), told + len(found)
        right += int((overlaps.max(axis=0, initial=0.0) >= 0.5).sum())
    assert things >= 8
    assert right / things >= 0.4
    assert right / told >= 0.4


def test_no_word_loses_anything_by_an_example(detector):
    image, boxes = next(views(EXAMPLE_SEED))
    detector.set_vocabulary(["tent", "boat"])
    pictures = [picture for picture, _ in itertools.islice(views(SEED), 5)]
    before = [detector.pipeline.process(picture).detections for picture in pictures]
    detector.pipeline.add_example("sheet", detector.embed_example("sheet", image, boxes[0]))
    for picture, one in zip(pictures, before, strict=True):
        after = detector.pipeline.process(picture).detections
        after = after.take(after.class_ids < 2)
        np.testing.assert_array_equal(after.boxes_xyxy, one.boxes_xyxy)
        np.testing.assert_array_equal(after.scores, one.scores)
