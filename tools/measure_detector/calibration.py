"""Predicted POD against what was found: reliability and the expected calibration error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from measure_detector.fit import Bin
from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground

WIDTH, HEIGHT = 1280, 720
_GROUPS = 10


@dataclass(frozen=True)
class Outcome:
    """What was predicted of one thing, and what came of it.

    Attributes:
        pod: 0..1, predicted at its bearing.
        is_detected: in one frame at least.
        is_tracked: a confirmed track of its class: it would have been looked at closer.
    """

    class_name: str
    pod: float
    is_detected: bool
    is_tracked: bool


def outcomes(
    worlds: Sequence[Mapping[str, Any]],
    curves: DetectionCurves,
    confidence: float,
    classes: Sequence[str] = (),
) -> list[Outcome]:
    """Predict for the things of sweeps, see `sweeps.sweep_world`.

    Args:
        classes: of which; empty: of all.
    """
    found: list[Outcome] = []
    for world in worlds:
        names = {one[0] for one in world["things"]}
        names = names & set(classes) if classes else names
        pod, grid = _map_of(world, curves, sorted(names))
        known = {name: pod.pod(name) for name in pod.class_names}
        for name, yaw, pitch, score, is_tracked in world["things"]:
            row = int((pitch - grid.pitch_min_rad) // grid.cell_rad)
            column = int((yaw - grid.yaw_min_rad) // grid.cell_rad)
            if name in known and 0 <= row < len(grid.pitch_rad) and 0 <= column < len(grid.yaw_rad):
                value = float(known[name][row, column])
                found.append(Outcome(name, value, score > confidence, bool(is_tracked)))
    return found


def shifted(curves: DetectionCurves, factor: float) -> DetectionCurves:
    """Return curves of a detector that needs things so many times as large."""
    classes = tuple(
        replace(one, curve=replace(one.curve, size_50_px=one.curve.size_50_px * factor))
        for one in curves.classes
    )
    return replace(curves, classes=classes)


def reliability(found: Sequence[Outcome]) -> list[tuple[float, Bin]]:
    """Return (mean predicted, counted) of groups of equal width of the predicted POD."""
    groups: list[tuple[float, Bin]] = []
    for group in range(_GROUPS):
        inside = [one for one in found if min(int(one.pod * _GROUPS), _GROUPS - 1) == group]
        if inside:
            predicted = float(np.mean([one.pod for one in inside]))
            hits = sum(one.is_tracked for one in inside)
            groups.append(
                (predicted, Bin(group / _GROUPS, (group + 1) / _GROUPS, len(inside), hits))
            )
    return groups


def calibration_error(found: Sequence[Outcome]) -> float:
    """Return the expected calibration error: the mean over things of |predicted - found|."""
    groups = reliability(found)
    gaps = [abs(predicted - one.found / one.looks) * one.looks for predicted, one in groups]
    return sum(gaps) / max(1, sum(one.looks for _, one in groups))


def calibration_table(groups: Mapping[str, Sequence[Outcome]]) -> str:
    """Return the calibration of each class, and of all, in a table."""
    lines = [
        "| class | things | mean POD | found | seen in a frame | calibration error |",
        "|---|---|---|---|---|---|",
    ]
    everything = [one for found in groups.values() for one in found]
    for name, found in (*groups.items(), ("all", everything)):
        count = max(1, len(found))
        shares = (
            sum(one.pod for one in found) / count,
            sum(one.is_tracked for one in found) / count,
            sum(one.is_detected for one in found) / count,
            calibration_error(found),
        )
        lines.append(f"| {name} | {len(found)} | " + " | ".join(f"{x:.3f}" for x in shares) + " |")
    return "\n".join(lines)


def read_worlds(path: Path) -> list[dict[str, Any]]:
    """Return the sweeps of a file, one on each line."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def _map_of(
    world: Mapping[str, Any], curves: DetectionCurves, names: Sequence[str]
) -> tuple[PodMap, CoverageMap]:
    settings = ScanSettings()
    grid = CoverageMap(Area(*world["area"]), settings.cell_size_rad, settings.coverage)
    pod = PodMap(grid, names, settings.pod, settings.tracker.confirm_hits)
    pod.use(curves, Ground(world["height_m"]))
    for stamp_s, yaw, pitch, hfov, yaw_rate, pitch_rate, gain in world["looks"]:
        view = CameraView(yaw, pitch, 0.0, hfov, WIDTH, HEIGHT)
        whole = Look(0, 0, WIDTH, HEIGHT, gain)
        pod.update(view, stamp_s, (yaw_rate, pitch_rate), (whole,))
    return pod, grid
