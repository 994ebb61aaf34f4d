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
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground

WIDTH, HEIGHT = 1280, 720
OFF_BY = 1.3  # a curve that is wrong by so much must be noticed
_GROUPS = 10
_DRAWN = 200  # times that outcomes are drawn
_PARTS = {"seed", "height_m", "area", "looks", "things"}  # of what is kept of a sweep


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


def chance_error(found: Sequence[Outcome]) -> float:
    """Return the calibration error that things as many would have if every POD were right."""
    rng = np.random.default_rng(0)
    pods = np.array([one.pod for one in found])
    drawn = rng.random((_DRAWN, len(found))) < pods
    return float(
        np.mean(
            [
                calibration_error(
                    [
                        replace(one, is_tracked=bool(is_tracked))
                        for one, is_tracked in zip(found, row, strict=True)
                    ]
                )
                for row in drawn
            ]
        )
    )


def calibration_table(
    worlds: Sequence[Mapping[str, Any]], curves: DetectionCurves, confidence: float
) -> str:
    """Return the calibration of each class, of persons and tents, and of all, in a table."""
    lines = [
        "| class | things | mean POD | found | calibration error | of it chance "
        f"| curve {OFF_BY:g} times off |",
        "|---|---|---|---|---|---|---|",
    ]
    right, *wrong = (
        outcomes(worlds, shifted(curves, factor), confidence)
        for factor in (1.0, OFF_BY, 1.0 / OFF_BY)
    )
    classes = sorted({one.class_name for one in right})
    groups = {name: {name} for name in classes}
    groups |= {"person and tent": {"person", "tent"}, "all": set(classes)}
    for title, names in groups.items():
        found = [one for one in right if one.class_name in names]
        if not found:
            continue
        pod = sum(one.pod for one in found) / len(found)
        share = sum(one.is_tracked for one in found) / len(found)
        errors = [calibration_error(found), chance_error(found)]
        off = [
            f"{calibration_error([one for one in other if one.class_name in names]):.3f}"
            for other in wrong
        ]
        shown = " | ".join(f"{x:.3f}" for x in (pod, share, *errors))
        lines.append(f"| {title} | {len(found)} | {shown} | {', '.join(off)} |")
    return "\n".join(lines)


def read_worlds(path: Path) -> list[dict[str, Any]]:
    """Return the sweeps of a file, one on each line.

    Raises:
        ConfigurationError: it holds none.
    """
    try:
        worlds = [json.loads(line) for line in path.read_text().splitlines() if line]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"file {path}: cannot be read as sweeps: {error}") from error
    if not worlds or not all(isinstance(one, dict) and one.keys() >= _PARTS for one in worlds):
        raise ConfigurationError(f"file {path}: has no sweeps, --calibrate FIRST-LAST writes them")
    return worlds


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
