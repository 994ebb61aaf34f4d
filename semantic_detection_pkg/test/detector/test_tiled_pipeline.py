"""Pictures looked at in tiles: batches, budgets, merging, and the real model on aerial pictures."""

import importlib.util
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import tiny_models
from hypothesis import assume, given
from hypothesis import strategies as st

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.kernels.contours import fill
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.decode import box_masks
from semantic_detection_pkg.detector.core.merge import LookFound, LookMerger
from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tile_layout import Region, tile_layout
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import ClassNames
from semantic_detection_pkg.errors import FrameError

SIZE = 64
TILES = TileSettings("tiles", tile_px=64, tile_overlap=0.25)
PICTURE = np.zeros((64, 150, 3), np.uint8)  # three tiles side by side


class BrightThings:
    """An engine of any batch that finds the bright rectangle in each picture of it."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.is_failing = False

    def allocate(self, shape, dtype):
        return np.zeros(shape, dtype)

    def infer(self, inputs):
        pictures = inputs["images"]
        self.batches.append(len(pictures))
        if self.is_failing:
            raise FrameError("inference failed: as asked for")
        rows = np.zeros((len(pictures), 2, 7), np.float32)
        prototypes = np.where(pictures.mean(1) > 0.5, 1, -1)[:, None, ::4, ::4]
        for row, picture in zip(rows, pictures, strict=True):
            y, x = np.nonzero(picture.mean(0) > 0.6)
            if len(x):
                row[0] = x.min(), y.min(), x.max() + 1, y.max() + 1, 0.8, 0, 1
        return {"rows": rows, "prototypes": prototypes.astype(np.float32)}


def pipeline_of(engine, batch=None, tiling=TILES, clock=lambda: 0.0):
    info = ModelInfo(
        "bright",
        Layout.END_TO_END,
        SIZE,
        SIZE,
        "images",
        "float32",
        "rows",
        "prototypes",
        1,
        ("thing",),
        batch=batch,
    )
    words = ClassNames(info.class_names)
    return DetectorPipeline(
        engine, info, words, words.choose([]), clock, DetectorSettings(), tiling
    )


def with_thing(x0: int, x1: int, y0: int = 20, y1: int = 36) -> np.ndarray:
    picture = PICTURE.copy()
    picture[y0:y1, x0:x1] = 255
    return picture


@pytest.mark.parametrize(("batch", "batches"), [(None, [3]), (1, [1, 1, 1]), (2, [2, 2]), (8, [8])])
def test_as_many_at_once_as_the_model_takes(batch, batches):
    """A model of a fixed batch is run with it, whatever number of tiles there is."""
    engine = BrightThings()

    result = pipeline_of(engine, batch).process(with_thing(100, 120))

    assert engine.batches == batches
    assert len(result.looks) == 3
    np.testing.assert_allclose(result.detections.boxes_xyxy, [[100, 20, 120, 36]], atol=1)


def test_a_fixed_batch_looks_at_whole_pictures_too():
    engine = BrightThings()

    result = pipeline_of(engine, 4, TileSettings()).process(with_thing(30, 90))

    assert (engine.batches, len(result.looks), len(result.detections)) == ([4], 1, 1)


@pytest.mark.parametrize(("x0", "x1"), [(35, 75), (5, 145), (45, 60), (0, 10), (50, 52)])
def test_what_edges_cut_comes_out_once_and_whole(x0, x1):
    result = pipeline_of(BrightThings()).process(with_thing(x0, x1))

    assert len(result.detections) == 1
    np.testing.assert_allclose(result.detections.boxes_xyxy[0], [x0, 20, x1, 36], atol=1.5)
    rings = result.detections.masks.rings(0)
    sizes = np.array([len(ring) for ring in rings])
    mask = fill(np.concatenate(rings), sizes, 150, 64)
    thing = np.zeros_like(mask)
    thing[20:36, x0:x1] = True
    assert len(rings) == 1
    assert (mask & thing).sum() / (mask | thing).sum() > (0.7 if x1 - x0 > 5 else 0.2)


@st.composite
def things_in_tiles(draw):
    """A picture's size, its tiles, a thing of any size in it, and a score for each look."""
    size = draw(st.tuples(st.integers(40, 400), st.integers(40, 300)))
    network = draw(st.sampled_from([(64, 64), (96, 64)]))
    views = tile_layout(size, network, 64, draw(st.sampled_from([0.15, 0.25, 0.3])))
    spans = []
    for length in size:
        extent = draw(st.floats(8, 0.9 * length))
        start = draw(st.floats(0, length - extent))
        spans.append((start, start + extent))
    (x0, x1), (y0, y1) = spans
    scores = draw(st.lists(st.floats(0.4, 0.95), min_size=len(views), max_size=len(views)))
    order = draw(st.permutations(range(len(views))))
    return size, network, views, np.array((x0, y0, x1, y1)), scores, order


