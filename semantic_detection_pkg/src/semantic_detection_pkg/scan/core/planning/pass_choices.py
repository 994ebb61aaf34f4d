"""Which passes there are: for each zoom, pace and uppermost row the band of rows that one shows.

A pass turns the axis along yaw at one pitch and zoom, as a swath of the sweep does. Its pace is
that at which each place stays in the picture for a wanted number of looks: the rest is the curve's
to say, which knows what the motion blur of that pace costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.pose_history import hfov_at_zoom
from semantic_detection_pkg.common.core.detection_curve import (
    EXPOSURE_MAX,
    GROUP_LOOKS,
    ClassCurve,
    DetectionCurve,
)
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import GimbalLimits
from semantic_detection_pkg.scan.core.planning.swaths import half_widths_at

Grid = NDArray[np.float64]

_ZOOM_STEP = 1.15
_SPARE_LOOKS = (0.4, 1.2, 3.0)  # beyond those that have to find a thing
_NEEDED_LOOKS = 0.2  # so many beyond them the first and the last place of a pass get
_LEAST_WIDTH = 0.55  # of the widest row's: rows seen over less are not part of a band


@dataclass(frozen=True)
class LookRate:
    """How a place in the picture is looked at.

    Attributes:
        gain: pixels of the network's input for one of the picture.
        rate_hz: looks in a second, > 0.
    """

    gain: float
    rate_hz: float


@dataclass(frozen=True)
class PassRules:
    """What passes can be made of.

    Attributes:
        wide: lens and picture at zoom 1.
        limits: of the gimbal.
        zooms: to choose from, rising.
        look_rates: ways in which the detector looks at each picture, at the same time.
        hits: looks that have to find a thing for it to be reported.
        edge_margin: 0..0.4, share of the picture at each edge that does not count.
        exposure_time_s: [s] of the shutter.
        max_motion_blur_px: [px] of the picture; beyond it pictures do not count, and no curve
            is known to hold.
        within: share of its exposure that a look beyond the needed ones adds.
    """

    wide: CameraView
    limits: GimbalLimits
    zooms: tuple[float, ...]
    look_rates: tuple[LookRate, ...]
    hits: int
    edge_margin: float
    exposure_time_s: float
    max_motion_blur_px: float
    within: float


def zooms_to_choose(fixed: float, zoom_max: float) -> tuple[float, ...]:
    """Return the zooms from 1 to the greatest in even steps of their logarithm; or the fixed one.

    Args:
        fixed: 0: none is.
    """
    if fixed > 0.0:
        return (fixed,)
    count = max(1, math.ceil(math.log(max(zoom_max, 1.0)) / math.log(_ZOOM_STEP))) + 1
    return tuple(np.geomspace(1.0, max(zoom_max, 1.0), count).tolist()) if zoom_max > 1 else (1.0,)


@dataclass(frozen=True, eq=False)
class PassChoices:
    """All passes of full width; K choices of zoom and pace, R uppermost rows.

    Attributes:
        zooms: (K,).
        pitch_rad: (K, R) of the axis.
        rows: (K, R) int, how many rows from the uppermost on it shows; 0: it is none.
        half_rad: (K, R) half the range of yaw that it shows, in its narrowest row.
        rate_rad_s: (K, R) yaw rate.
        looks: (K, R) that each place gets.
        ratio: (K, R) share of the looks that its first and last place have to get.
        log_scales: (K, classes) natural logarithm of px of the network's input per rad, less what
            motion blur takes away.
        looks_hz: (K,) looks in a second.
    """

    zooms: Grid
    pitch_rad: Grid
    rows: NDArray[np.int64]
    half_rad: Grid
    rate_rad_s: Grid
    looks: Grid
    ratio: Grid
    log_scales: Grid
    looks_hz: Grid


def pass_choices(rules: PassRules, pitch_rad: Grid, curves: Sequence[ClassCurve]) -> PassChoices:
    """Return the passes over rows of a map.

    Args:
        pitch_rad: (rows) of the middles of rows, rising, evenly apart.
    """
    cell = float(pitch_rad[1] - pitch_rad[0]) if len(pitch_rad) > 1 else 1e-3
    parts = []
    for zoom in rules.zooms:
        view = replace(rules.wide, hfov_rad=hfov_at_zoom(rules.wide.hfov_rad, zoom))
        bands = _bands(view, rules, pitch_rad, cell)
        for way in rules.look_rates:
            parts += [
                (zoom, *bands, *_pace(view, rules, way, spare, bands, curves))
                for spare in _SPARE_LOOKS
            ]
    zooms, *arrays = zip(*parts, strict=True)
    return PassChoices(np.array(zooms), *(np.array(one) for one in arrays))


def _pace(
    view: CameraView,
    rules: PassRules,
    way: LookRate,
    spare: float,
    bands: tuple[Grid, NDArray[np.int64], Grid],
    curves: Sequence[ClassCurve],
) -> tuple[Grid, Grid, Grid, list[float], float]:
    """Return what follows from the pace of bands; see the fields of `PassChoices` from it on."""
    pitch, _, half = bands
    rate = 2.0 * half * way.rate_hz / (rules.hits + spare)
    image_rate_max = rules.max_motion_blur_px / max(
        rules.exposure_time_s * view.pixels_per_rad, 1e-9
    )
    most = np.minimum(image_rate_max / np.maximum(np.cos(pitch), 0.05), rules.limits.rate_rad_s)
    rate = np.clip(rate, 1e-6, most)
    looks = 2.0 * half * way.rate_hz / rate
    ratio = np.minimum((rules.hits + _NEEDED_LOOKS) / np.maximum(looks, 1e-9), 1.0)
    image_rate = float(np.median(rate * np.cos(pitch)))
    smear_px = rules.exposure_time_s * view.pixels_per_rad * image_rate * way.gain
    sharp = math.log(view.pixels_per_rad * way.gain)
    return rate, looks, ratio, [sharp - one.curve.log_blur(smear_px) for one in curves], way.rate_hz


def group_exposures(
    rules: PassRules, choices: PassChoices, log_sizes: Grid, curves: Sequence[ClassCurve]
) -> Grid:
    """Return the exposure of a group of looks by each choice: (K, classes, R, columns).

    Args:
        log_sizes: (classes, R, columns) natural logarithm of the angular size [rad].
    """
    shape = (len(choices.zooms), *log_sizes.shape)
    found = np.zeros(shape)
    spare = np.clip(choices.looks - rules.hits, 0.0, GROUP_LOOKS - 1)  # (K, R)
    factor = (1.0 + rules.within * spare)[:, :, None]
    for index, one in enumerate(curves):
        sizes = log_sizes[index][None] + choices.log_scales[:, index, None, None]
        found[:, index] = exposures_of(one.curve, sizes) * factor
    return found


def exposures_of(curve: DetectionCurve, log_sizes: Grid) -> Grid:
    """Return the exposures of one look by the natural logarithms of sizes [px of the input]."""
    rise = (log_sizes - math.log(curve.size_50_px)) / curve.width
    best = curve.p_max / (1.0 + np.exp(-np.clip(rise, -60.0, 60.0)))
    left = np.maximum(1.0 - best / max(curve.ceiling, 1e-9), math.exp(-EXPOSURE_MAX))
    return np.asarray(-np.log(left))


def _bands(
    view: CameraView, rules: PassRules, pitch_rad: Grid, cell: float
) -> tuple[Grid, NDArray[np.int64], Grid]:
    """Return pitch of the axis, number of rows and half width by the uppermost row: (R,) each."""
    count = len(pitch_rad)
    rise = math.atan(view.height * (0.5 - rules.edge_margin) / view.pixels_per_rad)
    top, bottom = float(pitch_rad[0]), float(pitch_rad[-1])
    wanted = np.minimum(pitch_rad - cell / 2.0 + rise, max((top + bottom) / 2.0, bottom - rise))
    low, high = rules.limits.pitch_rad
    # Not below the last row's band, nor where the uppermost row would leave the picture.
    pitch = np.clip(np.maximum(wanted, pitch_rad - rise * 0.9), low, high)
    width = half_widths_at(view, rules.edge_margin, pitch, pitch_rad)
    row, index = np.arange(count), np.arange(count)[:, None]
    width = np.where(row[None] >= index, width, 0.0)
    is_shown = (width >= _LEAST_WIDTH * width.max(axis=1, keepdims=True)) & (width > 0.0)
    is_part = np.logical_and.accumulate(is_shown | (row[None] < index), axis=1) & is_shown
    rows = is_part.sum(axis=1)
    halves = np.where(is_part, width, np.inf).min(axis=1)
    return pitch, rows, np.where(rows > 0, halves, 0.0)
