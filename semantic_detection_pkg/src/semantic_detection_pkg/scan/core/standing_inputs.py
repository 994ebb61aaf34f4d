"""Inputs that hold until another of their kind comes: a controller that begins is told them all."""

from __future__ import annotations

from typing import TypeVar

from semantic_detection_pkg.scan.core.inputs import Input

T = TypeVar("T")


class StandingInputs:
    """The newest input of each kind, and which of them are news."""

    def __init__(self) -> None:
        """Begin without any."""
        self._newest: dict[type, Input] = {}
        self._changed: list[type] = []

    def put(self, item: Input | None) -> None:
        """Take an input in place of the one of its kind; None: there is none."""
        if item is not None:
            self._newest[type(item)] = item
            if type(item) not in self._changed:
                self._changed.append(type(item))

    def forget(self, kind: type) -> None:
        """Let go of what does not hold any more."""
        self._newest.pop(kind, None)
        if kind in self._changed:
            self._changed.remove(kind)

    def get(self, kind: type[T]) -> T | None:
        """Return the newest of a kind; None: there was none."""
        item = self._newest.get(kind)
        return item if isinstance(item, kind) else None

    def tell_all_again(self) -> None:
        """Make all of them news, in the order in which their kinds came first."""
        self._changed = list(self._newest)

    def news(self) -> list[Input]:
        """Return what has changed since the last call."""
        changed = [self._newest[kind] for kind in self._changed]
        self._changed.clear()
        return changed
