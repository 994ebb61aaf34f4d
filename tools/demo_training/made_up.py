"""Made-up kinds of things, drawn by programs of chance: what the demo is judged by is none of them.

A kind is a number: it decides outline, parts, ways of colouring and size. Two things of a kind
differ as its own number says: a little in outline, and in colour by the kind's way: any of some
vivid ones, nearly one, greys, earth and leaf, or all around one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.kernels.canvas import Canvas, Colour, shade

Paint = Callable[[np.random.Generator], Colour]
Step = Callable[[Canvas, np.random.Generator, Colour, Colour], None]

_LONGEST_PX = 256
_VIVID: tuple[Colour, ...] = (
    (190, 40, 225),
    (40, 190, 240),
    (35, 45, 215),
    (20, 110, 245),
    (215, 80, 35),
    (205, 195, 30),
    (170, 50, 120),
    (60, 170, 60),
    (240, 240, 240),
    (30, 30, 30),
)


class MadeUpKind:
    """One kind.

    Attributes:
        name: "made_<number>".
        width_m, height_m: of most of its things.
        size_spread: standard deviation of the logarithm of their sizes.
    """

    def __init__(self, number: int) -> None:
        rng = np.random.default_rng((number, 4242))
        self.name = f"made_{number}"
        self.width_m = float(np.exp(rng.uniform(np.log(0.55), np.log(3.6))))
        self.height_m = float(np.clip(self.width_m * np.exp(rng.uniform(-0.9, 0.75)), 0.5, 3.2))
        self.size_spread = float(rng.uniform(0.03, 0.2))
        longest = max(self.width_m, self.height_m)
        self._size = tuple(
            max(48, int(_LONGEST_PX * side / longest)) for side in (self.width_m, self.height_m)
        )
        self._main = _paint(rng)
        self._second = _paint(rng) if rng.random() < 0.6 else None
        wobble = float(rng.choice([0.01, 0.03, 0.06, 0.15]))
        self._steps = [*_bodies(rng, wobble), *_details(rng, wobble)]
        self._grain = float(rng.choice([0.0, 0.0, 0.08, 0.2]))

    def draw(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw one thing of the kind: (h, w, 4) premultiplied BGRA."""
        canvas = Canvas(*self._size)
        main = self._main(rng)
        second = self._second(rng) if self._second else main
        for step in self._steps:
            step(canvas, rng, main, second)
        if self._grain:
            height, width = canvas.image.shape[:2]
            coarse = rng.normal(1.0, self._grain, (height // 8 + 1, width // 8 + 1))
            grain = np.kron(coarse, np.ones((8, 8)))[:height, :width]
            canvas.texture(np.clip(grain, 0.4, 1.8).astype(np.float32))
        return canvas.image


def _paint(rng: np.random.Generator) -> Paint:
    """Return how a kind comes by its colour."""
    way = rng.random()
    if way < 0.3:
        count = int(rng.integers(4, len(_VIVID) + 1))
        pool = [_VIVID[index] for index in rng.permutation(len(_VIVID))[:count]]
        return lambda one: shade(pool[int(one.integers(count))], float(one.uniform(0.85, 1.1)))
    if way < 0.55:
        base = _colour(rng.uniform(20, 240, 3))
        return lambda one: shade(base, float(one.uniform(0.85, 1.12)))
    if way < 0.72:
        low, span, tint = rng.uniform(30, 170), rng.uniform(15, 70), rng.uniform(0.9, 1.1, 3)
        return lambda one: _colour(one.uniform(low, low + span) * tint)
    if way < 0.88:
        earth, spans = rng.uniform((20, 50, 30), (60, 110, 110)), rng.uniform(10, 50, 3)
        return lambda one: _colour(earth + spans * one.random(3))
    middle, spread = rng.uniform(20, 240, 3), rng.uniform(10, 50)
    return lambda one: _colour(middle + one.normal(0, spread, 3))


def _colour(values: NDArray[np.float64]) -> Colour:
    blue, green, red = (int(value) for value in np.clip(values, 5, 250))
    return blue, green, red


def _bodies(rng: np.random.Generator, wobble: float) -> list[Step]:
    way = rng.random()
    if way < 0.16:
        return [_leaves(rng)]
    if way < 0.28:
        return [_heap(rng)]
    steps = [_blob(rng, rng.uniform(0.42, 0.58, 2), rng.uniform(0.34, 0.47, 2), wobble)]
    for _ in range(int(rng.integers(0, 3))):
        steps.append(_blob(rng, rng.uniform(0.3, 0.7, 2), rng.uniform(0.12, 0.35, 2), wobble))
    return steps


def _details(rng: np.random.Generator, wobble: float) -> list[Step]:
    kinds = (_stripes, _patch, _shadow, _spots)
    count = int(rng.integers(0, 4))
    return [kinds[int(rng.integers(len(kinds)))](rng, wobble) for _ in range(count)]


def _leaves(rng: np.random.Generator) -> Step:
    count, radii = int(rng.integers(15, 70)), rng.uniform(0.25, 0.42, 2)
    size, depth = rng.uniform(0.04, 0.14), rng.uniform(0.2, 0.5)

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, _: Colour) -> None:
        for light in np.linspace(1 - depth, 1 + 0.8 * depth, count):
            angle, reach = one.uniform(0, 2 * np.pi), np.sqrt(one.random())
            x = 0.5 + radii[0] * reach * np.cos(angle)
            y = 0.55 + radii[1] * reach * np.sin(angle)
            radius = float(size * one.uniform(0.6, 1.4))
            canvas.ellipse((float(x), float(y)), (radius, 0.85 * radius), shade(main, float(light)))

    return step


def _heap(rng: np.random.Generator) -> Step:
    corners, folds = int(rng.integers(4, 12)), int(rng.integers(0, 8))
    low, span = rng.uniform(0.05, 0.35), rng.uniform(0.1, 0.4)

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, _: Colour) -> None:
        xs = np.linspace(0.03, 0.97, corners)
        tops = [(float(x), float(low + span * one.random())) for x in xs]
        canvas.polygon([(0.0, 0.96), *tops, (1.0, 0.96)], main)
        for x in one.uniform(0.1, 0.9, folds):
            fold = [(float(x), 0.5), (float(x + one.uniform(-0.1, 0.1)), 0.93)]
            canvas.line(fold, shade(main, float(one.choice([0.65, 1.2]))), 0.03)

    return step


