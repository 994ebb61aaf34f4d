"""Pictures of trees, bushes and rocks: what else stands in the simulated world."""

from __future__ import annotations

import numpy as np

from simulation_pkg.kernels.canvas import Canvas, shade
from simulation_pkg.kernels.things import Sprite

TREE_SIZE = (192, 256)
BUSH_SIZE = (160, 112)


def tree(rng: np.random.Generator) -> Sprite:
    """Draw a broad-leaved tree."""
    canvas = Canvas(*TREE_SIZE)
    leaf = (int(rng.uniform(30, 60)), int(rng.uniform(75, 125)), int(rng.uniform(40, 90)))
    canvas.polygon([(0.46, 0.6), (0.54, 0.6), (0.56, 1.0), (0.44, 1.0)], (45, 60, 80))
    _leaves(canvas, rng, leaf, (0.5, 0.38), (0.33, 0.28), 60)
    return canvas.image


def fir(rng: np.random.Generator) -> Sprite:
    """Draw a conifer."""
    canvas = Canvas(*TREE_SIZE)
    leaf = (int(rng.uniform(35, 55)), int(rng.uniform(60, 90)), int(rng.uniform(30, 55)))
    canvas.polygon([(0.47, 0.8), (0.53, 0.8), (0.53, 1.0), (0.47, 1.0)], (45, 60, 80))
    for tier in np.linspace(0.0, 0.6, 7):
        half = 0.1 + 0.42 * float(tier) + float(rng.uniform(0.0, 0.06))
        top = float(tier)
        outline = [
            (0.5, top),
            (0.5 + half, top + 0.28),
            (0.5, top + 0.24),
            (0.5 - half, top + 0.28),
        ]
        canvas.polygon(outline, shade(leaf, float(rng.uniform(0.8, 1.25))))
    return canvas.image


def bush(rng: np.random.Generator) -> Sprite:
    """Draw a low bush."""
    canvas = Canvas(*BUSH_SIZE)
    leaf = (int(rng.uniform(35, 65)), int(rng.uniform(80, 125)), int(rng.uniform(60, 110)))
    _leaves(canvas, rng, leaf, (0.5, 0.6), (0.36, 0.28), 40)
    return canvas.image


def rock(rng: np.random.Generator) -> Sprite:
    """Draw a grey rock."""
    canvas = Canvas(*BUSH_SIZE)
    grey = int(rng.uniform(95, 160))
    stone = (grey, grey, int(grey * 1.03))
    angles = np.linspace(0, 2 * np.pi, 11, endpoint=False)
    radius = rng.uniform(0.3, 0.46, 11)
    outline = np.stack(
        [0.5 + radius * np.cos(angles), 0.6 + 0.85 * radius * np.sin(angles)], axis=1
    )
    points = [(float(x), float(min(y, 0.98))) for x, y in outline]
    canvas.polygon(points, stone)
    canvas.polygon([*points[:5], (0.5, 0.6)], shade(stone, 0.7))
    canvas.line([points[7], (0.52, 0.55), points[1]], shade(stone, 0.5), 0.02)
    return canvas.image


def _leaves(
    canvas: Canvas,
    rng: np.random.Generator,
    colour: tuple[int, int, int],
    centre: tuple[float, float],
    radii: tuple[float, float],
    count: int,
) -> None:
    for depth in np.linspace(0.55, 1.35, count):
        angle, reach = float(rng.uniform(0, 2 * np.pi)), float(np.sqrt(rng.random()))
        x = centre[0] + radii[0] * reach * np.cos(angle)
        y = centre[1] + radii[1] * reach * np.sin(angle) - 0.05 * float(depth)
        size = float(rng.uniform(0.05, 0.12))
        canvas.ellipse((float(x), float(y)), (size, size * 0.8), shade(colour, float(depth)))
