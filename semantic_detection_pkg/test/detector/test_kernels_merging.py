"""Looks put together: a table of cases, the compiled version against its twin, outlines."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin, versions

from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.kernels.merging import PART, SEEN_AGAIN, Merger, MergeRule

SIZE = (200, 100)
# Two tiles side by side, 20 px of overlap; two below them; the whole picture.
LEFT, RIGHT, LEFT_BELOW, RIGHT_BELOW, WHOLE = range(5)
REGIONS = np.array(
    [(0, 0, 110, 60), (90, 0, 200, 60), (0, 40, 110, 100), (90, 40, 200, 100), (0, 0, 200, 100)],
    np.float32,
)
RULE = MergeRule(0.5, 0.8)


def group(version, seen, rule=RULE, regions=REGIONS):
    """`seen`: (look, box, score, label) of each detection; things and roles as lists."""
    looks, boxes, scores, labels = zip(*seen, strict=True)
    groups = Merger(version).group(
        np.array(boxes, np.float32),
        np.array(scores, np.float32),
        np.array(labels),
        np.array(looks),
        regions,
        np.ones(len(regions), np.float32),
        SIZE,
        rule,
    )
    return groups.things.tolist(), groups.roles.tolist()


CASES = {
    "cut by a vertical edge: joined": (
        [(LEFT, (80, 20, 110, 30), 0.6, 0), (RIGHT, (90, 20, 130, 31), 0.5, 0)],
        [0, 0],
        [PART, PART],
    ),
    "cut by a horizontal edge: joined": (
        [(LEFT, (20, 30, 40, 60), 0.6, 0), (LEFT_BELOW, (20, 40, 41, 80), 0.5, 0)],
        [0, 0],
        [PART, PART],
    ),
    "at the corner of four tiles: joined from all": (
        [
            (LEFT, (80, 30, 110, 60), 0.9, 0),
            (RIGHT, (90, 30, 120, 60), 0.8, 0),
            (LEFT_BELOW, (80, 40, 110, 70), 0.7, 0),
            (RIGHT_BELOW, (90, 40, 120, 70), 0.6, 0),
        ],
        [0, 0, 0, 0],
        [PART] * 4,
    ),
    "seen whole and in a tile: the tile's, whatever the scores": (
        [(WHOLE, (20, 20, 30, 30), 0.9, 0), (LEFT, (21, 20, 30, 30), 0.4, 0)],
        [0, 0],
        [SEEN_AGAIN, PART],
    ),
    "seen whole and cut by a tile: the whole's": (
        [(WHOLE, (60, 20, 180, 40), 0.4, 0), (LEFT, (61, 20, 110, 40), 0.9, 0)],
        [0, 0],
        [PART, SEEN_AGAIN],
    ),
    "seen whole by two tiles: the better one's": (
        [(LEFT, (92, 20, 100, 30), 0.5, 0), (RIGHT, (93, 20, 101, 30), 0.7, 0)],
        [0, 0],
        [SEEN_AGAIN, PART],
    ),
    "cut by one tile, whole in the other: left to the other": (
        [(LEFT, (95, 20, 110, 30), 0.9, 0), (RIGHT, (95, 20, 114, 30), 0.4, 0)],
        [-1, 0],
        [SEEN_AGAIN, PART],
    ),
    "cut by one tile, where the other sees all and says nothing: left to the other": (
        [(LEFT, (95, 20, 110, 30), 0.9, 0)],
        [-1],
        [SEEN_AGAIN],
    ),
    "cut and longer than the overlap, with nothing beyond: kept as it is": (
        [(LEFT, (60, 20, 110, 30), 0.9, 0)],
        [0],
        [PART],
    ),
    "cut at the right by one, below by the other: joined": (
        [(LEFT, (70, 20, 110, 52), 0.6, 0), (RIGHT_BELOW, (90, 40, 120, 52), 0.7, 0)],
        [0, 0],
        [PART, PART],
    ),
    "two persons side by side: two": (
        [(LEFT, (92, 20, 98, 40), 0.9, 0), (RIGHT, (98, 20, 104, 40), 0.8, 0)],
        [0, 1],
        [PART, PART],
    ),
    "two cut at facing edges, but one above the other: two": (
        [(LEFT, (80, 20, 110, 30), 0.6, 0), (RIGHT, (90, 31, 130, 41), 0.5, 0)],
        [0, 1],
        [PART, PART],
    ),
    "a person inside a vehicle: two": (
        [(LEFT, (20, 20, 40, 40), 0.9, 1), (LEFT, (24, 22, 32, 38), 0.8, 0)],
        [0, 1],
        [PART, PART],
    ),
    "cut parts of different classes: two": (
        [(LEFT, (80, 20, 110, 30), 0.6, 0), (RIGHT, (90, 20, 130, 30), 0.5, 1)],
        [0, 1],
        [PART, PART],
    ),
    "the same box named twice: the better name": (
        [(LEFT, (20, 20, 40, 40), 0.5, 1), (LEFT, (20, 20, 40, 41), 0.6, 2)],
        [0, 0],
        [SEEN_AGAIN, PART],
    ),
    "a rider and his motorbike: two": (
        [(LEFT, (20, 20, 40, 50), 0.5, 0), (LEFT, (20, 28, 42, 52), 0.6, 2)],
        [1, 0],
        [PART, PART],
    ),
}


@pytest.mark.parametrize("version", versions("merging"))
@pytest.mark.parametrize("case", CASES)
def test_the_table_of_cases(version, case):
    seen, things, roles = CASES[case]

    assert group(version, seen) == (things, roles)


@pytest.mark.parametrize("version", versions("merging"))
@pytest.mark.parametrize("scores", [*itertools.permutations((0.9, 0.8, 0.3))])
def test_ends_that_the_middle_connects_are_one_thing(version, scores):
    """Each end is a thing of its own until the middle, of whatever rank, comes between them."""
    row = np.array([(0, 0, 80, 100), (60, 0, 140, 100), (120, 0, 200, 100)], np.float32)
    boxes = [(40, 20, 80, 50), (60, 20, 140, 50), (120, 20, 170, 50)]
    seen = [(look, box, scores[look], 0) for look, box in enumerate(boxes)]

    assert group(version, seen, regions=row) == ([0, 0, 0], [PART] * 3)


@pytest.mark.parametrize("version", versions("merging"))
def test_classes_do_not_matter_where_nobody_asks_for_them(version):
    seen = [(LEFT, (92, 20, 100, 30), 0.5, 0), (RIGHT, (93, 20, 101, 30), 0.7, 1)]

    assert group(version, seen)[0] == [1, 0]
    assert group(version, seen, MergeRule(0.5, 0.8, is_agnostic=True))[0] == [0, 0]


@pytest.mark.parametrize("version", versions("merging"))
def test_nothing_gives_nothing(version):
    empty = np.empty(0, np.float32)
    whole = np.empty(0, np.intp)

    groups = Merger(version).group(
        empty.reshape(0, 4), empty, whole, whole, REGIONS, np.ones(5, np.float32), SIZE, RULE
    )

    assert (len(groups.things), len(groups.roles)) == (0, 0)


def crowd(seed: int, count: int, tiles: int):
    """Boxes of things that lie in several tiles of a row, cut at the tiles' edges."""
    random = np.random.default_rng(seed)
    width = 40 * tiles
    regions = [(40 * i - 10 * (i > 0), 0, 40 * i + 40, 60) for i in range(tiles)]
    regions.append((0, 0, width, 60))
    seen = []
    for _ in range(count):
        x, y = random.uniform(0, width - 30), random.uniform(0, 30)
        w, h = random.uniform(4, 30, 2)
        for look, (x0, y0, x1, y1) in enumerate(regions):
            left, right = max(x, x0), min(x + w, x1)
            if right - left > 2 and random.random() < 0.8:
                jitter = random.normal(0, 0.5, 4) * (random.random() < 0.7)
                box = np.clip(np.array((left, y, right, y + h)) + jitter, 0, (x1, y1) * 2)
                box[:2] = np.maximum(box[:2], (x0, y0))
                box[2:] = np.maximum(box[2:], box[:2])
                seen.append((look, box, random.uniform(0.1, 1), random.integers(0, 3)))
    return seen, np.array(regions, np.float32), (width, 60)


