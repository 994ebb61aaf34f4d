"""A scan with pixels: the simulated robot's camera, the demo's models, answers by the truth."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace

from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.scan.core.decisions import (
    AskRequest,
    Decision,
    InspectRequest,
    VocabularyRequest,
)
from semantic_detection_pkg.scan.core.evidence import Box, Finding, VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    Input,
    InspectionResult,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.core.world.layout import WorldLayout
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.harness.robot import (
    AREA,
    ASK_S,
    COMMAND_DELAY_S,
    GIMBAL,
    PICTURE_DELAY_S,
    CameraRobot,
    RenderedFrame,
    SimulatedRobot,
    ask,
    classify,
    detect,
)
from simulation_pkg.harness.scan_harness import START_NS, STEP_NS, ScanHarness
from simulation_pkg.harness.scores import Claim, Score, Things

_STEP_S = STEP_NS * 1e-9
_RATE_EXPIRES_S = 0.2  # the driver's dead-man stop
_LONGEST_S = 300.0
_VERDICTS = {"yes": Verdict.YES, "no": Verdict.NO, "unsure": Verdict.UNSURE}

OnDecision = Callable[["RenderedScan", Decision], None]


class PicturedScan(ScanHarness):
    """A controller that steers a robot whose camera gives pictures."""

    def __init__(self, robot: CameraRobot, settings: ScanSettings) -> None:
        """Start with the robot at rest."""
        super().__init__(settings)
        self.robot = robot
        self.claims: list[Claim] = []
        self._frame_steps = round(1.0 / (settings.sweep.frame_rate_hz * _STEP_S))
        self._rated_s = -1.0
        self._now_s = 0.0
        self._steps = 0

    @abstractmethod
    def take_picture(self) -> None:
        """Have the camera take a picture and the detector look at it; `deliver` what it found."""

    def sense(self) -> list[Input]:
        """See `ScanHarness`; the gimbal tells its pose twice a step."""
        robot = self.robot
        readings: list[Input] = []
        self._steps += 1
        self._now_s = self._steps * _STEP_S
        for moment in (self._now_s - _STEP_S / 2.0, self._now_s):
            robot.advance(moment)
            readings.append(self._reading())
        if robot.now_s - self._rated_s > _RATE_EXPIRES_S:
            self._set_rates(0.0, 0.0)
        if self._steps % self._frame_steps == 0:
            self.take_picture()
        self.now_ns = to_ns(robot.now_s)
        return readings

    def follow(self, decision: Decision) -> None:
        """See `ScanHarness`; commands reach the gimbal after their delay."""
        self.robot.advance(self.robot.now_s + COMMAND_DELAY_S)
        super().follow(decision)

    def turn(self, yaw_rad_s: float, pitch_rad_s: float) -> None:
        """See `ScanHarness`."""
        self._rated_s = self._now_s
        self._set_rates(yaw_rad_s, pitch_rad_s)

    def go_to(self, yaw_rad: float, pitch_rad: float) -> None:
        """See `ScanHarness`; an angle does not expire."""
        self._rated_s = math.inf
        self.robot.body.yaw.go_to(yaw_rad)
        self.robot.body.pitch.go_to(pitch_rad)

    def zoom_to(self, zoom: float) -> None:
        """See `ScanHarness`."""
        self.robot.body.zoom_to(zoom)

    def note_finding(self, finding: Finding) -> None:
        """See `ScanHarness`; one counts when it is first confirmed, where it was last seen."""
        before = self.findings.get(finding.finding_id)
        is_new = before is None or before.state is not FindingState.CONFIRMED
        if finding.state is not FindingState.CONFIRMED or not is_new:
            return
        now_s = self._now_s
        seen_s = (finding.history[-1].stamp_ns - START_NS) * 1e-9 if finding.history else now_s
        self.claims.append(
            Claim(finding.class_name, finding.yaw_rad, finding.pitch_rad, seen_s, now_s)
        )

    def _reading(self) -> GimbalReading:
        at, zoom, limits = self.robot.gimbal, self.robot.body.zoom, self.robot.limits
        return GimbalReading(
            to_ns(at.stamp_s),
            at.yaw_rad,
            at.pitch_rad,
            0.0,
            at.yaw_rate_rad_s,
            at.pitch_rate_rad_s,
            zoom,
            self.robot.lens.hfov_rad(zoom),
            GIMBAL.zoom_max,
            "up",
            *limits.yaw_rad,
            *limits.pitch_rad,
        )

    def _set_rates(self, yaw_rad_s: float, pitch_rad_s: float) -> None:
        self.robot.body.yaw.turn(yaw_rad_s)
        self.robot.body.pitch.turn(pitch_rad_s)


class RenderedScan(PicturedScan):
    """A controller in the world of a seed.

    Footpaths are not walked along after they were found: the baselines cannot, and it finds nothing
    that the sweep has not found.
    """

    def __init__(self, world: int | WorldLayout, settings: ScanSettings | None = None) -> None:
        """Build the world of a seed or a layout, with the robot at rest in it."""
        settings = settings or ScanSettings()
        self.settings = replace(settings, tiers=replace(settings.tiers, path_classes=()))
        robot = SimulatedRobot(world)
        super().__init__(robot, self.settings)
        self.world = robot.world
        self.questions = 0
        self._inspected: dict[int, tuple[RenderedFrame, Box]] = {}
        self._lent_until_s = 0.0

    def scan(self, on_decision: OnDecision | None = None) -> Score:
        """Run a whole goal and score it; `on_decision` is given every decision."""
        self.deliver(Goal("bench", AREA, CLASS_NAMES), START_NS)
        while self.result is None and self.robot.now_s < _LONGEST_S:
            decision = self.step()
            if on_decision is not None:
                on_decision(self, decision)
        # The scan ends where it has nothing left to do; the way to rest is not part of it.
        things = Things(self.world)
        return things.score(self.claims, self.robot.now_s, self.questions)

    def choose_words(self, request: VocabularyRequest) -> VocabularyReply:
        """See `ScanHarness`; the demo's detector has the words that it has."""
        return VocabularyReply(request.request_id, True, "", CLASS_NAMES)

    def classify(self, request: InspectRequest) -> InspectionResult:
        """See `ScanHarness`."""
        picture = self.robot.pictures.get(request.frame_ns - START_NS)
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

    def ask(self, question: AskRequest) -> None:
        """See `ScanHarness`; the GPU is lent for as long as an answer takes."""
        self.questions += 1
        reply = self.reply_to(question, *self._inspected[question.inspection_id])
        self._lent_until_s = self._now_s + ASK_S
        self.deliver(GpuStatus(True, False), self.now_ns)
        self.deliver(GpuStatus(False, False), to_ns(self._lent_until_s))
        self.deliver(reply, to_ns(self._lent_until_s))

    def reply_to(self, question: AskRequest, picture: RenderedFrame, box_xyxy: Box) -> VlmReply:
        """Return the answer of the vision-language model's stand-in about a part of a picture."""
        verdict = _VERDICTS[ask(picture, box_xyxy, question.class_name)]
        return VlmReply(question.request_id, verdict, 0.9, "logprobs", model="stand-in")

    def take_picture(self) -> None:
        """Detect in a picture, unless the GPU is lent to the vision-language model."""
        if not self.is_lent:
            self.detect_in(self.robot.capture())

    @property
    def is_lent(self) -> bool:
        """Whether the vision-language model has the GPU."""
        return self.robot.now_s < self._lent_until_s

    def detect_in(self, picture: RenderedFrame, pose: Pose | None = None) -> None:
        """Detect in a picture, of which the detector may tell where it looked."""
        found, words = detect(picture)
        stamp_ns = to_ns(picture.stamp_s)
        frame = FrameDetections(stamp_ns, found, words, "demo_detector.onnx", pose=pose)
        self.deliver(frame, to_ns(picture.stamp_s + PICTURE_DELAY_S))


def to_ns(time_s: float) -> int:
    """Return a simulated time as a stamp [ns]."""
    return START_NS + round(time_s * 1e9)


def scan_by_controller(seed: int, settings: ScanSettings | None = None) -> Score:
    """Scan with the controller, with the tiers and questions that the baselines have."""
    return RenderedScan(seed, settings).scan()
