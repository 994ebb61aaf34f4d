"""What a step comes to while it is being made: the leaves write, the controller reads."""

from __future__ import annotations

from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    Angle,
    AskRequest,
    Decision,
    GoalResult,
    InspectRequest,
    Level,
    Rate,
    Status,
    VocabularyRequest,
)


class Wish:
    """A decision in the making."""

    def __init__(self) -> None:
        self.rate: Rate | None = None
        self.angle: Angle | None = None
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

    def stand_still(self) -> None:
        """No motion in this step, whatever was wished before."""
        self.rate = self.angle = None

    def decision(self, coverage: float, candidates: int, findings: int, track_id: int) -> Decision:
        """As it stands, with the numbers of the status."""
        return Decision(
            status=Status(
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