@needs_compiled
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 6), st.booleans())
def test_the_compiled_version_equals_the_twin(seed, count, tiles, is_agnostic):
    seen, regions, size = crowd(seed, count, tiles)
    if not seen:
        return
    looks, boxes, scores, labels = (np.array(values) for values in zip(*seen, strict=True))
    found = [
        Merger(version("merging")).group(
            boxes.astype(np.float32),
            scores.astype(np.float32),
            labels,
            looks,
            regions,
            np.full(len(regions), 0.5, np.float32),
            size,
            MergeRule(0.5, 0.8, is_agnostic),
        )
        for version in (compiled, twin)
    ]

    np.testing.assert_array_equal(found[0].things, found[1].things)
    np.testing.assert_array_equal(found[0].roles, found[1].roles)


@pytest.mark.parametrize("version", versions("merging"))
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"boxes_xyxy": np.zeros((2, 4), np.float32)}, "boxes"),
        ({"boxes_xyxy": np.full((1, 4), np.nan, np.float32)}, "boxes"),
        ({"regions": np.zeros((2, 3), np.float32)}, "regions"),
        ({"labels": np.zeros(3, np.intp)}, "labels"),
        ({"looks": np.array([7])}, r"looks must be in 0\.\.4"),
    ],
)
def test_other_arguments_are_refused(version, change, what):
    arguments = {
        "boxes_xyxy": np.zeros((1, 4), np.float32),
        "scores": np.ones(1, np.float32),
        "labels": np.zeros(1, np.intp),
        "looks": np.zeros(1, np.intp),
        "regions": REGIONS,
        "margins": np.ones(5, np.float32),
        "size": SIZE,
        "rule": RULE,
    }

    with pytest.raises(ValueError, match=f"merging: .*{what}|merging: {what}"):
        Merger(version).group(**arguments | change)


