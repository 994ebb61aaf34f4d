"""Pictures of what looks like a thing from afar: scarecrow, boulder, container, log.

Outline, size and mean colours follow the thing of `world_things`; close up there are no legs, no
door, no wheels, no rim, but straw, cracks, ribs and bark.
"""

from __future__ import annotations

import numpy as np

from simulation_pkg.kernels.canvas import Canvas, shade
from simulation_pkg.kernels.noise import value_noise
from simulation_pkg.kernels.things import (
    BOAT_SIZE,
    DARK_COLOURS,
    HULL_COLOURS,
    PERSON_SIZE,
    SIGNAL_COLOURS,
    TENT_SIZE,
    VEHICLE_SIZE,
    Sprite,
    pick,
)


def scarecrow(rng: np.random.Generator) -> Sprite:
    """Draw a stuffed jacket on one pole: sack face with stitches, straw at the hem, a hat."""
    canvas = Canvas(*PERSON_SIZE)
    jacket, cloth = pick(rng, SIGNAL_COLOURS), pick(rng, DARK_COLOURS)
    straw, wood = (90, 190, 215), (50, 75, 100)
    canvas.polygon([(0.3, 0.5), (0.7, 0.5), (0.66, 0.86), (0.36, 0.84)], cloth)
    canvas.polygon([(0.46, 0.8), (0.54, 0.8), (0.54, 0.995), (0.46, 0.995)], wood)
    for x in np.linspace(0.36, 0.64, 7):
        lean = float(x + rng.uniform(-0.05, 0.05))
        canvas.line([(float(x), 0.83), (lean, 0.91)], straw, 0.01)
    canvas.polygon([(0.3, 0.19), (0.7, 0.19), (0.72, 0.54), (0.29, 0.56)], jacket)
    drop = float(rng.uniform(0.12, 0.24))
    for side in (-1, 1):
        wrist = (0.5 + side * 0.38, 0.22 + drop)
        canvas.line([(0.5 + side * 0.16, 0.22), wrist], shade(jacket, 0.82), 0.06)
        for spread in (-0.05, 0.0, 0.05):
            tip = (wrist[0] + side * 0.08, wrist[1] + 0.04 + spread)
            canvas.line([wrist, tip], straw, 0.01)
    patch = pick(rng, SIGNAL_COLOURS)
    canvas.polygon([(0.36, 0.3), (0.5, 0.28), (0.51, 0.38), (0.38, 0.4)], patch)
    canvas.line([(0.36, 0.46), (0.66, 0.44)], wood, 0.014)
    canvas.ellipse((0.5, 0.11), (0.15, 0.08), (140, 180, 205))
    for x in (0.43, 0.57):
        canvas.line([(x - 0.03, 0.085), (x + 0.03, 0.115)], (20, 20, 20), 0.007)
        canvas.line([(x + 0.03, 0.085), (x - 0.03, 0.115)], (20, 20, 20), 0.007)
    canvas.line([(0.4, 0.15), (0.6, 0.15)], (20, 20, 20), 0.007)
    canvas.polygon(
        [(0.27, 0.07), (0.73, 0.07), (0.62, 0.045), (0.6, 0.0), (0.4, 0.0), (0.38, 0.045)],
        (55, 80, 105),
    )
    return canvas.image


