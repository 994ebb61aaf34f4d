"""The findings of a mission: one for each thing, published once and again when it changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.common.core.finding_ids import make_finding_id
from semantic_detection_pkg.common.core.position import NoPosition, Place, Position, locate
from semantic_detection_pkg.scan.core.association import is_same_object
from semantic_detection_pkg.scan.core.evidence import Box, Finding, PathCourse, TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import CandidateSettings
from semantic_detection_pkg.scan.core.tracking.track import Track

_HISTORY_MAX = 100  # sights of a track that go out with a finding
_LENGTH_MAX_M = 1e5  # a receiver that says more has no fix
_FINDINGS_MAX = 1000  # of a mission; the oldest are forgotten, they were published


@dataclass(frozen=True)
class Conclusion:
    """What the tiers came to about one candidate: a finding before it has its id.

    Attributes:
        track: as it was seen last.
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
    path: PathCourse | None = None


class FindingList:
    """All findings of one mission, each with its track."""

    def __init__(self, started_ns: int, settings: CandidateSettings) -> None:
        """Begin without findings; the ids start with the mission's `started_ns`."""
        self._started_ns = started_ns
        self._settings = settings
        self._findings: list[tuple[Finding, Track]] = []
        self._made = 0

    @property
    def confirmed(self) -> int:
        """Return how many are confirmed."""
        return sum(one.state is FindingState.CONFIRMED for one, _ in self._findings)

    @property
    def all(self) -> tuple[Finding, ...]:
        """Return the newest revision of each, oldest first."""
        return tuple(one for one, _ in self._findings)

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return the track of each, in the same order."""
        return tuple(track for _, track in self._findings)

    def restore(self, findings: Sequence[Finding], tracks: Sequence[Track]) -> None:
        """Go on with the findings of before, each with its track; new ones have ids of their own.

        Raises:
            ValueError: there is not one track for each.
        """
        self._findings = list(zip(findings, tracks, strict=True))

    def update_tracks(self, tracks: Mapping[int, Track]) -> None:
        """Note where the things are now, to know them again; the findings stay as they are.

        Args:
            tracks: by id; those that were not detected in the newest frame do not matter.
        """
        for index, (one, track) in enumerate(self._findings):
            now = tracks.get(track.id)
            if now is not None and now.is_seen:
                self._findings[index] = (one, now)

    def record(self, now_ns: int, what: Conclusion) -> Finding:
        """Return a new finding of this conclusion, or a revision of that of the same thing."""
        track, position = what.track, what.position
        index = self._index_of(track)
        if index is None:
            self._made += 1
            finding_id, revision = make_finding_id(self._started_ns, self._made), 1
        else:
            before, known = self._findings[index]
            finding_id, revision = before.finding_id, before.revision + 1
            if before.path is not None and (what.path is None or before.path.is_followed):
                what = replace(what, path=before.path)
            known = replace(known, yaw_rad=before.yaw_rad, pitch_rad=before.pitch_rad)
            if position is None and is_same_object(self._settings, known, track):
                position = before.position  # it still stands there, wherever the robot may be
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
            range_m=position.range_m if position is not None else math.nan,
            track_id=track.id,
            history=track.history[-_HISTORY_MAX:],
            best_frame_ns=what.frame_ns,
            best_box_xyxy=what.box_xyxy,
            position=position,
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
            if one.track_id == track.id or is_same_object(self._settings, before, track):
                return index
        return None


def foot_pitch_rad(track: Track, is_flat: bool) -> float:
    """Return the pitch at which a thing touches the ground: its lower edge, or its middle."""
    return track.pitch_rad + (0.0 if is_flat else track.height_rad / 2.0)


def is_place(fix: Fix) -> bool:
    """Return whether a fix is a place on the earth: what a receiver says need not make sense."""
    lengths = (fix.altitude_m, fix.sigma_horizontal_m, fix.sigma_vertical_m)
    is_on_earth = abs(fix.latitude_deg) <= 90.0 and abs(fix.longitude_deg) <= 360.0
    return is_on_earth and all(abs(length) < _LENGTH_MAX_M for length in lengths)


def position_of(
    track: Track,
    fix: Fix | None,
    attitude: BaseAttitude | None,
    ground_m: float,
    is_flat: bool,
) -> Position | None:
    """Return where a thing stands; None where base, attitude or ground are unknown or above it.

    Args:
        ground_m: height of the ground above the ellipsoid; NaN: unknown.
        is_flat: it lies on the ground, so its middle does; others touch it with their lower edge.
    """
    if fix is None or attitude is None or math.isnan(ground_m):
        return None
    if not is_place(fix):
        return None
    try:
        place = Place(
            fix.latitude_deg,
            fix.longitude_deg,
            fix.altitude_m,
            attitude.quaternion_xyzw,
            fix.sigma_horizontal_m,
            fix.sigma_vertical_m,
            attitude.sigma_rad,
        )
    except ValueError:
        return None  # what a receiver says need not make sense
    foot_rad = foot_pitch_rad(track, is_flat)
    found = locate(place, track.yaw_rad, foot_rad, ground_m, track.covariance)
    return None if isinstance(found, NoPosition) else found
