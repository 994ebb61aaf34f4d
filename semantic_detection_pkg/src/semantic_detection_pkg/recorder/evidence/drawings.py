"""Small drawings of a page as numbers for its SVG: track, map, coverage, timeline.

Everything is computed here and only placed by the templates, so a page has no script.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ros_support_pkg.core.words import CellResult
from semantic_detection_pkg.common.core.geojson import ellipse_enu
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, POD_COLOURS, rgb
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.evidence.pictures import png_uri

#: BGR of the coverage's results, in the order of their numbers (RESULT_* of msg/Coverage).
_RESULT_BGR = [rgb(CELL_COLOURS[result])[::-1] for result in CellResult]
_SPREAD_LEAST_RAD = math.radians(0.5)
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Plot:
    """A drawing of bearings; x to the right is yaw to the right, y down is pitch down.

    Attributes:
        width, height: [px] of its viewBox.
        points: "x,y x,y ..." of the line, oldest first.
        marks: (x, y, kind) of single bearings.
        frame: (yaw left, yaw right, pitch top, pitch bottom) [deg] of its edges.
    """

    width: int
    height: int
    points: str
    marks: tuple[tuple[float, float, str], ...]
    frame: tuple[float, float, float, float]


def track_plot(finding: Any) -> Plot:
    """Draw where the thing was seen, and of a path its ends and branches."""
    bearings = [(b.yaw_rad, b.pitch_rad) for b in finding.track_bearings]
    here = (finding.bearing.yaw_rad, finding.bearing.pitch_rad)
    marked = [(*here, "here")]
    for path in finding.path:
        marked += [(b.yaw_rad, b.pitch_rad, "end") for b in path.ends]
        marked += [(b.yaw_rad, b.pitch_rad, "branch") for b in path.branches]
    every = np.array([*bearings, *((yaw, pitch) for yaw, pitch, _ in marked)])
    every = every[np.isfinite(every).all(axis=1)]
    middle = (every.max(axis=0) + every.min(axis=0)) / 2
    half = max(float(np.ptp(every, axis=0).max()) * 0.6, _SPREAD_LEAST_RAD)
    side = 320

    def place(yaw: float, pitch: float) -> tuple[float, float]:
        x = side / 2 - (yaw - middle[0]) / half * side / 2
        y = side / 2 + (pitch - middle[1]) / half * side / 2
        return round(float(x), 1), round(float(y), 1)

    return Plot(
        side,
        side,
        " ".join(f"{x},{y}" for x, y in (place(*one) for one in bearings)),
        tuple((*place(yaw, pitch), kind) for yaw, pitch, kind in marked),
        tuple(  # type: ignore[arg-type]
            math.degrees(value)
            for value in (middle[0] + half, middle[0] - half, middle[1] - half, middle[1] + half)
        ),
    )


@dataclass(frozen=True)
class GroundMap:
    """The 1-sigma ellipse on the ground, north up.

    Attributes:
        side: [px] of its viewBox; the position is in its middle.
        ellipse: "x,y x,y ...".
        bar_px, bar_m: scale bar.
    """

    side: int
    ellipse: str
    bar_px: float
    bar_m: float


def ground_map(position: Position) -> GroundMap:
    """Draw the ellipse around a position."""
    side = 320
    reach_m = 1.6 * max(position.ellipse_major_m, 0.5)
    scale = side / 2 / reach_m
    outline = " ".join(
        f"{side / 2 + east * scale:.1f},{side / 2 - north * scale:.1f}"
        for east, north in ellipse_enu(position)
    )
    bar_m = _round_number(reach_m / 2)
    return GroundMap(side, outline, bar_m * scale, bar_m)


def _round_number(value: float) -> float:
    """Return the greatest of 1, 2, 5 times a power of ten that is not above `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in _STEPS if step * power <= value * 1.000001)


@dataclass(frozen=True)
class CoverageDrawing:
    """What of the area was seen.

    Attributes:
        picture: PNG as a data URI, one pixel for each cell; left is yaw to the left.
        columns, rows: cells.
        frame: (yaw left, yaw right, pitch top, pitch bottom) [deg].
        share: 0..1, of the cells that were seen.
    """

    picture: str
    columns: int
    rows: int
    frame: tuple[float, float, float, float]
    share: float

    def place(self, yaw_rad: float, pitch_rad: float) -> tuple[float, float] | None:
        """Return column and row of a bearing; None outside."""
        column, row = self.at(yaw_rad, pitch_rad)
        is_inside = 0.0 <= column <= self.columns and 0.0 <= row <= self.rows
        return (column, row) if is_inside else None

    def at(self, yaw_rad: float, pitch_rad: float) -> tuple[float, float]:
        """Return column and row of a bearing, outside, too; the turn that is nearer counts."""
        left, right, top, bottom = map(math.radians, self.frame)
        middle = (left + right) / 2.0
        off = yaw_rad - middle
        yaw_rad = middle + (off if abs(off) <= math.pi else math.remainder(off, math.tau))
        across, down = (left - yaw_rad) / (left - right), (pitch_rad - top) / (bottom - top)
        return round(across * self.columns, 2), round(down * self.rows, 2)


def coverage_map(message: Any) -> CoverageDrawing | None:
    """Draw a message of type Coverage; None where it has no sensible form."""
    columns, rows, cell = int(message.columns), int(message.rows), float(message.cell_rad)
    results = np.asarray(message.results, np.uint8)
    if min(columns, rows) < 1 or results.size != columns * rows or not cell > 0.0:
        return None
    colours = np.array(_RESULT_BGR, np.uint8)
    grid = results.reshape(rows, columns)[:, ::-1]  # columns run with growing yaw, to the left
    left, top = message.yaw_min_rad + columns * cell, message.pitch_min_rad
    edges = (left, message.yaw_min_rad, top, top + rows * cell)
    return CoverageDrawing(
        png_uri(colours[np.minimum(grid, len(colours) - 1)]),
        columns,
        rows,
        tuple(math.degrees(edge) for edge in edges),  # type: ignore[arg-type]
        float((results > 0).mean()),
    )


@dataclass(frozen=True)
class PodDrawing:
    """How likely a thing of one class would have been reported; `map` is drawn by that.

    Attributes:
        share, least_share: 0..1, in the area and in the ninth of it where it is least.
        least_deg: (yaw, pitch) [deg] of the middle of that ninth.
        assumed: what it comes from and nobody has measured, in words; empty: all was measured.
    """

    class_name: str
    share: float
    least_share: float
    least_deg: tuple[float, float]
    assumed: str
    map: CoverageDrawing


def pod_maps(message: Any) -> list[PodDrawing]:
    """Draw the POD of each class of a message of type Coverage; none where it has none."""
    area = coverage_map(message)
    drawn: list[PodDrawing] = []
    for one in getattr(message, "classes", ()):  # recordings of before have none
        percent = np.asarray(one.pod_percent, np.uint8)
        if area is None or percent.size != area.columns * area.rows:
            continue
        steps = np.minimum(percent.astype(int) * len(POD_COLOURS) // 100, len(POD_COLOURS) - 1)
        colours = np.array([rgb(colour)[::-1] for colour in POD_COLOURS], np.uint8)
        grid = steps.reshape(area.rows, area.columns)[:, ::-1]
        bearing = one.least_bearing
        drawn.append(
            PodDrawing(
                one.class_name,
                float(one.pod),
                float(one.least_pod),
                (math.degrees(bearing.yaw_rad), math.degrees(bearing.pitch_rad)),
                _assumed(message, one),
                replace(area, picture=png_uri(colours[grid])),
            )
        )
    return drawn


def _assumed(coverage: Any, of_class: Any) -> str:
    what = ["distance"] if coverage.is_range_assumed else []
    return " and ".join(what if of_class.is_measured else [*what, "detection curve or size"])


@dataclass(frozen=True)
class Span:
    """A stretch of a timeline: x and width in percent."""

    x: float
    width: float
    kind: str
    title: str


def spans(changes: Sequence[tuple[int, str, str]], start_ns: int, end_ns: int) -> tuple[Span, ...]:
    """Return the stretches in which something stays the same.

    Args:
        changes: (time [ns], kind, title), in order; each holds until the next.
    """
    if not changes:
        return ()
    length = max(1, end_ns - start_ns)
    merged: list[tuple[int, str, str]] = []
    for change in changes:
        if not merged or merged[-1][1] != change[1]:
            merged.append(change)
    ends = [*(time_ns for time_ns, _, _ in merged[1:]), end_ns]
    return tuple(
        Span(
            round(100 * (begin - start_ns) / length, 3),
            round(100 * max(0, end - begin) / length, 3),
            kind,
            title,
        )
        for (begin, kind, title), end in zip(merged, ends, strict=True)
    )
