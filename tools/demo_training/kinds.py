"""Worlds for the embedding: every thing has a kind, and some kinds are kept from the training.

Where something of a held-out kind stood, a training world has something of a made-up kind: outline,
colours and marks drawn by lot, alike within a kind. What learns only to tell many kinds apart may
then tell those that it never saw.
"""

from __future__ import annotations

import colorsys
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from demo_training.views import Target, targets
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.looks import Draw
from simulation_pkg.core.world.things import DECOY_NAMES, Board, Footpath
from simulation_pkg.kernels.canvas import Canvas, Colour, shade
from simulation_pkg.kernels.noise import value_noise
from simulation_pkg.kernels.raster import Image

HELD_OUT: dict[str, Any] = json.loads(Path(__file__).with_name("held_out.json").read_text())
HELD_OUT_KINDS: tuple[str, ...] = tuple(HELD_OUT["kinds"])
_ODDITIES = 18
_TREES = ("tree", "fir")
_FIRST_PLANT_ID = 10_000  # beyond those that things have
_SIDE_PX = 128
_FARTHEST_M = 92.0  # plants stand farther away, too


class MadeUp(NamedTuple):
    """Which made-up kinds stand in a world, and how densely.

    Attributes:
        numbers: of the kinds.
        per_world: so many of them in one world.
        plants, oddities: see `WorldLayout`; of the former, made-up kinds replace bushes and rocks.
        trees: share of the trees that they replace, too.
    """

    numbers: range
    per_world: int
    plants: int
    oddities: int
    trees: float


TRAINING = MadeUp(range(320), 48, 500, 60, 0.8)
VALIDATION = MadeUp(range(320, 360), 8, 140, _ODDITIES, 0.0)  # nothing is trained on these


def kind_of(thing: Board | Footpath) -> str:
    """Return what a thing truly is."""
    return DECOY_NAMES[thing.class_name] if thing.is_decoy else thing.class_name


def kinds_world(seed: int, made_up: MadeUp | None = None) -> World:
    """Build a world in which plants can be asked for, too.

    Args:
        seed: of the world.
        made_up: kinds that stand where held-out ones would; None: those stand there.
    """
    layout = WorldLayout(seed, oddities=_ODDITIES)
    if made_up is not None:
        layout = WorldLayout(seed, oddities=made_up.oddities, plants=made_up.plants)
    world = build_world(layout)
    rng = np.random.default_rng((seed, 92))
    numbers = () if made_up is None else rng.permutation(made_up.numbers)[: made_up.per_world]
    boards = []
    for index, board in enumerate(world.boards):
        known = board if board.id else dataclasses.replace(board, id=_FIRST_PLANT_ID + index)
        if made_up is not None and _is_replaced(known, made_up, rng):
            known = _made_up_board(known, int(rng.choice(numbers)), rng)
        boards.append(known)
    return dataclasses.replace(world, boards=tuple(boards))


def _is_replaced(board: Board, made_up: MadeUp, rng: np.random.Generator) -> bool:
    kind = kind_of(board)
    return kind in HELD_OUT_KINDS or (kind in _TREES and rng.random() < made_up.trees)


def spread_targets(world: World, most: int) -> list[Target]:
    """Return what to point at: of each kind as many, at most, so that plants do not crowd out."""
    rng = np.random.default_rng((world.layout.seed, 95))
    things: list[Board | Footpath] = [*world.boards, *world.footpaths]
    by_kind: dict[str, list[int]] = {}
    for index in rng.permutation(len(things)):
        thing = things[int(index)]
        is_plant_far = isinstance(thing, Board) and math.hypot(thing.x_m, thing.y_m) > _FARTHEST_M
        if not is_plant_far:
            by_kind.setdefault(kind_of(thing), []).append(thing.id)
    chosen = {number for ids in by_kind.values() for number in ids[:most]}
    return [target for target in targets(world) if target.id in chosen]


def made_up_looks() -> dict[str, Draw]:
    """Return how the made-up kinds are drawn, by name."""
    return {f"made_up_{number}": _look(number) for number in range(VALIDATION.numbers.stop)}


def _made_up_board(board: Board, number: int, rng: np.random.Generator) -> Board:
    own = np.random.default_rng((number, 93))
    width, height = (float(value) * rng.uniform(0.8, 1.2) for value in own.uniform(0.6, 2.2, 2))
    return dataclasses.replace(
        board,
        class_name=f"made_up_{number}",
        width_m=width,
        height_m=height,
        look_seed=int(rng.integers(1 << 31)),
    )


def _look(number: int) -> Draw:
    """Return how a kind is drawn: the same marks, each time a little different."""

    def draw(rng: np.random.Generator) -> Image:
        own = np.random.default_rng((number, 94))
        canvas = Canvas(_SIDE_PX, _SIDE_PX)
        body = _colour(own, rng)
        _BODIES[int(own.integers(len(_BODIES)))](canvas, own, rng, body)
        second = (
            _colour(own, rng) if own.random() < 0.5 else shade(body, float(own.uniform(0.5, 1.5)))
        )
        for _ in range(int(own.integers(0, 4))):
            _MARKS[int(own.integers(len(_MARKS)))](canvas, own, rng, second)
        if own.random() < 0.4:
            cells, depth = int(own.integers(3, 20)), float(own.uniform(0.2, 0.9))
            grain = value_noise(rng, _SIDE_PX, cells, 2)
            canvas.texture(np.float32(1.0 - depth / 2) + np.float32(depth) * grain)
        return canvas.image

    return draw


