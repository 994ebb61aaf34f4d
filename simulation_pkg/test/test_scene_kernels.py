"""The world's compiled kernels against their twins, and its pictures against what they have been.

The demo's models were trained on these pictures, so they stay what they are.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from simulation_pkg import kernels
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.harness.robot import detector
from simulation_pkg.kernels import smoke
from simulation_pkg.kernels.raster import convex_outline
from simulation_pkg.kernels.scene import Covered, Layer, Mark, Scene, padded_sprite
from simulation_pkg.kernels.twins import haze as haze_twin
from simulation_pkg.kernels.twins import scene as scene_twin

HAZE, SCENE = kernels.implementation("haze"), kernels.implementation("scene")
needs_compiled = pytest.mark.skipif(
    SCENE is scene_twin, reason="the compiled kernels are not built: make build"
)
KNOWN = json.loads((Path(__file__).parent / "data" / "world_views.json").read_text())
SIZE = (200, 90)
BORDERLINE = 3e-3  # of random textures: where a position may fall to either side, see below


def poses() -> list[CameraPose]:
    """Views of a sweep, close-ups, zoomed ones, the horizon, a fast turn, straight down."""
    rng = np.random.default_rng(3)
    views = [CameraPose(yaw, 0.38, 0.0, 1.0, 0.4) for yaw in np.linspace(-1.2, 1.2, 5)]
    for zoom in (3.0, 6.0, 12.0, 30.0):
        yaw, pitch = rng.uniform(-1.2, 1.2), rng.uniform(0.25, 0.6)
        views.append(CameraPose(yaw, pitch, rng.uniform(-0.1, 0.1), zoom, 0.02, 0.02))
    views += [CameraPose(0.4, pitch, 0.05) for pitch in (-0.3, 0.0, 0.02, 0.15)]
    return [*views, CameraPose(0.3, 0.4, 0.0, 2.0, 1.5, -0.6), CameraPose(2.9, math.pi / 2)]


@pytest.fixture(scope="module")
def pairs() -> list[tuple]:
    """For each pose the view of what runs and that of the twin, masks included."""
    world = build_world(WorldLayout(23))
    ours, theirs = Renderer(world, Lens()), Renderer(world, Lens(), version=scene_twin)
    return [
        tuple(one.render(pose, 2.0 + number, number, has_ids=True) for one in (ours, theirs))
        for number, pose in enumerate(poses())
    ]


@needs_compiled
def test_pictures_are_those_of_the_twin(pairs) -> None:
    for pose, (ours, theirs) in zip(poses(), pairs, strict=True):
        apart = np.abs(ours.image.astype(int) - theirs.image)
        # A position on the border between two 32nds of a pixel may fall to either side.
        assert apart.mean() < 0.01, pose
        assert (apart > 2).mean() < 1e-3, pose


@needs_compiled
def test_masks_and_truth_are_those_of_the_twin(pairs) -> None:
    objects = 0
    for ours, theirs in pairs:
        assert ours.truth == theirs.truth
        assert (ours.ids != theirs.ids).mean() < 1e-5
        objects += len(ours.truth.objects)
    assert objects > 40


@needs_compiled
def test_the_demo_s_detector_finds_the_same_in_both(pairs) -> None:
    pipeline = detector()
    found = 0
    for ours, theirs in pairs:
        one, other = (pipeline.process(view.image).detections for view in (ours, theirs))
        assert len(one) == len(other)
        order, other_order = (
            np.lexsort((np.round(d.boxes_xyxy[:, 0]), d.class_ids)) for d in (one, other)
        )
        assert np.array_equal(one.class_ids[order], other.class_ids[other_order])
        if len(one):
            apart = np.abs(one.boxes_xyxy[order] - other.boxes_xyxy[other_order])
            assert apart.max() <= 1.0
        found += len(one)
    assert found > 20


def test_pictures_are_what_the_models_were_trained_on() -> None:
    """Means and deviations of 12 fields of each picture, as the first renderer made them."""
    renderer = Renderer(build_world(WorldLayout(7)), Lens())
    for name, known in KNOWN.items():
        pose = CameraPose(*known["pose"])
        image = renderer.render(pose, known["time_s"], known["seed"]).image
        fields = image.astype(float).reshape(3, 240, 4, 320, 3)
        assert np.abs(fields.mean((1, 3)) - known["means_bgr"]).max() < 0.5, name
        assert np.abs(fields.std((1, 3)).mean(-1) - known["deviations"]).max() < 0.5, name


@pytest.mark.parametrize("version", [None, scene_twin], ids=["what runs", "twin"])
def test_what_was_shown_before_changes_nothing(version) -> None:
    world, lens = build_world(WorldLayout(4)), Lens(320, 180)
    here, there = CameraPose(-0.3, 0.4), CameraPose(0.5, 0.35, 0.0, 3.0, 0.3)
    used, other = (Renderer(world, lens, version=version) for _ in range(2))
    for number, pose in enumerate((here, here, here, there, here)):
        shown = used.render(pose, 4.0 * number, number, has_ids=True)
        other.render(CameraPose(1.0, 0.3, zoom=5.0))
        fresh = other.render(pose, 4.0 * number, number, has_ids=True)
        assert np.array_equal(shown.image, fresh.image)
        assert np.array_equal(shown.ids, fresh.ids)
        assert shown.truth == fresh.truth


def scenes() -> tuple[Scene, Scene]:
    """What runs and the twin, with a ground of two textures and their grain."""
    rng = np.random.default_rng(1)
    base = rng.integers(0, 256, (64, 64, 3), np.uint8)
    grains = [rng.integers(90, 160, (size, size), np.uint8) for size in (32, 128)]
    plane = np.array([[0.31, 0.02, 4.0], [-0.03, 0.4, 9.0], [2e-4, 1e-3, 1.0]])
    made = []
    for version in (None, scene_twin):
        scene = Scene(*SIZE, version)
        scene.clear((9, 99, 199))
        layers = [
            Layer(scene.texture(image), np.diag([scale, scale, 1.0]) @ plane)
            for image, scale in zip((base, *grains), (1.0, 0.7, 3.1), strict=True)
        ]
        scene.draw_rows(0, 40, layers[0], layers[1:])
        scene.draw_rows(40, 80, layers[0], layers[1:2])
        made.append(scene)
    return made[0], made[1]


def picture(scene: Scene) -> np.ndarray:
    return scene.expose(None, (0.0, 0.0), None, (0, 0)).astype(int)


@needs_compiled
@pytest.mark.parametrize("share", [0.0, 0.35, 1.0])
def test_each_step_gives_what_the_twin_s_gives(share: float) -> None:
    rng = np.random.default_rng(2)
    coverage = rng.integers(0, 256, (50, 120), np.uint8)
    shadow = rng.integers(0, 256, (SIZE[1], SIZE[0]), np.uint8)
    images = []
    for scene in scenes():
        scene.tint_ground(Covered(coverage, (33, 21)), (200, 10, 255), share)
        scene.light(Covered(coverage, (80, 40)), share, shadow)
        scene.tint_view(Covered(coverage, (0, 5)), (255, 0, 90), share)
        images.append(picture(scene))
    assert (images[0] != images[1]).mean() < BORDERLINE


def homographies() -> list[np.ndarray]:
    """Upright, turned, far, and such as the horizon crosses the window."""
    rng = np.random.default_rng(4)
    made = [np.array([[1.0, 0.0, -20.0], [0.0, 1.0, -10.0], [0.0, 0.0, 1.0]])]
    made.append(np.array([[40.0, 0.0, -3000.0], [0.0, 40.0, -900.0], [0.02, 0.05, -4.0]]))
    made.append(np.array([[1e5, 0.0, 1.0], [0.0, 1e5, 1.0], [1e-4, 0.0, -0.01]]))
    made.append(np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]))
    for _ in range(20):
        turned = rng.normal(0.0, 0.6, (3, 3))
        turned[:2, 2] = rng.uniform(-30, 60, 2)
        turned[2] = (*rng.normal(0.0, 2e-3, 2), 1.0)
        made.append(turned)
    return made


@needs_compiled
@pytest.mark.parametrize("homography", homographies())
def test_a_sprite_lies_where_the_twin_s_lies(homography: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    sprite = rng.integers(0, 256, (37, 53, 4), np.uint8)
    sprite[..., :3] = np.minimum(sprite[..., :3], sprite[..., 3:])
    images, marks = [], []
    for scene in scenes():
        scene.light(None, 0.0, None)
        ids = np.zeros((SIZE[1], SIZE[0]), np.uint16)
        window = (3, 2, SIZE[0], SIZE[1] - 4)
        scene.blend(padded_sprite(sprite), homography, window, Mark(ids, 128, 700))
        images.append(picture(scene))
        marks.append(ids)
    assert (images[0] != images[1]).mean() < BORDERLINE
    assert (marks[0] != marks[1]).mean() < 1e-3


@needs_compiled
@pytest.mark.parametrize("shift", [(0.4, 0.2), (3.3, 0.0), (-7.9, 12.4), (300.0, -150.0)])
def test_the_camera_s_faults_are_those_of_the_twin(shift: tuple[float, float]) -> None:
    noise = np.random.default_rng(6).integers(100, 160, (SIZE[1] + 9, SIZE[0] + 9, 3), np.uint8)
    images = []
    for scene in scenes():
        scene.light(None, 0.0, None)
        images.append(scene.expose((1.2137, 0.8711, 1.0), shift, noise, (7, 3)).astype(int))
    assert (images[0] != images[1]).mean() < BORDERLINE


@needs_compiled
@pytest.mark.parametrize("draw", [smoke.smoke, smoke.mist])
def test_haze_is_that_of_the_twin(draw) -> None:
    for seed in range(4):
        for time_s in (0.0, 1.7, 150.0):
            ours, theirs = (draw(seed, time_s, version) for version in (None, haze_twin))
            assert np.abs(ours.astype(int) - theirs).max() <= 1
            outlines = [convex_outline(ours[..., 3], 64, one) for one in (None, haze_twin)]
            assert np.array_equal(*outlines)


@pytest.mark.parametrize("version", [HAZE, haze_twin], ids=["what runs", "twin"])
def test_the_outline_of_nothing_is_the_whole_square(version) -> None:
    nothing = np.zeros((20, 30), np.uint8)
    assert convex_outline(nothing, 64, version).tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    nothing[3, 29] = 64
    hull = convex_outline(nothing, 64, version)
    assert hull.min(axis=0) == pytest.approx((29 / 30, 3 / 20))
    assert hull.max(axis=0) == pytest.approx((1.0, 4 / 20))


@pytest.mark.parametrize("shape", [(64, 32), (48, 48), (64, 64, 4), (0, 0)])
def test_a_texture_that_cannot_repeat_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Scene(64, 48).texture(np.zeros(shape, np.uint8))


def test_a_ground_of_several_planes_is_refused() -> None:
    scene = Scene(64, 48)
    base = scene.texture(np.zeros((8, 8, 3), np.uint8))
    grain = scene.texture(np.zeros((8, 8), np.uint8))
    tilted = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1e-3, 1.0]])
    with pytest.raises(ValueError, match="where its texture lies"):
        scene.draw_rows(0, 8, Layer(base, np.eye(3)), [Layer(grain, tilted)])
    with pytest.raises(ValueError, match="at most two grains"):
        scene.draw_rows(0, 8, Layer(base, np.eye(3)), [Layer(grain, np.eye(3))] * 3)


def beyond() -> list:
    """Calls whose windows, tiles or rows reach beyond the picture."""
    wide = np.zeros((10, 61), np.uint8)
    sprite = padded_sprite(np.zeros((5, 5, 4), np.uint8))
    ids = np.zeros((48, 63), np.uint16)
    noise = np.zeros((60, 70, 3), np.uint8)
    return [
        lambda s: s.tint_ground(Covered(wide, (4, 0)), (0, 0, 0), 1.0),
        lambda s: s.tint_view(Covered(wide, (0, 39)), (0, 0, 0), 1.0),
        lambda s: s.tint_view(Covered(wide, (-1, 0)), (0, 0, 0), 1.0),
        lambda s: s.light(Covered(wide, (4, 0)), 0.5, None),
        lambda s: s.light(None, 0.5, wide),
        lambda s: s.blend(sprite, np.eye(3), (0, 0, 65, 5), None),
        lambda s: s.blend(sprite, np.eye(3), (0, -1, 5, 5), None),
        lambda s: s.blend(sprite, np.eye(3)[:2], (0, 0, 5, 5), None),
        lambda s: s.blend(sprite[:4], np.eye(3), (0, 0, 5, 5), None),
        lambda s: s.blend(sprite, np.eye(3), (0, 0, 5, 5), Mark(ids, 1, 1)),
        lambda s: s.expose(None, (0.0, 0.0), noise, (7, 0)),
        lambda s: s.expose(None, (0.0, 0.0), noise, (0, 13)),
        lambda s: s.draw_rows(
            0, 49, Layer(s.texture(np.zeros((8, 8, 3), np.uint8)), np.eye(3)), []
        ),
        lambda s: s.draw_rows(0, 8, Layer(s.texture(np.zeros((8, 8), np.uint8)), np.eye(3)), []),
    ]


@pytest.mark.parametrize("call", beyond())
@pytest.mark.parametrize("version", [None, scene_twin], ids=["what runs", "twin"])
def test_nothing_reaches_beyond_the_picture(call, version) -> None:
    with pytest.raises(ValueError, match="picture|texture|sprite"):
        call(Scene(64, 48, version))
