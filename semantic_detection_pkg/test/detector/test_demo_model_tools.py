"""The measuring half of the demo model's training: average precision, labels, crops."""

import math

import numpy as np
import pytest
from demo_training.metrics import ClassTally, box_overlaps, match
from demo_training.samples import CROP_SIZE, PAD_VALUE, crop_square, label, letterbox
from demo_training.views import CLOSE_UP, HELD_OUT_SEEDS, SWEEP, TRAIN_SEEDS, shots

from semantic_detection_pkg.detector.core.letterbox import Letterbox
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer


@pytest.mark.parametrize(
    ("hits", "things", "expected"),
    [
        ([True, True], 2, 1.0),
        ([], 2, 0.0),
        ([False, False], 1, 0.0),
        ([True, False, True], 2, (51 * 1.0 + 50 * 2 / 3) / 101),  # recall 0.5 at precision 1
        ([True], 2, 51 / 101),  # half is never found
        ([False, True], 1, 0.5),
    ],
)
def test_average_precision_by_hand(hits, things, expected):
    scores = list(np.linspace(0.9, 0.1, len(hits)))
    assert ClassTally(scores, hits, things).average_precision() == pytest.approx(expected)


def test_no_things_have_no_average_precision():
    assert math.isnan(ClassTally().average_precision())
    assert math.isnan(ClassTally().recall(0.5))


@pytest.mark.parametrize(
    ("overlaps", "scores", "ignored", "hits", "things"),
    [
        ([[0.9], [0.8]], [0.5, 0.6], [False], [True, False], 1),  # found twice: one is wrong
        ([[0.4]], [0.9], [False], [False], 1),  # too little overlap
        ([[0.9]], [0.9], [True], [], 0),  # who finds an ignored thing does not count
        ([[0.9, 0.6]], [0.9], [True, False], [True], 1),  # what counts goes first
        (np.zeros((1, 0)), [0.9], [], [False], 0),
    ],
)
def test_matching(overlaps, scores, ignored, hits, things):
    tally = ClassTally()
    match(np.array(overlaps), np.array(scores), np.array(ignored, bool), tally)
    assert (tally.hits, tally.things) == (hits, things)


def test_overlaps():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], float)
    assert box_overlaps(boxes[:1], boxes)[0] == pytest.approx([1.0, 1 / 3, 0.0])


def test_the_training_letterbox_is_the_products():
    picture = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    canvas, gain, left, top = letterbox(picture)
    product = Letterbox(1280, 720, canvas.shape[1], canvas.shape[0])
    assert (left, top) == (product.left, product.top)
    assert gain == pytest.approx(0.5)
    assert (canvas[:top] == PAD_VALUE).all()
    assert canvas[top, 0].tolist() == pytest.approx(picture[:2, :2, ::-1].mean((0, 1)), abs=1)


@pytest.mark.parametrize("side", [40, 400])
def test_a_crop_is_centred_and_keeps_proportions(side):
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[360 - side // 2 : 360 + side // 2, 640 - side // 2 : 640 + side // 2] = (255, 0, 0)
    box = (640 - side / 2, 360 - side / 2, 640 + side / 2, 360 + side / 2)
    crop = crop_square(picture, box, 1.25)
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3)
    blue = np.nonzero(crop[CROP_SIZE // 2, :, 2] > 127)[0]
    assert len(blue) == pytest.approx(CROP_SIZE / 1.25, abs=2)
    assert (blue[0] + blue[-1]) / 2 == pytest.approx(CROP_SIZE / 2, abs=1.5)


def test_labels_belong_to_the_masks():
    lens = Lens()
    world = build_world(WorldLayout(3))
    renderer = Renderer(world, lens)
    taken = list(shots(world, lens, 2, 0, 4))
    assert [shot.level for shot in taken] == [SWEEP] * 2 + [CLOSE_UP] * 4
    for shot in taken:
        view = renderer.render(shot.pose, shot.time_s, shot.seed, has_ids=True)
        sample = label(view, shot)
        assert len(sample.boxes) == len(sample.classes) == len(sample.is_decoy) > 0
        assert sample.masks.max() <= len(sample.boxes)
        for index, (x0, y0, x1, y1) in enumerate(sample.boxes / 4):
            rows, columns = np.nonzero(sample.masks == index + 1)
            if rows.size:
                assert x0 - 1 <= columns.min()
                assert columns.max() <= x1 + 1
                assert y0 - 1 <= rows.min()
                assert rows.max() <= y1 + 1
        if shot.level == CLOSE_UP:
            assert any(seen.id == shot.target_id for seen in view.truth.objects)


def test_what_is_judged_was_not_trained_on():
    assert not set(TRAIN_SEEDS) & set(HELD_OUT_SEEDS)
