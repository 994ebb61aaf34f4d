"""The missions of a recording, each with its findings and its events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semantic_detection_pkg.common.core.finding_ids import parse_finding_id
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.evidence.content import (
    kept_findings,
    latest_findings,
    read_content,
)
from semantic_detection_pkg.recorder.evidence.mission_content import Course, Progress
from semantic_detection_pkg.recorder.evidence.missions_apart import tell_apart
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.event_store import events_of

_LONGEST_NS = 2 * 24 * 3600 * 1_000_000_000  # of a mission
_SLACK_NS = 2_000_000_000  # between a finding's time and that of its recording


@dataclass
class Mission:
    """One mission.

    Attributes:
        reader: of its recording; None: there is none any more.
        recorded: the findings in it, newest revisions.
        events: that were kept of it.
    """

    reader: BagReader | None
    course: Course
    recorded: list[Any] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def begun_ns(self) -> int:
        """Return when its goal was begun, as its findings' ids have it [ns]; 0: nobody knows."""
        if self.course.search.begun_ns:
            return self.course.search.begun_ns
        names = [one.id for one in self.recorded] + [one for e in self.events for one in e.findings]
        return _begun(names)

    def findings(self, folder: Path) -> list[Any]:
        """Return the recorded findings and those that only their events still hold, older ones."""
        known = {finding.id for finding in self.recorded}
        kept: list[Any] = []
        for event in self.events:
            if known.issuperset(event.findings):
                continue
            try:
                found = _findings_of(folder / "events" / event.name, event)
            except ConfigurationError:
                continue  # whoever made its page has said so
            kept += [finding for finding in found if finding.id not in known]
        return [*kept, *self.recorded]

    def times_ns(self) -> tuple[int, int]:
        """Return when it began and ended [ns]."""
        begun_ns = self.course.search.begun_ns
        if self.reader is not None:
            start_ns, end_ns = self.reader.start_ns, self.reader.end_ns
            # The ring may have let go of its beginning; a clock may have been set since.
            is_lost = start_ns - _LONGEST_NS < begun_ns < start_ns
            return (begun_ns if is_lost else start_ns), end_ns
        times = [event.marked_ns for event in self.events]
        return min(times), max(times)


def missions_of(
    folder: Path, reader: BagReader, robot: str, tell: Progress, steps_max: int
) -> list[Mission]:
    """Return the missions of a recording and of the events beside it, oldest first.

    Raises:
        ConfigurationError: the bag is damaged.
    """
    stretches = tell_apart(reader, robot, tell, steps_max)
    missions: list[Mission] = []
    for stretch in stretches:
        view = reader if len(stretches) == 1 else reader.part(stretch.part)
        found = latest_findings(view, robot)
        if not stretch.has_scan:
            found = _give_back(found, missions)
        if stretch.has_scan or found:
            missions.append(Mission(view, stretch.course, found))
    if not missions:  # nobody searched: it is told all the same
        missions = [Mission(reader, stretches[-1].course)]
    _share_out(events_of(folder), missions)
    return sorted(missions, key=lambda one: one.times_ns()[0])


def _give_back(found: list[Any], missions: Sequence[Mission]) -> list[Any]:
    """Give findings that were told after the end of their goal to its mission; return the rest."""
    rest = []
    for finding in found:
        begun = _begun([finding.id])
        owner = next((one for one in reversed(missions) if begun and one.begun_ns == begun), None)
        if owner is None:
            rest.append(finding)
            continue
        before = next((one for one in owner.recorded if one.id == finding.id), None)
        if before is None or finding.revision >= before.revision:
            owner.recorded = [one for one in owner.recorded if one is not before] + [finding]
    return rest


def _share_out(events: Iterable[Event], missions: list[Mission]) -> None:
    """Give each event to its mission; those whose recording is gone make missions of their own."""
    recorded = list(missions)
    older: dict[int, Mission] = {}
    unknown: list[Event] = []
    for event in events:
        owner = _owner(event, recorded)
        begun = _begun(event.findings)
        if owner is not None:
            owner.events.append(event)
        elif begun:
            older.setdefault(begun, Mission(None, Course())).events.append(event)
        else:
            unknown.append(event)
    missions += older.values()
    for event in unknown:  # marked by hand, long ago
        nearest = min(missions, key=lambda one: _distance_ns(event.marked_ns, one.times_ns()))
        nearest.events.append(event)
    for mission in missions:
        mission.events.sort(key=lambda one: one.name)


def _owner(event: Event, missions: Sequence[Mission]) -> Mission | None:
    """Return the recorded mission of an event: by its goal, its findings, its time, their names."""
    wanted, begun = set(event.findings), _begun(event.findings)
    for mission in missions:
        if begun and mission.course.search.begun_ns == begun:
            return mission
    for mission in missions:
        if wanted & {finding.id for finding in mission.recorded}:
            return mission
    for mission in reversed(missions):  # of two with one time, after a clock that was set back
        if begun and mission.course.search.begun_ns:
            continue  # of another goal, whatever the time
        if _distance_ns(event.marked_ns, mission.times_ns()) <= _SLACK_NS:
            return mission
    for mission in missions:
        if begun and begun in {_begun([finding.id]) for finding in mission.recorded}:
            return mission
    return None


def _begun(findings: Collection[str]) -> int:
    """Return the time [ns] that the ids of a mission's findings start with; 0: they have none."""
    names = (parse_finding_id(one) for one in findings)
    return next((name[0] for name in names if name), 0)


def _distance_ns(time_ns: int, times_ns: tuple[int, int]) -> int:
    return max(0, times_ns[0] - time_ns, time_ns - times_ns[1])


def _findings_of(folder: Path, event: Event) -> Iterable[Any]:
    """Return an event's findings: what lies beside its bag is read first, it is little."""
    kept = kept_findings(folder)
    return kept.values() if kept.keys() >= set(event.findings) else read_content(folder).findings
