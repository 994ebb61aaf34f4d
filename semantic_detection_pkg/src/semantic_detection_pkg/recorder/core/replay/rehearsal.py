"""A scan of a recording that holds none: what the controller would decide about these inputs.

The gimbal does as it was recorded, whatever is decided. Nobody answers for the classifier and the
vision-language model, so candidates stay uncertain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.recorder.core.replay.player import Change, Recorded
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    CameraBeat,
    FrameDetections,
    Goal,
    Input,
    InspectionResult,
    SweepPlanned,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.journal import RecordedStep
from semantic_detection_pkg.scan.core.settings import ScanSettings

_STEP_NS = 50_000_000  # as the node steps
_SET_BACK_NS = 3_000_000_000  # no frame is as late: the clock was set back


def rehearse(
    recorded: Iterable[Recorded], goal: Goal, change: Change = lambda same: same
) -> Iterator[tuple[int, Decision]]:
    """Step through gimbal states and detections by their stamps, in the order of recording.

    Args:
        goal: given with the first detections; without words: all that these know.
        change: of the default settings.

    Yields:
        The time [ns] of each step and its decision.
    """
    controller = ScanController(change(ScanSettings()))
    inputs: list[Input] = []
    now_ns, has_goal = 0, False
    vocabulary: tuple[str, ...] = ()
    for item in recorded:
        if isinstance(item, RecordedStep):
            continue
        inputs.append(item)
        if isinstance(item, FrameDetections):
            inputs.append(CameraBeat(item.stamp_ns))
            vocabulary = item.words
            if not has_goal and (goal.words or vocabulary):
                has_goal = True
                words = goal.words or vocabulary
                inputs.append(replace(goal, words=words))
        if not -_SET_BACK_NS < item.stamp_ns - now_ns < _STEP_NS:
            now_ns = item.stamp_ns
            decision = controller.step(now_ns, inputs)
            inputs = _answers(decision, vocabulary)
            if controller.sweep_task is not None:
                inputs.append(SweepPlanned(controller.sweep_task.number))
            yield now_ns, decision


def _answers(decision: Decision, vocabulary: tuple[str, ...]) -> list[Input]:
    answers: list[Input] = [
        InspectionResult(request.request_id, request.frame_ns, has_crop=False)
        for request in decision.inspect
    ]
    answers += [
        VlmReply(request.request_id, Verdict.UNSURE, cause="unavailable")
        for request in decision.ask
    ]
    if decision.vocabulary is not None:
        answers.append(VocabularyReply(decision.vocabulary.request_id, True, vocabulary=vocabulary))
    return answers