def boulder(rng: np.random.Generator) -> Sprite:
    """Draw a pile of rocks under a tarpaulin: ragged outline, folds, cracks, stones."""
    canvas = Canvas(*TENT_SIZE)
    cloth = pick(rng, SIGNAL_COLOURS)
    ridge, back = float(rng.uniform(0.3, 0.36)), float(rng.uniform(0.78, 0.86))

    def rough(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        ragged = []
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            for share in np.linspace(0.0, 1.0, 6, endpoint=False):
                dx, dy = rng.uniform(-0.016, 0.016, 2)
                ragged.append((x0 + share * (x1 - x0) + dx, y0 + share * (y1 - y0) + dy))
        return [(float(x), float(np.clip(y, 0.02, 0.98))) for x, y in ragged]

    canvas.polygon(
        rough([(ridge, 0.05), (back, 0.11), (0.94, 0.94), (0.56, 0.96)]), shade(cloth, 0.75)
    )
    canvas.polygon(rough([(ridge, 0.05), (0.56, 0.96), (0.07, 0.94)]), shade(cloth, 0.95))
    hollow = [(0.3, 0.5), (0.4, 0.62), (0.41, 0.86), (0.24, 0.9), (0.2, 0.75)]
    canvas.polygon(rough(hollow), shade(cloth, 0.42))
    for _ in range(9):
        x, y = float(rng.uniform(0.25, 0.8)), float(rng.uniform(0.25, 0.75))
        bend = [(x, y), (x + 0.04, y + 0.1), (x + float(rng.uniform(-0.05, 0.1)), y + 0.2)]
        canvas.line(bend, shade(cloth, float(rng.choice([0.5, 1.35]))), 0.014)
    for x in np.linspace(0.1, 0.92, 9):
        size = float(rng.uniform(0.02, 0.04))
        grey = int(rng.uniform(110, 170))
        canvas.ellipse((float(x), 0.935), (size, size * 1.5), (grey, grey, grey))
    canvas.texture(_mottle(rng, TENT_SIZE, 16, 0.5))
    return canvas.image


def container(rng: np.random.Generator) -> Sprite:
    """Draw a steel container on blocks: ribs, a vent strip, lock bars; no wheels, no windows."""
    canvas = Canvas(*VEHICLE_SIZE)
    paint = pick(rng, (*SIGNAL_COLOURS, (200, 205, 205), (70, 75, 70), (60, 90, 60)))
    slope = float(rng.uniform(0.1, 0.2))
    canvas.polygon([(0.02, 0.45), (slope, 0.06), (0.97, 0.05), (0.99, 0.84), (0.02, 0.84)], paint)
    for x in np.arange(slope, 0.94, 0.034):
        canvas.line([(float(x), 0.08), (float(x), 0.82)], shade(paint, 0.72), 0.03)
        canvas.line([(float(x) + 0.012, 0.08), (float(x) + 0.012, 0.82)], shade(paint, 1.15), 0.012)
    canvas.polygon(
        [(slope + 0.1, 0.12), (0.9, 0.12), (0.93, 0.4), (slope + 0.05, 0.4)], shade(paint, 0.38)
    )
    for y in (0.18, 0.25, 0.32):
        canvas.line([(slope + 0.1, y), (0.9, y)], shade(paint, 0.9), 0.02)
    for x in (0.92, 0.955):
        canvas.line([(x, 0.1), (x, 0.8)], (150, 155, 155), 0.02)
    canvas.polygon([(0.02, 0.75), (0.99, 0.75), (0.99, 0.84), (0.02, 0.84)], shade(paint, 0.5))
    for x in (0.2, 0.79):
        canvas.polygon(
            [(x - 0.08, 0.7), (x + 0.08, 0.7), (x + 0.085, 0.99), (x - 0.085, 0.99)], (45, 50, 55)
        )
        canvas.line([(x - 0.08, 0.84), (x + 0.08, 0.84)], (110, 115, 115), 0.03)
    return canvas.image


def log(rng: np.random.Generator) -> Sprite:
    """Draw a drifting trunk: bark, the rings of a sawn end, a broken branch."""
    canvas = Canvas(*BOAT_SIZE)
    bark = pick(rng, HULL_COLOURS)
    branch = float(rng.uniform(0.5, 0.75))
    canvas.line([(branch, 0.6), (branch + 0.08, 0.12)], shade(bark, 0.7), 0.12)
    canvas.polygon(
        [
            (0.03, 0.45),
            (0.3, 0.38),
            (0.7, 0.42),
            (0.97, 0.3),
            (0.99, 0.55),
            (0.9, 0.9),
            (0.6, 0.97),
            (0.25, 0.97),
            (0.06, 0.9),
        ],
        bark,
    )
    canvas.line([(0.05, 0.45), (0.3, 0.4), (0.7, 0.44), (0.95, 0.34)], shade(bark, 1.4), 0.07)
    for _ in range(16):
        x, y = float(rng.uniform(0.12, 0.85)), float(rng.uniform(0.5, 0.92))
        length = float(rng.uniform(0.03, 0.1))
        canvas.line([(x, y), (x + length, y + 0.02)], shade(bark, 0.5), 0.035)
    canvas.ellipse((0.06, 0.68), (0.05, 0.24), (130, 180, 210))
    canvas.ellipse((0.06, 0.68), (0.035, 0.16), (80, 125, 160))
    canvas.ellipse((0.06, 0.68), (0.018, 0.08), (130, 180, 210))
    canvas.texture(_mottle(rng, BOAT_SIZE, 24, 0.4))
    return canvas.image


def _mottle(
    rng: np.random.Generator, size: tuple[int, int], cells: int, depth: float
) -> np.ndarray:
    """Return (height, width) rough factors around 1."""
    width, height = size
    noise = value_noise(rng, 512, cells, 3)[:height, :width]
    return (1.0 + depth * (noise - 0.5) * 2).astype(np.float32)
