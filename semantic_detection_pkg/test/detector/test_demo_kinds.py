"""Worlds of many kinds, and the branch for examples: what the training must keep apart."""

import math

import numpy as np
from demo_training.kind_samples import TRAIN_SEEDS, VALIDATION_SEEDS, kind_views, labelled
from demo_training.kinds import (
    HELD_OUT,
    HELD_OUT_KINDS,
    TRAINING,
    VALIDATION,
    kind_of,
    kinds_world,
    made_up_looks,
)
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH


def kinds_in(world) -> set[str]:
    return {kind_of(board) for board in world.boards}


def test_no_held_out_kind_stands_in_a_world_for_training():
    test = kinds_in(kinds_world(53000))
    assert set(HELD_OUT_KINDS) <= test
    for seed, made_up in ((TRAIN_SEEDS[0], TRAINING), (VALIDATION_SEEDS[0], VALIDATION)):
        kinds = kinds_in(kinds_world(seed, made_up))
        made = {kind for kind in kinds if kind.startswith("made_up")}
        assert not kinds & set(HELD_OUT_KINDS)
        assert 5 <= len(made) <= made_up.per_world
        assert {int(kind.removeprefix("made_up_")) for kind in made} <= set(made_up.numbers)
        assert not kinds & made_up_looks().keys() - made


def test_training_validation_and_test_have_kinds_and_worlds_of_their_own():
    rules = HELD_OUT["rules"]
    assert not set(TRAINING.numbers) & set(VALIDATION.numbers)
    seeds = [set(TRAIN_SEEDS), set(VALIDATION_SEEDS)]
    for ends in ("example_seeds", "test_seeds"):
        seeds.append(set(range(rules[ends][0], rules[ends][1] + 1)))
    assert sum(map(len, seeds)) == len(set().union(*seeds))


def test_things_of_a_made_up_kind_are_alike_and_not_equal():
    looks = made_up_looks()
    for name in ("made_up_3", "made_up_17"):
        one, other = (looks[name](np.random.default_rng(seed)) for seed in (0, 1))
        again = looks[name](np.random.default_rng(0))
        np.testing.assert_array_equal(one, again)
        assert (one != other).any()
        covered = [image[..., 3] > 128 for image in (one, other)]
        assert (covered[0] & covered[1]).sum() / (covered[0] | covered[1]).sum() > 0.5


def test_a_part_of_a_picture_has_its_own_boxes():
    _, view, names = next(iter(kind_views(TRAIN_SEEDS[0], (0, 1, 0), 1, TRAINING)))
    whole = labelled(view, names)
    part = labelled(view, names, (320, 180, 320 + INPUT_WIDTH, 180 + INPUT_HEIGHT))
    assert part.image.shape == whole.image.shape == (INPUT_HEIGHT, INPUT_WIDTH, 3)
    np.testing.assert_array_equal(
        part.image, view.image[180 : 180 + INPUT_HEIGHT, 320 : 320 + INPUT_WIDTH, ::-1]
    )
    for kind, box in zip(part.kinds, part.boxes, strict=True):
        at = (box + np.array((320, 180, 320, 180))) / 2 + (0, 12, 0, 12)
        off = [
            np.abs(at - other).max()
            for name, other in zip(whole.kinds, whole.boxes, strict=True)
            if name == kind and math.isclose(other[2] - other[0], at[2] - at[0], abs_tol=1.0)
        ]
        is_cut = min(box[:2].min(), INPUT_WIDTH - box[2], INPUT_HEIGHT - box[3]) < 1.0
        assert is_cut or min(off) < 1.0
