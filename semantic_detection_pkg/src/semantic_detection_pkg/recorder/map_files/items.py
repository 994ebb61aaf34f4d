"""What map files tell of a mission, and the words that all of them use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from semantic_detection_pkg.common.core.coordinates import (
    accuracy_text,
    degrees_and_minutes,
    mgrs_of,
    radio_text,
    utm_of,
    wrapped_longitude,
)
from semantic_detection_pkg.common.core.coverage_ground import Outline, on_ground
from semantic_detection_pkg.common.core.finding_ids import parse_finding_id
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.core.reviews import UNREVIEWED, FindingReview
from semantic_detection_pkg.recorder.evidence.rendering import plain, utc

STATES = ("confirmed", "uncertain", "candidate", "rejected")
#: What XML 1.0 has no place for, beyond the control characters that `plain` leaves out.
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))


@dataclass(frozen=True)
class MapFinding:
    """One finding.

    Attributes:
        finding_id: as recorded.
        class_name: what it is.
        state: one of `STATES`, or a word of a later version.
        score: 0..1.
        time_ns: [ns] since the epoch, of its newest revision.
        position: None: not known.
        yaw_rad, pitch_rad: its bearing from the gimbal's base.
        decided_by: tier and reason, in words; empty: none ran.
        jpeg: what it looks like; empty: no picture is kept.
        number: 1.. in the mission; see `numbered`.
        review: what people said of it.
        place: of its picture in recordings that were searched; empty: it is a mission's.
    """

    finding_id: str
    class_name: str
    state: str
    score: float
    time_ns: int
    position: Position | None
    yaw_rad: float
    pitch_rad: float
    decided_by: str = ""
    jpeg: bytes = b""
    number: int = 0
    review: FindingReview = UNREVIEWED
    place: str = ""

    @property
    def name(self) -> str:
        """What it is called on all maps and over the radio: `3 tent`."""
        return f"{self.number} {self.class_name}"


@dataclass(frozen=True)
class MapMission:
    """One mission.

    Attributes:
        start_ns, end_ns: [ns] since the epoch.
        words: what was looked for.
        findings: numbered.
        coverage: the newest message of type Coverage; None: there is none.
    """

    start_ns: int
    end_ns: int
    words: tuple[str, ...]
    findings: tuple[MapFinding, ...]
    coverage: Any = None

    @property
    def title(self) -> str:
        """When, and what was looked for."""
        looked_for = f": {', '.join(map(clean, self.words))}" if self.words else ""
        return f"Mission {utc(self.start_ns)[:16]} UTC{looked_for}"

    @cached_property
    def searched(self) -> tuple[Outline, ...]:
        """The area that was looked at, on the ground; empty: not known."""
        ground = None if self.coverage is None else on_ground(self.coverage)
        return () if ground is None else tuple(ground.outlines())

    @property
    def placed(self) -> tuple[tuple[MapFinding, Position], ...]:
        """The findings whose position is known, with it."""
        return tuple((one, one.position) for one in self.findings if one.position is not None)


def numbered(findings: Iterable[MapFinding]) -> tuple[MapFinding, ...]:
    """Return findings as the files tell them: each with its number, in that order, texts cleaned.

    It is the number that the scan has given it, so it stays when the finding changes or others are
    gone; where two missions have given the same one, or nobody one, they are counted through.
    """
    ranked = sorted(findings, key=lambda one: _order(one.finding_id))
    given = [_order(one.finding_id)[1] for one in ranked]
    if 0 in given or len(set(given)) < len(given):
        given = list(range(1, len(given) + 1))
    return tuple(
        replace(
            one,
            number=number,
            finding_id=clean(one.finding_id),
            class_name=clean(one.class_name),
            state=clean(one.state),
            decided_by=clean(one.decided_by),
            review=_cleaned(one.review),
            place=clean(one.place),
        )
        for one, number in zip(ranked, given, strict=True)
    )


def _order(finding_id: str) -> tuple[int, int, str]:
    """Return mission and number of an id, `START_NS-NUMBER`; zeros where it is another one."""
    name = parse_finding_id(finding_id)
    return (*name, "") if name else (0, 0, finding_id)


def _cleaned(review: FindingReview) -> FindingReview:
    return FindingReview(
        tuple(
            replace(one, who=clean(one.who), comment=clean(one.comment)) for one in review.entries
        )
    )


def review_text(review: FindingReview) -> str:
    """Return who accepted or rejected a finding, and when; empty: nobody."""
    decided = review.decided
    if decided is None:
        return ""
    return f"{decided.verdict} by {decided.who}, {time_text(decided.time_ns)}"


def comments_text(review: FindingReview) -> str:
    """Return all comments, each with who and when."""
    return "; ".join(
        f"{one.who}, {time_text(one.time_ns)}: {' '.join(one.comment.split())}"
        for one in review.comments
    )


def clean(text: str) -> str:
    """Return text of strangers as it may stand in any of the files."""
    return plain(text).translate(_NO_XML)


def time_text(time_ns: int) -> str:
    """Return a time as `2026-11-23T20:15:00.125Z`."""
    return utc(time_ns).replace(" ", "T") + "Z"


def described(finding: MapFinding, position: Position) -> list[tuple[str, str]]:
    """Return (label, text) of all that a map tells of a finding; the accuracy always with it."""
    latitude_deg, longitude_deg = position.latitude_deg, position.longitude_deg
    grid, utm = mgrs_of(latitude_deg, longitude_deg), utm_of(latitude_deg, longitude_deg)
    lines = [
        ("State", f"{finding.state}, score {finding.score:.2f}"),
        ("Review", review_text(finding.review)),
        ("Comments", comments_text(finding.review)),
        ("Decided by", finding.decided_by),
        ("Picture", finding.place),
        ("Time", time_text(finding.time_ns)),
        ("Position", f"{latitude_deg:.7f}, {wrapped_longitude(longitude_deg):.7f} (WGS 84)"),
        ("Degrees and minutes", degrees_and_minutes(latitude_deg, longitude_deg)),
        ("UTM", "" if utm is None else str(utm)),
        ("MGRS", grid),
        ("Accuracy", accuracy_text(position)),
        ("Altitude", f"{position.altitude_m:.1f} m above the ellipsoid"),
        ("Range", f"{position.range_m:.0f} m" if math.isfinite(position.range_m) else ""),
        ("Radio", radio_text(finding.name, position)),
    ]
    return [(label, text) for label, text in lines if text]
