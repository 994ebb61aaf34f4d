"""What people said of findings, as pages show it: the section `reviews`, over the log."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.recorder.core.reviews import (
    UNREVIEWED,
    FindingReview,
    Review,
    by_finding,
)
from semantic_detection_pkg.recorder.storage.review_log import ReviewLog

_SHOWN_MAX = 20  # entries of a finding on the page


class ReviewBook:
    """Section `reviews` of the board, and the log; may be used by any thread."""

    def __init__(self, board: SectionStore, recordings: Path) -> None:
        """Put what the log holds onto the board."""
        self._board = board
        self._log = ReviewLog(recordings)
        self._lock = threading.Lock()
        self._known = by_finding(self._log.read())
        self._tell()

    def of(self, finding_id: str) -> FindingReview:
        """Return what was said of a finding."""
        with self._lock:
            return self._known.get(finding_id, UNREVIEWED)

    def add(self, review: Review) -> None:
        """Keep a review, then show it.

        Raises:
            OSError: it cannot be kept; then it is not shown either.
        """
        with self._lock:
            self._log.append(review)
            before = self._known.get(review.finding_id, UNREVIEWED)
            self._known[review.finding_id] = FindingReview((*before.entries, review))
            self._tell()

    def _tell(self) -> None:
        self._board.put(
            "reviews", {finding_id: _shown(one) for finding_id, one in self._known.items()}
        )


def _shown(review: FindingReview) -> dict[str, Any]:
    return {
        "verdict": review.verdict,
        "entries": [
            {
                "time_ns": str(one.time_ns),
                "who": one.who,
                "verdict": one.verdict,
                "comment": one.comment,
            }
            for one in review.entries[-_SHOWN_MAX:]
        ],
    }
