"""One event as a page and, where its findings have positions, as GeoJSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import FindingState, Verdict, read
from semantic_detection_pkg.common.core.geojson import feature_collection, features
from semantic_detection_pkg.common.core.position import Position, known_position
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.evidence.content import EventContent, read_content
from semantic_detection_pkg.recorder.evidence.drawings import (
    GroundMap,
    Plot,
    ground_map,
    track_plot,
)
from semantic_detection_pkg.recorder.evidence.pictures import Shown, show
from semantic_detection_pkg.recorder.evidence.rendering import plain, render, utc, write_text
from semantic_detection_pkg.recorder.storage.event_store import PAGE
from semantic_detection_pkg.recorder.storage.searched import read_searched

GEOJSON = "findings.geojson"

_TIER_NAMES = {1: "detector close up", 2: "classifier and shape", 3: "vision-language model"}
_FRAMES_OF_TIER = 2


@dataclass(frozen=True)
class ShownTier:
    """A tier's result with the frames it rests on."""

    result: Any
    name: str
    verdict: str
    frames: tuple[Shown, ...]


@dataclass(frozen=True)
class ShownAnswer:
    """A question and its answer, with the frame asked about."""

    message: Any
    verdict: str
    shown: Shown | None


@dataclass(frozen=True)
class ShownFinding:
    """All that the page says of one finding; see the template."""

    finding: Any
    state: str
    best: Shown | None
    sigmas: tuple[float, float] | None
    has_range: bool
    position: Position | None
    tiers: tuple[ShownTier, ...]
    answers: tuple[ShownAnswer, ...]
    track: Plot
    map: GroundMap | None
    place: str = ""


def write(folder: Path) -> Path:
    """Write the evidence of an event into its folder; what was there is replaced.

    Returns:
        The page.

    Raises:
        ConfigurationError: it is no event, its bag cannot be read or is of another version.
        FrameError: a picture cannot be decoded.
        StorageError: the folder cannot be written.
    """
    content = read_content(folder)
    try:
        searched = read_searched(folder.parent.parent)
        page = page_of(content, {} if searched is None else searched.places)
        document = geojson_of(content)
    except AttributeError as error:
        raise ConfigurationError(f"event {folder} is of another version: {error}") from error
    write_text(folder / PAGE, page)
    if document["features"]:
        write_text(folder / GEOJSON, json.dumps(document, indent=1) + "\n")
    return folder / PAGE


def page_of(content: EventContent, places: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the page as HTML.

    Args:
        places: of the findings' pictures in recordings that were searched, by id.
    """
    findings = [
        replace(_shown(content, finding), place=places.get(finding.id, ""))
        for finding in content.findings
    ]
    frames = (
        []
        if findings
        else [show(evidence_frame, None) for evidence_frame in content.frames.values()]
    )
    return render(
        "event.html",
        event=content.event,
        findings=findings,
        frames=frames,
        no_recording=content.no_recording,
    )


def geojson_of(content: EventContent) -> dict[str, Any]:
    """Return points and ellipses of the findings that have a position."""
    return feature_collection(
        feature
        for finding in content.findings
        if (position := position_of(finding)) is not None
        for feature in features(
            position,
            {
                "id": plain(finding.id),
                "class": plain(finding.class_name),
                "state": state_of(finding),
                "score": round(float(finding.score), 3),
                "time": utc(from_time(finding.header.stamp)) + "Z",
            },
        )
    )


def position_of(finding: Any) -> Position | None:
    """Return where a finding stands; None where that is not known."""
    if not finding.has_position:
        return None
    return known_position(
        (float(finding.latitude_deg), float(finding.longitude_deg), float(finding.altitude_m)),
        float(finding.range_m),
        (
            float(finding.ellipse_major_m),
            float(finding.ellipse_minor_m),
            float(finding.ellipse_heading_rad),
        ),
    )


def state_of(finding: Any) -> str:
    """Return a finding's state in a word."""
    return read(finding, "state", FindingState.CANDIDATE).word


def _shown(content: EventContent, finding: Any) -> ShownFinding:
    best_ns = from_time(finding.best_frame)

    def frame_of(stamp: Any) -> Shown | None:
        evidence_frame = content.frames.get(from_time(stamp))
        return None if evidence_frame is None else show(evidence_frame, finding, best_ns)

    position = position_of(finding)
    return ShownFinding(
        finding=finding,
        state=state_of(finding),
        best=frame_of(finding.best_frame),
        sigmas=_sigmas(finding.bearing.covariance),
        has_range=math.isfinite(finding.range_m),
        position=position,
        tiers=tuple(
            ShownTier(
                tier,
                _TIER_NAMES.get(tier.tier, "unknown"),
                read(tier, "verdict", Verdict.UNSURE).text,
                tuple(filter(None, map(frame_of, tier.frames[:_FRAMES_OF_TIER]))),
            )
            for tier in finding.tiers
        ),
        answers=tuple(
            ShownAnswer(
                answer, read(answer, "verdict", Verdict.UNSURE).text, frame_of(answer.frame)
            )
            for answer in finding.answers
        ),
        track=track_plot(finding),
        map=None if position is None else ground_map(position),
    )


def _sigmas(covariance: Any) -> tuple[float, float] | None:
    """Return 1 sigma of yaw and pitch [rad]; None where unknown."""
    variances = (float(covariance[0]), float(covariance[2]))
    if not all(math.isfinite(v) and v > 0.0 for v in variances):
        return None
    return math.sqrt(variances[0]), math.sqrt(variances[1])
