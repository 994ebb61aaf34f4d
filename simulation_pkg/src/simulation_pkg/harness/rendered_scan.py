"""The scan controller at the simulated robot: its inputs from there, its decisions to there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.evidence import Box, Finding, FindingState, Verdict, VlmReply
from semantic_detection_pkg.scan.core.inputs_and_decisions import (
    AskRequest,
    Decision,
    FrameDetections,
    GimbalReading,
    Goal,
    GoalResult,
    GpuStatus,
    Input,
    InspectionResult,
    InspectRequest,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.harness.robot import (
    AREA,
    ASK_S,
    COMMAND_DELAY_S,
    FRAME_RATE_HZ,
    GIMBAL,
    INSPECT_S,
    PICTURE_DELAY_S,
    Picture,
    Rig,
    ask,
    classify,
    detect,
)
from simulation_pkg.harness.scores import Claim, Score, Things

STEP_S = 0.05
_START_NS = 1_700_000_000_000_000_000
_RATE_EXPIRES_S = 0.2  # the driver's dead-man stop
_LONGEST_S = 300.0
_VERDICTS = {"yes": Verdict.YES, "no": Verdict.NO, "unsure": Verdict.UNSURE}

Watch = Callable[["Pilot", Decision], None]


class Pilot:
    """Steps a controller through one world.

    Footpaths are not walked along after they were found: the baselines cannot, and it finds nothing
    that the sweep has not found.
    """

    def __init__(self, seed: int, settings: ScanSettings | None = None) -> None:
        self.rig = Rig(seed)
        settings = settings or ScanSettings()
        search = replace(settings, tiers=replace(settings.tiers, path_words=()))
        self.controller = ScanController(search)
        self.claims: list[Claim] = []
        self.questions = 0
        self.result: GoalResult | None = None
        self.findings: dict[str, Finding] = {}
        self._inbox: list[tuple[float, Input]] = []
        self._inspected: dict[int, tuple[Picture, Box]] = {}
        self._lent_until_s = 0.0
        self._rated_s = -1.0
        self._steps = 0

    def scan(self, watch: Watch | None = None) -> Score:
        """The whole goal; `watch` sees every decision."""
        goal = Goal("bench", AREA, CLASS_NAMES)
        self._inbox.append((0.0, goal))
        while self.result is None and self.rig.now_s < _LONGEST_S:
            decision = self._step()
            if watch is not None:
                watch(self, decision)
        # The scan ends where it has nothing left to do; the way to rest is not part of it.
        things = Things(self.rig.world)
        return things.score(self.claims, self.rig.now_s, self.questions)

    def _step(self) -> Decision:
        rig = self.rig
        readings: list[Input] = []
        self._steps += 1
        now_s = self._steps * STEP_S
        for moment in (now_s - STEP_S / 2.0, now_s):
            rig.advance(moment)
            readings.append(self._reading())
        if rig.now_s - self._rated_s > _RATE_EXPIRES_S:
            self._turn(0.0, 0.0)
        if self._steps % round(1.0 / (FRAME_RATE_HZ * STEP_S)) == 0:
            self._take_picture()
        due = [item for due_s, item in self._inbox if due_s <= rig.now_s + 1e-9]
        self._inbox = [(at, item) for at, item in self._inbox if at > rig.now_s + 1e-9]
        decision = self.controller.step(_ns(rig.now_s), [*readings, *due])
        rig.advance(rig.now_s + COMMAND_DELAY_S)
        self._obey(decision, now_s)
        return decision

    def _reading(self) -> GimbalReading:
        at, zoom, limits = self.rig.gimbal, self.rig.body.zoom, self.rig.limits
        return GimbalReading(
            _ns(at.stamp_s),
            at.yaw_rad,
            at.pitch_rad,
            0.0,
            at.yaw_rate_rad_s,
            at.pitch_rate_rad_s,
            zoom,
            GIMBAL.zoom_max,
            self.rig.lens.hfov_rad(zoom),
            "up",
            *limits.yaw_rad,
            *limits.pitch_rad,
        )

    def _take_picture(self) -> None:
        """Nobody detects while the GPU is lent to the vision-language model."""
        if self.rig.now_s < self._lent_until_s:
            return
        picture = self.rig.capture()
        found, words = detect(picture)
        frame = FrameDetections(_ns(picture.stamp_s), found, words, "demo_detector.onnx")
        self._inbox.append((picture.stamp_s + PICTURE_DELAY_S, frame))

    def _turn(self, yaw_rad_s: float, pitch_rad_s: float) -> None:
        self.rig.body.yaw.turn(yaw_rad_s)
        self.rig.body.pitch.turn(pitch_rad_s)

    def _obey(self, decision: Decision, now_s: float) -> None:
        body = self.rig.body
        if decision.rate is not None:
            self._rated_s = now_s
            self._turn(decision.rate.yaw_rad_s, decision.rate.pitch_rad_s)
        if decision.angle is not None:
            self._rated_s = math.inf
            body.yaw.go_to(decision.angle.yaw_rad)
            body.pitch.go_to(decision.angle.pitch_rad)
        if decision.zoom is not None:
            body.zoom_to(decision.zoom)
        if decision.vocabulary is not None:
            reply = VocabularyReply(decision.vocabulary.request_id, True, "", CLASS_NAMES)
            self._inbox.append((now_s + STEP_S, reply))
        for request in decision.inspect:
            self._inbox.append((now_s + INSPECT_S, self._inspect(request)))
        for question in decision.ask:
            self._ask(question, now_s)
        for finding in decision.findings:
            self._note(finding, now_s)
        self.result = decision.result or self.result

    def _inspect(self, request: InspectRequest) -> InspectionResult:
        picture = self.rig.pictures.get(request.frame_ns - _START_NS)
        if picture is None:
            return InspectionResult(request.request_id, request.frame_ns, "frame is gone")
        self._inspected[request.request_id] = (picture, request.box_xyxy)
        said = classify(picture, request.box_xyxy)
        return InspectionResult(
            request.request_id,
            request.frame_ns,
            "",
            "demo_classifier.onnx",
            said.labels,
            said.probabilities,
        )

    def _ask(self, question: AskRequest, now_s: float) -> None:
        self.questions += 1
        picture, box = self._inspected[question.inspection_id]
        verdict = _VERDICTS[ask(picture, box, question.class_name)]
        reply = VlmReply(question.request_id, verdict, 0.9, "logprobs", model="stand-in")
        self._lent_until_s = now_s + ASK_S
        self._inbox.append((now_s, GpuStatus(True, False)))
        self._inbox.append((self._lent_until_s, GpuStatus(False, False)))
        self._inbox.append((self._lent_until_s, reply))

    def _note(self, finding: Finding, now_s: float) -> None:
        """A finding counts once, when it is first confirmed, where it was last seen."""
        before = self.findings.get(finding.finding_id)
        self.findings[finding.finding_id] = finding
        is_new = before is None or before.state is not FindingState.CONFIRMED
        if finding.state is not FindingState.CONFIRMED or not is_new:
            return
        seen_s = (finding.history[-1].stamp_ns - _START_NS) * 1e-9 if finding.history else now_s
        self.claims.append(
            Claim(finding.class_name, finding.yaw_rad, finding.pitch_rad, seen_s, now_s)
        )


def scan_by_controller(seed: int, settings: ScanSettings | None = None) -> Score:
    """The scan controller with the tiers and questions that the baselines have."""
    return Pilot(seed, settings).scan()


def _ns(time_s: float) -> int:
    return _START_NS + round(time_s * 1e9)
