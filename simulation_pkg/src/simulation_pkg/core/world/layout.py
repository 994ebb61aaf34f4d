"""Who stands where in a world: places lakes, footpaths, things, decoys and plants from a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.ranges import check_range
from simulation_pkg.core.world.things import ODDITY_NAMES, Board, Footpath, Lake

# (width, height) [m] of each picture, the farthest place [m] where the sweep still shows it with
# enough pixels, and how far [m] it strolls. A thing and its decoy share one row.
_KINDS = {
    "person": ((0.88, 1.76), 62.0, 1.2),
    "tent": ((3.2, 2.0), 84.0, 0.0),
    "vehicle": ((4.4, 1.92), 92.0, 0.0),
    "boat": ((4.6, 1.44), 80.0, 0.8),
    "smoke": ((3.0, 6.0), 92.0, 0.0),
    "barrel": ((0.7, 0.95), 62.0, 0.0),
    "tarpaulin": ((1.9, 1.1), 92.0, 0.0),
    "rucksack": ((0.75, 0.9), 62.0, 0.0),
}
_PLANTS = {"tree": (4.5, 6.0), "fir": (3.6, 6.5), "bush": (1.8, 1.25), "rock": (1.1, 0.8)}
_NEAR_M = 30.0
_FAR_M = 100.0
_LINE_STEP_M = 0.5
_MARGIN_M = 1.2  # free ground around each thing
_TRIES = 60


@dataclass(frozen=True)
class WorldLayout:
    """Size and contents of a world.

    Attributes:
        seed: decides everything.
        camera_height_m: of the mast over the ground.
        sector_rad: things stand within this angle, centred on straight ahead.
        per_class: things of each class, and as many decoys.
        plants: trees, bushes, rocks.
        far_m: things stand up to this far away, as many within each doubling of the distance; 0:
            as far as a sweep shows them well. Boats stay on their lakes.
        oddities: things of odd colour that no class names; they come last, so all else stands where
            it stands without them.
    """

    seed: int
    camera_height_m: float = 26.0
    sector_rad: float = math.radians(150.0)
    per_class: int = 3
    plants: int = 140
    far_m: float = 0.0
    oddities: int = 0

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0)
        check_range("camera_height_m", self.camera_height_m, 2.0, 500.0)
        check_range("sector_rad", self.sector_rad, 0.2, 2.0 * math.pi)
        check_range("per_class", self.per_class, 0, 20)
        check_range("plants", self.plants, 0, 2000)
        check_range("far_m", self.far_m, 0.0, 2000.0)
        check_range("oddities", self.oddities, 0, 60)
        if 0.0 < self.far_m <= _NEAR_M:
            raise ValueError(f"far_m: {self.far_m:g}, allowed is 0 or more than {_NEAR_M:g}")


@dataclass(frozen=True)
class World:
    """Everything that is in one world. `boards` holds things, decoys and plants."""

    layout: WorldLayout
    lakes: tuple[Lake, ...]
    footpaths: tuple[Footpath, ...]
    boards: tuple[Board, ...]


def build_world(layout: WorldLayout) -> World:
    """Build the world of a layout; equal layouts give equal worlds.

    Where it is crowded, a thing that finds no free place is left out.
    """
    return _Builder(layout).build()


class _Body(NamedTuple):
    """Room that something takes: a radius on the ground, with a margin, and a height [m]."""

    radius_m: float
    height_m: float


class _Builder:
    """Places one group after the other; each keeps clear of those before it."""

    def __init__(self, layout: WorldLayout) -> None:
        self._layout = layout
        self._rng = np.random.default_rng((layout.seed, 1))
        self._taken: list[tuple[float, float, _Body]] = []  # x, y [m]
        self._lakes: list[Lake] = []
        self._next_id = 0

    def build(self) -> World:
        self._place_lakes()
        footpaths = tuple(self._place_footpaths())
        boards = [*self._place_path_ends(footpaths), *self._place_things(), *self._place_plants()]
        boards += self._place_oddities()
        return World(self._layout, tuple(self._lakes), footpaths, tuple(boards))

    def _place_lakes(self) -> None:
        half = self._layout.sector_rad / 2.0
        count = 2 if self._layout.per_class else 0
        for index in range(count):
            share = (index + self._rng.uniform(0.25, 0.75)) / count
            yaw = half * (2.0 * share - 1.0)
            distance, radius = self._rng.uniform(48, 66), self._rng.uniform(11, 15)
            lake = Lake(
                distance * math.cos(yaw),
                distance * math.sin(yaw),
                float(radius),
                tuple(float(a) for a in self._rng.uniform(0.02, 0.09, 3)),
                tuple(float(p) for p in self._rng.uniform(0.0, 2 * np.pi, 3)),
            )
            self._lakes.append(lake)

    def _place_footpaths(self) -> Iterator[Footpath]:
        for is_decoy in self._shuffled_decoys():
            start = self._free_place(_Body(9.0, 0.0), _NEAR_M + 6.0, 76.0)
            if start is None:
                continue
            lines = self._path_lines(np.array(start))
            points = np.concatenate(lines)
            if any(lake.contains(x, y, 1.0) for x, y in points for lake in self._lakes):
                continue
            self._taken += [(float(x), float(y), _Body(1.6, 0.0)) for x, y in points[::3]]
            yield Footpath(
                self._new_id(),
                is_decoy,
                lines,
                float(self._rng.uniform(0.75, 1.05)),
                self._appearance(),
            )

    def _path_lines(self, middle: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        heading = self._rng.uniform(0.0, 2 * np.pi)
        length = self._rng.uniform(13.0, 21.0)
        start = middle - length / 2 * np.array([math.cos(heading), math.sin(heading)])
        trunk, headings = self._walk(start, heading, length)
        lines = [trunk]
        for _ in range(int(self._rng.integers(1, 3))):
            at = int(self._rng.integers(len(trunk) // 4, 3 * len(trunk) // 4))
            turn = self._rng.choice([-1.0, 1.0]) * self._rng.uniform(0.6, 1.2)
            branch, _ = self._walk(trunk[at], headings[at] + turn, self._rng.uniform(4.0, 8.0))
            lines.append(branch)
        return tuple(lines)

    def _walk(
        self, start: NDArray[np.float64], heading: float, length_m: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a line that wanders: (points, heading at each)."""
        steps = max(4, round(length_m / _LINE_STEP_M))
        bend = np.cumsum(self._rng.normal(0.0, 0.06, steps))
        headings = heading + np.cumsum(bend) * 0.12 + bend
        moves = _LINE_STEP_M * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        points = start + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
        return points, np.append(headings, headings[-1])

    def _place_path_ends(self, footpaths: tuple[Footpath, ...]) -> Iterator[Board]:
        """Place the ends: a true path leads to somebody or something, a ditch just ends."""
        for path in footpaths:
            if path.is_decoy:
                continue
            name = str(self._rng.choice(["tent", "person", "smoke"]))
            x, y = path.lines[0][-1]
            heading = math.atan2(y, x)
            # One step behind the end, seen from the camera, so that the end stays visible.
            foot = (float(x + 1.2 * math.cos(heading)), float(y + 1.2 * math.sin(heading)))
            if self._is_on_land(*foot, 1.0):
                yield self._board(name, False, foot)

    def _place_things(self) -> Iterator[Board]:
        for name, (size, far_m, _) in _KINDS.items():
            if name in ODDITY_NAMES:
                continue
            for is_decoy in self._shuffled_decoys():
                body = _Body(size[0] / 2 + _MARGIN_M, size[1])
                if name == "boat":
                    place = self._place_on_water(body)
                else:
                    place = self._free_place(body, _NEAR_M, self._layout.far_m or far_m)
                if place is not None:
                    yield self._board(name, is_decoy, place)

    def _place_plants(self) -> Iterator[Board]:
        names = list(_PLANTS)
        for _ in range(self._layout.plants):
            name = str(self._rng.choice(names))
            scale = float(self._rng.uniform(0.7, 1.3))
            width, height = _PLANTS[name][0] * scale, _PLANTS[name][1] * scale
            body = _Body(width / 2, height)
            far_m = max(_FAR_M, self._layout.far_m) + 60.0
            place = self._free_place(body, _NEAR_M - 6.0, far_m, is_plant=True)
            if place is not None:
                yield Board(0, name, False, *place, width, height, int(self._rng.integers(12)))

    def _place_oddities(self) -> Iterator[Board]:
        for index in range(self._layout.oddities):
            name = ODDITY_NAMES[index % len(ODDITY_NAMES)]
            size, far_m, _ = _KINDS[name]
            body = _Body(size[0] / 2 + _MARGIN_M, size[1])
            place = self._free_place(body, _NEAR_M, self._layout.far_m or far_m)
            if place is not None:
                yield self._board(name, False, place)

    def _board(self, name: str, is_decoy: bool, place: tuple[float, float]) -> Board:
        (width, height), _, stroll = _KINDS[name]
        scale = float(self._rng.uniform(0.92, 1.1))
        self._taken.append((*place, _Body(width / 2 + _MARGIN_M, height)))
        return Board(
            self._new_id(),
            name,
            is_decoy,
            *place,
            width * scale,
            height * scale,
            self._appearance(),
            0.0 if is_decoy and name == "person" else stroll,
            float(self._rng.uniform(14.0, 30.0)),
        )

    def _place_on_water(self, body: _Body) -> tuple[float, float] | None:
        for _ in range(_TRIES):
            lake = self._lakes[int(self._rng.integers(len(self._lakes)))]
            angle = self._rng.uniform(0.0, 2 * np.pi)
            reach = lake.radius_m * 0.68 * math.sqrt(self._rng.random())
            x, y = lake.x_m + reach * math.cos(angle), lake.y_m + reach * math.sin(angle)
            if self._is_clear(x, y, body):
                return float(x), float(y)
        return None

    def _free_place(
        self, body: _Body, near_m: float, far_m: float, is_plant: bool = False
    ) -> tuple[float, float] | None:
        half = self._layout.sector_rad / 2.0 + (0.3 if is_plant else 0.0)
        for _ in range(_TRIES):
            yaw = self._rng.uniform(-half, half)
            if self._layout.far_m:
                distance = math.exp(self._rng.uniform(math.log(near_m), math.log(far_m)))
            else:
                distance = math.sqrt(self._rng.uniform(near_m**2, far_m**2))
            x, y = distance * math.cos(yaw), distance * math.sin(yaw)
            if self._is_on_land(x, y, body.radius_m) and self._is_clear(x, y, body):
                return float(x), float(y)
        return None

    def _is_on_land(self, x: float, y: float, radius_m: float) -> bool:
        return not any(lake.contains(x, y, radius_m + 2.0) for lake in self._lakes)

    def _is_clear(self, x: float, y: float, body: _Body) -> bool:
        """Return whether it hides no other one and is hidden by none, from the mast.

        The nearer of two hides the ground behind it as far as a ray over its top reaches.
        """
        mast_m = self._layout.camera_height_m
        distance = math.hypot(x, y)
        for other_x, other_y, other in self._taken:
            along = (x * other_x + y * other_y) / distance
            across = (x * other_y - y * other_x) / distance
            gap = body.radius_m + other.radius_m
            if along <= 0.0 or abs(across) >= gap:
                continue
            near, far = min(distance, along), max(distance, along)
            height_m = body.height_m if distance < along else other.height_m
            reach = near * mast_m / (mast_m - height_m) if height_m < mast_m else math.inf
            if far < reach + gap:
                return False
        return True

    def _shuffled_decoys(self) -> list[bool]:
        decoys = [False, True] * self._layout.per_class
        self._rng.shuffle(decoys)
        return decoys

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _appearance(self) -> int:
        return int(self._rng.integers(1 << 31))
