"""What is in the simulated world: things, their decoys, footpaths, plants. Only data and motion."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("person", "tent", "vehicle", "boat", "smoke", "footpath")
DECOY_NAMES = MappingProxyType(
    {
        "person": "scarecrow",
        "tent": "boulder",
        "vehicle": "container",
        "boat": "log",
        "smoke": "mist",
        "footpath": "ditch",
    }
)
"""What the decoy of each class truly is."""
ODDITY_NAMES = ("barrel", "tarpaulin", "rucksack")
"""What no class names."""


@dataclass(frozen=True)
class Board:
    """Something upright: a flat picture on the ground that faces the camera's mast.

    Attributes:
        id: > 0 and unique among boards and footpaths; 0 for plants, which nobody looks for.
        class_name: one of CLASS_NAMES or of ODDITY_NAMES; "tree", "fir", "bush" or "rock" for
            plants.
        is_decoy: looks like class_name from afar, and is not.
        x_m, y_m: foot of its centre, on the ground.
        width_m, height_m: size of the picture.
        look_seed: decides colours and details.
        stroll_m, stroll_period_s: it moves to and fro along y by this much, in this time.
    """

    id: int
    class_name: str
    is_decoy: bool
    x_m: float
    y_m: float
    width_m: float
    height_m: float
    look_seed: int
    stroll_m: float = 0.0
    stroll_period_s: float = 20.0

    def foot(self, time_s: float) -> tuple[float, float]:
        """Return (x, y) [m] of its foot at a time."""
        phase = 2.0 * math.pi * time_s / self.stroll_period_s
        return self.x_m, self.y_m + self.stroll_m * math.sin(phase)


@dataclass(frozen=True)
class Footpath:
    """A trodden path on the ground that branches and ends at something, or its decoy, a ditch.

    Attributes:
        lines: centre lines (n, 2) [m]; the first is the trunk, the others branch off from it.
        width_m: mean width.
    """

    id: int
    is_decoy: bool
    lines: tuple[NDArray[np.float64], ...]
    width_m: float
    look_seed: int

    class_name = "footpath"

    @property
    def ends(self) -> NDArray[np.float64]:
        """(n, 2) [m] where it ends: both ends of the trunk, the far end of each branch."""
        return np.stack([self.lines[0][0], *(line[-1] for line in self.lines)])


@dataclass(frozen=True)
class Lake:
    """Water with a wavy shore: radius(angle) = radius_m * (1 + sum of waves)."""

    x_m: float
    y_m: float
    radius_m: float
    wave_amplitudes: tuple[float, ...]
    wave_phases: tuple[float, ...]

    def outline(self, points: int = 96) -> NDArray[np.float64]:
        """Return the (points, 2) shore. [m]"""
        angles = np.linspace(0.0, 2.0 * np.pi, points, endpoint=False)
        radius = np.ones(points)
        waves = zip(self.wave_amplitudes, self.wave_phases, strict=True)
        for order, (amplitude, phase) in enumerate(waves, start=2):
            radius += amplitude * np.cos(order * angles + phase)
        reach = (self.radius_m * radius)[:, None]
        return np.asarray(
            (self.x_m, self.y_m) + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        )

    def contains(self, x_m: float, y_m: float, margin_m: float) -> bool:
        """Return whether a point is nearer to the middle than the mean shore plus a margin."""
        return math.hypot(x_m - self.x_m, y_m - self.y_m) < self.radius_m + margin_m
