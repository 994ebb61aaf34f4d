"""Pictures of what people leave behind and no class names: barrel, tarpaulin, rucksack.

They stand only in worlds that ask for them. Their colours are none that the ground, the plants or
the water have.
"""

from __future__ import annotations

import numpy as np

from simulation_pkg.kernels.canvas import Canvas, Colour, shade
from simulation_pkg.kernels.things import Sprite, pick

ODD_COLOURS: tuple[Colour, ...] = (
    (190, 40, 225),  # magenta
    (40, 190, 240),  # yellow
    (35, 45, 215),  # red
    (20, 110, 245),  # orange
    (215, 80, 35),  # blue
    (205, 195, 30),  # cyan
    (170, 50, 120),  # violet
)
BARREL_SIZE = (160, 224)
TARPAULIN_SIZE = (320, 192)
RUCKSACK_SIZE = (160, 192)


def barrel(rng: np.random.Generator) -> Sprite:
    """Draw a drum: rims, a dent of shadow along one side, a label."""
    canvas = Canvas(*BARREL_SIZE)
    paint = pick(rng, ODD_COLOURS)
    canvas.polygon([(0.08, 0.1), (0.92, 0.1), (0.92, 0.92), (0.08, 0.92)], paint)
    canvas.ellipse((0.5, 0.92), (0.42, 0.07), paint)
    canvas.polygon([(0.7, 0.1), (0.92, 0.1), (0.92, 0.92), (0.7, 0.95)], shade(paint, 0.7))
    canvas.ellipse((0.5, 0.1), (0.42, 0.08), shade(paint, 1.15))
    for y in (0.36, 0.66):
        canvas.line([(0.08, y), (0.5, y + 0.03), (0.92, y)], shade(paint, 0.6), 0.025)
    canvas.polygon([(0.25, 0.44), (0.55, 0.44), (0.55, 0.58), (0.25, 0.58)], (225, 230, 230))
    return canvas.image


def tarpaulin(rng: np.random.Generator) -> Sprite:
    """Draw a sheet that somebody dropped: a flat, uneven heap with folds."""
    canvas = Canvas(*TARPAULIN_SIZE)
    cloth = pick(rng, ODD_COLOURS)
    xs = np.linspace(0.03, 0.97, 9)
    tops = [(float(x), float(rng.uniform(0.15, 0.5))) for x in xs]
    canvas.polygon([(0.0, 0.95), *tops, (1.0, 0.95)], cloth)
    for x in rng.uniform(0.1, 0.9, 6):
        bend = [(float(x), 0.45), (float(x + rng.uniform(-0.1, 0.1)), 0.93)]
        canvas.line(bend, shade(cloth, float(rng.choice([0.65, 1.2]))), 0.03)
    return canvas.image


def rucksack(rng: np.random.Generator) -> Sprite:
    """Draw a pack that stands on the ground: lid, pocket, straps."""
    canvas = Canvas(*RUCKSACK_SIZE)
    cloth = pick(rng, ODD_COLOURS)
    canvas.ellipse((0.5, 0.3), (0.4, 0.26), shade(cloth, 1.1))
    canvas.polygon([(0.08, 0.3), (0.92, 0.3), (0.96, 0.97), (0.04, 0.97)], cloth)
    canvas.polygon([(0.22, 0.6), (0.78, 0.6), (0.8, 0.9), (0.2, 0.9)], shade(cloth, 0.75))
    for x in (0.3, 0.7):
        canvas.line([(x, 0.12), (x, 0.6)], (40, 40, 45), 0.03)
    return canvas.image
