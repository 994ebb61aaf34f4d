"""Skeletons and the course of paths: synthetic shapes, and footpaths of the simulated world."""

import math

import numpy as np
import pytest

from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.kernels import contours
from semantic_detection_pkg.scan.core.paths.geometry import (
    angular_length_rad,
    bearing_distance_rad,
    trace_path,
)
from semantic_detection_pkg.scan.core.paths.skeleton import trace_skeleton
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Effects, Renderer

VIEW = CameraView(0.0, 0.4, 0.0, math.radians(62), 1280, 720)


def strip(points, width: float) -> np.ndarray:
    """Return the outline of a line of some width."""
    points = np.asarray(points, float)
    steps = np.gradient(points, axis=0)
    normals = np.stack([-steps[:, 1], steps[:, 0]], 1) / np.hypot(*steps.T)[:, None]
    return np.concatenate([points + normals * width / 2, (points - normals * width / 2)[::-1]])


def straight(angle_deg: float, length: float = 600.0, middle=(640.0, 360.0)) -> np.ndarray:
    along = np.linspace(-length / 2, length / 2, 60)[:, None]
    angle = math.radians(angle_deg)
    return np.array(middle) + along * (math.cos(angle), math.sin(angle))


def rings_of(*outlines: np.ndarray) -> list[np.ndarray]:
    """Return the rings of the union of outlines."""
    masks = [contours.fill(outline, np.array([len(outline)]), 1280, 720) for outline in outlines]
    return contours.trace(np.logical_or.reduce(masks).astype(np.float32) - 0.5)


def pixel_length(line: np.ndarray) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


@pytest.mark.parametrize("angle_deg", [0, 7, 22.5, 30, 45, 67, 90, 135])
@pytest.mark.parametrize("width", [6, 20, 40])
def test_a_straight_strip_has_its_length_width_and_ends(angle_deg, width):
    skeleton = trace_skeleton([strip(straight(angle_deg), width)])
    assert pixel_length(skeleton.longest) == pytest.approx(600, rel=0.03)
    assert skeleton.width_px == pytest.approx(width, rel=0.1, abs=1.5)
    assert (len(skeleton.ends), len(skeleton.branches)) == (2, 0)
    for tip in straight(angle_deg)[[0, -1]]:
        assert np.hypot(*(skeleton.ends - tip).T).min() < 0.5 * width + 4


def test_a_winding_strip_has_its_length_in_angles():
    along = np.linspace(0, 1, 200)
    line = np.stack([50 + 1180 * along, 360 + 250 * np.sin(6 * along)], 1)
    path = trace_path([strip(line, 22)], VIEW)
    true = angular_length_rad(VIEW.bearings_of(line))
    assert path.length_rad == pytest.approx(true, rel=0.03)
    ends = VIEW.bearings_of(line[[0, -1]])
    assert path.straightness == pytest.approx(bearing_distance_rad(*ends) / true, rel=0.05)
    assert len(path.ends) == 2
    assert path.exits == path.branches == ()


@pytest.mark.parametrize(
    ("angles", "branches"), [((90,), 1), ((50,), 1), ((60, 120), 1)], ids=["T", "Y", "star"]
)
def test_branches_are_found_once(angles, branches):
    trunk = strip(straight(0), 16)
    arms = []
    for angle in angles:
        step = 220 * np.array([math.cos(math.radians(angle)), -math.sin(math.radians(angle))])
        arms.append(strip(np.array([640.0, 360.0]) + np.linspace(0, 1, 30)[:, None] * step, 14))
    skeleton = trace_skeleton(rings_of(trunk, *arms))
    assert len(skeleton.ends) == 2 + len(angles)
    assert len(skeleton.branches) == branches
    assert np.hypot(*(skeleton.branches[0] - (640, 360)).T) < 20


def test_roughness_makes_no_branches():
    rng = np.random.default_rng(1)
    outline = strip(straight(20), 24) + rng.normal(0, 2.0, (120, 2))
    skeleton = trace_skeleton([outline])
    assert (len(skeleton.ends), len(skeleton.branches)) == (2, 0)
    assert pixel_length(skeleton.longest) == pytest.approx(600, rel=0.05)


