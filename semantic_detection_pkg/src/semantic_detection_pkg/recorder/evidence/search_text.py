"""What a report says of a search: what was wanted, foretold, reached, and where it was likelier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from semantic_detection_pkg.recorder.evidence.drawings import CoverageDrawing, PodDrawing
from semantic_detection_pkg.recorder.evidence.search_course import SearchCourse
from semantic_detection_pkg.scan.core.weight_shares import WeightShare, weight_shares

_PLANNERS = {
    "sweep": "in a sweep: all of the area at one zoom",
    "probability": "by probability of detection",
}


@dataclass(frozen=True)
class WeightedPart:
    """A part of the area: what it comes to, and its outline on the drawing of the coverage.

    Attributes:
        name: its number, or what is outside of all.
        points: "x,y x,y ..."; empty: it is not drawn.
    """

    name: str
    share: WeightShare
    points: str = ""


@dataclass(frozen=True)
class SearchText:
    """The search of a mission.

    Attributes:
        how: in words; empty: recordings of before do not tell.
        wanted: 0..1; 0: all of the area was to be seen.
        reached: 0..1, POD of the area.
        classes: (name, 0..1) of which it is the mean.
    """

    how: str
    wanted: float
    forecast: str
    forecast_pod: float
    forecast_s: float
    reached: float
    classes: tuple[tuple[str, float], ...]
    outcome: str
    took_s: float
    parts: tuple[WeightedPart, ...]


def search_text(
    search: SearchCourse, coverage: Any, drawn: CoverageDrawing | None, pods: list[PodDrawing]
) -> SearchText:
    """Put together what is told of a search.

    Args:
        coverage: the newest message of type Coverage; None: there is none.
        drawn: it as a drawing.
        pods: of its classes.
    """
    classes = tuple((one.class_name, one.share) for one in pods)
    reached = search.pod
    if classes and not search.is_repeating:  # else that of the round in hand
        reached = sum(share for _, share in classes) / len(classes)
    return SearchText(
        how=_PLANNERS.get(search.planner, ""),
        wanted=search.wanted_pod,
        forecast=search.forecast,
        forecast_pod=search.forecast_pod,
        forecast_s=search.forecast_s,
        reached=reached,
        classes=classes,
        outcome=search.outcome,
        took_s=search.took_s,
        parts=_parts(search, coverage, drawn),
    )


def _parts(
    search: SearchCourse, coverage: Any, drawn: CoverageDrawing | None
) -> tuple[WeightedPart, ...]:
    if not search.weights or drawn is None:
        return ()
    *shares, rest = weight_shares(search.weights, coverage)
    parts = [
        WeightedPart(
            str(number),
            share,
            " ".join(f"{x},{y}" for x, y in (drawn.at(*vertex) for vertex in weight.vertices)),
        )
        for number, (weight, share) in enumerate(zip(search.weights, shares, strict=True), 1)
    ]
    return (*parts, WeightedPart("elsewhere", rest))
