"""The protocol of those who look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from semantic_detection_pkg.archive.core.question import Question, Unit


class Workers(Protocol):
    """Who looks through units."""

    def run(self, question: Question, units: Sequence[Unit]) -> Iterator[tuple[int, bytes]]:
        """Yield the number of a unit and its answer, as they come.

        Whoever stops in the middle closes the iterator; then nobody works any more.

        Raises:
            ConfigurationError: nobody is there to do it.
            ModelError: a worker cannot load the model.
            SourceLostError: workers die of a unit, again and again.
        """
