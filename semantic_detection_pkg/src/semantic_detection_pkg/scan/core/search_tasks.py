"""What a search has in hand: a close view, a question."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.planning.view_planning import CloseView


@dataclass(frozen=True)
class Visit:
    """A close view being made.

    Attributes:
        since_ns: when it was chosen.
        arrived_ns: when it was reached; 0: not yet.
    """

    view: CloseView
    since_ns: int
    arrived_ns: int = 0


@dataclass(frozen=True)
class VlmQuestion:
    """A question to the VLM under way; its answer is not waited for beyond `until_ns`."""

    request_id: int
    candidate: Candidate
    until_ns: int
