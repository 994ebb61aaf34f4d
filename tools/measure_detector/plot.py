"""Drawings as SVG, without a library: curves with what was counted, and reliability diagrams."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from measure_detector.fit import Bin, probability

_WIDTH, _HEIGHT, _MARGIN = 560, 340, 46
_COLOURS = ("#1f6fb2", "#c2571a", "#2c8a4b", "#8a4bb0", "#a08010", "#b03060", "#507080", "#333333")
_SIZES_PX = (2.0, 512.0)

_Place = Callable[[float, float], tuple[float, float]]


def curves_svg(document: Mapping[str, Any], confidence: float) -> str:
    """Draw the curve of each class at a threshold; bars are 95 % Wilson intervals of the bins."""
    low, high = map(math.log, _SIZES_PX)

    def place(size_px: float, share: float) -> tuple[float, float]:
        return _at((math.log(size_px) - low) / (high - low), share)

    ticks = [(f"{size:g}", place(size, 0.0)[0]) for size in 2.0 ** np.arange(1, 10)]
    parts = _frame("longer side [px of the network's input]", "chance of one look", ticks)
    for number, (name, one) in enumerate(document["classes"].items()):
        colour = _COLOURS[number % len(_COLOURS)]
        curve = next(c for c in one["curves"] if c["confidence"] == confidence)
        values = [curve[key]["value"] for key in ("p_max", "size_50_px", "width")]
        sizes = np.exp(np.linspace(low, high, 100))
        points = [place(*one) for one in zip(sizes, probability(sizes, values), strict=True)]
        parts.append(_line(points, colour))
        shift = 1.0 + 0.02 * (number - len(document["classes"]) / 2)
        for found in curve["bins"]:
            low_px, high_px = found["size_px"]
            counted = Bin(low_px, high_px, found["looks"], found["found"])
            middle = math.sqrt(counted.low_px * counted.high_px) * shift
            if _SIZES_PX[0] < middle < _SIZES_PX[1]:
                parts += _bar(place, middle, counted, colour)
        parts.append(_text(_MARGIN + 10, _MARGIN + 16 * number, name, colour))
    return _svg(parts)


def reliability_svg(groups: Mapping[str, Sequence[tuple[float, Bin]]]) -> str:
    """Draw predicted against actual shares: (mean predicted, counted) of each group of cells."""
    ticks = [(f"{share:.1f}", _at(share, 0.0)[0]) for share in np.arange(0.0, 1.01, 0.2)]
    parts = _frame("predicted", "found", ticks)
    parts.append(_line([_at(0.0, 0.0), _at(1.0, 1.0)], "#999", dashes="4 4"))
    for number, (name, found) in enumerate(groups.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        for predicted, counted in found:
            parts += _bar(_at, predicted, counted, colour)
        parts.append(_text(_MARGIN + 10, _MARGIN + 16 * number, name, colour))
    return _svg(parts)


def _at(across: float, up: float) -> tuple[float, float]:
    x = _MARGIN + across * (_WIDTH - 2 * _MARGIN)
    return x, _HEIGHT - _MARGIN - up * (_HEIGHT - 2 * _MARGIN)


def _bar(place: _Place, x: float, counted: Bin, colour: str) -> list[str]:
    low, high = counted.wilson()
    (px, y0), (_, y1) = place(x, low), place(x, high)
    _, y = place(x, counted.found / counted.looks)
    radius = 2.0 + min(3.0, counted.looks / 150.0)
    return [
        f'<line x1="{px:.1f}" y1="{y0:.1f}" x2="{px:.1f}" y2="{y1:.1f}" stroke="{colour}" '
        'stroke-opacity="0.5"/>',
        f'<circle cx="{px:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>',
    ]


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "none") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _text(x: float, y: float, text: str, colour: str = "#333", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}'
        "</text>"
    )


def _frame(across: str, up: str, ticks: Sequence[tuple[str, float]]) -> list[str]:
    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']
    for share in np.arange(0.0, 1.01, 0.2):
        (x0, y), (x1, _) = _at(0.0, share), _at(1.0, share)
        parts.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x1}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(_text(x0 - 6, y + 4, f"{share:.1f}", anchor="end"))
    for label, x in ticks:
        parts.append(_text(x, _HEIGHT - _MARGIN + 16, label, anchor="middle"))
    parts.append(_text(_WIDTH / 2, _HEIGHT - 8, across, anchor="middle"))
    parts.append(_text(_MARGIN - 30, _MARGIN - 18, up))
    return parts


def _svg(parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, *parts, "</svg>", ""])
