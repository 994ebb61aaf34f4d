"""What speaks for or against a thing: the results of the tiers, the answers, the finding."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.scan.core.tracking.track import TrackPoint

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class TierResult:
    """What one tier of the close look said.

    Attributes:
        tier: 1 detector close up, 2 classifier and mask geometry, 3 vision-language model.
        score: 0..1, the number behind the verdict.
        reason: in words.
        model: name of the model that decided.
        frames_ns: capture stamps of the frames it rests on.
        elapsed_s: from the tier's start.
    """

    tier: int
    verdict: Verdict
    score: float
    reason: str
    model: str = ""
    frames_ns: tuple[int, ...] = ()
    elapsed_s: float = 0.0

    def with_elapsed(self, elapsed_s: float) -> TierResult:
        """Return the same with the time that it took. [s]"""
        return replace(self, elapsed_s=elapsed_s)


@dataclass(frozen=True)
class VlmReply:
    """The vision-language model's answer to request `request_id`; an input of a step.

    Attributes:
        verdict: YES, NO, or UNSURE, also when the answer is late, missing or unreadable.
        cause: why it is unsure: "timeout", "busy", "unavailable", ...; empty otherwise.
        confidence_source: "logprobs", "agreement" or "none".
        frame_ns: capture stamp of the frame asked about.
    """

    request_id: int
    verdict: Verdict
    confidence: float = 0.0
    confidence_source: str = "none"
    text: str = ""
    reason: str = ""
    cause: str = ""
    question: str = ""
    prompt_id: str = ""
    model: str = ""
    frame_ns: int = 0
    latency_s: float = 0.0
    lease_epoch: int = 0


@dataclass(frozen=True)
class PathCourse:
    """The course of a footpath in angles; see msg/PathGeometry.

    Attributes:
        ends, branches: (yaw, pitch) [rad].
        straightness: 0..1.
        is_followed: the camera has followed it to all of its ends.
    """

    ends: tuple[tuple[float, float], ...]
    branches: tuple[tuple[float, float], ...]
    length_rad: float
    width_rad: float
    straightness: float
    is_followed: bool


@dataclass(frozen=True)
class Finding:
    """One thing with its evidence; `id` stays, `revision` counts up with each change.

    Attributes:
        finding_id: unique over missions: the mission's start stamp and a number.
        score: 0..1, of the whole verdict.
        tiers: in the order in which they ran.
        covariance: [rad^2] var(yaw), cov(yaw, pitch), var(pitch).
        range_m: NaN where unknown.
        history: of the track, oldest first.
        best_frame_ns, best_box_xyxy: the frame that shows it best, and where [px].
    """

    finding_id: str
    revision: int
    stamp_ns: int
    state: FindingState
    class_name: str
    score: float
    tiers: tuple[TierResult, ...]
    answers: tuple[VlmReply, ...]
    yaw_rad: float
    pitch_rad: float
    covariance: tuple[float, float, float]
    range_m: float
    track_id: int
    history: tuple[TrackPoint, ...]
    best_frame_ns: int
    best_box_xyxy: Box
    position: Position | None = None
    path: PathCourse | None = None
