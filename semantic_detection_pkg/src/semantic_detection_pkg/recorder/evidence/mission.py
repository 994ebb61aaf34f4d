"""A whole mission on one page, and as files for maps."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.evidence.content import (
    kept_findings,
    latest_findings,
    read_content,
)
from semantic_detection_pkg.recorder.evidence.coverage_geojson import pod_geojson
from semantic_detection_pkg.recorder.evidence.event_page import PAGE
from semantic_detection_pkg.recorder.evidence.mission_content import (
    TYPES,
    MissionContent,
    Progress,
    read_course,
    read_mission,
)
from semantic_detection_pkg.recorder.evidence.mission_page import mission_page
from semantic_detection_pkg.recorder.evidence.rendering import write_text
from semantic_detection_pkg.recorder.map_files.files import write_map_file
from semantic_detection_pkg.recorder.map_files.items import MapFinding, MapMission, numbered
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.event_store import (
    EVENT_FILE,
    is_unfinished,
    read_event,
)

REPORT = "report.html"
POD_MAP = "coverage.geojson"
_STEPS_MAX = 4000  # of a timeline


def _tell_nothing(_what: str, _share: float) -> None:
    """Keep progress to oneself."""


@dataclass(frozen=True)
class Written:
    """What was written of a mission.

    Attributes:
        page: the report.
        map_files: beside it.
        refusals: what of the map files cannot be made, a line each.
        unplaced: findings whose position is not known; of the map files only the table has them.
    """

    page: Path
    map_files: tuple[Path, ...] = ()
    refusals: tuple[str, ...] = ()
    unplaced: int = 0


def write(
    folder: Path,
    namespace: str | None = None,
    tell: Progress = _tell_nothing,
    pages_to_come: Collection[str] = (),
) -> Path:
    """Write the report as `write_report`, without map files; return the page."""
    return write_report(folder, namespace, tell, pages_to_come).page


def write_report(
    folder: Path,
    namespace: str | None = None,
    tell: Progress = _tell_nothing,
    pages_to_come: Collection[str] = (),
    kinds: Collection[str] = (),
) -> Written:
    """Write the report of the recorder's output folder, or of a bag, into it.

    Where the robot knew its place, the POD on the ground goes along as GeoJSON.

    Args:
        namespace: of the robot, where the bag has several.
        tell: is given what is being done and how much of it is, 0..1, now and then.
        pages_to_come: names of events whose pages are about to be written; they are linked, too.
        kinds: of map files that are written beside it, keys of `map_files.files.MAKERS`.

    Raises:
        ConfigurationError: it cannot be read or is of another version.
        FrameError: a picture cannot be decoded.
        StorageError: the folder cannot be written.
    """
    with BagReader(folder) as reader:
        robot = reader.namespace_of([*TYPES, "findings"], namespace)
        try:
            content = _read(folder, reader, robot, tell, pages_to_come)
        except AttributeError as error:
            raise ConfigurationError(f"bag {reader.path} is of another version: {error}") from error
    return _write(folder, content, pages_to_come, kinds)


def _read(
    folder: Path, reader: BagReader, robot: str, tell: Progress, pages_to_come: Collection[str]
) -> MissionContent:
    course = read_course(reader, robot, tell, _STEPS_MAX)
    events = events_of(folder)
    findings = _all_findings(folder, events, latest_findings(reader, robot))
    links = {
        finding: _page_of(folder, event, pages_to_come)
        for event in events
        for finding in event.findings
    }
    return read_mission(reader, robot, findings, links, tell, course)


def _write(
    folder: Path, content: MissionContent, pages_to_come: Collection[str], kinds: Collection[str]
) -> Written:
    coverage = content.course.coverage
    pods = None if coverage is None else pod_geojson(coverage)
    if pods is not None:
        write_text(folder / POD_MAP, json.dumps(pods))
    mission = _map_mission(content)
    files: list[Path] = []
    refusals: list[str] = []
    for kind in kinds:
        try:
            files.append(write_map_file(mission, kind, folder))
        except ConfigurationError as error:
            refusals.append(str(error))
    events = events_of(folder)
    pages = {event.name: _page_of(folder, event, pages_to_come) for event in events}
    pod_map = POD_MAP if pods is not None else ""
    page = mission_page(content, events, pages, pod_map, [file.name for file in files])
    write_text(folder / REPORT, page)
    unplaced = len(mission.findings) - len(mission.placed)
    return Written(folder / REPORT, tuple(files), tuple(refusals), unplaced)


def _map_mission(content: MissionContent) -> MapMission:
    found = numbered(
        MapFinding(
            finding_id=str(row.finding.id),
            class_name=str(row.finding.class_name),
            state=row.state,
            score=float(row.finding.score),
            time_ns=row.stamp_ns,
            position=row.position,
            yaw_rad=float(row.finding.bearing.yaw_rad),
            pitch_rad=float(row.finding.bearing.pitch_rad),
            decided_by=f"tier {row.tier.tier}: {row.tier.reason}" if row.tier else "",
            jpeg=row.jpeg,
        )
        for row in content.rows
    )
    return MapMission(
        content.start_ns, content.end_ns, content.course.words, found, content.course.coverage
    )


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


def _page_of(folder: Path, event: Event, pages_to_come: Collection[str]) -> str:
    """Return the link from the report to an event's page; empty where it has none yet."""
    path = folder / "events" / event.name / PAGE
    has_page = event.name in pages_to_come or path.exists()
    return f"events/{quote(event.name)}/{PAGE}" if has_page else ""
