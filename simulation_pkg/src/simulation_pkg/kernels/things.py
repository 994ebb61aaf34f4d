"""Pictures of the things that stand in the simulated world: person, tent, vehicle, boat.

Each has a decoy of nearly the same outline and colours in `world_decoys`; what differs is small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels.canvas import Canvas, Colour, shade

Sprite = NDArray[np.uint8]

SIGNAL_COLOURS: tuple[Colour, ...] = (
    (30, 90, 235),  # orange
    (40, 40, 210),  # red
    (200, 90, 30),  # blue
    (40, 200, 225),  # yellow
    (170, 60, 160),  # violet
)
DARK_COLOURS: tuple[Colour, ...] = ((60, 40, 30), (40, 45, 50), (35, 50, 70))
HULL_COLOURS: tuple[Colour, ...] = ((70, 100, 140), (120, 135, 150), (60, 80, 105), (90, 130, 175))
PERSON_SIZE = (192, 384)
TENT_SIZE = (512, 320)
VEHICLE_SIZE = (512, 224)
BOAT_SIZE = (512, 160)


def pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """Return one of the colours, slightly varied."""
    return shade(colours[int(rng.integers(len(colours)))], float(rng.uniform(0.85, 1.1)))


def person(rng: np.random.Generator) -> Sprite:
    """Draw somebody who walks: two legs with boots, bent arms, a face, perhaps a backpack."""
    canvas = Canvas(*PERSON_SIZE)
    jacket, trousers = pick(rng, SIGNAL_COLOURS), pick(rng, DARK_COLOURS)
    skin = shade((130, 165, 215), float(rng.uniform(0.5, 1.05)))
    stride, swing = float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.05, 0.14))
    for side, depth in ((-1, 0.8), (1, 1.0)):
        foot = 0.5 + side * stride
        leg = [(0.5, 0.5), (0.5 + side * 0.16, 0.5), (foot + 0.07, 0.95), (foot - 0.07, 0.95)]
        canvas.polygon(leg, shade(trousers, depth))
        canvas.ellipse((foot + 0.04, 0.965), (0.12, 0.03), (25, 30, 40))
    if rng.random() < 0.6:
        canvas.ellipse((0.28, 0.32), (0.14, 0.13), pick(rng, SIGNAL_COLOURS))
    canvas.polygon([(0.3, 0.19), (0.7, 0.19), (0.74, 0.54), (0.27, 0.54)], jacket)
    for side in (-1, 1):
        shoulder = (0.5 + side * 0.18, 0.22)
        elbow = (0.5 + side * (0.27 + swing), 0.37)
        hand = (0.5 + side * (0.25 - swing), 0.5)
        canvas.line([shoulder, elbow, hand], shade(jacket, 0.82), 0.055)
        canvas.ellipse(hand, (0.06, 0.028), skin)
    canvas.line([(0.5, 0.2), (0.5, 0.53)], shade(jacket, 0.55), 0.008)
    canvas.line([(0.29, 0.4), (0.72, 0.4)], (210, 215, 215), 0.016)
    canvas.ellipse((0.5, 0.1), (0.15, 0.085), skin)
    canvas.ellipse((0.5, 0.06), (0.16, 0.055), shade((50, 70, 95), float(rng.uniform(0.4, 1.2))))
    for side in (-1, 1):
        canvas.ellipse((0.5 + side * 0.06, 0.105), (0.02, 0.009), (30, 30, 40))
    return canvas.image


def tent(rng: np.random.Generator) -> Sprite:
    """Draw a ridge tent: front with a zipped door, long side with seams, guy lines and pegs."""
    canvas = Canvas(*TENT_SIZE)
    cloth = pick(rng, SIGNAL_COLOURS)
    ridge, back = float(rng.uniform(0.3, 0.36)), float(rng.uniform(0.78, 0.86))
    for end in ((0.02, 0.97), (0.98, 0.97), (0.62, 0.99)):
        start = (ridge, 0.06) if end[0] < 0.5 else (back, 0.12)
        canvas.line([start, end], (200, 205, 205), 0.008)
        canvas.ellipse(end, (0.008, 0.02), (60, 60, 60))
    canvas.polygon([(ridge, 0.04), (back, 0.1), (0.95, 0.95), (0.56, 0.97)], shade(cloth, 0.78))
    canvas.polygon([(ridge, 0.04), (0.56, 0.97), (0.06, 0.95)], cloth)
    canvas.polygon([(ridge, 0.22), (0.42, 0.96), (0.2, 0.955)], shade(cloth, 0.3))
    canvas.polygon([(ridge, 0.22), (0.2, 0.955), (0.255, 0.957)], shade(cloth, 1.25))
    canvas.line([(ridge, 0.1), (ridge, 0.22)], (220, 220, 220), 0.01)
    for share in (0.33, 0.66):
        top = (ridge + share * (back - ridge), 0.04 + share * 0.06)
        bottom = (0.56 + share * 0.39, 0.965)
        canvas.line([top, bottom], shade(cloth, 0.55), 0.01)
    canvas.line([(ridge, 0.04), (back, 0.1)], shade(cloth, 1.3), 0.016)
    canvas.polygon([(0.68, 0.45), (0.76, 0.47), (0.79, 0.62), (0.7, 0.6)], (190, 195, 190))
    return canvas.image


def vehicle(rng: np.random.Generator) -> Sprite:
    """Draw a car from the side: wheels with rims, windows, door lines, lamps."""
    canvas = Canvas(*VEHICLE_SIZE)
    paint = pick(rng, (*SIGNAL_COLOURS, (200, 205, 205), (70, 75, 70), (60, 90, 60)))
    roof_front, roof_back = float(rng.uniform(0.3, 0.36)), float(rng.uniform(0.8, 0.95))
    cabin = [(0.2, 0.45), (roof_front, 0.05), (roof_back, 0.05), (0.97, 0.45)]
    canvas.polygon(cabin, paint)
    body = [(0.02, 0.52), (0.06, 0.44), (0.97, 0.42), (0.99, 0.8), (0.02, 0.82)]
    canvas.polygon(body, paint)
    glass = (95, 75, 55)
    split = (roof_front + roof_back) / 2
    canvas.polygon(
        [(0.25, 0.42), (roof_front + 0.02, 0.1), (split - 0.02, 0.1), (split - 0.02, 0.42)], glass
    )
    canvas.polygon(
        [(split + 0.02, 0.42), (split + 0.02, 0.1), (roof_back - 0.03, 0.1), (0.92, 0.42)], glass
    )
    canvas.line([(0.28, 0.38), (roof_front + 0.04, 0.16)], (210, 200, 190), 0.02)
    canvas.line([(split, 0.1), (split, 0.78)], shade(paint, 0.55), 0.016)
    canvas.line([(0.26, 0.45), (0.27, 0.78)], shade(paint, 0.55), 0.012)
    canvas.line([(split + 0.04, 0.52), (split + 0.1, 0.52)], (30, 30, 30), 0.022)
    canvas.polygon([(0.02, 0.74), (0.99, 0.72), (0.99, 0.82), (0.02, 0.84)], shade(paint, 0.5))
    canvas.ellipse((0.04, 0.56), (0.02, 0.055), (200, 240, 250))
    canvas.ellipse((0.98, 0.53), (0.012, 0.06), (40, 40, 220))
    for centre in (0.2, 0.79):
        canvas.ellipse((centre, 0.79), (0.088, 0.2), (25, 25, 25))
        canvas.ellipse((centre, 0.79), (0.045, 0.105), (170, 175, 175))
        canvas.ellipse((centre, 0.79), (0.015, 0.035), (60, 60, 60))
    return canvas.image


def boat(rng: np.random.Generator) -> Sprite:
    """Draw a rowing boat: a hull with raised ends and a light rim, benches, oars, a name plate."""
    canvas = Canvas(*BOAT_SIZE)
    hull = pick(rng, HULL_COLOURS)
    bow = float(rng.uniform(0.1, 0.2))
    canvas.polygon([(0.05, 0.42), (0.95, 0.42), (0.86, 0.5), (0.12, 0.5)], shade(hull, 0.45))
    for x in (0.32, 0.52, 0.7):
        canvas.polygon([(x, 0.36), (x + 0.07, 0.36), (x + 0.06, 0.52), (x, 0.52)], (110, 160, 200))
    outline = [(0.01, bow), (0.14, 0.42), (0.5, 0.5), (0.88, 0.42), (0.99, bow + 0.1)]
    outline += [(0.9, 0.86), (0.76, 0.98), (0.22, 0.98), (0.09, 0.8)]
    canvas.polygon(outline, hull)
    canvas.line(outline[:5], (225, 230, 230), 0.06)
    canvas.line([(0.1, 0.7), (0.5, 0.76), (0.9, 0.7)], shade(hull, 0.6), 0.04)
    canvas.polygon([(0.72, 0.55), (0.86, 0.52), (0.85, 0.66), (0.72, 0.68)], (215, 220, 220))
    canvas.line([(0.45, 0.45), (0.62, 0.95)], (90, 150, 200), 0.05)
    canvas.polygon([(0.6, 0.82), (0.66, 0.8), (0.69, 0.99), (0.63, 1.0)], (90, 150, 200))
    return canvas.image