def test_a_stub_as_short_as_the_width_is_no_branch():
    stub = strip([(640, 360), (640, 345), (640, 334)], 14)
    skeleton = trace_skeleton(rings_of(strip(straight(0), 24), stub))
    assert (len(skeleton.ends), len(skeleton.branches)) == (2, 0)


def test_what_the_picture_cuts_off_is_an_exit():
    line = straight(0, 700, middle=(300, 400))
    clipped = np.clip(strip(line, 20), 0, (1280, 720))
    path = trace_path([clipped], VIEW)
    assert (len(path.ends), len(path.exits)) == (1, 1)
    assert VIEW.project(path.exits)[0] == pytest.approx((0, 400), abs=15)
    assert VIEW.project(path.ends)[0] == pytest.approx((650, 400), abs=15)


@pytest.mark.parametrize(
    "rings",
    [
        [],
        [np.array([(10, 10), (12, 10), (11, 12)])],
        [np.array([(5, 5), (5, 5), (5, 5)])],
        [np.array([(0, 0), (1e-3, 0), (0, 1e-3)])],
    ],
    ids=["none", "dot", "point", "nothing"],
)
def test_what_has_no_course_gives_none(rings):
    assert trace_path(rings, VIEW) is None


def test_a_loop_and_a_disc_do_not_break():
    circle = np.linspace(0, math.tau, 80, endpoint=False)
    outline = np.stack([640 + 200 * np.cos(circle), 360 + 200 * np.sin(circle)], 1)
    loop = trace_skeleton([outline, 640 + (outline - 640) * 0.9 - (0, 28)])
    assert pixel_length(loop.longest) == pytest.approx(math.tau * 190, rel=0.1)
    disc = trace_skeleton([outline])
    assert disc is None or disc.width_px > 100


@pytest.fixture(scope="module")
def world():
    return build_world(WorldLayout(11))


def test_footpaths_of_the_simulated_world(world):
    """From rendered ids: length, ends and branches against the world's centre lines."""
    lens = Lens(1280, 720)
    renderer = Renderer(world, lens, Effects(noise=0.0, light=0.0, shadows=False))
    height_m = world.layout.camera_height_m

    def bearings_of(points):
        yaw = np.arctan2(points[:, 1], points[:, 0])
        return np.stack([yaw, np.arctan2(height_m, np.hypot(*points.T))], 1)

    errors, ends_found, ends_all = [], 0, 0
    for path in world.footpaths:
        yaw, pitch = bearings_of(np.concatenate(path.lines).mean(axis=0)[None])[0]
        ids = renderer.render(CameraPose(yaw, pitch, 0.0, 1.6), has_ids=True).ids
        view = CameraView(yaw, pitch, 0.0, lens.hfov_rad(1.6), lens.width, lens.height)
        rings = contours.trace((ids == path.id).astype(np.float32) - 0.5)
        found = trace_path([contours.simplify(ring, 1.0, 1e4) for ring in rings], view)
        # The longest way may leave the trunk for a branch: compare with what it passes by.
        tips = [bearings_of(end[None])[0] for end in path.ends]
        near = [
            min(bearing_distance_rad(tip, end) for end in found.ends + found.exits) for tip in tips
        ]
        ends_found += sum(off < 0.015 for off in near)
        ends_all += len(tips)
        # A path is drawn half its width beyond each of its ends.
        true = angular_length_rad(bearings_of(path.lines[0])) + found.width_rad
        errors.append(found.length_rad / true - 1.0)
        assert 1 <= len(found.branches) <= len(path.lines) - 1
    assert len(errors) >= 4
    assert max(abs(error) for error in errors) < 0.05
    assert ends_found >= ends_all - 1


def test_a_path_that_winds_across_the_whole_picture_is_traced():
    along = np.linspace(0, 1, 300)
    outline = strip(np.stack([40 + 1200 * along, 360 + 300 * np.sin(9 * along)], 1), 24)
    assert trace_path([outline], VIEW) is not None
