"""Which of the things seen are one: in a stretch by their bearings, across stretches by place.

Where the base stands still bearings tell things apart that positions do not, as in a mission. From
a base that moves, and in another recording, only the position says it: two things are one where
they are no farther apart than both positions are uncertain (1 sigma), and were not seen side by
side. What has neither is told each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pymap3d

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.archive.core.evaluation import Sighted
from semantic_detection_pkg.common.core.finding_ids import make_finding_id
from semantic_detection_pkg.scan.core.association import is_same_object
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.settings import CandidateSettings

_MOVED_M = 2.0  # by less a base has not moved: a receiver's noise
_HISTORY_MAX = 100  # sights of a track that go out with a finding, as in a mission
#: What was said of a thing counts by its state and whether Tier 2 looked: a glimpse from afar that
#: leaves it open says less than a closer one, and a detector that missed it says least.
_RANK = {
    (FindingState.CONFIRMED, True): 4,
    (FindingState.CONFIRMED, False): 4,
    (FindingState.UNCERTAIN, True): 3,
    (FindingState.REJECTED, True): 2,
    (FindingState.UNCERTAIN, False): 1,
}
#: More than any glimpse: from afar a thing and its decoy look alike, a mission decides close up.
_CLOSE = 10


@dataclass
class Thing:
    """One thing with all that was seen of it.

    Attributes:
        asked: the best with what the vision-language model says of it; None: it has no part in it.
    """

    sightings: list[Sighted] = field(default_factory=list)
    asked: Sighted | None = None

    @property
    def best(self) -> Sighted:
        """What says most of it: a close look, the surest state, the highest score, the largest."""
        return self.asked or max(self.sightings, key=_worth)

    @property
    def first_ns(self) -> int:
        """When it was first seen."""
        return min(one.first_ns for one in self.sightings)


def group(sighted: Iterable[Sighted], settings: CandidateSettings) -> list[Thing]:
    """Return the things, in the order in which they were first seen."""
    things: list[Thing] = []
    for one in sighted:
        fitting = [
            (apart, number)
            for number, thing in enumerate(things)
            if (apart := _apart(thing, one, settings)) is not None
        ]
        if fitting:
            things[min(fitting)[1]].sightings.append(one)
        else:
            things.append(Thing([one]))
    order = sorted(range(len(things)), key=lambda number: (things[number].first_ns, number))
    return [things[number] for number in order]


def to_findings(
    things: Sequence[Thing], started_ns: int, stamps: Mapping[tuple[int, int], int]
) -> list[Finding]:
    """Return things as findings.

    Args:
        started_ns: names them, as in a mission.
        stamps: of frames as findings tell them, by scene and own stamp [ns].
    """
    return [
        _to_finding(thing, make_finding_id(started_ns, number), stamps)
        for number, thing in enumerate(things, start=1)
    ]


def _to_finding(thing: Thing, finding_id: str, stamps: Mapping[tuple[int, int], int]) -> Finding:
    best = thing.best
    track = best.track

    def told(stamp_ns: int) -> int:
        return stamps.get((best.scene, stamp_ns), stamp_ns)

    return Finding(
        finding_id=finding_id,
        revision=len(thing.sightings),
        stamp_ns=told(best.decided_ns),
        state=best.state,
        class_name=track.class_name,
        score=best.score,
        tiers=tuple(
            replace(tier, frames_ns=tuple(map(told, tier.frames_ns))) for tier in best.tiers
        ),
        answers=tuple(replace(one, frame_ns=told(one.frame_ns)) for one in best.answers),
        yaw_rad=track.yaw_rad,
        pitch_rad=track.pitch_rad,
        covariance=track.covariance,
        range_m=best.position.range_m if best.position is not None else float("nan"),
        track_id=track.id,
        history=track.history[-_HISTORY_MAX:],
        best_frame_ns=told(best.best_ns),
        best_box_xyxy=best.box_xyxy,
        position=best.position,
        path=best.path,
    )


def _worth(one: Sighted) -> tuple[int, float, float]:
    x0, y0, x1, y1 = one.box_xyxy
    is_looked_at = any(tier.tier > 1 and tier.verdict is not Verdict.NOT_RUN for tier in one.tiers)
    is_close = any(tier.tier == 1 and tier.verdict is Verdict.YES for tier in one.tiers)
    rank = _RANK.get((one.state, is_looked_at), 0)
    if is_looked_at and is_close:
        rank += _CLOSE
    return rank, one.score, (x1 - x0) * (y1 - y0)


def _apart(thing: Thing, one: Sighted, settings: CandidateSettings) -> float | None:
    """Return how far a thing is from one more sight of it; None: it is another thing."""
    found = [_distance(before, one, settings) for before in thing.sightings]
    if any(
        apart is None and _is_side_by_side(before, one)
        for before, apart in zip(thing.sightings, found, strict=True)
    ):
        return None
    return min((apart for apart in found if apart is not None), default=None)


def _distance(one: Sighted, other: Sighted, settings: CandidateSettings) -> float | None:
    """Return how far apart two sights of one thing are, 0..1; None: they are of two things."""
    if one.track.class_name != other.track.class_name:
        return None
    is_one_stretch = (one.scene, one.stretch) == (other.scene, other.stretch)
    if is_one_stretch and one.track.id == other.track.id:
        return 0.0
    if is_one_stretch and one.is_by_bearing and not _has_moved(one, other):
        return 0.0 if is_same_object(settings, one.track, other.track) else None
    if one.position is None or other.position is None or _is_side_by_side(one, other):
        return None
    places = (one.position, other.position)
    reach_m = max(sum(place.ellipse_major_m**2 for place in places) ** 0.5, 1e-9)
    east, north, _ = pymap3d.geodetic2enu(
        places[1].latitude_deg,
        places[1].longitude_deg,
        0.0,
        places[0].latitude_deg,
        places[0].longitude_deg,
        0.0,
    )
    share = float((east**2 + north**2) ** 0.5) / reach_m
    return share if share <= 1.0 else None


def _is_side_by_side(one: Sighted, other: Sighted) -> bool:
    """Return whether one camera saw both at a time, as two tracks."""
    is_one_stretch = (one.scene, one.stretch) == (other.scene, other.stretch)
    is_one_time = one.first_ns <= other.last_ns and other.first_ns <= one.last_ns
    return is_one_stretch and is_one_time and one.track.id != other.track.id


def _has_moved(one: Sighted, other: Sighted) -> bool:
    if one.fix is None or other.fix is None or one.fix is other.fix:
        return False
    east, north, up = pymap3d.geodetic2enu(
        other.fix.latitude_deg,
        other.fix.longitude_deg,
        other.fix.altitude_m,
        one.fix.latitude_deg,
        one.fix.longitude_deg,
        one.fix.altitude_m,
    )
    return bool((east**2 + north**2 + up**2) ** 0.5 > _MOVED_M)