def _blob(
    rng: np.random.Generator,
    centre: NDArray[np.float64],
    radii: NDArray[np.float64],
    wobble: float,
) -> Step:
    outline, light, is_second = _outline(rng), rng.uniform(0.6, 1.3), rng.random() < 0.3

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, second: Colour) -> None:
        bent = outline * (1 + one.normal(0, wobble, outline.shape)) * radii + centre
        points = [(float(x), float(y)) for x, y in np.clip(bent, 0.01, 0.99)]
        canvas.polygon(points, shade(second if is_second else main, light))

    return step


def _outline(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (n, 2) within -1..1: irregular, a trapezoid, rounded, or a star."""
    way = rng.random()
    if way < 0.35:
        count = int(rng.integers(5, 14))
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 1)
        radii = rng.uniform(0.35, 1.0, count)
        return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    if way < 0.6:
        top, foot = rng.uniform(0.2, 1.0, 2)
        return np.array([(-top, -1.0), (top, -1.0), (foot, 1.0), (-foot, 1.0)])
    if way < 0.8:
        angles, power = np.linspace(0, 2 * np.pi, 28, endpoint=False), rng.uniform(0.5, 1.6)
        x, y = np.cos(angles), np.sin(angles)
        return np.stack([np.sign(x) * np.abs(x) ** power, np.sign(y) * np.abs(y) ** power], axis=1)
    spikes, depth = int(rng.integers(3, 8)), rng.uniform(0.3, 0.9)
    angles = np.linspace(0, 2 * np.pi, 2 * spikes, endpoint=False) - np.pi / 2
    radii = np.where(np.arange(2 * spikes) % 2 == 0, 1.0, depth)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _light(rng: np.random.Generator) -> tuple[float, bool]:
    """Return how much lighter a detail is, and whether it has the second colour."""
    return float(rng.choice([0.45, 0.6, 0.7, 1.2, 1.35])), bool(rng.random() < 0.5)


def _stripes(rng: np.random.Generator, wobble: float) -> Step:
    places, width = rng.uniform(0.15, 0.85, int(rng.integers(1, 4))), rng.uniform(0.02, 0.1)
    is_upright, (light, is_second) = rng.random() < 0.5, _light(rng)

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, second: Colour) -> None:
        colour = shade(second if is_second else main, light)
        for place in places:
            at = float(place + one.normal(0, 0.5 * wobble))
            ends = [(at, 0.02), (at, 0.98)] if is_upright else [(0.02, at), (0.98, at)]
            _inside(canvas, partial(canvas.line, ends, colour, width))

    return step


def _patch(rng: np.random.Generator, wobble: float) -> Step:
    corner, sides, (light, is_second) = (
        rng.uniform(0.2, 0.6, 2),
        rng.uniform(0.15, 0.35, 2),
        _light(rng),
    )

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, second: Colour) -> None:
        x, y = (float(value) for value in corner + one.normal(0, 0.5 * wobble, 2))
        right, low = x + float(sides[0]), y + float(sides[1])
        colour = shade(second if is_second else main, light)
        square = [(x, y), (right, y), (right, low), (x, low)]
        _inside(canvas, partial(canvas.polygon, square, colour))

    return step


def _shadow(rng: np.random.Generator, _: float) -> Step:
    is_below, begin, light = rng.random() < 0.5, rng.uniform(0.4, 0.75), rng.uniform(0.5, 0.85)

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, second: Colour) -> None:  # noqa: ARG001
        factors = np.ones(canvas.image.shape[:2], np.float32)
        across = factors if is_below else factors.T
        across[int(begin * len(across)) :] = light
        canvas.texture(factors)

    return step


def _spots(rng: np.random.Generator, _: float) -> Step:
    count, radius, (light, is_second) = (
        int(rng.integers(3, 14)),
        float(rng.uniform(0.03, 0.09)),
        _light(rng),
    )

    def step(canvas: Canvas, one: np.random.Generator, main: Colour, second: Colour) -> None:
        colour = shade(second if is_second else main, light)
        for x, y in one.uniform(0.15, 0.85, (count, 2)):
            spot = (float(x), float(y))
            _inside(canvas, partial(canvas.ellipse, spot, (radius, radius), colour))

    return step


def _inside(canvas: Canvas, draw: Callable[[], None]) -> None:
    """Draw where there is something already, and nowhere else."""
    before = canvas.image[..., 3].copy()
    draw()
    share = before.astype(np.uint16)[..., None]
    canvas.image[:] = (canvas.image.astype(np.uint16) * share // 255).astype(np.uint8)
    canvas.image[..., 3] = np.minimum(canvas.image[..., 3], before)
