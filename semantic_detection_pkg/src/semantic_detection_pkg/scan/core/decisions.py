"""What a step of the scan controller wants done, as data: commands, questions, findings, status.

Angles are REP 103 from the gimbal's base, as in `inputs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.common.core.serialization import canonical, to_plain
from semantic_detection_pkg.scan.core.evidence import Box, Finding

#: Decimals of numbers in `Decision.to_json`: far below what a gimbal resolves, far above the last
#: bits in which two machines' libraries differ.
DECISION_DIGITS = 6


@dataclass(frozen=True)
class RateCommand:
    """Turn like this until the next command. [rad/s]"""

    yaw_rad_s: float
    pitch_rad_s: float


@dataclass(frozen=True)
class AngleCommand:
    """Go there and stay, without further commands. [rad]"""

    yaw_rad: float
    pitch_rad: float


@dataclass(frozen=True)
class VocabularyRequest:
    """Make the detector look for these words from now on."""

    request_id: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class InspectRequest:
    """Have the classifier inspect one part of a frame, and keep the crop of it."""

    request_id: int
    frame_ns: int
    box_xyxy: Box


@dataclass(frozen=True)
class AskRequest:
    """Ask the vision-language model about the picture of inspection `inspection_id`."""

    request_id: int
    inspection_id: int
    class_name: str
    timeout_s: float


@dataclass(frozen=True)
class ScanStatus:
    """What the controller is doing and why; see msg/ScanState."""

    level: Level = Level.IDLE
    tier: int = 0
    leaf: str = ""
    reason: str = ""
    coverage: float = 0.0
    candidates: int = 0
    findings: int = 0
    track_id: int = 0


@dataclass(frozen=True)
class GoalResult:
    """How a goal ended.

    Attributes:
        outcome: "succeeded", "cancelled" or "aborted".
        message: why it ended, and what was cut from it.
    """

    goal_id: str
    outcome: str
    message: str
    coverage: float = 0.0
    findings: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What one step wants done.

    Attributes:
        rate, angle, zoom: commands to the gimbal; None: none. At most one of rate and angle.
        cancel_asks: request ids of questions whose answer is not wanted any more.
        findings: new or changed ones.
        notices: lines for the log.
    """

    status: ScanStatus = ScanStatus()
    rate: RateCommand | None = None
    angle: AngleCommand | None = None
    zoom: float | None = None
    vocabulary: VocabularyRequest | None = None
    inspect: tuple[InspectRequest, ...] = ()
    ask: tuple[AskRequest, ...] = ()
    cancel_asks: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    result: GoalResult | None = None
    notices: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, no spaces, rounded to `DECISION_DIGITS`."""
        return canonical(to_plain(self, DECISION_DIGITS))
