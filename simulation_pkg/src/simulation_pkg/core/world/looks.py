"""Which picture shows which board, ready to be warped: sprite pyramids and outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.world.things import DECOY_NAMES, Board
from simulation_pkg.kernels import decoys as world_decoys
from simulation_pkg.kernels import oddities as world_oddities
from simulation_pkg.kernels import plants as world_plants
from simulation_pkg.kernels import smoke as world_smoke
from simulation_pkg.kernels import things as world_things
from simulation_pkg.kernels.raster import Image, convex_outline, halved
from simulation_pkg.kernels.scene import Sprite, padded_sprite, picture_of, sprite_size

_LEVELS = 7
_SOLID = 128
_HAZE = 64  # smoke is see-through: a lower coverage counts as smoke

Drawing = Callable[[np.random.Generator], Image]
"""Draws one thing of a kind: (h, w, 4) premultiplied BGRA."""

_STILL: dict[str, Drawing] = {
    "person": world_things.person,
    "tent": world_things.tent,
    "vehicle": world_things.vehicle,
    "boat": world_things.boat,
    "scarecrow": world_decoys.scarecrow,
    "boulder": world_decoys.boulder,
    "container": world_decoys.container,
    "log": world_decoys.log,
    "tree": world_plants.tree,
    "fir": world_plants.fir,
    "bush": world_plants.bush,
    "rock": world_plants.rock,
    "barrel": world_oddities.barrel,
    "tarpaulin": world_oddities.tarpaulin,
    "rucksack": world_oddities.rucksack,
}
_MOVING: dict[str, Callable[[int, float], Image]] = {
    "smoke": world_smoke.smoke,
    "mist": world_smoke.mist,
}


class Appearance:
    """A board's picture.

    Attributes:
        outline: (n, 2) hull of what it covers, in the unit square, x right, y down.
        threshold: coverage 1..255 from which a pixel counts as covered.
    """

    def __init__(self, image: Image, threshold: int) -> None:
        """Args: image: (h, w, 4) premultiplied BGRA."""
        self.outline: NDArray[np.float64] = convex_outline(image[..., 3], threshold)
        self.threshold = threshold
        self._levels = [padded_sprite(image)]

    def sprite_for(self, extent_px: float) -> Sprite:
        """Return the halving of the picture that is next to a height [px]; made when first seen."""
        levels = self._levels
        steps = math.log2(max(1.0, sprite_size(levels[0])[1] / max(1.0, extent_px)))
        wanted = min(round(steps), _LEVELS - 1)
        while len(levels) <= wanted and (half := halved(picture_of(levels[-1]))) is not None:
            levels.append(padded_sprite(half))
        return levels[min(wanted, len(levels) - 1)]


class Wardrobe:
    """Draws each board's look when it is first seen; what moves is drawn anew each time."""

    def __init__(self, drawings: Mapping[str, Drawing] | None = None) -> None:
        """Args: drawings: of kinds that stand in a world beside those of this simulation."""
        self._drawings = {**_STILL, **(drawings or {})}
        self._still: dict[tuple[str, int], Appearance] = {}

    def appearance_of(self, board: Board, time_s: float) -> Appearance:
        """Return how a board looks at a time."""
        name = DECOY_NAMES[board.class_name] if board.is_decoy else board.class_name
        if name in _MOVING:
            return Appearance(_MOVING[name](board.look_seed, time_s), _HAZE)
        key = (name, board.look_seed)
        if key not in self._still:
            rng = np.random.default_rng(board.look_seed)
            is_mirrored = rng.random() < 0.5
            sprite = self._drawings[name](rng)
            sprite = np.ascontiguousarray(sprite[:, ::-1]) if is_mirrored else sprite
            self._still[key] = Appearance(sprite, _SOLID)
        return self._still[key]
