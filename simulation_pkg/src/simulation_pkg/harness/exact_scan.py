"""A scan without pixels: things at bearings, a gimbal, a detector, a classifier, a model.

Everything is exact and repeatable; each part has switches that make it fail. Time is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.core.word_acts import WordAct
from semantic_detection_pkg.detector.core.word_history import WordHistory
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.decisions import (
    AskRequest,
    Decision,
    InspectRequest,
    VocabularyRequest,
)
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    CameraBeat,
    FrameDetections,
    GimbalReading,
    Goal,
    Input,
    InspectionResult,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.scan_harness import START_NS, STEP_NS, ScanHarness

FRAME_NS = 100_000_000
WORDS = ("person", "tent", "footpath")
AREA = Area(-0.7, 0.7, 0.05, 0.6)


@dataclass(frozen=True)
class Thing:
    """Something to find, or what looks like it.

    Attributes:
        truth: what the classifier calls it close up; empty: as the detector does.
        sureness: 0..1, of the classifier.
        course: bearings along the middle of a path; empty: it is no path.
    """

    yaw_rad: float
    pitch_rad: float
    class_name: str = "person"
    size_rad: float = 0.02
    truth: str = ""
    sureness: float = 0.97
    course: tuple[tuple[float, float], ...] = ()


@dataclass
class ExactScan(ScanHarness):
    """A controller in an exact world; `run` lets time pass.

    Switches: `is_gimbal_silent`, `link`, `is_detector_silent`, `is_camera_silent`,
    `is_classifier_silent`, `is_classifier_absent`, `is_model_silent`, `answer` of the model.
    The camera gives a frame every `frame_ns`; its detections come `latency_ns` later, what the
    detector tells of its words `words_late_ns` later. One of before tells nothing (`tells_words`),
    or not what was asked of it (`tells_acts`).
    """

    things: list[Thing]
    settings: ScanSettings = field(default_factory=ScanSettings)
    width: int = 1280
    height: int = 720
    zoom_max: float = 6.0
    link: str = "up"
    is_gimbal_silent: bool = False
    is_detector_silent: bool = False
    is_camera_silent: bool = False
    is_classifier_silent: bool = False
    is_classifier_absent: bool = False
    is_model_silent: bool = False
    answer: Verdict = Verdict.YES
    frame_ns: int = FRAME_NS
    latency_ns: int = 0
    tells_words: bool = True
    tells_acts: bool = True
    words_late_ns: int = 0
    known_words: tuple[str, ...] = WORDS
    yaw: float = 0.0
    pitch: float = 0.0
    zoom: float = 1.0
    limits: tuple[float, float, float, float] = (-2.3, 2.3, -0.5, 1.5)

    def __post_init__(self) -> None:
        super().__init__(self.settings)
        self.inbox: list[Input] = []  # what people say, heard in the next step
        self.decisions: list[Decision] = []
        self.journal: list[tuple[int, list[Input]]] = []
        self.vocabulary: tuple[str, ...] = ()
        self.words_since_ns = 0
        self._asked: tuple[str, ...] = ()
        self._history = WordHistory()
        self._history.begin(START_NS - 1)
        self._rate = (0.0, 0.0)
        self._goal: tuple[float, float] | None = None
        self._zoom_goal = 1.0
        self._rate_until_ns = 0
        self._views: dict[int, CameraView] = {}

    # ------------------------------------------------------------------------------ driving

    def start(self, **changes: Any) -> None:
        """Give a goal."""
        goal: dict[str, Any] = {"goal_id": "g", "area": AREA, "words": WORDS[:2], **changes}
        self.inbox.append(Goal(**goal))

    def run(self, seconds: float, until: Callable[[Decision], bool] | None = None) -> Decision:
        """Let time pass, at most this much; return the last decision."""
        for _ in range(round(seconds * 1e9 / STEP_NS)):
            decision = self.step()
            if until is not None and until(decision):
                return decision
        assert until is None, f"not within {seconds:g} s; last: {self.decisions[-1].status}"
        return self.decisions[-1]

    def step(self) -> Decision:
        """Let one step pass and keep what came of it; see `ScanHarness`."""
        decision = super().step()
        self.journal.append((self.now_ns, self.inputs))
        self.decisions.append(decision)
        return decision

    # ------------------------------------------------------------------------------ the world

    def _move(self) -> None:
        step_s = STEP_NS * 1e-9
        if self.now_ns > self._rate_until_ns:
            self._rate = (0.0, 0.0)
        if self._goal is not None:
            reach = math.radians(90.0) * step_s
            self.yaw += max(-reach, min(reach, self._goal[0] - self.yaw))
            self.pitch += max(-reach, min(reach, self._goal[1] - self.pitch))
        else:
            self.yaw += self._rate[0] * step_s
            self.pitch += self._rate[1] * step_s
        low_yaw, high_yaw, low_pitch, high_pitch = self.limits
        self.yaw = max(low_yaw, min(high_yaw, self.yaw))
        self.pitch = max(low_pitch, min(high_pitch, self.pitch))
        self.zoom += max(-7 * step_s, min(7 * step_s, self._zoom_goal - self.zoom))

    def view(self) -> CameraView:
        """Return where the camera looks now."""
        hfov = 2 * math.atan(math.tan(math.radians(31.0)) / self.zoom)
        return CameraView(self.yaw, self.pitch, 0.0, hfov, self.width, self.height)

    def sense(self) -> list[Input]:
        """See `ScanHarness`."""
        self.now_ns += STEP_NS
        self._move()
        inputs, self.inbox = list(self.inbox), []
        rate = self._rate if self._goal is None else (0.0, 0.0)
        if not self.is_gimbal_silent:
            inputs.append(
                GimbalReading(
                    self.now_ns,
                    self.yaw,
                    self.pitch,
                    0.0,
                    *rate,
                    self.zoom,
                    self.view().hfov_rad,
                    self.zoom_max,
                    self.link,
                    *self.limits,
                )
            )
        if (self.now_ns - START_NS) % self.frame_ns == 0:
            if not self.is_camera_silent:
                inputs.append(CameraBeat(self.now_ns))
            if not (self.is_camera_silent or self.is_detector_silent):
                self._views[self.now_ns] = self.view()
                found = FrameDetections(
                    self.now_ns,
                    self.detect(),
                    self.vocabulary,
                    "exact",
                    words_since_ns=self.words_since_ns,
                )
                if self.latency_ns:
                    self.deliver(found, self.now_ns + self.latency_ns)
                else:
                    inputs.append(found)
        return inputs

    def detect(self) -> Detections:
        """Return what a perfect detector sees."""
        found = [
            (self.vocabulary.index(thing.class_name), *shown)
            for thing in self.things
            if thing.class_name in self.vocabulary and (shown := self._shown(thing)) is not None
        ]
        ids, boxes, rings = zip(*found, strict=True) if found else ((), (), ())
        return Detections(
            self.width,
            self.height,
            np.array(ids, np.uint16),
            np.full(len(ids), 0.8, np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
            MaskRings.from_rings(rings),
        )

    def _shown(self, thing: Thing) -> tuple[Any, list[Any]] | None:
        """Return box and rings of a thing in the picture; None where it is not seen."""
        view = self.view()
        if thing.course:
            return self._shown_path(thing, view)
        x, y = view.project([(thing.yaw_rad, thing.pitch_rad)])[0]
        half = thing.size_rad * view.pixels_per_rad / 2
        if math.isnan(x) or half < 3.0:
            return None
        box = np.array([x - half, y - half, x + half, y + half])
        cut = np.clip(box, 0, [self.width, self.height] * 2)
        x0, y0, x1, y1 = cut
        if min(x1 - x0, y1 - y0) < half:
            return None
        return cut, [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])]

    def _shown_path(self, thing: Thing, view: CameraView) -> tuple[Any, list[Any]] | None:
        points = view.project(thing.course)
        canvas = np.zeros((self.height, self.width), np.uint8)
        width_px = max(1, round(thing.size_rad * view.pixels_per_rad))
        for start, end in zip(points[:-1], points[1:], strict=True):
            if np.isfinite([*start, *end]).all() and np.abs([*start, *end]).max() < 30_000:
                cv2.line(canvas, np.int32(start).tolist(), np.int32(end).tolist(), 255, width_px)
        outlines, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        rings = [outline[:, 0].astype(np.float32) for outline in outlines if len(outline) > 3]
        if not rings:
            return None
        ends = np.concatenate(rings)
        return np.concatenate([ends.min(axis=0), ends.max(axis=0)]), rings

    # ------------------------------------------------------------------------------ decisions

    def turn(self, yaw_rad_s: float, pitch_rad_s: float) -> None:
        """See `ScanHarness`; a rate expires after 0.2 s, as in the driver."""
        self._rate = (yaw_rad_s, pitch_rad_s)
        self._rate_until_ns, self._goal = self.now_ns + 200_000_000, None

    def go_to(self, yaw_rad: float, pitch_rad: float) -> None:
        """See `ScanHarness`."""
        self._goal = (yaw_rad, pitch_rad)

    def zoom_to(self, zoom: float) -> None:
        """See `ScanHarness`."""
        self._zoom_goal = max(1.0, min(self.zoom_max, zoom))

    def choose_words(self, request: VocabularyRequest) -> VocabularyReply | None:
        """See `ScanHarness`; words beyond `known_words` are refused."""
        if self.is_detector_silent:
            return None
        self.heed()
        message = self._look_for(request.words, "set", None)
        since_ns = 0 if message else self.words_since_ns
        return VocabularyReply(request.request_id, not message, message, self.vocabulary, since_ns)

    def heed(self) -> None:
        """Have the detector note that the mission tells it words, before it looks for them."""
        since_ns = self.words_since_ns or self._history.began_ns
        self._history.heed(self.controller.mission_name, since_ns)

    def look_for(self, words: Sequence[str], cause: str, shown: str = "") -> str:
        """Have the detector look for words, and tell of it as `cause` has it.

        Args:
            shown: the class of an example.

        Returns:
            Why it does not; empty: it does.
        """
        acts = {
            "set": tuple(words),
            "shown": tuple(word for word in words if word == shown),
            "forgotten": tuple(word for word in self._asked if word not in words),
        }
        return self._look_for(words, cause, acts.get(cause), shown)

    def _look_for(
        self, words: Sequence[str], cause: str, act: tuple[str, ...] | None, shown: str = ""
    ) -> str:
        known = {word.lower(): word for word in self.known_words}
        spelled = {word: known.get(word.split("=")[-1].split("|")[0].lower()) for word in words}
        for word, spelling in spelled.items():
            if spelling is None:
                return f"'{word}' is unknown"
        self._asked = tuple(words)
        self.vocabulary = tuple(
            word.split("=")[0] if "=" in word else spelling or ""
            for word, spelling in spelled.items()
        )
        if self.tells_words:
            since_ns = self.words_since_ns = max(self.now_ns, self.words_since_ns + 1)
            if cause == "configured":
                self._history.begin(since_ns)
            if act:
                self._history.add(WordAct(since_ns, cause, act))
            told = WordsInForce(since_ns, "exact", (), cause, self.vocabulary, tuple(words), shown)
            if self.tells_acts:
                told = self._with_acts(told)
            self.deliver(told, self.now_ns + STEP_NS + self.words_late_ns)
        return ""

    def _with_acts(self, told: WordsInForce) -> WordsInForce:
        history = self._history
        return replace(
            told,
            began_ns=history.began_ns,
            acts=history.acts,
            mission=history.mission,
            mission_ns=history.mission_ns,
        )

    def ask(self, question: AskRequest) -> None:
        """See `ScanHarness`; the model says `answer`, two seconds later."""
        if not self.is_model_silent:
            reply = VlmReply(question.request_id, self.answer, 0.9, text="as asked", model="exact")
            self.deliver(reply, self.now_ns + 2_000_000_000)

    def classify(self, request: InspectRequest) -> InspectionResult | None:
        """See `ScanHarness`; the classifier knows what stands there."""
        if self.is_classifier_silent:
            return None
        if self.is_classifier_absent:
            return InspectionResult(request.request_id, request.frame_ns)
        if request.frame_ns not in self._views:
            return InspectionResult(request.request_id, request.frame_ns, "it is not held")
        thing = self._thing_in(request)
        label = thing.truth or thing.class_name
        others = [name for name in (*WORDS, "scarecrow", "boulder") if name != label]
        shares = (thing.sureness, *[(1.0 - thing.sureness) / len(others)] * len(others))
        ranked = sorted(zip((label, *others), shares, strict=True), key=lambda pair: -pair[1])
        labels, probabilities = zip(*ranked, strict=True)
        return InspectionResult(
            request.request_id, request.frame_ns, "", "classifier", labels, probabilities
        )

    def _thing_in(self, request: InspectRequest) -> Thing:
        """Return what stands in the middle of the box, in the frame that it names."""
        x0, y0, x1, y1 = request.box_xyxy
        bearing = self._views[request.frame_ns].bearings_of([((x0 + x1) / 2, (y0 + y1) / 2)])[0]
        return min(
            self.things,
            key=lambda t: math.hypot(t.yaw_rad - bearing[0], t.pitch_rad - bearing[1]),
        )
