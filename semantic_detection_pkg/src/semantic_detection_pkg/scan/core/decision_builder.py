"""A decision while it is being made: behaviours write to it, the controller builds it."""

from __future__ import annotations

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.decisions import (
    AngleCommand,
    AskRequest,
    Decision,
    GoalResult,
    InspectRequest,
    RateCommand,
    ScanStatus,
    VocabularyRequest,
)
from semantic_detection_pkg.scan.core.evidence import Finding


class DecisionBuilder:
    """The decision of one step in the making; the attributes are those of `Decision`."""

    def __init__(self) -> None:
        self.rate: RateCommand | None = None
        self.angle: AngleCommand | None = None
        self.zoom: float | None = None
        self.vocabulary: VocabularyRequest | None = None
        self.inspect: list[InspectRequest] = []
        self.ask: list[AskRequest] = []
        self.cancel_asks: list[int] = []
        self.findings: list[Finding] = []
        self.result: GoalResult | None = None
        self.notices: list[str] = []
        self.level = Level.IDLE
        self.tier = 0
        self.leaf = ""
        self.reason = ""

    def set_status(self, level: Level, tier: int, leaf: str, reason: str) -> None:
        """Note which behaviour has the gimbal, and why."""
        self.level, self.tier, self.leaf, self.reason = level, tier, leaf, reason

    def stand_still(self) -> None:
        """Drop all motion of this step."""
        self.rate = self.angle = None

    def build(self, coverage: float, candidates: int, findings: int, track_id: int) -> Decision:
        """Return the decision as it stands, with the numbers of its status."""
        return Decision(
            status=ScanStatus(
                self.level,
                self.tier,
                self.leaf,
                self.reason,
                coverage,
                candidates,
                findings,
                track_id,
            ),
            rate=None if self.angle is not None else self.rate,
            angle=self.angle,
            zoom=self.zoom,
            vocabulary=self.vocabulary,
            inspect=tuple(self.inspect),
            ask=tuple(self.ask),
            cancel_asks=tuple(self.cancel_asks),
            findings=tuple(self.findings),
            result=self.result,
            notices=tuple(self.notices),
        )
