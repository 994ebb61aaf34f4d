"""Shows a world through a lens: picture, truth and, for training, the id behind each pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import Matrix
from simulation_pkg.core.world.geometry import (
    NEAREST,
    CameraPose,
    Lens,
    ground_homography,
    homogeneous,
    image_velocity,
    projection,
)
from simulation_pkg.core.world.ground import Ground, cloud_shadow, draw_sky
from simulation_pkg.core.world.layout import World
from simulation_pkg.core.world.looks import Drawing, Wardrobe
from simulation_pkg.core.world.standing import Shown, Standing, sprite_matrices
from simulation_pkg.core.world.terrain import build_terrain
from simulation_pkg.core.world.trails import Trail
from simulation_pkg.core.world.truth import Seen, Truth, View
from simulation_pkg.kernels.raster import Image, polygon_coverage
from simulation_pkg.kernels.scene import Covered, Mark, Scene

_NOISE_MARGIN = 64  # [px] the noise tile is larger by this much, and cut anew for each picture
_SHADOW_SHARE = 0.35


@dataclass(frozen=True)
class Effects:
    """How imperfect the camera and the light are; zeros give a clean picture.

    Attributes:
        noise: standard deviation of the sensor noise, in grey levels.
        light: 0..1, how much brightness and colour of the light differ and change.
        shadows: whether clouds throw shadows.
    """

    noise: float = 3.0
    light: float = 1.0
    shadows: bool = True

    def __post_init__(self) -> None:
        check_range("noise", self.noise, 0.0, 60.0)
        check_range("light", self.light, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Scenery:
    """What a pose shows whatever the time; the scene's ground belongs to it.

    Attributes:
        trails: what is true of the footpaths that it shows.
        bodies: pixels of each of them, with its id.
        chosen: boards that may be in the picture, the farthest first.
    """

    pose: CameraPose
    to_pixels: Matrix
    ground: Matrix
    trails: list[Seen]
    bodies: list[tuple[int, Covered]]
    chosen: NDArray[np.intp]


class Renderer:
    """Pictures of one world through one lens. Equal arguments give equal pixels.

    Belongs to one thread. While the pose stays, the ground is not drawn again.
    """

    def __init__(
        self,
        world: World,
        lens: Lens,
        effects: Effects | None = None,
        version: ModuleType | None = None,
        drawings: Mapping[str, Drawing] | None = None,
    ) -> None:
        """Paint the terrain.

        Args:
            version: the module that computes; left out: as `kernels` says.
            drawings: of kinds that the world has beside those of this simulation.
        """
        self._world = world
        self._lens = lens
        self._effects = Effects() if effects is None else effects
        terrain = build_terrain(world)
        self._scene = Scene(lens.width, lens.height, version)
        self._ground = Ground(terrain, self._scene)
        self._clouds = terrain.clouds
        self._wardrobe = Wardrobe(drawings)
        height_m = world.layout.camera_height_m
        self._standing = Standing(world.boards, height_m)
        self._trails = [Trail(path, height_m) for path in world.footpaths]
        self._scenery: _Scenery | None = None
        self._dark: tuple[NDArray[np.float64], Covered | None] | None = None
        rng = np.random.default_rng((world.layout.seed, 3))
        self._tint = rng.uniform(-1.0, 1.0, 3)  # brightness, warmth, phase of its change
        shape = (lens.height + _NOISE_MARGIN, lens.width + _NOISE_MARGIN, 3)
        noise = rng.standard_normal(shape, np.float32) * np.float32(self._effects.noise)
        self._noise = np.clip(np.rint(128 + noise), 0, 255).astype(np.uint8)

    def render(
        self, pose: CameraPose, time_s: float = 0.0, seed: int = 0, has_ids: bool = False
    ) -> View:
        """Render the picture of a pose at a time of the world.

        Args:
            pose: where the camera looks, relative to the foot of its mast.
            time_s: since the world began; decides motion and light.
            seed: >= 0, decides the sensor noise.
            has_ids: whether to fill `View.ids`.
        """
        lens = self._lens
        if self._scenery is None or self._scenery.pose != pose:
            self._scenery = self._dark = None
            self._scenery = self._draw_scenery(pose)
        scenery = self._scenery
        ids = np.zeros((lens.height, lens.width), np.uint16) if has_ids else None
        if ids is not None:
            for number, (coverage, (x, y)) in scenery.bodies:
                window = ids[y : y + coverage.shape[0], x : x + coverage.shape[1]]
                window[coverage >= 128] = number
        feet = self._standing.feet(scenery.chosen, time_s)
        self._light(scenery, feet, time_s)
        shown = self._standing.shown(scenery.chosen, feet, scenery.to_pixels, lens)
        objects = (*scenery.trails, *self._draw_boards(shown, ids, time_s))
        truth = Truth(lens.width, lens.height, pose, lens.hfov_rad(pose.zoom), objects)
        return View(self._expose(pose, time_s, seed), truth, ids)

    def _draw_scenery(self, pose: CameraPose) -> _Scenery:
        """Draw the ground and what is painted on it."""
        lens, scene = self._lens, self._scene
        to_pixels = projection(lens, pose)
        ground = ground_homography(to_pixels, self._world.layout.camera_height_m)
        self._ground.draw(ground, lens.width, lens.height)
        seen, bodies = [], []
        for trail in self._trails:
            truth = trail.seen(ground, lens.width, lens.height)
            if truth is None:
                continue
            seen.append(truth)
            for strip, polygons in trail.polygons(ground):
                covered = self._coverage(polygons)
                if covered is not None:
                    scene.tint_ground(covered, strip.bgr, strip.share)
                    bodies += [(truth.id, covered)] if strip.is_body else []
        chosen = self._standing.in_view(lens, pose)
        return _Scenery(pose, to_pixels, ground, seen, bodies, chosen)

    def _light(self, scenery: _Scenery, feet: NDArray[np.float64], time_s: float) -> None:
        """Light the ground: darker where boards stand on it and clouds are above; then the sky."""
        lens = self._lens
        dark = self._dark_ground(scenery, feet)
        shadow = None
        if self._effects.shadows:
            shadow = cloud_shadow(self._clouds, scenery.ground, lens.width, lens.height, time_s)
        self._scene.light(dark, _SHADOW_SHARE, shadow)
        draw_sky(self._scene, scenery.ground, lens.width, lens.height)

    def _dark_ground(self, scenery: _Scenery, feet: NDArray[np.float64]) -> Covered | None:
        """Return where boards darken the ground; where none has moved, as in the last picture."""
        rings = self._standing.rings(scenery.chosen, feet)
        if self._dark is None or not np.array_equal(self._dark[0], rings):
            x, y, depth = homogeneous(scenery.ground, rings)
            ahead = (depth > NEAREST).all(axis=1)
            pixels = np.stack([x[ahead], y[ahead]], axis=-1) / depth[ahead, :, None]
            self._dark = rings, self._coverage(pixels if len(pixels) else None)
        return self._dark[1]

    def _draw_boards(
        self, shown: Shown, ids: NDArray[np.uint16] | None, time_s: float
    ) -> list[Seen]:
        if not shown.boards:
            return []
        looks = [self._wardrobe.appearance_of(board, time_s) for board in shown.boards]
        sprites = [
            look.sprite_for(extent)
            for look, extent in zip(looks, shown.extents_px.tolist(), strict=True)
        ]
        matrices = sprite_matrices(shown.homographies, sprites)
        for board, look, sprite, matrix, window in zip(
            shown.boards, looks, sprites, matrices, shown.windows.tolist(), strict=True
        ):
            mark = None if ids is None else Mark(ids, look.threshold, board.id)
            self._scene.blend(sprite, matrix, window, mark)
        return self._standing.truth(shown, [look.outline for look in looks], self._lens)

    def _coverage(self, polygons: Matrix | None) -> Covered | None:
        if polygons is None:
            return None
        found = polygon_coverage(polygons, self._lens.width, self._lens.height)
        return None if found is None else Covered(*found)

    def _expose(self, pose: CameraPose, time_s: float, seed: int) -> Image:
        """Light, motion blur and noise: what happens between the scene and the file."""
        effects, lens = self._effects, self._lens
        gains = None
        if effects.light > 0.0:
            brightness, warmth, phase = (float(value) for value in self._tint)
            change = 0.06 * math.sin(2.0 * math.pi * (time_s / 47.0 + phase))
            level = 1.0 + effects.light * (0.16 * brightness + change)
            shift = effects.light * 0.05 * warmth
            gains = (level * (1 - shift), level, level * (1 + shift))
        speed_x, speed_y = image_velocity(lens, pose)
        moved = (speed_x * lens.exposure_s, speed_y * lens.exposure_s)
        if effects.noise <= 0.0:
            return self._scene.expose(gains, moved, None, (0, 0))
        rng = np.random.default_rng((seed, self._world.layout.seed))
        x, y = (int(value) for value in rng.integers(0, _NOISE_MARGIN, 2))
        return self._scene.expose(gains, moved, self._noise, (x, y))
