"""The probability of detection on the ground as GeoJSON (RFC 7946), for maps and GIS programs.

Each cell that was looked at is a polygon: its four corners on level ground below the camera. What
the cells of a column show lies behind each other, the far ones large.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from semantic_detection_pkg.common.core.coverage_ground import on_ground
from semantic_detection_pkg.common.core.geojson import feature_collection


def pod_geojson(message: Any) -> dict[str, Any] | None:
    """Return the document of a message of type Coverage.

    Returns:
        None where it has no POD, or where the base's position or the ground is not known.
    """
    ground = on_ground(message)
    cells_of_grid = int(message.rows) * int(message.columns)
    classes = getattr(message, "classes", ())  # recordings of before have none
    if ground is None or not classes:
        return None
    if any(len(one.pod_percent) != cells_of_grid for one in classes):
        return None
    cells = np.flatnonzero(ground.shown)
    rings = ground.corners(cells)
    return feature_collection(
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            "properties": {
                **{f"pod_{one.class_name}": int(one.pod_percent[at]) for one in classes},
                "looks": int(message.look_counts[at]),
                "range_m": round(float(message.range_m[at]), 1),
            },
        }
        for at, ring in zip(cells.tolist(), rings.tolist(), strict=True)
    )
