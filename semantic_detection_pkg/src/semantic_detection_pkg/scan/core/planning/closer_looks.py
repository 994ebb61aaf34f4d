"""What closer looks do to a search: the time that they take, and what they show besides.

How many things there are nobody knows before; how many false alarms there will be the detector's
curve does. Each is looked at closer, and such a view shows a good part of the area around it, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from semantic_detection_pkg.common.core.detection_curve import GROUP_LOOKS, ClassCurve
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.planning.pass_choices import Grid, exposures_of
from semantic_detection_pkg.scan.core.settings import CloseSettings


@dataclass(frozen=True)
class CloserLookRules:
    """How candidates are looked at closer.

    Attributes:
        look_s: [s] that one takes, with the way to it.
        dwell_s: [s] in the view.
        min_frames: pictures in the view at least.
        target_px: (classes) [px] longer side that a thing is to have in the picture.
    """

    look_s: float
    dwell_s: float
    min_frames: int
    target_px: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class CloserLooks:
    """Closer looks at false alarms, by rows of the map.

    Attributes:
        alarms_per_look: false alarms in one look at a picture; 0 where nobody has measured.
        look_s: [s] that one takes.
        shown_rad2: (rows) [rad^2] solid angle that the view of one shows.
        exposures: (classes, rows, 1 or columns) that enough looks give to what they show.
        enough_in_one, enough_in_two: chance that so many views are enough looks.
    """

    alarms_per_look: float
    look_s: float
    shown_rad2: Grid
    exposures: Grid
    enough_in_one: float
    enough_in_two: float


class Shown(NamedTuple):
    """Cells that a pass has shown, and how many looks it took."""

    rows: slice
    columns: slice
    looks: float


def closer_look_rules(
    close: CloseSettings, size_margin: float, class_names: Sequence[str]
) -> CloserLookRules:
    """Return how close views go by the settings; `size_margin`: see `ViewPlanningSettings`."""
    needs_px = dict(close.min_target_px_by_class)
    return CloserLookRules(
        close.max_dwell_s + close.answer_s,
        close.max_dwell_s,
        close.min_view_frames,
        tuple(needs_px.get(name, close.min_target_px) * size_margin for name in class_names),
    )


def closer_looks(
    rules: CloserLookRules,
    curves: Sequence[ClassCurve],
    wide: CameraView,
    zoom_max: float,
    log_sizes: Grid,
    gain: float,
    rate_hz: float,
    needs: tuple[int, float],
) -> CloserLooks:
    """Return the closer looks of a search.

    Args:
        log_sizes: (classes, rows, columns) natural logarithm of the angular size [rad].
        gain: px of the network's input for one of the picture.
        rate_hz: pictures that are examined in a second.
        needs: looks that have to find a thing, and the share that each beyond them adds.
    """
    rates = [max(one.false_alarms_per_look, 0.0) for one in curves]
    alarms = [rate if math.isfinite(rate) else 0.0 for rate in rates]
    total = sum(alarms)
    sizes = log_sizes.mean(axis=2)  # (classes, rows)
    zooms = np.array(rules.target_px)[:, None] / (np.exp(sizes) * wide.pixels_per_rad)
    zooms = np.clip(zooms, 1.0, zoom_max)
    width, height = wide.width / wide.pixels_per_rad, wide.height / wide.pixels_per_rad
    shares = np.array(alarms)[:, None] / total if total > 0.0 else np.zeros((len(alarms), 1))
    shown_rad2 = (shares * width * height / zooms**2).sum(axis=0)
    hits, within = needs
    looks = max(rules.min_frames, rules.dwell_s * rate_hz)
    spare = min(max(looks - hits, 0.0), GROUP_LOOKS - 1.0)
    scales = np.log((shares * zooms).sum(axis=0) + 1e-9) + math.log(wide.pixels_per_rad * gain)
    found = [
        exposures_of(one.curve, sizes_of + scales[:, None])
        for one, sizes_of in zip(curves, log_sizes, strict=True)
    ]
    exposures = np.array(found) * (1.0 + within * spare)
    # 2.5 looks are 2 or 3.
    enough = [min(max(views * looks - (hits - 1.0), 0.0), 1.0) for views in (1, 2)]
    return CloserLooks(total, rules.look_s, shown_rad2, exposures, *enough)


def shares_shown(
    looks: CloserLooks, shown: Sequence[Shown], hits: int, solid_rad2: Grid
) -> tuple[Grid, float]:
    """Return the chance that views of false alarms show a cell enough, and how many there are.

    A false alarm stays where it is: a place that gets `hits` looks and one more gives one, wherever
    in what was shown, so views overlap as they happen to: their number at a cell is Poisson's.

    Args:
        solid_rad2: (rows, columns) of the cells.
    """
    density, count = np.zeros_like(solid_rad2), 0.0
    for one in shown:
        alarms = looks.alarms_per_look * one.looks / (hits + 1.0)
        part = one.rows, one.columns
        density[part] += alarms / max(float(solid_rad2[part].sum()), 1e-9)
        count += alarms
    views = density * looks.shown_rad2[:, None]
    none, one_view = np.exp(-views), views * np.exp(-views)
    more = 1.0 - none - one_view
    return looks.enough_in_one * one_view + looks.enough_in_two * more, count
