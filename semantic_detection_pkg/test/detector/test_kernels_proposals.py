"""The arrays of proposals: compiled and twin alike to the bit, and both right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin, versions

from semantic_detection_pkg.detector.kernels.proposals import (
    TABLE_SIZE,
    AnomalyMeter,
    FrameReducer,
    blobs,
    look_up_colours,
)


@st.composite
def strided_images(draw) -> np.ndarray:
    """Pictures of 1 to 40 pixels a side, some of few colours, some as views with gaps."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    greatest = draw(st.sampled_from([1, 3, 256]))
    whole = random.integers(0, greatest, (2 * height, 2 * width, 5)).astype(np.uint8)
    if draw(st.booleans()):
        whole = 255 - whole
    views = [
        whole[:height, :width, :3],
        whole[::2, ::2, 1:4],
        whole[:height, :width, 2::-1],
        whole[height - 1 :: -1, width - 1 :: -1, ::2],
        np.ascontiguousarray(whole[:height, :width, :3]),
        np.ascontiguousarray(whole[:width, :height, :3]).transpose(1, 0, 2),
        np.broadcast_to(whole[0, 0, :3], (height, width, 3)),
    ]
    return draw(st.sampled_from(views))


@needs_compiled
@given(strided_images(), st.integers(1, 50))
def test_reduced_as_by_the_twin(image, factor):
    image.flags.writeable = False

    ours = FrameReducer(compiled("proposals")).reduce(image, factor)

    np.testing.assert_array_equal(ours, FrameReducer(twin("proposals")).reduce(image, factor))


@pytest.mark.parametrize("version", versions("proposals"))
@given(image=strided_images(), factor=st.integers(1, 50))
def test_each_block_is_its_mean(version, image, factor):
    planes = FrameReducer(version).reduce(image, factor)

    rows, columns = planes.shape[1:]
    assert (rows, columns) == tuple(-(-side // factor) for side in image.shape[:2])
    for row in {0, rows - 1}:
        for column in {0, columns - 1}:
            block = image[row * factor :, column * factor :][:factor, :factor]
            exact = block.reshape(-1, 3).mean(0, dtype=np.float64)
            assert (np.abs(planes[:, row, column] - exact) <= 0.5 + 1e-4).all()


@pytest.mark.parametrize("version", versions("proposals"))
def test_the_greatest_blocks_of_white_are_white(version):
    """255 x 256 x 256 is beyond 16 bits, which hold the sum of one column of a block."""
    planes = FrameReducer(version).reduce(np.full((257, 513, 3), 255, np.uint8), 256)

    assert planes.shape == (3, 2, 3)
    assert (planes == 255).all()


def measured(version, planes, radius=3) -> np.ndarray:
    return AnomalyMeter(radius, 2.0, 5.0, version).measure(planes)


@needs_compiled
@given(strided_images(), st.integers(1, 30))
def test_measured_as_by_the_twin(image, radius):
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    planes.flags.writeable = False

    ours = measured(compiled("proposals"), planes, radius)

    np.testing.assert_array_equal(ours, measured(twin("proposals"), planes, radius))


@needs_compiled
@given(strided_images())
def test_measured_without_the_oddest_as_by_the_twin(image):
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))

    ours, theirs = (
        AnomalyMeter(100, 2.0, 5.0, version, usual_up_to=1.5).measure(planes)
        for version in (compiled("proposals"), twin("proposals"))
    )

    np.testing.assert_array_equal(ours, theirs)


def test_something_large_does_not_hide_behind_itself():
    """A share p of all pixels is never farther than 1 / sqrt(p) sigmas: here 4.5."""
    planes = np.random.default_rng(3).normal(90.0, 5.0, (3, 60, 100))
    planes[:, 20:40, 30:45] = np.array([200, 40, 220])[:, None, None]
    planes = np.clip(planes, 0, 255).astype(np.uint8)

    usual = np.sqrt(AnomalyMeter(100, 4.0, 20.0).measure(planes)[30, 35])
    trimmed = np.sqrt(AnomalyMeter(100, 4.0, 20.0, usual_up_to=4.0).measure(planes)[30, 35])

    assert usual < 4.6
    assert trimmed > 10.0


@needs_compiled
@pytest.mark.parametrize("shape", [(270, 480), (1, 3000), (3000, 1)])
def test_large_frames_as_by_the_twin(shape):
    planes = np.random.default_rng(2).integers(0, 2, (3, *shape)).astype(np.uint8) * 255

    ours = measured(compiled("proposals"), planes, 15)

    np.testing.assert_array_equal(ours, measured(twin("proposals"), planes, 15))


@pytest.mark.parametrize("version", versions("proposals"))
@given(image=strided_images(), radius=st.integers(1, 30))
def test_equals_the_definition(version, image, radius):
    """Reed and Xiaoli's formula in double precision, window by window."""
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    values = planes.astype(np.float64)
    rows, columns = planes.shape[1:]
    apart = np.empty((rows, columns, 3))
    for y in range(rows):
        for x in range(columns):
            window = values[
                :, max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1
            ]
            apart[y, x] = values[:, y, x] - window.mean((1, 2))
    flat = apart.reshape(-1, 3)
    spread = (flat - flat.mean(0)).T @ (flat - flat.mean(0)) / len(flat)
    spread += 4.0 * np.eye(3) + 25.0 / 3.0 * np.ones((3, 3))
    off = apart - flat.mean(0)
    exact = np.einsum("yxi,ij,yxj->yx", off, np.linalg.inv(spread), off)

    # A quarter level of 2 is an eighth of a sigma.
    near = np.sqrt(np.maximum(measured(version, planes, radius), 0.0))
    np.testing.assert_allclose(near, np.sqrt(exact), atol=0.15)


