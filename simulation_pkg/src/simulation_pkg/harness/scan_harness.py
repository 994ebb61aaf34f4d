"""A scan controller closed over a simulated robot: what all simulators of a scan have in common.

A simulator says what its robot senses and who answers which request; here decisions are followed
and answers arrive when they are due. Time is simulated and passes in `step` only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import (
    AskRequest,
    Decision,
    GoalResult,
    InspectRequest,
    VocabularyRequest,
)
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.inputs import (
    Input,
    InspectionResult,
    SweepPlanned,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.search import PlanTask
from semantic_detection_pkg.scan.core.settings import ScanSettings

START_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000_000


class ScanHarness(ABC):
    """Steps a scan controller; subclasses are the robot.

    Attributes:
        controller: the one under test.
        now_ns: simulated time [ns].
        inputs: what the controller was given in the newest step.
        findings: the newest state of each, by its id.
        result: of the first goal that ended; None before.
    """

    def __init__(self, settings: ScanSettings) -> None:
        """Start at rest at `START_NS`."""
        self.controller = ScanController(settings)
        self.now_ns = START_NS
        self.inputs: list[Input] = []
        self.findings: dict[str, Finding] = {}
        self.result: GoalResult | None = None
        self._later: list[tuple[int, Input]] = []
        self._sweep_task: PlanTask | None = None

    def step(self) -> Decision:
        """Let one step of time pass, decide, follow the decision; return it."""
        sensed = self.sense()
        due = [item for due_ns, item in self._later if due_ns <= self.now_ns]
        self._later = [(due_ns, item) for due_ns, item in self._later if due_ns > self.now_ns]
        self.inputs = [*sensed, *due]
        decision = self.controller.step(self.now_ns, self.inputs)
        self.follow(decision)
        self._have_sweep_planned()
        return decision

    def deliver(self, item: Input, due_ns: int) -> None:
        """Give the controller an input at a time [ns]."""
        self._later.append((due_ns, item))

    def follow(self, decision: Decision) -> None:
        """Hand every order and request of a decision to whom it is for."""
        if decision.rate is not None:
            self.turn(decision.rate.yaw_rad_s, decision.rate.pitch_rad_s)
        if decision.angle is not None:
            self.go_to(decision.angle.yaw_rad, decision.angle.pitch_rad)
        if decision.zoom is not None:
            self.zoom_to(decision.zoom)
        if decision.vocabulary is not None:
            self._deliver_next_step(self.choose_words(decision.vocabulary))
        for request in decision.inspect:
            self._deliver_next_step(self.classify(request))
        for question in decision.ask:
            self.ask(question)
        for finding in decision.findings:
            self.note_finding(finding)
            self.findings[finding.finding_id] = finding
        self.result = self.result or decision.result

    def note_finding(self, finding: Finding) -> None:  # noqa: B027 - most have nothing to note
        """Look at a new state of a finding; `findings` still holds the one before."""

    @abstractmethod
    def sense(self) -> list[Input]:
        """Let one step of time pass, set `now_ns`; return what the robot sensed meanwhile."""

    @abstractmethod
    def turn(self, yaw_rad_s: float, pitch_rad_s: float) -> None:
        """Turn the gimbal at these rates."""

    @abstractmethod
    def go_to(self, yaw_rad: float, pitch_rad: float) -> None:
        """Turn the gimbal to these angles."""

    @abstractmethod
    def zoom_to(self, zoom: float) -> None:
        """Change the zoom."""

    @abstractmethod
    def choose_words(self, request: VocabularyRequest) -> VocabularyReply | None:
        """Let the detector look for words; None: it does not answer."""

    @abstractmethod
    def classify(self, request: InspectRequest) -> InspectionResult | None:
        """Classify a part of a frame; None: nobody answers."""

    @abstractmethod
    def ask(self, question: AskRequest) -> None:
        """Put a question to the vision-language model; `deliver` its answer."""

    def _have_sweep_planned(self) -> None:
        task = self.controller.sweep_task
        if task is not None and task is not self._sweep_task:
            self._deliver_next_step(SweepPlanned(task.number))
        self._sweep_task = task

    def _deliver_next_step(self, answer: Input | None) -> None:
        if answer is not None:
            self.deliver(answer, self.now_ns + STEP_NS)
