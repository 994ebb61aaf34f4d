"""What people should know of the models in use: said in the node's log, and its diagnostics."""

from __future__ import annotations

from typing import Any

from semantic_detection_pkg.detector.backends.configured import SpeedChoice
from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.detector.backends.word_memory import WordMemory
from semantic_detection_pkg.detector.core.classifier_words import in_short
from semantic_detection_pkg.detector.kernels import is_compiled
from semantic_detection_pkg.detector.ros.inspection import FrameInspector


def tell_of_models(
    log: Any, detector: LoadedDetector, choice: SpeedChoice, inspector: FrameInspector
) -> None:
    """Say what is in use, and warn of what it lacks; `log` is a node's logger."""
    log.info(
        f"{detector.path} on {detector.backend.device}, "
        f"{'compiled' if is_compiled() else 'slow, not compiled'} kernels, looks for "
        + ", ".join(detector.pipeline.vocabulary)
    )
    if choice.said:
        log.info(choice.said)
    said = (
        choice.warning,
        detector.notice,
        detector.unnamed,
        detector.dropped_words,
        detector.encoder_refusal,
    )
    for notice in filter(None, said):
        log.warning(notice)
    if inspector.summary:
        log.info(inspector.summary)
    warn_of_strange_words(log, detector, inspector)


def tell_of_memory(log: Any, memory: WordMemory) -> None:
    """Say what is known of before, and what of it is no good for the model in use."""
    for notice in memory.notices:
        log.warning(notice)
    memory.notices.clear()


def warn_of_strange_words(log: Any, detector: LoadedDetector, inspector: FrameInspector) -> None:
    """Say so where the classifier can have no opinion on anything that is looked for."""
    vocabulary = detector.pipeline.vocabulary
    if inspector.has_no_word_of(vocabulary):
        log.warning(
            f"the classifier knows none of the words searched for ({in_short(vocabulary)}): it "
            "will have no opinion; a table of words helps (docs/models.md)"
        )


def fallback_of(
    detector: LoadedDetector | None, choice: SpeedChoice | None, inspector: FrameInspector
) -> str:
    """Return what computes elsewhere, or slower, than it was asked to; "" if there is nothing."""
    said = (
        "" if detector is None else detector.fallback,
        "" if choice is None else choice.warning,
        inspector.fallback,
    )
    return "; ".join(filter(None, said))
