"""A search through recordings, from what is open to findings.

What workers gave is kept; what follows is done by one process in the order of recording, each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.archive.answer_files import AnswerStore, from_bytes
from semantic_detection_pkg.archive.asking import Asking
from semantic_detection_pkg.archive.core.evaluation import Sighted
from semantic_detection_pkg.archive.core.grouping import Thing, group, to_findings
from semantic_detection_pkg.archive.core.question import Question, SeenFrame, Unit, UnitAnswer
from semantic_detection_pkg.archive.core.stretches import sightings_of
from semantic_detection_pkg.archive.core.surroundings import Surroundings
from semantic_detection_pkg.archive.core.third_tier import asking_settings, is_open, with_answer
from semantic_detection_pkg.archive.sources.source import RecordedSource
from semantic_detection_pkg.archive.workers.protocol import Workers
from semantic_detection_pkg.common.core.picture_questions import PictureAnswer
from semantic_detection_pkg.common.core.serialization import canonical, to_plain
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.detector.classifier import Classifier
from semantic_detection_pkg.detector.kernels.crops import crop_for_eyes
from semantic_detection_pkg.errors import ConfigurationError, FrameError, StorageError
from semantic_detection_pkg.scan.core.decisions import DECISION_DIGITS
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.goals import class_labels
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.settings import (
    CandidateSettings,
    ScanSettings,
    TierSettings,
)

_PROBLEMS_MAX = 1000  # that are told


@dataclass(frozen=True)
class Part:
    """A unit with the recording it is of."""

    source: RecordedSource
    unit: Unit


@dataclass(frozen=True)
class Shown:
    """A frame that findings are told by.

    Attributes:
        stamp_ns: as findings tell it: no two frames of a search have one.
        pose: where it looked from its base; None: nobody knows.
    """

    part: Part
    frame: SeenFrame
    vocabulary: tuple[str, ...]
    model: str
    stamp_ns: int
    pose: Pose | None

    def jpeg(self) -> bytes:
        """Return its picture as a file; raises FrameError, also where the recording is gone."""
        try:
            return self.part.source.jpeg(self.part.unit, self.frame.place, self.frame.stamp_ns)
        except (ConfigurationError, OSError) as error:
            raise FrameError(" ".join(str(error).split())) from error

    @property
    def told_place(self) -> str:
        """Where people find it."""
        return self.part.source.told_place(self.part.unit, self.frame.place)


@dataclass(frozen=True)
class Vlm:
    """Tier 3.

    Attributes:
        policy: as `TierSettings.vlm_policy`; empty: that of the recording.
        tell: is given how many questions there are, each time one is done.
    """

    asking: Asking
    policy: str = ""
    tell: Callable[[int], object] = lambda _total: None


@dataclass
class Outcome:
    """What a search came to.

    Attributes:
        frames: that findings are told by, by their stamps there.
        pictures: that were looked at.
        unread: that could not be.
        problems: of the first of these, a line each.
        incomplete: parts of recordings that are damaged or gone.
        started_ns: stamp of the first frame.
    """

    findings: list[Finding] = field(default_factory=list)
    frames: dict[int, Shown] = field(default_factory=dict)
    pictures: int = 0
    unread: int = 0
    problems: list[str] = field(default_factory=list)
    incomplete: int = 0
    started_ns: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 over all findings, rounded as decisions are: 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for finding in self.findings:
            digest.update(canonical(to_plain(finding, DECISION_DIGITS)).encode() + b"\n")
        return digest.hexdigest()


def look_through(
    question: Question,
    parts: Sequence[Part],
    workers: Workers,
    store: AnswerStore,
    tell: Callable[[int, bool], object] = lambda _weight, _is_new: None,
) -> dict[int, bytes]:
    """Have all parts looked through that were not yet; what comes is kept at once.

    Args:
        tell: is given the weight of each unit that is done, and whether it was done just now.

    Returns:
        Answers that are not kept, as another time they may be better, by number of the part.

    Raises:
        what `Workers.run` does.
        StorageError: an answer cannot be kept.
    """
    left = []
    for number, part in enumerate(parts):
        if store.get(part.unit.key(question)) is None:
            left.append(number)
        else:
            tell(part.unit.weight, False)
    unkept: dict[int, bytes] = {}
    answers = workers.run(question, [parts[number].unit for number in left])
    try:
        for index, data in answers:
            number = left[index]
            if from_bytes(data).is_whole:
                store.put(parts[number].unit.key(question), data)
            else:
                unkept[number] = data
            tell(parts[number].unit.weight, True)
    finally:
        close = getattr(answers, "close", None)
        if close is not None:
            close()
    return unkept


class Search:
    """The part of a search that goes in order."""

    def __init__(
        self,
        question: Question,
        parts: Sequence[Part],
        answer: Callable[[int], UnitAnswer],
        classifier: Classifier | None = None,
        vlm: Vlm | None = None,
    ) -> None:
        """Take what was looked through.

        Args:
            answer: gives that of a part by its number.
            classifier: Tier 2; None: there is none.
            vlm: Tier 3; None: nothing is asked.
        """
        self._parts = parts
        self._answer = answer
        self._classifier = classifier
        self._vlm = vlm
        self._labels = class_labels(question.asked, answer(0).vocabulary if parts else ())
        self._outcome = Outcome()
        self._stamps: dict[tuple[int, int], int] = {}
        self._around: dict[int, Surroundings] = {}

    def run(self) -> Outcome:
        """Return what was found."""
        outcome = self._outcome
        scenes: dict[tuple[int, str], list[int]] = {}
        for number, part in enumerate(self._parts):
            scenes.setdefault((id(part.source), part.unit.scene), []).append(number)
            self._count(self._answer(number))
        sighted: list[Sighted] = []
        for scene, numbers in enumerate(scenes.values()):
            sighted += self._scene(scene, numbers)
        things = group(sighted, CandidateSettings())
        self._note_frames(things, list(scenes.values()))
        if self._vlm is not None:
            self._ask(things, self._vlm)
        outcome.findings = to_findings(things, outcome.started_ns, self._stamps)
        return outcome

    def _count(self, answer: UnitAnswer) -> None:
        outcome = self._outcome
        outcome.pictures += len(answer.frames)
        outcome.unread += answer.unread
        outcome.incomplete += not answer.is_whole
        outcome.problems += answer.problems[: max(0, _PROBLEMS_MAX - len(outcome.problems))]
        stamps = [frame.stamp_ns for frame in answer.frames]
        if stamps:
            first_ns = min(stamps)
            outcome.started_ns = min(outcome.started_ns or first_ns, first_ns)

    def _scene(self, scene: int, numbers: Sequence[int]) -> list[Sighted]:
        first = self._parts[numbers[0]]
        try:
            around = first.source.surroundings(first.unit.scene)
        except (ConfigurationError, OSError) as error:  # gone since it was looked through
            self._outcome.incomplete += 1
            self._outcome.problems.append(" ".join(str(error).split()))
            return []
        self._around[scene] = around
        found: dict[int, tuple[int, SeenFrame]] = {}

        def answers() -> Iterator[UnitAnswer]:
            for number in numbers:
                answer = self._answer(number)
                found.update({frame.stamp_ns: (number, frame) for frame in answer.frames})
                yield answer

        def inspect(stamp_ns: int, box_xyxy: tuple[float, float, float, float]) -> InspectionResult:
            return self._inspect(*found[stamp_ns], box_xyxy)

        return sightings_of(scene, answers, self._labels, around, inspect)

    def _inspect(
        self, number: int, frame: SeenFrame, box_xyxy: tuple[float, float, float, float]
    ) -> InspectionResult:
        if self._classifier is None:
            return InspectionResult(0, frame.stamp_ns, has_crop=False)
        part = self._parts[number]
        try:
            jpeg = part.source.jpeg(part.unit, frame.place, frame.stamp_ns)
            image = decode_picture(np.frombuffer(jpeg, np.uint8), f"of {frame.stamp_ns} ns")
            said = self._classifier.classify(image, box_xyxy)
        except (FrameError, ConfigurationError, OSError) as error:
            return InspectionResult(0, frame.stamp_ns, error=str(error), has_crop=False)
        return InspectionResult(
            0,
            frame.stamp_ns,
            "",
            self._classifier.name,
            said.labels,
            said.probabilities,
            has_crop=False,
        )

    def _ask(self, things: Sequence[Thing], vlm: Vlm) -> None:
        """Ask about the best picture of each thing that the lower tiers leave open."""
        waiting: list[tuple[Thing, TierSettings]] = []
        for thing in things:
            best = thing.best
            recorded = self._around[best.scene].settings.at(best.decided_ns) or ScanSettings()
            settings = asking_settings(recorded.tiers, vlm.policy)
            if is_open(best, settings):
                waiting.append((thing, settings))
        for number, (thing, settings) in enumerate(waiting, start=1):
            answer = self._answer_about(thing.best, vlm.asking)
            thing.asked = with_answer(thing.best, answer, number, settings)
            vlm.tell(len(waiting))

    def _answer_about(self, best: Sighted, asking: Asking) -> PictureAnswer:
        shown = self._outcome.frames[self._stamps[best.scene, best.best_ns]]
        try:
            image = decode_picture(np.frombuffer(shown.jpeg(), np.uint8), f"of {best.best_ns} ns")
        except FrameError as error:
            return PictureAnswer(Verdict.UNSURE, reason=str(error), is_answered=False)
        crop = crop_for_eyes(image, best.box_xyxy)
        name = best.track.class_name
        return asking.ask(crop, self._labels.get(name, name))

    def _note_frames(self, things: Sequence[Thing], scenes: Sequence[Sequence[int]]) -> None:
        """Note the frames that findings name, and give each a stamp of its own."""
        wanted: dict[int, set[int]] = {}
        for thing in things:
            best = thing.best
            stamps = wanted.setdefault(best.scene, set())
            stamps.update((best.best_ns, best.decided_ns))
            for tier in best.tiers:
                stamps.update(tier.frames_ns)
        for scene, stamps in sorted(wanted.items()):
            for number in scenes[scene]:
                answer = self._answer(number)
                for frame in answer.frames:
                    if frame.stamp_ns in stamps and (scene, frame.stamp_ns) not in self._stamps:
                        self._note(scene, number, frame, answer)

    def _note(self, scene: int, number: int, frame: SeenFrame, answer: UnitAnswer) -> None:
        stamp_ns = frame.stamp_ns
        while stamp_ns in self._outcome.frames:
            stamp_ns += 1
        self._stamps[scene, frame.stamp_ns] = stamp_ns
        around = self._around[scene]
        pose = around.pose_at(frame.stamp_ns) if around.has_bearings else None
        self._outcome.frames[stamp_ns] = Shown(
            self._parts[number], frame, answer.vocabulary, answer.model, stamp_ns, pose
        )


def answers_of(
    question: Question,
    parts: Sequence[Part],
    store: AnswerStore,
    unkept: Mapping[int, bytes],
) -> Callable[[int], UnitAnswer]:
    """Return what gives the answer of a part by its number.

    Raises, when called:
        StorageError: an answer that was kept is gone.
    """
    keys = [part.unit.key(question) for part in parts]

    def answer(number: int) -> UnitAnswer:
        if number in unkept:
            return from_bytes(unkept[number])
        found = store.answer(keys[number])
        if found is None:
            raise StorageError(f"what was found in {parts[number].unit.path} is gone; begin again")
        return found

    return answer
