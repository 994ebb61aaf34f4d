"""The findings of a mission: one for each thing, published once and again when it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from semantic_detection_pkg.core.scan.evidence import (
    Box,
    Finding,
    FindingState,
    Path,
    Position,
    TierResult,
    VlmReply,
)
from semantic_detection_pkg.core.scan.same import is_same_thing
from semantic_detection_pkg.core.scan.settings import CandidateSettings
from semantic_detection_pkg.core.tracking.track import Track

_HISTORY_MAX = 100  # sights of a track that go out with a finding
_FINDINGS_MAX = 1000  # of a mission; the oldest are forgotten, they were published


@dataclass(frozen=True)
class Conclusion:
    """What a close look came to.

    Attributes:
        track: as it was seen at the look.
        frame_ns, box_xyxy: the picture that shows it best, and where [px].
    """

    state: FindingState
    score: float
    tiers: tuple[TierResult, ...]
    answers: tuple[VlmReply, ...]
    track: Track
    frame_ns: int
    box_xyxy: Box
    position: Position | None = None
    path: Path | None = None


class FindingBook:
    """All findings of one mission, each with its track."""

    def __init__(self, started_ns: int, settings: CandidateSettings) -> None:
        """`started_ns`: of the mission; the ids begin with it."""
        self._started_ns = started_ns
        self._settings = settings
        self._findings: list[tuple[Finding, Track]] = []
        self._made = 0

    @property
    def confirmed(self) -> int:
        """How many are confirmed."""
        return sum(one.state is FindingState.CONFIRMED for one, _ in self._findings)

    @property
    def all(self) -> tuple[Finding, ...]:
        """Newest revision of each, oldest first."""
        return tuple(one for one, _ in self._findings)

    def record(self, now_ns: int, what: Conclusion) -> Finding:
        """Note a conclusion: a new finding, or a revision of the one of the same thing."""
        track = what.track
        index = self._index_of(track)
        if index is None:
            self._made += 1
            finding_id, revision = f"{self._started_ns}-{self._made}", 1
        else:
            before = self._findings[index][0]
            finding_id, revision = before.finding_id, before.revision + 1
            if what.path is None and before.path is not None:
                what = replace(what, path=before.path)
        finding = Finding(
            finding_id=finding_id,
            revision=revision,
            stamp_ns=now_ns,
            state=what.state,
            class_name=track.class_name,
            score=what.score,
            tiers=what.tiers,
            answers=what.answers,
            yaw_rad=track.yaw_rad,
            pitch_rad=track.pitch_rad,
            covariance=track.covariance,
            range_m=math.nan,
            track_id=track.id,
            history=track.history[-_HISTORY_MAX:],
            best_frame_ns=what.frame_ns,
            best_box_xyxy=what.box_xyxy,
            position=what.position,
            path=what.path,
        )
        if index is None:
            self._findings.append((finding, track))
            self._findings = self._findings[-_FINDINGS_MAX:]
        else:
            self._findings[index] = (finding, track)
        return finding

    def _index_of(self, track: Track) -> int | None:
        for index, (one, before) in enumerate(self._findings):
            if one.track_id == track.id or is_same_thing(self._settings, before, track):
                return index
        return None