@pytest.mark.parametrize("version", versions("proposals"))
@pytest.mark.parametrize("level", [0, 1, 127, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (30, 1), (40, 60)])
def test_nothing_is_odd_where_all_is_equal(version, level, shape):
    squared = measured(version, np.full((3, *shape), level, np.uint8))

    assert squared.shape == shape
    assert (np.abs(squared) < 1e-6).all()


@pytest.mark.parametrize("version", versions("proposals"))
def test_an_odd_colour_stands_out_of_two_fields(version):
    """Half meadow, half sand: a colour of neither is odd, the border between them is not."""
    random = np.random.default_rng(5)
    planes = random.normal(0.0, 4.0, (3, 80, 120))
    planes[:, :, :60] += np.array([40, 110, 60])[:, None, None]
    planes[:, :, 60:] += np.array([120, 170, 200])[:, None, None]
    planes[:, 40:43, 20:23] = np.array([200, 40, 220])[:, None, None]
    planes = np.clip(planes, 0, 255).astype(np.uint8)

    distance = np.sqrt(measured(version, planes, 15))

    assert distance[40:43, 20:23].min() > 2.0 * np.delete(distance, range(40, 43), 0).max()


@needs_compiled
@given(strided_images(), st.integers(0, 9))
def test_looked_up_as_by_the_twin(image, seed):
    table = np.random.default_rng(seed).integers(0, 1 << 16, TABLE_SIZE).astype(np.uint16)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))

    ours = look_up_colours(planes, table, compiled("proposals"))

    np.testing.assert_array_equal(ours, look_up_colours(planes, table, twin("proposals")))
    blue, green, red = planes[:, 0, 0].tolist()
    assert ours[0, 0] == table[(blue // 4 * 64 + green // 4) * 64 + red // 4]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 999), st.floats(0.0, 0.6))
def test_blobs_are_what_is_near(rows, columns, seed, share):
    """Against single linkage over all pairs: groups join within two pixels along both axes."""
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    points = np.argwhere(mask)
    groups = list(range(len(points)))
    for i, one in enumerate(points):
        for k, other in enumerate(points[:i]):
            if np.abs(one - other).max() <= 3:
                old, new = groups[i], groups[k]
                groups = [new if at == old else at for at in groups]
    wanted = set()
    for group in set(groups):
        mine = points[[at == group for at in groups]]
        (y0, x0), (y1, x1) = mine.min(0), mine.max(0)
        wanted.add((x0, y0, x1 + 1, y1 + 1))

    boxes, places, found = blobs(mask)

    assert {tuple(box) for box in boxes.tolist()} == wanted
    np.testing.assert_array_equal(places, np.flatnonzero(mask))
    assert set(found.tolist()) == set(range(len(boxes)))


PLANES = np.zeros((3, 4, 5), np.uint8)


@pytest.mark.parametrize("version", versions("proposals"))
@pytest.mark.parametrize(
    ("image", "factor", "what"),
    [
        (np.zeros((4, 6), np.uint8), 1, "image uint8"),
        (np.zeros((4, 6, 4), np.uint8), 1, "image uint8"),
        (np.zeros((4, 6, 3), np.float32), 1, "image float32"),
        (np.zeros((0, 6, 3), np.uint8), 1, "image uint8"),
        (np.zeros((4, 6, 3), np.uint8), 0, "factor 0"),
        (np.zeros((4, 6, 3), np.uint8), 257, "factor 257"),
    ],
)
def test_what_cannot_be_reduced_is_refused(version, image, factor, what):
    with pytest.raises(ValueError, match=f"reduce: {what} .*must"):
        FrameReducer(version).reduce(image, factor)


@pytest.mark.parametrize("version", versions("proposals"))
@pytest.mark.parametrize(
    "planes", [PLANES[:2], PLANES[:, :0], PLANES[..., ::2], PLANES.astype(np.int16), PLANES[0]]
)
def test_other_planes_are_refused(version, planes):
    with pytest.raises(ValueError, match="proposals: planes .*must"):
        measured(version, planes)
    with pytest.raises(ValueError, match="proposals: planes .*must"):
        look_up_colours(planes, np.zeros(TABLE_SIZE, np.uint16), version)


@pytest.mark.parametrize("version", versions("proposals"))
@pytest.mark.parametrize(
    "table",
    [np.zeros(TABLE_SIZE, np.uint8), np.zeros(5, np.uint16), np.zeros(2 * TABLE_SIZE, "u2")[::2]],
)
def test_other_tables_are_refused(version, table):
    with pytest.raises(ValueError, match="colours: table .*must"):
        look_up_colours(PLANES, table, version)


@pytest.mark.parametrize("settings", [(0, 1.0, 0.0), (101, 1.0, 0.0), (3, 0.0, 0.0), (3, 1.0, -1)])
@pytest.mark.parametrize("bad", [None, float("nan")])
def test_other_meters_are_refused(settings, bad):
    radius, noise, brightness = settings
    with pytest.raises(ValueError, match="anomalies: radius .*must"):
        AnomalyMeter(radius, noise if bad is None else bad, brightness)
