"""GeoJSON (RFC 7946) as CalTopo and SARTopo take it: markers and shapes with titles and colours.

`class` says what CalTopo makes of a feature; what was found is `class_name`. The colours are those
of the simplestyle specification 1.1, which other map programs read, too.
"""

from __future__ import annotations

import json
from typing import Any

from ros_support_pkg.core.words import CellResult, FindingState
from semantic_detection_pkg.common.core.geojson import feature_collection, features
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, FINDING_COLOURS, css
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.map_files.items import (
    MapFinding,
    MapMission,
    described,
    time_text,
)
from semantic_detection_pkg.recorder.map_files.table import numbers_of

_COLOURS = {state.word: css(colour) for state, colour in FINDING_COLOURS.items()}
_OTHER = css(FINDING_COLOURS[FindingState.CANDIDATE])
_SEARCHED = css(CELL_COLOURS[CellResult.EMPTY])


def geojson(mission: MapMission) -> bytes:
    """Return the document."""
    found = [feature for one in mission.placed for feature in _of_finding(*one)]
    searched = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [outline.outer, *outline.holes]},
            "properties": {
                "class": "Shape",
                "title": "Searched area",
                "part": "searched area",
                **_filled(_SEARCHED),
            },
        }
        for outline in mission.searched
    ]
    document = {**feature_collection([*found, *searched]), "name": mission.title}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _of_finding(one: MapFinding, position: Position) -> list[dict[str, Any]]:
    colour = _COLOURS.get(one.state, _OTHER)
    shared = {
        "title": one.name,
        "id": one.finding_id,
        "class_name": one.class_name,
        "state": one.state,
        "score": round(one.score, 3),
        "time": time_text(one.time_ns),
        "review": one.review.verdict,
        **numbers_of(position),
    }
    lines = "\n".join(f"{label}: {text}" for label, text in described(one, position))
    marker = {"class": "Marker", "description": lines, "marker-color": colour}
    shape = {"class": "Shape", "title": f"{one.name}: 1 sigma", **_filled(colour)}
    point, *ellipse = features(position, shared)
    point["properties"] |= marker
    for feature in ellipse:
        feature["properties"] |= shape
    return [point, *ellipse]


def _filled(colour: str) -> dict[str, Any]:
    return {
        "stroke": colour,
        "stroke-width": 2,
        "stroke-opacity": 1,
        "fill": colour,
        "fill-opacity": 0.2,
    }
