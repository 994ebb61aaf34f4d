"""The score of a scan against what is truly in the world."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.world.layout import World

_NEAR_RAD = math.radians(1.5)  # from a thing's middle to its finding
_EDGE_RAD = math.radians(0.5)  # beyond the bounds of a footpath


@dataclass(frozen=True)
class Claim:
    """Something that was said to be there.

    Attributes:
        class_name: what.
        yaw_rad, pitch_rad: where, as of `seen_s`.
        seen_s: [s] when it was seen there.
        told_s: [s] when it was told.
    """

    class_name: str
    yaw_rad: float
    pitch_rad: float
    seen_s: float
    told_s: float

    @property
    def bearing(self) -> tuple[float, float]:
        """(yaw, pitch) [rad]."""
        return self.yaw_rad, self.pitch_rad


@dataclass(frozen=True)
class Score:
    """What came of one scan of one world.

    Attributes:
        found_s: time [s] to each thing that was found, by its id.
        missed: "class id" of each thing that was not.
        false: claims that are no thing of that class: decoys, empty ground.
        doubles: claims of what had been told already.
        elapsed_s: [s] of the whole scan.
        questions: to the vision-language model.
    """

    found_s: dict[int, float]
    missed: tuple[str, ...]
    false: tuple[Claim, ...]
    doubles: int
    elapsed_s: float
    questions: int = 0

    @property
    def share_found(self) -> float:
        """0..1."""
        return len(self.found_s) / max(1, len(self.found_s) + len(self.missed))

    @property
    def mean_found_s(self) -> float:
        """Mean time [s] to the things that were found; NaN for none."""
        return float(np.mean(list(self.found_s.values()))) if self.found_s else math.nan


class Things:
    """All things of a world as bearings from the mast's top.

    A claim is right where it was seen within `_NEAR_RAD` of a thing's middle. A footpath is long,
    and a claim may mean any part: it means the footpath or ditch in whose bounds it lies, the one
    with the nearest middle where there are several.
    """

    def __init__(self, world: World) -> None:
        self._height_m = world.layout.camera_height_m
        self._boards = {
            board.id: board for board in world.boards if board.id > 0 and not board.is_decoy
        }
        self._paths = [
            (path.id, path.is_decoy, self._bearings(np.concatenate(path.lines)))
            for path in world.footpaths
        ]
        self.names = {board.id: board.class_name for board in self._boards.values()}
        self.names.update({path: "footpath" for path, is_decoy, _ in self._paths if not is_decoy})

    def score(self, claims: Iterable[Claim], elapsed_s: float, questions: int = 0) -> Score:
        """Judge the claims, the first told first."""
        found_s: dict[int, float] = {}
        false: list[Claim] = []
        doubles = 0
        for claim in sorted(claims, key=lambda claim: claim.told_s):
            near = self._near(claim)
            new = next((thing for thing in near if thing not in found_s), None)
            if new is not None:
                found_s[new] = claim.told_s
            elif near:
                doubles += 1
            else:
                false.append(claim)
        missed = tuple(f"{name} {i}" for i, name in self.names.items() if i not in found_s)
        return Score(found_s, missed, tuple(false), doubles, elapsed_s, questions)

    def _near(self, claim: Claim) -> list[int]:
        """Return things that the claim may mean, the nearest first."""
        if claim.class_name == "footpath":
            return self._paths_at(claim)
        distances = []
        for thing, board in self._boards.items():
            if board.class_name != claim.class_name:
                continue
            at = self._bearings(np.array([board.foot(claim.seen_s)]), board.height_m / 2.0)[0]
            distance = _distance(at, claim)
            if distance < _NEAR_RAD:
                distances.append((distance, thing))
        return [thing for _, thing in sorted(distances)]

    def _paths_at(self, claim: Claim) -> list[int]:
        inside = []
        for path, is_decoy, points in self._paths:
            low, high = points.min(axis=0) - _EDGE_RAD, points.max(axis=0) + _EDGE_RAD
            if np.all(low <= claim.bearing) and np.all(claim.bearing <= high):
                inside.append((_distance((low + high) / 2.0, claim), path, is_decoy))
        return [path for _, path, is_decoy in sorted(inside)[:1] if not is_decoy]

    def _bearings(self, points: NDArray[np.float64], rise_m: float = 0.0) -> NDArray[np.float64]:
        """Return (n, 2) yaw, pitch of points on the ground, or so far above it."""
        x_m, y_m = points.T
        pitch = np.arctan2(self._height_m - rise_m, np.hypot(x_m, y_m))
        return np.stack([np.arctan2(y_m, x_m), pitch], 1)


def _distance(at: NDArray[np.float64], claim: Claim) -> float:
    turn = math.remainder(float(at[0]) - claim.yaw_rad, math.tau)
    return math.hypot(turn * math.cos(claim.pitch_rad), float(at[1]) - claim.pitch_rad)


def table(title: str, scores: Sequence[tuple[int, Score]]) -> str:
    """Return a table with one line for each world."""
    columns = "".join(f"{name:>8}" for name in ("found", "false", "double", "mean s", "all s"))
    lines = [f"{title:<16}{columns}{'asked':>8}  missed"]
    for seed, score in scores:
        lines.append(
            f"{seed:<16}{score.share_found:>8.3f}{len(score.false):>8}{score.doubles:>8}"
            f"{score.mean_found_s:>8.1f}{score.elapsed_s:>8.1f}{score.questions:>8}"
            f"  {', '.join(score.missed)}"
            + "".join(f"  FALSE {claim.class_name}" for claim in score.false)
        )
    return "\n".join(lines)
