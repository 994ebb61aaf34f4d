"""The walk along a path, as a table and over drawn paths that are longer than the view."""

import math

import numpy as np
import pytest

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.kernels import contours
from semantic_detection_pkg.scan.core.paths.geometry import (
    PathTrace,
    angular_length_rad,
    bearing_distance_rad,
    trace_path,
)
from semantic_detection_pkg.scan.core.paths.traversal import (
    PathTraversal,
    TraversalSettings,
    TraversalState,
)

WIDE = math.radians(62)
CLOSE = math.radians(9)


def view_at(bearing, hfov=CLOSE) -> CameraView:
    return CameraView(bearing[0], bearing[1], 0.0, hfov, 1280, 720)


def piece(ends=(), exits=(), branches=()) -> PathTrace:
    places = (*ends, *exits)
    length = angular_length_rad(np.array(places)) if len(places) > 1 else 0.01
    return PathTrace(ends, exits, branches, length, 0.01, 1.0, (tuple(places),))


A, B, C = (-0.07, 0.4), (0.0, 0.4), (0.07, 0.4)
FAR = (0.3, 0.4)


@pytest.mark.parametrize(
    ("looks", "state", "target", "is_followed"),
    [
        # Both ends in one close look.
        ([(B, CLOSE, piece([(-0.05, 0.4), (0.05, 0.4)]))], "done", None, True),
        # From afar ends are places to look at, the nearest first.
        ([((0.1, 0.4), WIDE, piece([(-0.2, 0.4), FAR]))], "under way", FAR, False),
        # It leaves the picture: look there.
        ([(B, CLOSE, piece([(-0.05, 0.4)], [(0.078, 0.4)]))], "under way", (0.078, 0.4), False),
        # There it ends; where the second look enters was seen in the first.
        (
            [
                (B, CLOSE, piece([(-0.05, 0.4)], [(0.078, 0.4)])),
                ((0.078, 0.4), CLOSE, piece([(0.12, 0.4)], [(0.001, 0.4)])),
            ],
            "done",
            None,
            True,
        ),
        # Nothing there: one more try, then given up.
        (
            [(B, CLOSE, piece([(-0.05, 0.4)], [C])), (C, CLOSE, None)],
            "under way",
            C,
            False,
        ),
        (
            [(B, CLOSE, piece([(-0.05, 0.4)], [C])), (C, CLOSE, None), (C, CLOSE, None)],
            "done",
            None,
            False,
        ),
        # The path was never there.
        ([(B, CLOSE, None)], "done", None, False),
    ],
)
def test_table(looks, state, target, is_followed):
    walk = PathTraversal(TraversalSettings(edge_margin=0.02))
    for bearing, hfov, geometry in looks:
        walk.add_view(view_at(bearing, hfov), geometry)
    assert walk.state is TraversalState(state)
    assert walk.target == target
    assert walk.result().is_followed is is_followed
    assert walk.result().views == len(looks)


def test_an_unreachable_place_is_skipped_and_said():
    walk = PathTraversal()
    walk.add_view(view_at(B), piece([(-0.05, 0.4)], [(0.078, 0.4)]))
    assert walk.skip_target(view_at(B)) is TraversalState.DONE
    result = walk.result()
    assert not result.is_followed
    assert result.geometry.exits == ((0.078, 0.4),)
    assert result.reason == "ended after 1 looks with 1 places not seen"


def test_it_always_ends():
    """A path that goes on for ever, and one that is somewhere else each time."""
    for step in (0.07, 0.5):
        walk = PathTraversal(TraversalSettings(max_views=9))
        bearing, looks = (0.0, 0.4), 0
        while walk.state is TraversalState.UNDER_WAY:
            walk.add_view(view_at(bearing), piece((), [(bearing[0] + step, 0.4)]))
            bearing, looks = walk.target or bearing, looks + 1
            assert looks <= 9
        assert "9 looks with 1 places not seen" in walk.result().reason
        assert walk.add_view(view_at(bearing), None) is TraversalState.DONE
        assert walk.result().views == 9


def drawn(lines, width_rad, view):
    """Return what a detector would trace of a path given in bearings: the course of its mask."""
    masks = []
    for line in lines:
        pixels = view.project(line)
        steps = np.gradient(pixels, axis=0)
        normals = np.stack([-steps[:, 1], steps[:, 0]], 1) / np.hypot(*steps.T)[:, None]
        half = 0.5 * width_rad * view.pixels_per_rad * normals
        ring = np.concatenate([pixels + half, (pixels - half)[::-1]])
        masks.append(contours.fill(ring, np.array([len(ring)]), view.width, view.height))
    rings = contours.trace(np.logical_or.reduce(masks).astype(np.float32) - 0.5)
    return trace_path(rings, view)


@pytest.mark.parametrize("hfov_first", [WIDE, CLOSE], ids=["seen whole first", "in a part"])
@pytest.mark.parametrize("has_branch", [False, True])
def test_a_path_longer_than_the_view_is_walked_to_its_ends(hfov_first, has_branch):
    along = np.linspace(0.0, 1.0, 120)
    trunk = np.stack([-0.16 + 0.32 * along, 0.45 + 0.05 * np.sin(5 * along)], 1)
    fork = trunk[70] + np.linspace(0, 1, 50)[:, None] * (0.04, 0.1)
    lines = [trunk, fork] if has_branch else [trunk]
    ends = [trunk[0], trunk[-1], *([fork[-1]] if has_branch else [])]
    walk, bearing, hfov = PathTraversal(), tuple(trunk[60]), hfov_first
    visited = []
    while walk.state is TraversalState.UNDER_WAY:
        view = view_at(bearing, hfov)
        visited.append(view)
        walk.add_view(view, drawn(lines, 0.008, view))
        bearing, hfov = walk.target or bearing, CLOSE
    result = walk.result()
    assert result.is_followed, result.reason
    assert len(result.geometry.ends) == len(ends)
    for end in ends:
        assert min(bearing_distance_rad(end, found) for found in result.geometry.ends) < 0.01
        assert any(view.hfov_rad == CLOSE and view.contains([end])[0] for view in visited)
    assert result.geometry.length_rad == pytest.approx(angular_length_rad(trunk), rel=0.05)
    assert result.geometry.width_rad == pytest.approx(0.008, rel=0.25)
    assert result.views <= 9


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="max_views: 0, allowed is"):
        TraversalSettings(max_views=0)
    with pytest.raises(ValueError, match="edge_margin: 0.6, allowed is"):
        TraversalSettings(edge_margin=0.6)
    with pytest.raises(ValueError, match="merge_distance_rad: 0.0, allowed is"):
        TraversalSettings(merge_distance_rad=0.0)