def _colour(own: np.random.Generator, rng: np.random.Generator) -> Colour:
    """Return a kind's colour, or one of many where the kind has no colour of its own."""
    hue, is_free, is_dull = own.random(), own.random() < 0.4, own.random() < 0.5
    if is_free:
        hue = rng.random()
    saturation = own.uniform(0.0, 0.45) if is_dull else own.uniform(0.6, 0.95)
    spread = own.uniform(0.05, 0.3)
    value = own.uniform(0.3, 0.9) * rng.uniform(1.0 - spread, 1.0 + spread)
    hue = (hue + rng.uniform(-0.03, 0.03)) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(float(hue), float(saturation), min(float(value), 1.0))
    return round(255 * blue), round(255 * green), round(255 * red)


_Part = Callable[[Canvas, np.random.Generator, np.random.Generator, Colour], None]


def _wobble(own: np.random.Generator, rng: np.random.Generator, low: float, high: float) -> float:
    return float(own.uniform(low, high) + rng.uniform(-0.04, 0.04))


def _blob(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    corners, rough = int(own.integers(5, 15)), float(own.uniform(0.02, 0.3))
    angles = np.linspace(0.0, 2.0 * np.pi, corners, endpoint=False)
    reach = 0.48 * (1.0 - rng.uniform(0.0, rough, corners))
    points = [
        (0.5 + r * np.cos(a), 0.5 + r * np.sin(a)) for r, a in zip(reach, angles, strict=True)
    ]
    canvas.polygon(points, colour)


def _block(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    top, foot = _wobble(own, rng, 0.05, 0.4), _wobble(own, rng, 0.03, 0.15)
    outline = [(top, 0.03), (1.0 - top, 0.03), (1.0 - foot, 0.97), (foot, 0.97)]
    canvas.polygon(outline, colour)
    side = _wobble(own, rng, 0.55, 0.8)
    canvas.polygon([(side, 0.03), (1.0 - top, 0.03), (1.0 - foot, 0.97), (side, 0.97)],
                   shade(colour, float(own.uniform(0.6, 0.9))))  # fmt: skip


def _stack(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    count = int(own.integers(2, 4))
    for level in range(count):
        y = (level + 0.5) / count
        radii = (_wobble(own, rng, 0.15, 0.46), 0.55 / count)
        canvas.ellipse((0.5, y), radii, shade(colour, float(own.uniform(0.7, 1.3))))


def _cluster(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    size, low = float(own.uniform(0.08, 0.2)), float(own.uniform(0.5, 0.9))
    for _ in range(int(own.integers(6, 24))):
        x, y = rng.uniform(size, 1.0 - size, 2)
        factor = float(rng.uniform(low, 1.2))
        canvas.ellipse((float(x), float(y)), (size, size), shade(colour, factor))


def _frame(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    width, knee = float(own.uniform(0.06, 0.16)), _wobble(own, rng, 0.2, 0.7)
    canvas.line([(0.1, 0.95), (0.1, knee), (0.9, knee), (0.9, 0.95)], colour, width)
    canvas.line([(0.1, knee), (0.5, 0.06), (0.9, knee)], shade(colour, 0.8), width)


def _stripes(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    is_upright, count = own.random() < 0.5, int(own.integers(1, 4))
    for index in range(count):
        at = (index + 1) / (count + 1) + float(rng.uniform(-0.03, 0.03))
        ends = [(at, 0.2), (at, 0.8)] if is_upright else [(0.22, at), (0.78, at)]
        canvas.line(ends, colour, float(own.uniform(0.03, 0.12)))


def _spot(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    centre = (_wobble(own, rng, 0.3, 0.7), _wobble(own, rng, 0.25, 0.75))
    canvas.ellipse(centre, (float(own.uniform(0.06, 0.22)), float(own.uniform(0.06, 0.22))), colour)


def _panel(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    x, y = _wobble(own, rng, 0.25, 0.5), _wobble(own, rng, 0.25, 0.55)
    width, height = own.uniform(0.12, 0.35, 2)
    right, foot = float(x + width), float(y + height)
    canvas.polygon([(x, y), (right, y), (right, foot), (x, foot)], colour)


def _pole(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    knob, width = _wobble(own, rng, 0.15, 0.4), float(own.uniform(0.06, 0.2))
    canvas.line([(0.5, 0.98), (0.5, 0.2)], shade(colour, float(own.uniform(0.5, 1.2))), width)
    canvas.ellipse((0.5, 0.05 + knob / 2), (_wobble(own, rng, 0.2, 0.47), knob / 2), colour)


def _ring(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    width = float(own.uniform(0.08, 0.2))
    angles = np.linspace(0.0, 2.0 * np.pi, 24)
    points = [(0.5 + 0.4 * float(np.cos(a)), 0.55 + 0.38 * float(np.sin(a))) for a in angles]
    canvas.line(points, colour, width)
    foot = _wobble(own, rng, 0.1, 0.4)
    canvas.line([(foot, 0.95), (1.0 - foot, 0.95)], shade(colour, 0.7), 0.08)


def _wedge(
    canvas: Canvas, own: np.random.Generator, rng: np.random.Generator, colour: Colour
) -> None:
    tip, low = _wobble(own, rng, 0.2, 0.8), _wobble(own, rng, 0.5, 0.9)
    canvas.polygon([(0.03, 0.97), (tip, 0.03), (0.97, low), (0.97, 0.97)], colour)
    canvas.polygon([(tip, 0.03), (0.97, low), (0.97, 0.97), (0.6, 0.97)], shade(colour, 0.75))


_BODIES: tuple[_Part, ...] = (_blob, _block, _stack, _cluster, _frame, _pole, _ring, _wedge)
_MARKS: tuple[_Part, ...] = (_stripes, _spot, _panel)
