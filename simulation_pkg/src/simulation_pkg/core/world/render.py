"""Shows a world through a lens: picture, truth and, for training, the id behind each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.common.core.optics import Matrix, direction
from simulation_pkg.core.world.geometry import (
    CameraPose,
    Lens,
    angular_extent,
    board_homography,
    board_vectors,
    ground_homography,
    image_velocity,
    picture_to_board,
    project,
    projection,
)
from simulation_pkg.core.world.ground import cloud_shadow, draw_ground, draw_sky
from simulation_pkg.core.world.layout import World
from simulation_pkg.core.world.looks import Wardrobe
from simulation_pkg.core.world.terrain import build_terrain
from simulation_pkg.core.world.things import Board, Footpath
from simulation_pkg.core.world.trails import trail_strips
from simulation_pkg.core.world.truth import Seen, Truth, View, box_of, share_inside
from simulation_pkg.kernels.raster import (
    Image,
    add_noise,
    blend_patch,
    darken,
    motion_blur,
    multiply_gain,
    polygon_coverage,
    tint,
    tone,
    warp_sprite,
)

_NOISE_MARGIN = 64  # [px] the noise tile is larger by this much, and cut anew for each picture
_SHADOW_SHARE = 0.35
_UNIT_SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
_UNIT_CIRCLE = np.array(
    [(math.cos(angle), math.sin(angle)) for angle in np.linspace(0.0, 2.0 * math.pi, 20, False)]
)


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


class Renderer:
    """Pictures of one world through one lens. Equal arguments give equal pixels."""

    def __init__(self, world: World, lens: Lens, effects: Effects | None = None) -> None:
        self._world = world
        self._lens = lens
        self._effects = Effects() if effects is None else effects
        self._terrain = build_terrain(world)
        self._wardrobe = Wardrobe()
        self._boards = sorted(world.boards, key=lambda board: -math.hypot(board.x_m, board.y_m))
        self._middles = np.array(
            [(b.x_m, b.y_m, b.height_m / 2 - world.layout.camera_height_m) for b in self._boards]
        ).reshape(-1, 3)
        # How far from its middle a board reaches, strolling included; and a bit for the shutter.
        self._reaches = np.array([b.width_m + b.height_m + b.stroll_m + 1.0 for b in self._boards])
        self._strips = {path.id: trail_strips(path) for path in world.footpaths}
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
        to_pixels = projection(lens, pose)
        ground = ground_homography(to_pixels, self._world.layout.camera_height_m)
        picture, grain = draw_ground(self._terrain, ground, lens.width, lens.height)
        ids = np.zeros((lens.height, lens.width), np.uint16) if has_ids else None
        seen = [self._draw_trail(path, picture, ids, ground) for path in self._world.footpaths]
        boards = self._in_view(pose)
        on_land = [board for board in boards if board.class_name not in ("smoke", "boat")]
        grain = self._shade_feet(on_land, grain, ground, time_s)
        if self._effects.shadows:
            shadow = cloud_shadow(self._terrain, ground, lens.width, lens.height, time_s)
            grain = multiply_gain(grain, shadow)
        picture = multiply_gain(picture, grain)
        draw_sky(picture, ground)
        for board in boards:
            seen.append(self._draw_board(board, picture, ids, to_pixels, time_s))
        objects = tuple(one for one in seen if one is not None)
        truth = Truth(lens.width, lens.height, pose, lens.hfov_rad(pose.zoom), objects)
        return View(self._expose(picture, pose, time_s, seed), truth, ids)

    def _in_view(self, pose: CameraPose) -> list[Board]:
        """Return boards that may be in the picture, the farthest first."""
        lens = self._lens
        half_diagonal = math.hypot(lens.width, lens.height) / 2.0 / lens.focal_px(pose.zoom)
        ahead = (self._middles * direction(pose.yaw_rad, pose.pitch_rad)).sum(axis=1)
        distance = np.linalg.norm(self._middles, axis=1)
        angle = np.arccos(np.clip(ahead / distance, -1.0, 1.0))
        is_near = angle < math.atan(half_diagonal) + np.arctan2(self._reaches, distance)
        return [board for board, is_in in zip(self._boards, is_near, strict=True) if is_in]

    def _draw_trail(
        self, path: Footpath, picture: Image, ids: NDArray[np.uint16] | None, ground: Matrix
    ) -> Seen | None:
        height, width = picture.shape[:2]
        strips = self._strips[path.id]
        bodies = [strip.outlines[0] for strip in strips if strip.is_body]
        shore = project(ground, np.concatenate(bodies))
        if shore is None:
            return None
        box = box_of(shore)
        visible = share_inside(box, width, height)
        if visible <= 0.0:
            return None
        for strip in strips:
            polygons = project(ground, strip.outlines)
            found = None if polygons is None else polygon_coverage(polygons, width, height)
            if found is None:
                continue
            coverage, (x, y) = found
            tint(picture, coverage, (x, y), strip.bgr, strip.share)
            if ids is not None and strip.is_body:
                window = ids[y : y + coverage.shape[0], x : x + coverage.shape[1]]
                window[coverage >= 128] = path.id
        outline = np.concatenate(bodies)
        drop = np.full(len(outline), -self._world.layout.camera_height_m)
        size = angular_extent(np.column_stack([outline, drop]))
        return Seen(path.id, path.class_name, path.is_decoy, *size, box, visible)

    def _draw_board(
        self,
        board: Board,
        picture: Image,
        ids: NDArray[np.uint16] | None,
        to_pixels: Matrix,
        time_s: float,
    ) -> Seen | None:
        height, width = picture.shape[:2]
        camera_height_m = self._world.layout.camera_height_m
        x_m, y_m = board.foot(time_s)
        metres = picture_to_board(board.width_m, board.height_m)
        homography = board_homography(to_pixels, camera_height_m, x_m, y_m) @ metres
        frame = project(homography, _UNIT_SQUARE)
        if frame is None or share_inside(box_of(frame), width, height) <= 0.0:
            return None
        look = self._wardrobe.appearance_of(board, time_s)
        warped = warp_sprite(look.levels, homography, width, height)
        if warped is None:
            return None
        patch, (x, y) = warped
        blend_patch(picture, patch, (x, y))
        if ids is not None:
            window = ids[y : y + patch.shape[0], x : x + patch.shape[1]]
            window[patch[..., 3] >= look.threshold] = board.id
        outline = project(homography, look.outline)
        if board.id == 0 or outline is None:
            return None
        box = box_of(outline)
        visible = share_inside(box, width, height)
        if visible <= 0.0:
            return None
        on_board = look.outline * metres.diagonal()[:2] + metres[:2, 2]
        size = angular_extent(board_vectors(on_board, camera_height_m, x_m, y_m))
        return Seen(board.id, board.class_name, board.is_decoy, *size, box, visible)

    def _shade_feet(
        self, boards: list[Board], grain: Image, ground: Matrix, time_s: float
    ) -> Image:
        """Darken the ground where boards stand on it."""
        feet = [(board.foot(time_s), board.width_m) for board in boards]
        rings = [np.array(foot) + 0.45 * width_m * _UNIT_CIRCLE for foot, width_m in feet]
        shown = [ring for ring in (project(ground, ring) for ring in rings) if ring is not None]
        found = polygon_coverage(np.array(shown), *grain.shape[::-1]) if shown else None
        return grain if found is None else darken(grain, *found, _SHADOW_SHARE)

    def _expose(self, picture: Image, pose: CameraPose, time_s: float, seed: int) -> Image:
        """Light, motion blur and noise: what happens between the scene and the file."""
        effects, lens = self._effects, self._lens
        if effects.light > 0.0:
            brightness, warmth, phase = (float(value) for value in self._tint)
            change = 0.06 * math.sin(2.0 * math.pi * (time_s / 47.0 + phase))
            level = 1.0 + effects.light * (0.16 * brightness + change)
            shift = effects.light * 0.05 * warmth
            picture = tone(picture, (level * (1 - shift), level, level * (1 + shift)), 0.0)
        speed_x, speed_y = image_velocity(lens, pose)
        picture = motion_blur(picture, (speed_x * lens.exposure_s, speed_y * lens.exposure_s))
        if effects.noise > 0.0:
            rng = np.random.default_rng((seed, self._world.layout.seed))
            x, y = (int(value) for value in rng.integers(0, _NOISE_MARGIN, 2))
            picture = add_noise(picture, self._noise, (x, y), 1.0)
        return picture
