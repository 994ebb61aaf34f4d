"""A whole mission on one page: findings, coverage, timeline, events, what was recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import CellResult, GpuOwner, HealthLevel, Level, Verdict, read
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, POD_COLOURS, css
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.evidence.content import (
    kept_findings,
    latest_findings,
    read_content,
    read_evidence_frames,
)
from semantic_detection_pkg.recorder.evidence.coverage_geojson import pod_geojson
from semantic_detection_pkg.recorder.evidence.drawings import (
    Span,
    coverage_map,
    pod_maps,
    spans,
)
from semantic_detection_pkg.recorder.evidence.event_page import PAGE, position_of, state_of
from semantic_detection_pkg.recorder.evidence.pictures import thumbnail
from semantic_detection_pkg.recorder.evidence.rendering import render, write_text
from semantic_detection_pkg.recorder.storage.bag_reader import BagMessage, BagReader
from semantic_detection_pkg.recorder.storage.event_store import (
    EVENT_FILE,
    is_unfinished,
    read_event,
)

REPORT = "report.html"
POD_MAP = "coverage.geojson"
_STATE, _COVERAGE, _GPU, _HEALTH = "scan/state", "scan/coverage", "gpu/state", "health/level"
_TYPES = {
    _STATE: "interfaces_pkg/msg/ScanState",
    _COVERAGE: "interfaces_pkg/msg/Coverage",
    _GPU: "interfaces_pkg/msg/GpuState",
    _HEALTH: "interfaces_pkg/msg/HealthState",
}
NOT_RUN = Verdict.NOT_RUN
_PICTURES_MAX = 200  # of findings; more would make the page too heavy to open
_STEPS_MAX = 4000  # of a timeline

#: Is told what is being done and how much of it is, 0..1.
Progress = Callable[[str, float], None]


def _tell_nothing(_what: str, _share: float) -> None:
    """Keep progress to oneself."""


@dataclass
class _Course:
    """What happened when: (time [ns], kind, title) of each message."""

    levels: list[tuple[int, str, str]] = field(default_factory=list)
    healths: list[tuple[int, str, str]] = field(default_factory=list)
    owners: list[tuple[int, str, str]] = field(default_factory=list)
    words: tuple[str, ...] = ()
    coverage: Any = None


@dataclass(frozen=True)
class _Row:
    """One finding in the table."""

    finding: Any
    state: str
    stamp_ns: int
    position: Position | None
    tier: Any
    crop: str
    page: str


@dataclass(frozen=True)
class _KeptEvent:
    """One event in the table."""

    label: str
    marked_ns: int
    size: str
    page: str


def write(
    folder: Path,
    namespace: str | None = None,
    tell: Progress = _tell_nothing,
    pages_to_come: Collection[str] = (),
) -> Path:
    """Write the report of the recorder's output folder, or of a bag, into it.

    Where the robot knew its place, the POD on the ground goes along as GeoJSON.

    Args:
        namespace: of the robot, where the bag has several.
        tell: is given what is being done and how much of it is, 0..1, now and then.
        pages_to_come: names of events whose pages are about to be written; they are linked, too.

    Returns:
        The page.

    Raises:
        ConfigurationError: it cannot be read or is of another version.
        FrameError: a picture cannot be decoded.
        StorageError: the folder cannot be written.
    """
    with BagReader(folder) as reader:
        robot = reader.namespace_of([*_TYPES, "findings"], namespace)
        try:
            page, pods = _page(folder, reader, robot, tell, pages_to_come)
        except AttributeError as error:
            raise ConfigurationError(f"bag {reader.path} is of another version: {error}") from error
    write_text(folder / REPORT, page)
    if pods is not None:
        write_text(folder / POD_MAP, json.dumps(pods))
    return folder / REPORT


def _page(
    folder: Path, reader: BagReader, robot: str, tell: Progress, pages_to_come: Collection[str]
) -> tuple[str, dict[str, Any] | None]:
    """Return the page, and the POD on the ground where it is known."""
    course = _course(reader, robot, tell)
    pods = None if course.coverage is None else pod_geojson(course.coverage)
    events = events_of(folder)
    pages = {event.name: _page_of(folder, event, pages_to_come) for event in events}
    findings = _all_findings(folder, events, latest_findings(reader, robot))
    linked = {finding: pages[event.name] for event in events for finding in event.findings}
    rows = _rows(reader, robot, findings, linked, tell)
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
    page = render(
        "mission.html",
        pod_map=POD_MAP if pods is not None else "",
        mission={
            "start_ns": reader.start_ns,
            "end_ns": reader.end_ns,
            "span": _in_words(1e-9 * (reader.end_ns - reader.start_ns)),
            "words": course.words,
            "counts": dict(Counter(row.state for row in rows)),
            "bag": reader.path,
        },
        findings=rows,
        map=drawn,
        legend=[(css(CELL_COLOURS[result]), result.text) for result in CellResult],
        marks=marks,
        pods=[] if course.coverage is None else pod_maps(course.coverage),
        pod_legend=[
            (
                css(colour),
                f"{100 * step // len(POD_COLOURS)}–{100 * (step + 1) // len(POD_COLOURS)} %",
            )
            for step, colour in enumerate(POD_COLOURS)
        ],
        timeline=_timeline(course, rows, reader.start_ns, reader.end_ns),
        events=[_KeptEvent(e.label, e.marked_ns, _megabytes(e), pages[e.name]) for e in events],
        topics=sorted((c.topic, c.msgtype, c.msgcount) for c in reader.connections),
    )
    return page, pods


def events_of(folder: Path) -> list[Event]:
    """Return events beside a ring, by their time; none where there is no such folder."""
    found = []
    for path in sorted((folder / "events").glob(f"*/{EVENT_FILE}")):
        if is_unfinished(path.parent):
            continue
        try:
            found.append(read_event(path.parent))
        except ValueError:
            continue  # the recorder has said so
    return found


def _all_findings(folder: Path, events: Iterable[Event], recorded: list[Any]) -> list[Any]:
    """Return the recorded findings and those that only their events still hold, older ones."""
    known = {finding.id for finding in recorded}
    kept: list[Any] = []
    for event in events:
        if known.issuperset(event.findings):
            continue
        try:
            found = _findings_of(folder / "events" / event.name, event)
        except ConfigurationError:
            continue  # whoever made its page has said so
        kept += [finding for finding in found if finding.id not in known]
    return [*kept, *recorded]


def _findings_of(folder: Path, event: Event) -> Iterable[Any]:
    """Return an event's findings: what lies beside its bag is read first, it is little."""
    kept = kept_findings(folder)
    return kept.values() if kept.keys() >= set(event.findings) else read_content(folder).findings


