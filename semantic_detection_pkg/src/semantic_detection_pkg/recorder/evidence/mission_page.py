"""One mission as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ros_support_pkg.core.words import CellResult
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, POD_COLOURS, css
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.evidence.drawings import Span, coverage_map, pod_maps, spans
from semantic_detection_pkg.recorder.evidence.mission_content import Course, MissionContent, Row
from semantic_detection_pkg.recorder.evidence.mission_folders import FOLDER, Known
from semantic_detection_pkg.recorder.evidence.rendering import in_words, render
from semantic_detection_pkg.recorder.evidence.search_text import search_text
from semantic_detection_pkg.recorder.storage.searched import Searched

_LOST_S = 5.0  # of a mission's beginning: less is the time until the recorder hears of it


@dataclass(frozen=True)
class _KeptEvent:
    """One event in the table."""

    label: str
    marked_ns: int
    size: str
    page: str


def mission_page(
    content: MissionContent,
    events: Iterable[Event],
    pages: Mapping[str, str],
    pod_map: str,
    map_files: Collection[str],
    list_page: str = "",
    searched: Searched | None = None,
) -> str:
    """Return the page as HTML.

    Args:
        events: those that were kept of the mission.
        pages: link to the page of an event, by its name.
        pod_map: file of the POD on the ground, beside the page; empty: there is none.
        map_files: those that lie beside the page.
        list_page: link to the list of missions; empty: there is only this one.
        searched: what was looked through, where it is a search of recordings.
    """
    course, rows = content.course, content.rows
    drawn = None if course.coverage is None else coverage_map(course.coverage)
    marks = (
        []
        if drawn is None
        else [
            (*place, row.finding.class_name)
            for row in rows
            if row.state == "confirmed"
            and (place := drawn.place(row.finding.bearing.yaw_rad, row.finding.bearing.pitch_rad))
        ]
    )
    pods = [] if course.coverage is None else pod_maps(course.coverage)
    lost_s = 1e-9 * (content.recorded_ns - content.start_ns)
    return render(
        "mission.html",
        search=search_text(course.search, course.coverage, drawn, pods),
        lost=in_words(lost_s) if content.recorded_ns and lost_s >= _LOST_S else "",
        pod_map=pod_map,
        map_files=map_files,
        list_page=list_page,
        searched=searched,
        mission={
            "start_ns": content.start_ns,
            "end_ns": content.end_ns,
            "span": in_words(1e-9 * (content.end_ns - content.start_ns)),
            "words": course.words,
            "counts": dict(Counter(row.state for row in rows)),
            "bag": content.path,
        },
        findings=rows,
        map=drawn,
        legend=[(css(CELL_COLOURS[result]), result.text) for result in CellResult],
        marks=marks,
        pods=pods,
        pod_legend=[
            (
                css(colour),
                f"{100 * step // len(POD_COLOURS)}–{100 * (step + 1) // len(POD_COLOURS)} %",
            )
            for step, colour in enumerate(POD_COLOURS)
        ],
        timeline=_timeline(course, rows, content.start_ns, content.end_ns),
        events=[_KeptEvent(e.label, e.marked_ns, _megabytes(e), pages[e.name]) for e in events],
        topics=content.topics,
    )


@dataclass(frozen=True)
class _Listed:
    """One mission in the list of several."""

    start_ns: int
    span: str
    words: tuple[str, ...]
    counts: dict[str, int]
    page: str


def index_page(missions: Iterable[Known], page: str) -> str:
    """Return the list of missions as HTML.

    Args:
        page: name of the report in a mission's folder.
    """
    return render(
        "missions.html",
        missions=[
            _Listed(
                one.start_ns,
                in_words(1e-9 * (one.end_ns - one.start_ns)),
                one.words,
                one.counts,
                f"{FOLDER}/{quote(one.folder.name)}/{page}",
            )
            for one in missions
        ],
    )


def _timeline(
    course: Course, rows: Iterable[Row], start_ns: int, end_ns: int
) -> list[tuple[str, tuple[Span, ...]]]:
    length = max(1, end_ns - start_ns)
    found = tuple(
        Span(
            round(100 * (row.stamp_ns - start_ns) / length, 3), 0.0, "found", row.finding.class_name
        )
        for row in rows
        if row.state == "confirmed"
    )
    bars = (("Scan", course.levels), ("GPU", course.owners), ("Health", course.healths))
    return [*((name, spans(changes, start_ns, end_ns)) for name, changes in bars), ("Found", found)]


def _megabytes(event: Event) -> str:
    if event.no_recording:
        return "the finding only"
    return f"{sum(event.segments.values()) / 1e6:.1f} MB"