def ring(*corners):
    return np.array(corners, np.float32)


def rectangle(x0, y0, x1, y1):
    """Clockwise as on the screen: what is inside lies at the right hand."""
    return ring((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def flat(*rings):
    points = np.concatenate(rings) if rings else np.empty((0, 2), np.float32)
    return points, np.array([len(one) for one in rings], np.intp)


@pytest.mark.parametrize("version", versions("merging"))
def test_two_halves_become_one_outline(version):
    points, sizes = Merger(version).join_rings(
        flat(rectangle(10, 10, 50, 30)), flat(rectangle(40, 11, 80, 29)), 0, 45.0
    )

    assert len(sizes) == 1
    mask = fill(points, sizes, 100, 40)
    expected = np.zeros((40, 100), bool)
    expected[10:30, 10:45] = True
    expected[11:29, 45:80] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("version", versions("merging"))
@pytest.mark.parametrize("axis", [0, 1])
def test_holes_and_islands_stay_what_they_are(version, axis):
    """A hole across the seam, an island on each side, one beyond the other's part."""
    outer, hole = rectangle(10, 10, 60, 50), rectangle(30, 20, 50, 40)[::-1]
    first = flat(outer, hole, rectangle(2, 2, 8, 8), rectangle(70, 2, 78, 8))
    second = flat(outer, hole, rectangle(70, 30, 78, 38), rectangle(3, 30, 8, 38))
    if axis:
        first, second = ((points[::-1, ::-1], sizes[::-1]) for points, sizes in (first, second))

    points, sizes = Merger(version).join_rings(first, second, axis, 40.0)

    one, other = (fill(*mask, 90, 90) for mask in (first, second))
    places = np.indices((90, 90))[1 - axis] + 0.5
    np.testing.assert_array_equal(fill(points, sizes, 90, 90), np.where(places < 40, one, other))


stars = st.builds(
    lambda seed, count: _star(seed, count), st.integers(0, 2**32 - 1), st.integers(3, 12)
)


def _star(seed: int, count: int) -> np.ndarray:
    """A ring around (50, 50) that any line may cross several times."""
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, count))
    radii = random.uniform(3, 45, count)
    return (50 + radii[:, None] * np.c_[np.cos(angles), np.sin(angles)]).astype(np.float32)


@pytest.mark.parametrize("version", versions("merging"))
@given(
    first=st.lists(stars, max_size=3),
    second=st.lists(stars, max_size=3),
    axis=st.integers(0, 1),
    seam=st.integers(0, 99).map(lambda value: value + 0.25),
)
def test_each_side_of_the_seam_is_as_it_was(version, first, second, axis, seam):
    points, sizes = Merger(version).join_rings(flat(*first), flat(*second), axis, seam)

    one, other = (fill(*flat(*rings), 100, 100) for rings in (first, second))
    places = np.indices((100, 100))[1 - axis] + 0.5
    expected = np.where(places < seam, one, other)
    # Crossings are rounded to float32, so a centre right on a line may change sides.
    assert (fill(points, sizes, 100, 100) != expected).sum() <= 1
    assert (sizes >= 3).all()


@needs_compiled
@given(st.lists(stars, max_size=3), st.lists(stars, max_size=3), st.integers(0, 1))
def test_the_compiled_outlines_equal_the_twin_s(first, second, axis):
    found = [
        Merger(version("merging")).join_rings(flat(*first), flat(*second), axis, 47.5)
        for version in (compiled, twin)
    ]

    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@needs_compiled
def test_fifty_things_from_eight_tiles_take_no_millisecond():
    seen, regions, size = crowd(3, 50, 8)
    looks, boxes, scores, labels = (np.array(values) for values in zip(*seen, strict=True))
    arguments = (boxes.astype(np.float32), scores.astype(np.float32), labels, looks, regions)
    arguments = (*arguments, np.full(9, 0.5, np.float32), size, RULE)
    merger = Merger(compiled("merging"))
    taken = []
    for _ in range(50):
        start_s = time.thread_time()
        merger.group(*arguments)
        taken.append(time.thread_time() - start_s)

    assert len(seen) > 80
    assert min(taken) < 1e-3