def seen_in(view, size, network, thing, score) -> Detections:
    """What a perfect detector says: the part in the view, where the input shows enough of it."""
    box = np.array([(*np.maximum(thing[:2], view[:2]), *np.minimum(thing[2:], view[2:]))])
    gain = min(network[0] / view.width, network[1] / view.height)
    is_shown = ((box[:, 2:] - box[:, :2]) * gain >= 4).all(1)
    boxes = box[is_shown].astype(np.float32)
    scores = np.full(len(boxes), score, np.float32)
    return Detections(*size, np.zeros(len(boxes), np.uint16), scores, boxes, box_masks(boxes))


@given(things_in_tiles())
def test_a_thing_of_any_size_comes_out_once_and_whole_whatever_the_order(case):
    size, network, views, thing, scores, order = case
    found = [
        LookFound(at, seen_in(view, size, network, thing, score))
        for at, (view, score) in enumerate(zip(views, scores, strict=True))
    ]
    coarsest = max(max(view.width / network[0], view.height / network[1]) for view in views)
    assume((thing[2:] - thing[:2]).min() / coarsest >= 4)

    merged, again = (
        LookMerger().merge([found[at] for at in places], views, network, DetectorSettings())
        for places in (range(len(views)), order)
    )

    assert len(merged) == 1
    # A part of less than four pixels beyond the last edge is not seen.
    np.testing.assert_allclose(merged.boxes_xyxy[0], thing, atol=4 * coarsest)
    for name in ("scores", "boxes_xyxy", "class_ids"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(again, name))
    np.testing.assert_array_equal(merged.masks.points, again.masks.points)
    points = merged.masks.points
    assert (points >= 0).all()
    assert (points <= size).all()


def test_a_narrow_piece_of_what_a_coarser_tile_shows_whole_is_no_thing_of_its_own():
    """A head at the edge of a fine tile, narrower than the shoulders that lie there, too."""
    size, regions = (810, 1080), ((0, 0, 438, 438), (372, 0, 810, 438), (0, 270, 810, 1080))
    boxes = ((263, 406, 307, 437), (225, 405, 344, 860))

    def found(look: int, box: tuple[int, ...], score: float) -> LookFound:
        edges = np.array([box], np.float32)
        one = Detections(
            *size, np.zeros(1, np.uint16), np.array([score], np.float32), edges, box_masks(edges)
        )
        return LookFound(look, one)

    looks = [found(0, boxes[0], 0.85), found(2, boxes[1], 0.85)]
    merged = LookMerger().merge(
        looks, [Region(*edges) for edges in regions], (640, 640), DetectorSettings()
    )
    np.testing.assert_allclose(merged.boxes_xyxy, [boxes[1]], atol=1.0)


def test_more_than_a_picture_in_the_slots_leaves_no_trace():
    """Slots are used again by views of other sizes; the padding has to follow."""
    pipeline = pipeline_of(BrightThings(), 1, TileSettings("rotating", 64, 0.25, 3))
    pipeline.process(np.full((64, 150, 3), 255, np.uint8))

    result = pipeline.process(PICTURE)

    assert len(result.detections) == 0


def test_rotating_looks_at_all_in_turn():
    engine = BrightThings()
    pipeline = pipeline_of(engine, 1, TileSettings("rotating", 64, 0.25, 1))

    looks = [pipeline.process(PICTURE).looks for _ in range(3)]

    assert [len(of_frame) for of_frame in looks] == [2, 2, 2]
    assert {of_frame[0][:4] for of_frame in looks} == {(0, 0, 150, 64)}
    assert len({of_frame[1] for of_frame in looks}) == 3


@pytest.mark.parametrize("edges", list(itertools.product((10, 35, 60), (64, 100, 120))))
def test_a_frame_of_a_round_is_the_same_again_with_what_waited_then(edges):
    """What an edge cuts is left to the tile that will show it whole, whose turn has not come."""
    tiling = TileSettings("rotating", tile_px=64, tile_overlap=0.25, tiles_per_frame=1)
    live, picture = pipeline_of(BrightThings(), tiling=tiling), with_thing(*edges)
    again = pipeline_of(BrightThings(), tiling=tiling)
    for _ in range(4):
        then = live.process(picture)
        now = again.process(picture, looks=then.looks)
        assert now.looks == then.looks
        for name in ("scores", "boxes_xyxy", "class_ids"):
            np.testing.assert_array_equal(
                getattr(now.detections, name), getattr(then.detections, name)
            )


def test_beyond_the_budget_looks_are_given_up_and_come_first_next_time():
    ticks = itertools.count(0.0, 0.01)  # three clock calls, 30 ms, for each look
    tiling = TileSettings("tiles", 64, 0.25, frame_budget_s=0.07)
    pipeline = pipeline_of(BrightThings(), 1, tiling, lambda: next(ticks))

    first, second = pipeline.process(PICTURE), pipeline.process(PICTURE)

    assert (len(first.looks), first.given_up) == (2, 1)
    assert second.looks[0] not in first.looks
    tight = TileSettings("tiles", 64, 0.25, frame_budget_s=0.001)
    pipeline.tiling = tight
    assert len(pipeline.process(PICTURE).looks) == 1  # never none


