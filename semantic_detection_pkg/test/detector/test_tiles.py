"""Where the tiles of a picture lie, and whose turn it is."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from semantic_detection_pkg.detector.core.tile_layout import (
    GROWTH,
    MOST_TILES,
    Region,
    tile_layout,
)
from semantic_detection_pkg.detector.core.tiles import TilePlanner, TileSettings
from semantic_detection_pkg.errors import ConfigurationError, FrameError

INPUT = (640, 640)
HD = (1920, 1080)


def plain_grid(size, tile_px: int, overlap: float, shape=(1.0, 1.0)) -> int:
    """Tiles of a grid as everybody lays it."""
    counts = []
    for length, share in zip(size, shape, strict=True):
        side, count = tile_px * share, 1
        while side + (count - 1) * side * (1 - overlap) < length * (1 - 1e-9):
            count += 1
        counts.append(count)
    return counts[0] * counts[1]


pictures = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


def rows_of(tiles):
    return [list(row) for _, row in itertools.groupby(tiles, key=lambda tile: (tile.y0, tile.y1))]


@example((2804, 2281), 400, 0.5, (640, 384))  # more than are allowed
@given(pictures, st.integers(400, 1500), st.floats(0, 0.6), st.sampled_from([INPUT, (640, 384)]))
def test_every_pixel_lies_in_a_tile_and_neighbours_overlap(size, tile_px, overlap, network):
    shape = (network[0] / max(network), network[1] / max(network))
    assume(plain_grid(size, tile_px, overlap, shape) <= MOST_TILES)  # more are refused
    tiles = tile_layout(size, network, tile_px, overlap)

    assert all(0 <= t.x0 < t.x1 <= size[0] and 0 <= t.y0 < t.y1 <= size[1] for t in tiles)
    rows = rows_of(tiles)
    for row in rows:
        assert (row[0].x0, row[-1].x1) == (0, size[0])
        for left, right in itertools.pairwise(row):
            assert left.x1 - right.x0 >= overlap * left.width - 2  # whole pixels
    assert (rows[0][0].y0, rows[-1][0].y1) == (0, size[1])
    for (upper, *_), (lower, *_) in itertools.pairwise(rows):
        assert upper.y1 - lower.y0 >= overlap * min(upper.height, lower.height) - 2


@example((411, 401), 400, 0.5)  # the lower row, too, begins at the upper edge
@given(pictures, st.integers(400, 1500), st.floats(0, 0.6))
def test_never_more_than_a_plain_grid_nor_coarser_than_allowed(size, tile_px, overlap):
    assume(plain_grid(size, tile_px, overlap) <= MOST_TILES)
    tiles = tile_layout(size, INPUT, tile_px, overlap)

    assert len(tiles) <= plain_grid(size, tile_px, overlap)
    assert (
        max(max(t.width, t.height) for t in tiles) <= GROWTH * tile_px + 2
    )  # each end of a tile is rounded
    assert max(max(t.width, t.height) for t in rows_of(tiles)[0]) <= 1.02 * tile_px + 2


@pytest.mark.parametrize(
    ("size", "tile_px", "rows"),
    [
        (HD, 640, [(5, 437), (3, 712)]),  # a plain grid: 4 and 4 of 640
        ((1360, 765), 640, [(3, 504), (2, 736)]),  # 3 and 3 of 640
        ((640, 480), 640, [(1, 640)]),
        ((700, 700), 640, [(2, 379), (2, 379)]),
    ],
)
def test_known_layouts(size, tile_px, rows):
    tiles = tile_layout(size, INPUT, tile_px, 0.15)

    found = [(len(row), max(row[0].width, row[0].height)) for row in rows_of(tiles)]
    assert found == rows


def test_a_picture_that_fits_into_a_tile_is_one():
    assert tile_layout((300, 200), INPUT, 640, 0.2) == (Region(0, 0, 300, 200),)
    assert tile_layout((1, 1), INPUT, 32, 0.9) == (Region(0, 0, 1, 1),)


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_a_line_is_cut_into_pieces(size):
    tiles = tile_layout(size, INPUT, 640, 0.2)

    assert 5 <= len(tiles) <= plain_grid(size, 640, 0.2)
    assert {min(t.width, t.height) for t in tiles} == {1}


def test_too_many_tiles_are_refused_in_one_line():
    with pytest.raises(FrameError, match=r"makes 2025 tiles .* at most 256") as raised:
        tile_layout((3840, 3840), INPUT, 96, 0.1)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile_overlap": 1.0}, "'tile_overlap' is 1.0, allowed is .* from 0 to 0.9"),
        ({"tile_overlap": float("nan")}, "'tile_overlap' is nan"),
        ({"tile_px": 31}, "'tile_px' is 31, allowed is a whole number from 32 to 8192"),
        ({"tiles": "some"}, "'tiles' is 'some', allowed is one of full, tiles, rotating"),
        ({"tiles_per_frame": 0}, "'tiles_per_frame' is 0"),
        ({"frame_budget_s": -1.0}, "'frame_budget_s' is -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ConfigurationError, match=message):
        TileSettings(**change)


ROTATING = TileSettings("rotating", tile_px=640, tiles_per_frame=2)


def planned(planner: TilePlanner, settings=ROTATING, need=None) -> list[int]:
    _, due = planner.plan(HD, settings, need)
    planner.looked_at(due)
    return due


def test_full_and_all_tiles():
    planner = TilePlanner(INPUT)
    whole = Region(0, 0, *HD)

    assert planner.plan(HD, TileSettings()) == ((whole,), [0])
    views, due = planner.plan(HD, TileSettings("tiles"))
    assert (views, due) == (tile_layout(HD, INPUT, 640, 0.15), list(range(8)))
    assert planner.plan((640, 480), TileSettings("tiles")) == ((Region(0, 0, 640, 480),), [0])


def test_without_a_need_the_tiles_take_turns():
    planner = TilePlanner(INPUT)
    views, _ = planner.plan(HD, ROTATING)
    assert views == (Region(0, 0, *HD), *tile_layout(HD, INPUT, 640, 0.15))

    frames = [planned(planner) for _ in range(8)]

    assert frames[:4] == [[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 7, 8]]
    assert frames[4:] == frames[:4]


def test_need_decides_and_nothing_that_is_needed_waits_for_ever():
    planner = TilePlanner(INPUT)
    need = np.ones((9, 16))
    need[:4, 13:] = 9.0  # upper right: the fifth tile

    frames = [planned(planner, need=need) for _ in range(40)]

    seen = [tile for _, *tiles in frames for tile in tiles]
    assert frames[0][1] == 5
    assert seen.count(5) == max(map(seen.count, set(seen)))
    assert set(seen) == set(range(1, 9))


def test_a_part_without_need_is_not_looked_at():
    planner = TilePlanner(INPUT)
    need = np.zeros((2, 2))
    need[1, 1] = 1.0
    nothing = np.full((2, 2), np.nan)

    frames = [planned(planner, need=need) for _ in range(10)]
    assert {tile for _, *tiles in frames for tile in tiles} <= {7, 8}
    assert planned(planner, need=nothing) == [0]


def test_a_tile_that_was_given_up_is_first_in_the_next_frame():
    planner = TilePlanner(INPUT)
    settings = TileSettings("tiles")
    _, due = planner.plan(HD, settings)

    planner.looked_at(due[:3])

    assert planner.plan(HD, settings)[1][:5] == [3, 4, 5, 6, 7]


def need_at(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Return a need of (18, 32) over an HD picture, in steps of 60 px."""
    need = np.zeros((18, 32))
    need[y0 // 60 : y1 // 60, x0 // 60 : x1 // 60] = 0.5
    return need


@pytest.mark.parametrize(
    ("tile_px", "bounds", "tile"),
    [
        (640, (900, 480, 1020, 600), (640, 220, 1280, 860)),  # in the middle of its tile
        (384, (900, 480, 1020, 600), (768, 348, 1152, 732)),
        (384, (0, 960, 120, 1080), (0, 696, 384, 1080)),  # as far as the picture goes
        (384, (840, 300, 1320, 660), (840, 240, 1320, 720)),  # larger, to hold it all
    ],
)
def test_what_is_needed_in_one_place_is_looked_at_in_a_tile_around_it(tile_px, bounds, tile):
    """The edges of the layout's tiles would cut what a close view shows in its middle."""
    planner = TilePlanner(INPUT)
    settings = TileSettings("rotating", tile_px=tile_px)

    views, due = planner.plan(HD, settings, need_at(*bounds))

    assert (views, due) == ((Region(0, 0, *HD), Region(*tile)), [0, 1])


def test_each_place_has_its_tile_as_far_as_there_are_tiles_for_a_frame():
    planner = TilePlanner(INPUT)
    need = need_at(120, 120, 240, 240) + need_at(1500, 840, 1620, 960)
    two, one = (
        planner.plan(HD, TileSettings("rotating", tile_px=384, tiles_per_frame=number), need)[0][1:]
        for number in (2, 1)
    )

    assert two == (Region(0, 0, 384, 384), Region(1368, 696, 1752, 1080))
    assert one == two[:1]


def test_a_need_of_a_good_part_of_the_picture_is_left_to_the_layout():
    planner = TilePlanner(INPUT)

    views, due = planner.plan(HD, ROTATING, need_at(480, 480, 1200, 1080))

    assert views[1:] == tile_layout(HD, INPUT, 640, 0.15)
    assert len(due) == 3


def test_a_tile_of_its_own_is_nobody_elses_turn():
    planner = TilePlanner(INPUT)
    frames = [planned(planner)]
    for _ in range(5):
        planned(planner, need=need_at(900, 480, 1020, 600))
    frames += [planned(planner) for _ in range(3)]

    assert frames == [[0, 1, 2], [0, 3, 4], [0, 5, 6], [0, 7, 8]]


def test_a_tile_around_a_place_has_the_shape_of_the_input():
    planner = TilePlanner((640, 384))

    views, _ = planner.plan(HD, ROTATING, need_at(900, 480, 1020, 600))
    tall, _ = planner.plan(HD, ROTATING, need_at(900, 300, 960, 780))  # more than fits in one

    assert views[1:] == (Region(640, 348, 1280, 732),)
    assert [(tile.width, tile.height) for tile in tall[1:]] == [(640, 384)] * 2


@pytest.mark.parametrize(
    ("size", "tile_px"), [((32, 6800), 32), ((108, 7992), 100), ((4000, 4000), 300)]
)
def test_a_layout_of_very_many_tiles_is_found_at_once(size, tile_px):
    """A strip has many numbers of rows to choose from; it must not hold a frame up for minutes."""
    start_s = time.thread_time()

    tiles = tile_layout(size, INPUT, tile_px, 0.15)

    assert time.thread_time() - start_s < 10.0
    assert len(set(tiles)) == len(tiles) <= MOST_TILES


def test_no_tile_comes_twice():
    """Tiles of a few pixels, rounded, come to lie in the same place."""
    tiles = tile_layout((36, 773), (640, 384), 32, 0.39)

    assert len(set(tiles)) == len(tiles)
