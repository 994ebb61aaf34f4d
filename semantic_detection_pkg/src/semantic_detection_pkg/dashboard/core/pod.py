"""The probability of detection (POD) of a message of coverage, as the page takes it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from semantic_detection_pkg.common.core.plain import as_plain


def pod_of(message: Any) -> dict[str, Any] | None:
    """Return what the page shows of it; None where the message has none that fits its cells.

    Arrays of cells are little-endian and in base64: `ranges_m` and `finest_px_per_rad` of four
    bytes, `looks` of two, `percent` of one.
    """
    cells = int(message.rows) * int(message.columns)
    numbers = (message.range_m, message.look_counts, message.finest_px_per_rad)
    percents = [one.pod_percent for one in message.classes]
    if not percents or any(len(one) != cells for one in (*numbers, *percents)):
        return None
    return {
        "is_range_assumed": bool(message.is_range_assumed),
        "is_range_by_terrain": bool(message.is_range_by_terrain),
        "half_life_s": float(message.pod_half_life_s),
        "ranges_m": _packed(message.range_m, "<f4"),
        "looks": _packed(message.look_counts, "<u2"),
        "finest_px_per_rad": _packed(message.finest_px_per_rad, "<f4"),
        "classes": [
            {**as_plain(one, without=("pod_percent",)), "percent": _packed(one.pod_percent, "u1")}
            for one in message.classes
        ],
    }


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.asarray(values, np.dtype(kind)).tobytes()).decode()
