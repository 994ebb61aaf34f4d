"""What the demo's second look is trained and judged with: kinds, cuts, the judging of draws."""

from pathlib import Path

import numpy as np
import pytest
from demo_training.example_samples import (
    CUT_PX,
    EXAMPLE_SEEDS,
    FEATURE_SEEDS,
    LIKENESS_SEEDS,
    FrozenDetector,
    Head,
    Taken,
    made_up_world,
)
from demo_training.examples_evaluation import Looked, _draws, _figures, _Wanted
from demo_training.made_up import MadeUpKind
from demo_training.metrics import ClassTally
from demo_training.text_side import held_out

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.core.second_look import Likeness
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import ODDITY_NAMES

MODELS = Path(__file__).parents[3] / "models" / "demo"


def test_a_kind_is_its_number_and_its_things_differ():
    for number in range(40):
        kind, again = MadeUpKind(number), MadeUpKind(number)
        first, second = (kind.draw(np.random.default_rng(seed)) for seed in (1, 2))
        np.testing.assert_array_equal(first, again.draw(np.random.default_rng(1)))
        assert (first != second).any()
        assert first[..., 3].max() == 255
        assert (first[..., :3].max(axis=2) <= first[..., 3]).all()  # premultiplied
        assert 0.5 <= kind.width_m <= 3.6


@pytest.mark.parametrize("seed", [EXAMPLE_SEEDS[0], LIKENESS_SEEDS[0]])
def test_worlds_of_made_up_kinds_hold_none_that_the_demo_is_judged_by(seed):
    world, kinds = made_up_world(seed)
    names = {board.class_name for board in world.boards}
    assert not names & {*held_out()["kinds"], *ODDITY_NAMES}
    assert {kind.name for kind in kinds} & names
    renderer = Renderer(world, Lens(320, 180), drawings={kind.name: kind.draw for kind in kinds})
    assert renderer.render(CameraPose(0.0, 0.4)).image.shape == (180, 320, 3)


def test_worlds_and_kinds_of_each_purpose_are_its_own():
    rules = held_out()["rules"]
    judged = {
        seed
        for first, last in (rules["example_seeds"], rules["test_seeds"])
        for seed in range(first, last + 1)
    }
    purposes = [set(seeds) for seeds in (FEATURE_SEEDS, EXAMPLE_SEEDS, LIKENESS_SEEDS)] + [judged]
    assert len(set().union(*purposes)) == sum(map(len, purposes))
    trained, likeness = (
        {kind.name for kind in made_up_world(seeds[0])[1]}
        for seeds in (EXAMPLE_SEEDS, LIKENESS_SEEDS)
    )
    assert not trained & likeness


def test_the_frozen_detector_says_what_the_exported_one_sees():
    world, kinds = made_up_world(EXAMPLE_SEEDS[0])
    renderer = Renderer(world, Lens(), drawings={kind.name: kind.draw for kind in kinds})
    head = FrozenDetector(MODELS).look(renderer.render(CameraPose(0.0, 0.4)).image)
    assert head.features.shape == (5040, 64)
    assert np.bincount(head.levels).tolist() == [3840, 960, 240]
    assert (head.boxes[:, :2] <= head.boxes[:, 2:]).all()
    assert (head.boxes <= (1280, 720) * 2).all()


def test_cuts_are_things_by_name_and_ground():
    """What overlaps a thing a little is neither; a footpath has no box that shows what it is."""
    image = np.zeros((200, 200, 3), np.uint8)
    boxes = np.array([(0, 0, 40, 40), (100, 100, 140, 140), (60, 0, 100, 40), (0, 150, 40, 190)])
    features = np.array([[3.0], [2.5], [2.0], [1.0]], np.float32)
    head = Head(features, np.zeros(4, np.int64), boxes.astype(np.float32))
    there = np.array([(0, 0, 40, 38), (60, 20, 100, 60), (0, 150, 40, 190)], np.float32)
    taken = Taken()
    thing = {"w": np.ones((1, 1), np.float32), "b": np.zeros(1, np.float32)}
    taken.add_cuts(image, head, there, ["made_1", "made_2", "footpath"], thing)
    arrays = taken.arrays()
    assert arrays["names"].tolist() == ["made_1"]
    assert arrays["cuts"].shape == arrays["ground"].shape == (1, CUT_PX, CUT_PX, 3)


def looked(embeddings, names):
    """Things of 40 px in a row, each seen as one of these directions."""
    count = len(embeddings)
    boxes = np.array([(50 * n, 0, 50 * n + 40, 40) for n in range(count)], np.float32)
    things = Detections(1280, 720, np.zeros(count), np.ones(count), boxes)
    return Looked(things, np.array(embeddings, np.float32), boxes, names)


def test_draws_are_judged_by_hand():
    """Two rocks and a barrel that look alike, a boulder, which is neither right nor wrong."""
    rock, other = (1.0, 0.0), (0.0, 1.0)
    names = ["rock", "rock", "barrel", "decoy of tent", "barrel"]
    one = looked([rock, rock, rock, rock, other], names)
    shown = np.array([rock], np.float32)
    rng = np.random.default_rng(0)
    wanted = _Wanted("rock", ["decoy of tent"], 14.0, 0.6)
    found = _draws([one], shown, 1, wanted, Likeness(20.0, 0.5), rng)
    assert found == {"recall": 1.0, "default_recall": 1.0, "default_precision": 0.6667}
    strict = wanted._replace(precision=0.7, alike=[])
    found = _draws([one], shown, 1, strict, Likeness(20.0, 0.5), rng)
    assert found["default_precision"] == 0.5


def test_recall_is_the_greatest_at_the_precision():
    tally = ClassTally([0.9, 0.8, 0.7, 0.2], [True, False, True, True], 4)
    assert _figures(tally, 0.7) == (0.75, 0.5, pytest.approx(2 / 3))
    assert _figures(tally, 0.9)[0] == 0.25
    assert _figures(ClassTally([], [], 4), 0.7) == (0.0, 0.0, 0.0)
