"""Missions as pages, one for each, and as files for maps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.core.reviews import UNREVIEWED, FindingReview, by_finding
from semantic_detection_pkg.recorder.evidence import mission_folders
from semantic_detection_pkg.recorder.evidence.coverage_geojson import pod_geojson
from semantic_detection_pkg.recorder.evidence.mission_content import (
    TYPES,
    MissionContent,
    Progress,
    read_mission,
    unrecorded_mission,
)
from semantic_detection_pkg.recorder.evidence.mission_page import index_page, mission_page
from semantic_detection_pkg.recorder.evidence.missions_of_recording import (
    Mission,
    missions_of,
)
from semantic_detection_pkg.recorder.evidence.rendering import write_text
from semantic_detection_pkg.recorder.map_files.files import MAKERS, file_name, write_map_file
from semantic_detection_pkg.recorder.map_files.items import MapFinding, MapMission, numbered
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.event_store import PAGE
from semantic_detection_pkg.recorder.storage.review_log import ReviewLog
from semantic_detection_pkg.recorder.storage.searched import Searched, read_searched

__all__ = ["POD_MAP", "REPORT", "Written", "write", "write_report"]

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
    """Write the report as `write_report`, without map files; return its first page."""
    return write_report(folder, namespace, tell, pages_to_come)[0].page


def write_report(
    folder: Path,
    namespace: str | None = None,
    tell: Progress = _tell_nothing,
    pages_to_come: Collection[str] = (),
    kinds: Collection[str] = (),
) -> list[Written]:
    """Write the report of the recorder's output folder, or of a bag, into it.

    Of several missions each has a folder of its own below `missions/`, and the report lists them.
    Where the robot knew its place, the POD on the ground goes along as GeoJSON.

    Args:
        namespace: of the robot, where the bag has several.
        tell: is given what is being done and how much of it is, 0..1, now and then.
        pages_to_come: names of events whose pages are about to be written; they are linked, too.
        kinds: of map files that are written beside it, keys of `map_files.files.MAKERS`.

    Returns:
        The report in the folder, then those of the missions where there are several.

    Raises:
        ConfigurationError: it cannot be read or is of another version.
        FrameError: a picture cannot be decoded.
        StorageError: the folder cannot be written.
    """
    with BagReader(folder) as reader:
        robot = reader.namespace_of([*TYPES, "findings"], namespace)
        try:
            missions = missions_of(folder, reader, robot, tell, _STEPS_MAX)
            ways = _ways(folder, missions)
            written = []
            reviews = by_finding(ReviewLog(folder).read())
            searched = read_searched(folder)
            places = {} if searched is None else searched.places
            for mission, target in zip(missions, ways, strict=True):
                pages = {
                    event.name: _page_of(folder, target, event, pages_to_come)
                    for event in mission.events
                }
                content = _reviewed(_read(folder, mission, robot, tell, pages), reviews, places)
                list_page = "" if target == folder else f"../../{REPORT}"
                written.append(_write(target, content, mission, pages, kinds, list_page, searched))
        except AttributeError as error:
            raise ConfigurationError(f"bag {reader.path} is of another version: {error}") from error
    if ways == [folder]:
        return written
    known = mission_folders.known(folder)
    write_text(folder / REPORT, index_page(known, REPORT))
    return [Written(folder / REPORT), *written]


def _ways(folder: Path, missions: list[Mission]) -> list[Path]:
    """Return where each mission's report goes: a single one into the folder itself.

    One that lay there and is no more the only one moves.
    """
    goals = [(mission.times_ns(), mission.begun_ns) for mission in missions]
    alone = mission_folders.alone(folder)
    is_same = alone is None or alone.is_of(*goals[0])
    if len(missions) == 1 and is_same and not mission_folders.known(folder):
        return [folder]
    mission_folders.move_alone(folder, [REPORT, POD_MAP, *map(file_name, MAKERS)])
    return mission_folders.folders_for(folder, goals)


def _read(
    folder: Path, mission: Mission, robot: str, tell: Progress, pages: Mapping[str, str]
) -> MissionContent:
    links = {finding: pages[event.name] for event in mission.events for finding in event.findings}
    findings = mission.findings(folder)
    if mission.reader is None:
        return unrecorded_mission(folder, mission.times_ns(), findings, links)
    start_ns, _ = mission.times_ns()
    return read_mission(mission.reader, robot, findings, links, tell, mission.course, start_ns)


def _reviewed(
    content: MissionContent, reviews: Mapping[str, FindingReview], places: Mapping[str, str]
) -> MissionContent:
    """Return what is told of a mission with what people said of its findings, and their places."""
    rows = tuple(
        replace(
            row,
            review=reviews.get(row.finding.id, UNREVIEWED),
            place=places.get(row.finding.id, ""),
        )
        for row in content.rows
    )
    return replace(content, rows=rows)


def _write(
    folder: Path,
    content: MissionContent,
    mission: Mission,
    pages: Mapping[str, str],
    kinds: Collection[str],
    list_page: str,
    searched: Searched | None,
) -> Written:
    mission_folders.make_folder(folder)
    coverage = content.course.coverage
    pods = None if coverage is None else pod_geojson(coverage)
    if pods is not None:
        write_text(folder / POD_MAP, json.dumps(pods))
    on_maps = _map_mission(content)
    files: list[Path] = []
    refusals: list[str] = []
    # What was exported before is made anew, too: beside a newer report it would be wrong.
    there = [kind for kind in MAKERS if (folder / file_name(kind)).exists()]
    for kind in dict.fromkeys([*kinds, *there]):
        try:
            files.append(write_map_file(on_maps, kind, folder))
        except ConfigurationError as error:
            refusals.append(str(error))
    pod_map = POD_MAP if (folder / POD_MAP).exists() else ""
    names = [file.name for file in files]
    page = mission_page(content, mission.events, pages, pod_map, names, list_page, searched)
    write_text(folder / REPORT, page)
    mission_folders.note(
        folder,
        (content.start_ns, content.end_ns),
        content.course.words,
        Counter(row.state for row in content.rows),
        mission.begun_ns,
    )
    unplaced = len(on_maps.findings) - len(on_maps.placed)
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
            review=row.review,
            place=row.place,
        )
        for row in content.rows
    )
    return MapMission(
        content.start_ns, content.end_ns, content.course.words, found, content.course.coverage
    )


def _page_of(folder: Path, target: Path, event: Event, pages_to_come: Collection[str]) -> str:
    """Return the link from a report to an event's page; empty where it has none yet."""
    path = folder / "events" / event.name / PAGE
    up = "../" * len(target.relative_to(folder).parts)
    has_page = event.name in pages_to_come or path.exists()
    return f"{up}events/{quote(event.name)}/{PAGE}" if has_page else ""
