"""Where the training camera looks: sweeps, approaches, close-ups of a world. Seeded, no pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import World

TRAIN_SEEDS = range(1000, 1120)
HELD_OUT_SEEDS = range(9000, 9012)
WORDS_SEEDS = range(53000, 53006)
MAX_ZOOM = 12.0
SWEEP, APPROACH, CLOSE_UP = "sweep", "approach", "close_up"


class Target(NamedTuple):
    """Something to point at: its middle [m] and its greatest size across the picture [m]."""

    id: int
    x_m: float
    y_m: float
    z_m: float
    size_m: float
    is_tall: bool


class Shot(NamedTuple):
    """One picture to take. target_id is 0 for a sweep."""

    level: str
    pose: CameraPose
    time_s: float
    seed: int
    target_id: int


def targets(world: World) -> list[Target]:
    """All things and decoys of a world."""
    found = [
        Target(
            b.id,
            b.x_m,
            b.y_m,
            b.height_m / 2,
            max(b.width_m, b.height_m * 1.4),
            b.height_m > b.width_m,
        )
        for b in world.boards
        if b.id > 0
    ]
    for path in world.footpaths:
        points = np.concatenate(path.lines)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        yaw = math.atan2(middle[1], middle[0])
        across = points @ (math.sin(yaw), -math.cos(yaw))
        size = float(max(np.ptp(across), 0.8 * np.ptp(points @ (math.cos(yaw), math.sin(yaw)))))
        found.append(Target(path.id, float(middle[0]), float(middle[1]), 0.0, size, False))
    return found


def shots(world: World, lens: Lens, sweeps: int, approaches: int, close_ups: int) -> Iterator[Shot]:
    """A world's pictures: wide sweeps, half-way zooms, and close-ups of each target in turn."""
    rng = np.random.default_rng((world.layout.seed, 77))
    half = world.layout.sector_rad / 2.0
    known = targets(world)
    seed = 0
    for _ in range(sweeps):
        seed += 1
        zoom = float(rng.uniform(1.0, 1.15))
        pose = CameraPose(float(rng.uniform(-half, half)), float(rng.uniform(0.3, 0.62)), 0.0, zoom)
        yield Shot(SWEEP, pose, float(rng.uniform(0, 300)), seed, 0)
    order = list(rng.permutation(len(known)))
    for index in range(approaches + close_ups):
        seed += 1
        target = known[order[index % len(order)]]
        share = rng.uniform(0.09, 0.2) if index < approaches else rng.uniform(0.24, 0.5)
        pose = aim(world, lens, target, float(share), rng)
        level = APPROACH if index < approaches else CLOSE_UP
        yield Shot(level, pose, float(rng.uniform(0, 300)), seed, target.id)


def aim(
    world: World, lens: Lens, target: Target, share: float, rng: np.random.Generator
) -> CameraPose:
    """Point near the target, zoomed until it fills `share` of the picture's width."""
    reach = math.hypot(target.x_m, target.y_m)
    drop = world.layout.camera_height_m - target.z_m
    distance = math.hypot(reach, drop)
    angle = target.size_m / distance
    zoom = float(np.clip(2.0 * math.tan(lens.hfov_wide_rad / 2.0) * share / angle, 1.0, MAX_ZOOM))
    offset = rng.uniform(-0.12, 0.12, 2) * lens.hfov_rad(zoom)
    yaw = math.atan2(target.y_m, target.x_m) + float(offset[0])
    return CameraPose(yaw, math.atan2(drop, reach) + 0.5 * float(offset[1]), 0.0, zoom)
