"""Proposals beside the detections of a frame, in its message."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from numpy.typing import NDArray

from interfaces_pkg.msg import Detections as DetectionsMessage
from semantic_detection_pkg.detector.core.detection_result import DetectionResult
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.proposer import Proposer, with_proposals
from semantic_detection_pkg.errors import ConfigurationError


class FrameProposals:
    """Adds proposals to each frame's detections, as the settings say. Belongs to one thread."""

    def __init__(self, settings: ProposalSettings) -> None:
        self._proposer = Proposer(settings)
        self._text = settings.as_text()
        self._added = 0
        self._elapsed_ms = 0.0
        self._notice = ""

    @property
    def notice(self) -> str:
        """Why nothing is proposed although it is asked for; "" if there is no such reason."""
        return self._notice

    def change(self, settings: ProposalSettings) -> None:
        """Go by other settings from the next frame on."""
        self._proposer.change(settings)
        self._text = settings.as_text()

    def add(self, image: NDArray[np.uint8], result: DetectionResult) -> DetectionResult:
        """Return what a model found in a frame, and what is proposed beside it.

        Raises:
            FrameError: see `Proposer.propose`.
        """
        self._added, self._elapsed_ms, self._notice = 0, 0.0, ""
        if not self._proposer.class_names:
            return result
        try:
            self._proposer.settings.check_words(result.vocabulary)
        except ConfigurationError as error:
            self._notice = f"nothing is proposed: {error}"
            return result
        started_s = time.perf_counter()
        proposals = self._proposer.propose(image, result.detections)
        detections, words = with_proposals(result.detections, result.vocabulary, proposals)
        self._elapsed_ms = 1e3 * (time.perf_counter() - started_s)
        self._added = len(proposals.class_names)
        return dataclasses.replace(result, detections=detections, vocabulary=words)

    def describe(self, message: DetectionsMessage) -> None:
        """Write into a frame's message which of its classes are proposals, and how they came."""
        message.proposed_classes = self._added
        message.proposer = self._text if self._added else ""
        message.proposals_ms = self._elapsed_ms
