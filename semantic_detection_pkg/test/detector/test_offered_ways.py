"""The ways of looking that a detector offers to the scan's planner."""

import pytest

from semantic_detection_pkg.detector.core.offered_ways import OfferedWays, asked_for
from semantic_detection_pkg.detector.core.tiles import TilePlanner, TileSettings

INPUT = (640, 640)
HD = (1920, 1080)


def test_what_is_offered_is_what_the_tiling_makes():
    offered = {one.name: one for one in OfferedWays(INPUT).after_frame(HD, TileSettings(), 0.04, 1)}
    assert list(offered) == ["full", "rotating", "tiles"]
    for name, way in offered.items():
        views, due = TilePlanner(INPUT).plan(HD, TileSettings(name))
        tiles = [view for view in views if view.width < HD[0]] or list(views)
        gains = [min(640 / view.width, 640 / view.height) for view in tiles]
        assert way.gain == pytest.approx(min(gains))
        assert way.frame_s == pytest.approx(0.04 * len(due))
        shown = sum(views[index] in tiles for index in due)
        assert way.share == pytest.approx(shown / len(tiles))
        assert (way.whole_gain > 0.0) == (views[0].width == HD[0])


def test_a_small_picture_or_too_many_tiles_leave_the_whole():
    assert [
        one.name for one in OfferedWays(INPUT).after_frame((640, 480), TileSettings(), 1, 1)
    ] == ["full"]
    many = TileSettings(tile_px=32)
    assert [one.name for one in OfferedWays(INPUT).after_frame((8000, 6000), many, 1, 1)] == [
        "full"
    ]


def test_it_changes_with_the_picture_the_settings_and_the_time_that_looks_take_only():
    made = OfferedWays(INPUT)
    first = made.after_frame(HD, TileSettings(), 0.04, 1)
    assert made.after_frame(HD, TileSettings(), 0.12, 3) is first
    assert made.after_frame(HD, TileSettings(), 0.045, 1) is first
    finer = made.after_frame(HD, TileSettings(tile_px=384), 0.04, 1)
    assert finer[1].gain > first[1].gain
    for _ in range(100):
        slower = made.after_frame(HD, TileSettings(tile_px=384), 0.2, 1)
    assert slower[0].frame_s == pytest.approx(0.2, rel=0.35)
    assert made.after_frame((1280, 720), TileSettings(tile_px=384), 0.2, 1) is not slower


def test_a_way_that_is_none_changes_nothing():
    settings = TileSettings("tiles", tiles_by_scan=True)
    assert asked_for(settings, "") is asked_for(settings, "sideways") is settings
    assert asked_for(settings, "rotating") == TileSettings("rotating", tiles_by_scan=True)