def _course(reader: BagReader, robot: str, tell: Progress) -> _Course:
    """Read what happened when; of states that follow each other closely, one.

    A mission's timeline is some thousand pixels wide: what is closer together is not unpacked.
    """
    course = _Course()
    length_ns = max(1, reader.end_ns - reader.start_ns)
    due_ns = dict.fromkeys(_TYPES, -(2**63))
    coverage: BagMessage | None = None
    for message in reader.messages(robot, _TYPES):
        time_ns = message.received_ns
        if message.topic == _COVERAGE:
            coverage = message  # only the last one is drawn
            tell("reading the recording", (time_ns - reader.start_ns) / length_ns)
            continue
        if due_ns[message.topic] - length_ns < time_ns < due_ns[message.topic]:
            continue  # a time that fell farther is of a clock that was set back
        due_ns[message.topic] = time_ns + length_ns // _STEPS_MAX
        content = reader.read(message)
        if message.topic == _STATE:
            course.levels.append((time_ns, read(content, "level", Level.IDLE).word, content.reason))
            course.words = tuple(content.words) or course.words
        elif message.topic == _HEALTH:
            title = "; ".join(content.reasons) or "well"
            course.healths.append((time_ns, read(content, "level", HealthLevel.OK).word, title))
        elif message.topic == _GPU:
            owner = read(content, "owner", GpuOwner.UNKNOWN)
            kind = "detector" if owner is GpuOwner.DETECTOR else "vlm"
            course.owners.append((time_ns, kind, content.reason))
    course.coverage = None if coverage is None else reader.read(coverage)
    return course


def _rows(
    reader: BagReader,
    robot: str,
    findings: Iterable[Any],
    pages: dict[str, str],
    tell: Progress,
) -> list[_Row]:
    order = {"confirmed": 0, "uncertain": 1, "candidate": 2, "rejected": 3}
    ranked = sorted(findings, key=lambda one: (order.get(state_of(one), 4), -one.score))
    pictured = {from_time(one.best_frame) for one in ranked[:_PICTURES_MAX]}
    tell("looking for the findings' pictures", 0.0)
    frames = read_evidence_frames(reader, robot, pictured)
    rows: list[_Row] = []
    for finding in ranked:
        tell("drawing findings", len(rows) / len(ranked))
        best_ns = from_time(finding.best_frame)
        evidence_frame = frames.get(best_ns)
        ran = [one for one in finding.tiers if read(one, "verdict", NOT_RUN) is not NOT_RUN]
        rows.append(
            _Row(
                finding,
                state_of(finding),
                from_time(finding.header.stamp),
                position_of(finding),
                ran[-1] if ran else None,
                "" if evidence_frame is None else thumbnail(evidence_frame, finding, best_ns),
                pages.get(finding.id, ""),
            )
        )
    return rows


def _timeline(
    course: _Course, rows: Iterable[_Row], start_ns: int, end_ns: int
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


def _page_of(folder: Path, event: Event, pages_to_come: Collection[str]) -> str:
    """Return the link from the report to an event's page; empty where it has none yet."""
    path = folder / "events" / event.name / PAGE
    has_page = event.name in pages_to_come or path.exists()
    return f"events/{quote(event.name)}/{PAGE}" if has_page else ""


def _megabytes(event: Event) -> str:
    if event.no_recording:
        return "the finding only"
    return f"{sum(event.segments.values()) / 1e6:.1f} MB"


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
