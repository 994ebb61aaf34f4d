"""What a mission is made of at one moment, and a mission made of that in another process.

A checkpoint holds what was reached: the goal, the coverage, candidates with their evidence, what
was decided, findings. It does not hold what was under way in the process that ended: tracks of the
newest frames, pictures, requests, a view, a question, the rates of the gimbal. These begin again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.scan.core.base_place import BasePlace
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import Evidence
from semantic_detection_pkg.scan.core.candidate_list import Cooling
from semantic_detection_pkg.scan.core.candidate_states import CandidateState
from semantic_detection_pkg.scan.core.coverage import CoverageRecord
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.findings import Conclusion
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.core.mission import Mission
from semantic_detection_pkg.scan.core.mission_words import MissionWords
from semantic_detection_pkg.scan.core.planning.sweep import SweepProgress
from semantic_detection_pkg.scan.core.pod_record import PodRecord
from semantic_detection_pkg.scan.core.scan_clock import ClockRecord
from semantic_detection_pkg.scan.core.search import Search, SearchPlan
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker


@dataclass(frozen=True)
class CandidateRecord:
    """One candidate; see `Candidate`."""

    first_id: int
    label: str
    since_ns: int
    state: CandidateState
    evidence: Evidence


@dataclass(frozen=True)
class SearchRecord:
    """A search but for its coverage and findings; see `Search`.

    Attributes:
        finding_tracks: one for each finding, in the same order, by which it is known again.
        followed: conclusions whose paths are still to be followed.
    """

    plan: SearchPlan
    is_swept: bool
    progress: SweepProgress
    candidates: tuple[CandidateRecord, ...]
    cooling: tuple[Cooling, ...]
    finding_tracks: tuple[Track, ...]
    followed: tuple[Conclusion, ...]


@dataclass(frozen=True)
class MissionRecord:
    """A mission; times are those of the scan's clock, which is part of it.

    Attributes:
        next_track_id, request_count: numbers that were given are not given again.
        words: that are looked for now; empty: those of the goal, as in checkpoints of before.
        word_names: of the class of each; empty: as it was asked for, as in checkpoints of before.
        words_since_ns: of the newest `WordsInForce` that they go by; 0: of none.
        search: None: there was no plan yet.
    """

    goal: Goal
    clock: ClockRecord
    started_ns: int
    frame_ns: int
    is_paused: bool
    next_track_id: int
    request_count: int
    base: BasePlace
    search: SearchRecord | None
    words: tuple[str, ...] = constant((), before=())
    word_names: tuple[str, ...] = constant((), before=())
    words_since_ns: int = constant(0, before=0)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All of it. Findings are frozen and change by revision only, so their text can be kept.

    Attributes:
        round_pod: of the round in hand; None: it is the first, or not kept, as before.
    """

    mission: MissionRecord
    findings: tuple[Finding, ...] = ()
    coverage: CoverageRecord | None = None
    pod: PodRecord | None = None
    round_pod: PodRecord | None = None


def checkpoint_of(blackboard: Blackboard, clock: ClockRecord) -> Checkpoint | None:
    """Return the checkpoint of the mission in hand; None without one. Shares nothing that changes.

    Args:
        clock: of the step that the blackboard stands for.
    """
    mission = blackboard.mission
    if mission is None:
        return None
    search = mission.search
    record = MissionRecord(
        goal=mission.goal,
        clock=clock,
        started_ns=mission.started_ns,
        frame_ns=mission.frame_ns,
        is_paused=blackboard.is_paused,
        next_track_id=mission.tracker.next_id,
        request_count=blackboard.request_count,
        base=mission.base_before.renewed(blackboard.fix, blackboard.attitude),
        search=None if search is None else _search_record(search),
        words=mission.words.asked,
        word_names=mission.words.names,
        words_since_ns=mission.words.heard_ns,
    )
    if search is None:
        return Checkpoint(record)
    coverage = search.coverage.record()
    return Checkpoint(record, search.findings.all, coverage, *(pod.record() for pod in search.pods))


def marks_of(blackboard: Blackboard) -> Hashable:
    """Return what is different after each decision; None without a mission.

    A decision is whatever changes what was reached, not what the gimbal does: a goal, a pause, a
    candidate's state, a finding, the end of the sweep.
    """
    mission = blackboard.mission
    if mission is None:
        return None
    marks = (mission.goal_now, mission.started_ns, blackboard.is_paused)
    search = mission.search
    if search is None:
        return marks
    return (
        *marks,
        search.is_swept,
        tuple((one.first_id, one.state) for one in search.candidates.all),
        tuple((one.finding_id, one.revision) for one in search.findings.all),
    )


def resume_mission(checkpoint: Checkpoint, settings: ScanSettings, stamp_ns: int) -> Mission:
    """Return the mission of a checkpoint, to be gone on with in this process.

    Args:
        settings: of now.
        stamp_ns: [ns] of now on the clock of the outside; ids of new findings begin with it, so
            that none is that of a finding of before, whatever the checkpoint does not know.

    Raises:
        ValueError: its parts do not fit together, or the settings do not fit them.
    """
    record = checkpoint.mission
    mission = Mission(record.started_ns, record.goal, settings, stamp_ns)
    mission.tracker = Tracker(settings.tracker, record.next_track_id)
    mission.frame_ns = record.frame_ns
    mission.base_before = record.base
    words = record.words or record.goal.words
    if len(record.word_names) not in (0, len(words)):
        raise ValueError(f"{len(words)} words with {len(record.word_names)} names")
    mission.words = MissionWords(words, record.word_names, record.words_since_ns, mission.name)
    saved = record.search
    if saved is None:
        return mission
    mission.begin_search(saved.plan)
    mission.is_fitted = False
    search = mission.search
    if search is None or checkpoint.coverage is None:
        raise ValueError("a search without coverage")
    search.frame_ns = record.frame_ns
    if search.coverage.results.shape == checkpoint.coverage.results.shape:
        search.coverage.restore(checkpoint.coverage)
        if checkpoint.pod is not None:
            search.pod.restore(checkpoint.pod)
        if checkpoint.round_pod is not None:
            search.begin_round_pod().restore(checkpoint.round_pod)
        search.set_progress(saved.progress, is_swept=saved.is_swept)
    candidates = [_candidate(one, settings) for one in saved.candidates]
    search.candidates.restore(candidates, saved.cooling)
    search.findings.restore(checkpoint.findings, saved.finding_tracks)
    for conclusion in saved.followed:
        search.follow_path(conclusion)
    return mission


def _search_record(search: Search) -> SearchRecord:
    return SearchRecord(
        plan=search.plan,
        is_swept=search.is_swept,
        progress=search.planner.progress,
        candidates=tuple(
            CandidateRecord(one.first_id, one.label, one.since_ns, one.state, one.evidence)
            for one in search.candidates.all
        ),
        cooling=tuple(
            replace(one, track=_without_history(one.track)) for one in search.candidates.cooling
        ),
        finding_tracks=tuple(map(_without_history, search.findings.tracks)),
        followed=tuple(one.conclusion for one in search.followers),
    )


def _without_history(track: Track) -> Track:
    """Return a track of which only the newest place matters."""
    return replace(track, history=())


def _candidate(record: CandidateRecord, settings: ScanSettings) -> Candidate:
    track = record.evidence.extent.track
    candidate = Candidate(record.since_ns, track, record.label, settings)
    candidate.resume(record.first_id, record.state, record.evidence)
    return candidate