def test_a_look_that_fails_fails_the_frame_and_not_the_next():
    engine = BrightThings()
    pipeline = pipeline_of(engine)
    engine.is_failing = True
    with pytest.raises(FrameError, match="inference failed"):
        pipeline.process(PICTURE)

    engine.is_failing = False

    assert len(pipeline.process(with_thing(20, 40)).detections) == 1


@pytest.mark.parametrize("shape", [(1, 3000, 3), (3000, 1, 3), (1, 1, 3), (65, 64, 3)])
def test_odd_pictures_work_in_tiles(shape):
    pipeline = pipeline_of(BrightThings())

    assert len(pipeline.process(np.zeros(shape, np.uint8)).detections) == 0


def test_a_picture_of_one_tile_is_seen_as_a_whole(tmp_path, colour_picture):
    path = tiny_models.save(tiny_models.colour_model("raw"), tmp_path / "m.onnx")
    with load_detector(path) as detector:
        whole = detector.pipeline.process(colour_picture)
        detector.pipeline.tiling = TileSettings("tiles", tile_px=96)
        tiled = detector.pipeline.process(colour_picture)

    assert tiled.looks == whole.looks
    assert [look[:4] for look in whole.looks] == [(0, 0, 96, 96)]
    np.testing.assert_array_equal(whole.detections.boxes_xyxy, tiled.detections.boxes_xyxy)


def test_agreement_raises_and_silence_lowers_a_score():
    """Two tiles see all of the thing at 49..55; one of them is made blind on a second run."""
    picture = with_thing(49, 55)
    both = pipeline_of(BrightThings(), 1).process(picture).detections.scores[0]

    class Blind(BrightThings):
        def infer(self, inputs):
            outputs = super().infer(inputs)
            if len(self.batches) == 1:
                outputs["rows"][:] = 0
            return outputs

    one = pipeline_of(Blind(), 1).process(picture).detections.scores[0]
    assert one < 0.8 < both


def test_many_looks_that_overlap_agree_no_more_than_two():
    """They see the same pixels: a score of 0.8 in a dozen of them is no certainty."""
    picture = with_thing(60, 66)
    two = pipeline_of(BrightThings(), 1).process(with_thing(49, 55))
    many = pipeline_of(
        BrightThings(), 1, TileSettings("tiles", tile_px=64, tile_overlap=0.9)
    ).process(picture)
    seeing = [look for look in many.looks if look[0] + 3 < 60 and look[2] - 3 > 66]
    assert len(seeing) > 5
    assert many.detections.scores == pytest.approx(two.detections.scores)


@pytest.fixture(scope="module")
def aerial(realdata):
    """Two aerial pictures, their truth, and the tool that compares."""
    folder, tool = realdata.path("visdrone"), realdata.path("tools/small_things.py")
    spec = importlib.util.spec_from_file_location("small_things", tool)
    small_things = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(small_things)
    names = ("0000001_07999_d_0000012", "0000006_00159_d_0000001")
    return small_things, [folder / "images" / f"{name}.jpg" for name in names]


def found_by(pipeline, path: Path) -> list[tuple[str, float, list[float]]]:
    result = pipeline.process(cv2.imread(str(path)))
    found = result.detections
    return [
        (result.vocabulary[class_id], float(score), box.tolist())
        for class_id, score, box in zip(
            found.class_ids, found.scores, found.boxes_xyxy, strict=True
        )
    ]


@pytest.mark.long
def test_tiles_find_what_one_look_does_not(realdata, aerial):
    """On two of the ten pictures: at least five times the persons, at better precision."""
    small_things, paths = aerial
    figures = {}
    with load_detector(realdata.model, threads=1) as detector:
        for way in ("full", "tiles"):
            detector.pipeline.tiling = TileSettings(way)
            found = {path.stem: found_by(detector.pipeline, path) for path in paths}
            figures[way] = small_things.measure(found, 0.25)

    full, tiles = figures["full"], figures["tiles"]
    assert tiles["person"]["found"] >= 5 * max(full["person"]["found"], 1)
    assert tiles["person"]["found"] >= 2 * tiles["person"]["wrong"]
    assert tiles["vehicle"]["found"] >= 1.5 * full["vehicle"]["found"]


def test_rotating_finds_over_a_round_what_all_tiles_find(realdata, aerial):
    small_things, paths = aerial
    path = paths[1]
    with load_detector(realdata.model, threads=1) as detector:
        pipeline = detector.pipeline
        pipeline.tiling = TileSettings("tiles")
        at_once = found_by(pipeline, path)
        pipeline.tiling = TileSettings("rotating", tiles_per_frame=2)
        frames = [found_by(pipeline, path) for _ in range(3)]  # five tiles, two a frame

    # What a tracker sees of a still picture: each thing in some frame.
    seen = sorted(itertools.chain(*frames), key=lambda thing: -thing[1])
    merged: list = []
    for thing in seen:
        box = np.array([thing[2]])
        others = [other[2] for other in merged if other[0] == thing[0]]
        if not others or small_things.overlaps(box, np.array(others)).max() < 0.5:
            merged.append(thing)
    counts = [
        sum(group["found"] for group in small_things.measure({path.stem: found}, 0.25).values())
        for found in (at_once, merged)
    ]
    assert counts[1] >= 0.95 * counts[0]
