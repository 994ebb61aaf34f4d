"""Colours of what a scan knows: one table for rviz2, the mission report and the page.

Candidates are amber, what was found is green, what was rejected grey, everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.words import CellResult, FindingState, TrackState

_GREEN, _AMBER, _ORANGE, _GREY = 0x2FA866, 0xF2B544, 0xD9822B, 0x8B9AA6

#: 0xRRGGBB of each cell of the coverage map.
CELL_COLOURS: dict[CellResult, int] = {
    CellResult.UNSEEN: 0xEEEEEE,
    CellResult.EMPTY: 0x7AA7D9,
    CellResult.CANDIDATE: _AMBER,
    CellResult.FINDING: _GREEN,
    CellResult.REJECTED: _GREY,
}
#: 0xRRGGBB of a probability of detection, in equal steps from 0 to 1: red to blue, which people who
#: are colour-blind tell apart, too (after ColorBrewer's RdYlBu).
POD_COLOURS: tuple[int, ...] = (0xD73027, 0xFC8D59, 0xFEE090, 0x91BFDB, 0x4575B4)
FINDING_COLOURS: dict[FindingState, int] = {
    FindingState.CANDIDATE: _AMBER,
    FindingState.CONFIRMED: _GREEN,
    FindingState.REJECTED: _GREY,
    FindingState.UNCERTAIN: _ORANGE,
}
TRACK_COLOURS: dict[TrackState, int] = {
    TrackState.TENTATIVE: 0x93A4B0,
    TrackState.CONFIRMED: _AMBER,
    TrackState.LOST: _AMBER,
}


def pod_steps(shares: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return which of `POD_COLOURS` each of some probabilities of detection, 0..1, has."""
    steps = (shares * len(POD_COLOURS)).astype(np.intp)
    return np.minimum(steps, len(POD_COLOURS) - 1)


def rgb(colour: int) -> tuple[int, int, int]:
    """Return red, green and blue, 0..255."""
    return colour >> 16, colour >> 8 & 0xFF, colour & 0xFF


def css(colour: int) -> str:
    """Return a colour as style sheets write it, `#rrggbb`."""
    return f"#{colour:06x}"
