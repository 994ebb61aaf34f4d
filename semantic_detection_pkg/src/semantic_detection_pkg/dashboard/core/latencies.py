"""How late viewers see the pictures, and what is to be said of it; frames by their stages."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from ros_support_pkg.core.latency import read_figures

_SECONDS = 3  # in a row: one slow second is no news


class Latencies:
    """The newest ages of pictures at their viewers."""

    def __init__(self, max_latency_s: float) -> None:
        """Complain beyond `max_latency_s` after the capture."""
        self._max_s = max_latency_s
        self._ages_s: deque[float] = deque(maxlen=_SECONDS)

    def complaint(self, age_s: float | None) -> str:
        """Take in the median age of a second; return what is wrong, empty: nothing.

        Args:
            age_s: [s] when viewers confirmed them; None: nobody did.
        """
        if age_s is None:
            self._ages_s.clear()
            return ""
        self._ages_s.append(age_s)
        median_s = statistics.median(self._ages_s)
        if len(self._ages_s) < _SECONDS or median_s <= self._max_s:
            return ""
        return (
            f"pictures are late at their viewers, {median_s:.1f} s after the capture, "
            f"at most {self._max_s:g} s is wanted"
        )


def latency_of(diagnostics: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the figures of a frame's stages, as the nodes' diagnostics have them.

    By stage and figure: `inferred_p95_s`, `inferred_count`, ...; see `read_figures`.

    Args:
        diagnostics: of each node, its `values` by key.
    """
    return {
        f"{stage}_{figure}": value
        for status in diagnostics.values()
        for stage, figures in read_figures(status["values"]).items()
        for figure, value in figures.items()
    }
