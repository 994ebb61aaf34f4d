"""The scan's map of needs, seen through a picture, and the tiles that follow from it."""

import math
import time
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from ros_support_pkg.core.pose_history import Pose
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.detector.core.need import NeedMap, need_map
from semantic_detection_pkg.detector.core.tiles import TilePlanner, TileSettings
from semantic_detection_pkg.detector.ros.scan_looks import ScanLooks
from semantic_detection_pkg.errors import FrameError

VIEW = CameraView(0.0, 0.4, 0.0, math.radians(62.0), 1920, 1080)


def map_of(needs, yaw_min=-0.6, pitch_min=0.0, cell=0.1) -> NeedMap:
    return NeedMap(yaw_min, pitch_min, cell, np.asarray(needs, np.float32))


def test_left_in_the_world_is_left_in_the_picture():
    needs = np.zeros((8, 12))
    needs[:, 9:] = 1.0  # greater yaw: left

    shown = map_of(needs).in_picture(VIEW)

    assert shown[:, :5].any()
    assert not shown[:, 16:].any()


def test_beyond_the_map_nothing_is_needed():
    shown = map_of(np.ones((1, 1)), yaw_min=2.0).in_picture(VIEW)

    assert not shown.any()


def test_a_map_across_straight_behind_meets_its_views():
    behind = CameraView(-math.pi + 0.1, 0.0, 0.0, math.radians(40.0), 640, 480)

    shown = map_of(np.ones((10, 20)), yaw_min=math.pi - 1.0, pitch_min=-0.5).in_picture(behind)

    assert shown.all()


def test_the_planner_takes_the_tiles_that_are_needed_most():
    """The lower right was seen twice, the upper left never."""
    needs = np.full((8, 12), 0.3)
    needs[:4, 6:] = 1.0
    planner = TilePlanner((640, 640))
    settings = TileSettings("rotating", tiles_per_frame=2)

    views, due = planner.plan((1920, 1080), settings, map_of(needs).in_picture(VIEW))

    for index in due[1:]:
        assert views[index].x1 <= 1200
        assert views[index].y0 == 0


def message(**changes) -> SimpleNamespace:
    plain = {"yaw_min_rad": 0.0, "pitch_min_rad": 0.0, "cell_rad": 0.1, "rows": 1, "columns": 2}
    return SimpleNamespace(**{**plain, "needs": [255, 0], "looking": "", **changes})


def test_a_map_of_a_message():
    np.testing.assert_array_equal(need_map(message()).needs, [[1.0, 0.0]])
    assert need_map(message(rows=0, columns=0, needs=[])) is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"rows": 2}, "2 needs for 2 x 2 cells"),
        ({"needs": []}, "0 needs for 2 x 1 cells"),
        ({"rows": 4_000_000_000, "columns": 4_000_000_000}, "at most 4000000 cells"),
        ({"cell_rad": 0.0}, "cells of 0 rad"),
        ({"cell_rad": 4.0}, "cells of 4 rad .* up to pi"),
        ({"cell_rad": math.nan}, "cells of nan rad"),
        ({"yaw_min_rad": 1e400}, "from inf, 0 rad on: .* a finite corner"),
        ({"pitch_min_rad": math.nan}, "from 0, nan rad on: .* a finite corner"),
    ],
)
def test_a_map_that_is_none_is_refused_by_what_is_wrong(changes, what):
    with pytest.raises(FrameError, match=f"search need: .*{what}.* is needed|{what} is needed"):
        need_map(message(**changes))


@pytest.mark.parametrize(
    ("changes", "is_used"),
    [
        ({}, True),
        ({"tiles": "tiles"}, False),  # all of them are looked at anyway
        ({"tiles": "full"}, False),
        ({"tiles": "full", "asked": "rotating"}, False),  # it may not be asked
        ({"tiles": "full", "asked": "rotating", "tiles_by_scan": True}, True),
        ({"asked": "full", "tiles_by_scan": True}, False),
        ({"tiles": "full", "asked": "rotating", "tiles_by_scan": True, "age_s": 60.0}, False),
        ({"asked": "sideways", "tiles_by_scan": True}, True),  # as it has it
        ({"age_s": 60.0}, False),
        ({"hfov_rad": math.nan}, False),
        ({"need": None}, False),
        ({"pose": None}, False),
    ],
)
def test_the_node_takes_the_need_where_it_holds(changes, is_used):
    """With a pose at the capture and a lens that the gimbal tells, and not for ever."""
    need = changes.get("need", map_of(np.ones((8, 12))))
    hfov_rad = changes.get("hfov_rad", math.radians(62.0))
    pose = changes.get("pose", Pose(5, 0.0, 0.4, hfov_rad=hfov_rad))
    settings = TileSettings(
        changes.get("tiles", "rotating"), tiles_by_scan=changes.get("tiles_by_scan", False)
    )
    looks = SimpleNamespace(
        _need=None if need is None else replace(need, looking=changes.get("asked", "")),
        _need_s=time.monotonic() - changes.get("age_s", 0.0),
        _poses=SimpleNamespace(at={5: pose}.get),
    )
    looks._holds = partial(ScanLooks._holds, looks)
    frame = Frame(5, 0, np.zeros((1080, 1920, 3), np.uint8), "camera")

    need = ScanLooks.need_of(looks, frame, ScanLooks.tiling(looks, settings))

    assert (need is not None) == is_used
    assert need is None or need.any()


def test_looks_are_told_with_their_gain(pipeline_of_tiles):
    pipeline, picture = pipeline_of_tiles

    result = pipeline.process(picture)

    assert {look.gain for look in result.looks} == {1.0}
    assert [look[:4] for look in result.looks] == [
        (0, 0, 64, 64),
        (43, 0, 107, 64),
        (86, 0, 150, 64),
    ]


def test_recorded_looks_are_looked_at_again_bit_for_bit(pipeline_of_tiles):
    pipeline, picture = pipeline_of_tiles
    pipeline.tiling = TileSettings("rotating", 64, 0.25, 1)
    pipeline.process(picture)
    then = pipeline.process(picture)  # in the middle of a round
    pipeline.tiling = TileSettings()

    again = pipeline.process(picture, looks=then.looks)

    assert again.looks == then.looks
    for name in ("scores", "boxes_xyxy", "class_ids"):
        np.testing.assert_array_equal(
            getattr(again.detections, name), getattr(then.detections, name)
        )
    with pytest.raises(FrameError, match=r"look 0, 0, 64, 65 px is not in the picture of 150x64"):
        pipeline.process(picture, looks=(Look(0, 0, 64, 65, 1.0),))
    with pytest.raises(FrameError, match=r"321 looks at a picture: at most 320 are allowed"):
        pipeline.process(picture, looks=(Look(0, 0, 64, 64, 1.0),) * 321)


@pytest.fixture
def pipeline_of_tiles():
    from test_tiled_pipeline import BrightThings, pipeline_of, with_thing

    return pipeline_of(BrightThings()), with_thing(49, 55)
