"""Asking a vision-language model about a picture: what a package that can do it has to offer.

It declares a module in the entry point group `GROUP`, with a function `open_asker(address, *,
model, timeout_s)` that returns a `PictureAsker`. How a question is worded and how an answer is read
is that package's; who asks knows neither prompts nor protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ros_support_pkg.core.words import Verdict

GROUP = "semantic_detection.picture_askers"


@dataclass(frozen=True)
class PictureAnswer:
    """What came of a question.

    Attributes:
        verdict: UNSURE also where nothing was answered.
        confidence: 0..1.
        confidence_source: "logprobs", "agreement" or "none".
        text: as the model wrote it.
        cause: one word why it is unsure; empty otherwise.
        question, prompt_id: what was put, and the name of its wording.
        model: name of the model that answered.
        is_answered: the model has answered, whatever; else `reason` says why not.
        is_hopeless: not answered, and another question would fare no better.
    """

    verdict: Verdict
    confidence: float = 0.0
    confidence_source: str = "none"
    text: str = ""
    reason: str = ""
    cause: str = ""
    question: str = ""
    prompt_id: str = ""
    model: str = ""
    is_answered: bool = True
    is_hopeless: bool = False


class PictureAsker(Protocol):
    """A way to a model."""

    def served_model(self) -> str:
        """Return the name of the model that would answer; empty where nobody tells it now."""

    def key(self, jpeg: bytes, class_name: str) -> str:
        """Return a name for a question: 64 hexadecimal digits of picture, wording and settings.

        Raises:
            SemanticDetectionError: it cannot be put.
        """

    def ask(self, jpeg: bytes, class_name: str) -> PictureAnswer:
        """Ask whether a picture shows something; comes back within the time-out.

        Raises:
            SemanticDetectionError: it cannot be put.
        """
