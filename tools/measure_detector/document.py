"""From records of looks to the document that lies beside the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from measure_detector.fit import (
    SIZE_MOST_PX,
    CurveFit,
    bins_of,
    chains_of,
    fit_blur,
    fit_ceiling,
    fit_curve,
    fit_dependence,
)
from measure_detector.records import IOU, IOU_SMALL, SMALL_PX, ClassRecord, Look
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.core.curve_document import FORMAT, VERSION

LEAST_THINGS = 20  # of a class: with fewer it is not measured
_ONE_SCENE = "no interval: pictures (worlds) are drawn again for it, and there is only one"
_UNKNOWN = "not determined: of these things too few, or none, were found"
_NO_END = (
    f"no end: in some drawings of the pictures so few were found that the size for half went to "
    f"{SIZE_MOST_PX:g} px, where it is cut off"
)
GROUP_S = 10.0  # longer than a pass of a sweep shows a place, shorter than until the next
_SHARP_PX = 0.5


@dataclass(frozen=True)
class Subject:
    """What was measured, and on what.

    Attributes:
        on: in words.
        tiles: how pictures were looked at.
    """

    model: Path
    input_px: tuple[int, int]
    on: str
    tiles: str


def merge(parts: Sequence[Mapping[str, ClassRecord]]) -> dict[str, ClassRecord]:
    """Return the records of all scenes together."""
    merged: dict[str, ClassRecord] = {}
    for part in parts:
        for name, record in part.items():
            whole = merged.setdefault(name, ClassRecord())
            whole.looks += record.looks
            whole.false_scores += record.false_scores
            whole.pictures += record.pictures
    return merged


def make_document(
    records: Mapping[str, ClassRecord], confidences: Sequence[float], subject: Subject
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the document, and how many things there are of classes that are too few for it.

    Args:
        records: by class.
        confidences: thresholds, rising; blur and dependence are those at the second, or the only.
    """
    left_out: dict[str, int] = {}
    classes: dict[str, Any] = {}
    fits: dict[str, CurveFit] = {}
    middle = confidences[min(1, len(confidences) - 1)]
    for name, record in sorted(records.items()):
        sharp = sharp_looks(record)
        things = len({(one.scene, one.thing) for one in sharp})
        if things < LEAST_THINGS:
            left_out[name] = things
            continue
        curves = []
        for confidence in confidences:
            fit = fit_curve(sharp, confidence)
            if confidence == middle:
                fits[name] = fit
            curves.append(_curve(fit, record, sharp, confidence))
        classes[name] = {"things": things, "looks": len(sharp), "curves": curves}
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "model": {
            "file": subject.model.name,
            "sha256": sha256_of(subject.model),
            "input_px": list(subject.input_px),
        },
        "measured": {
            "on": subject.on,
            "looks": max(1, sum(len(one.looks) for one in records.values())),
            "iou": IOU,
            "iou_small": IOU_SMALL,
            "small_px": SMALL_PX,
            "tiles": subject.tiles,
        },
        "classes": classes,
    }
    _add_blur(document, records, fits, middle)
    _add_dependence(document, records, fits, middle)
    return document, left_out


def sharp_looks(record: ClassRecord) -> list[Look]:
    """Return the looks that are not blurred."""
    return [one for one in record.looks if one.smear_px < _SHARP_PX]


def _curve(
    fit: CurveFit, record: ClassRecord, sharp: Sequence[Look], confidence: float
) -> dict[str, Any]:
    alarms = sum(score > confidence for score in record.false_scores)
    return {
        "confidence": confidence,
        "p_max": fit.p_max.plain(),
        "size_50_px": fit.size_50_px.plain(),
        "width": fit.width.plain(),
        "false_alarms_per_look": round(alarms / max(1, record.pictures), 4),
        "bins": [
            {
                "size_px": [round(one.low_px, 2), round(one.high_px, 2)],
                "looks": one.looks,
                "found": one.found,
            }
            for one in bins_of(sharp, confidence)
        ],
    }


def _values(fit: CurveFit) -> tuple[float, float, float]:
    return fit.p_max.value, fit.size_50_px.value, fit.width.value


def _add_blur(
    document: dict[str, Any],
    records: Mapping[str, ClassRecord],
    fits: Mapping[str, CurveFit],
    confidence: float,
) -> None:
    looks = [(_values(fit), one) for name, fit in fits.items() for one in records[name].looks]
    blur = fit_blur(looks, confidence)
    if blur is not None:
        document["blur_px"] = blur.plain()


def _add_dependence(
    document: dict[str, Any],
    records: Mapping[str, ClassRecord],
    fits: Mapping[str, CurveFit],
    confidence: float,
) -> None:
    """Add ceilings and dependence, where things were visited again."""
    chains = []
    for name, fit in fits.items():
        one = chains_of(sharp_looks(records[name]), _values(fit), confidence)
        if one.p.shape[1] < 2 or np.count_nonzero((one.p > 0).any(axis=2).sum(axis=1) > 1) < 10:
            continue
        ceiling = fit_ceiling(one, fit.p_max.value)
        document["classes"][name]["ceiling"] = ceiling.plain()
        chains.append((one, max(ceiling.value, fit.p_max.value)))
    if chains:
        within, between = fit_dependence(chains)
        document["dependence"] = {
            "within": within.plain(),
            "between": between.plain(),
            "group_s": GROUP_S,
        }


def in_words(document: Mapping[str, Any], confidence: float) -> str:
    """Return a table of the curves at a threshold."""

    notes: dict[str, None] = {}

    def shown(one: Mapping[str, float], digits: int, most: float = math.inf) -> str:
        value = f"{one['value']:.{digits}f}"
        if one["value"] >= most - 0.5:
            notes[_UNKNOWN] = None
            return "not determined"
        if "low" not in one:
            notes[_ONE_SCENE] = None
            return f"{value} (no interval)"
        if one["high"] >= most - 0.5:
            notes[_NO_END] = None
            return f"{value} ({one['low']:.{digits}f}.. no end)"
        return f"{value} ({one['low']:.{digits}f}..{one['high']:.{digits}f})"

    lines = [
        "| class | things | looks | most | size for half [px] | rise | false per look |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in document["classes"].items():
        curve = next(c for c in one["curves"] if c["confidence"] == confidence)
        size = shown(curve["size_50_px"], 1, SIZE_MOST_PX)
        most, rise = shown(curve["p_max"], 2), shown(curve["width"], 2)
        low, high = (curve["p_max"].get(end) for end in ("low", "high"))
        if None not in (low, high) and low < 0.1 and high > 0.95:
            most = f"not determined ({low:.2f}..{high:.2f})"
        if not any(found["found"] for found in curve["bins"]):
            notes[_UNKNOWN] = None
            most = size = rise = "not determined"
        lines.append(
            f"| {name} | {one['things']} | {one['looks']} | {most} | {size} | {rise} "
            f"| {curve['false_alarms_per_look']:.3f} |"
        )
    if "blur_px" in document:
        lines.append(f"\nblur: {shown(document['blur_px'], 1)} px")
    if "dependence" in document:
        found = document["dependence"]
        lines.append(
            f"dependence: within a group {shown(found['within'], 2)}, between groups "
            f"{shown(found['between'], 2)}"
        )
        for name, one in document["classes"].items():
            if "ceiling" in one:
                lines.append(f"ceiling of {name}: {shown(one['ceiling'], 3)}")
    if notes:
        lines += ["", *notes]
    return "\n".join(lines)
