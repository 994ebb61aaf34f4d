"""Inputs that hold until another of their kind comes: a controller that begins is told them all."""

from __future__ import annotations

from typing import TypeVar

from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.inputs import Input

T = TypeVar("T")


class StandingInputs:
    """The newest input of each kind, and which of them are news.

    Of words each list is news: what an operator asks for is told in order, it does not replace what
    he asked for before.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._newest: dict[type, Input] = {}
        self._news: dict[tuple[type, int], Input] = {}

    def put(self, item: Input | None) -> None:
        """Take an input in place of the one of its kind; None: there is none."""
        if item is not None:
            self._newest[type(item)] = item
            self._news[_key(item)] = item

    def forget(self, kind: type) -> None:
        """Let go of what does not hold any more."""
        self._newest.pop(kind, None)
        self._news = {key: one for key, one in self._news.items() if key[0] is not kind}

    def get(self, kind: type[T]) -> T | None:
        """Return the newest of a kind; None: there was none."""
        item = self._newest.get(kind)
        return item if isinstance(item, kind) else None

    def tell_all_again(self) -> None:
        """Make all of them news, in the order in which their kinds came first."""
        self._news = {_key(item): item for item in self._newest.values()}

    def news(self) -> list[Input]:
        """Return what has changed since the last call."""
        changed = list(self._news.values())
        self._news.clear()
        return changed


def _key(item: Input) -> tuple[type, int]:
    """Return what one input shares with those that it replaces as news."""
    return type(item), item.since_ns if isinstance(item, WordsInForce) else 0
