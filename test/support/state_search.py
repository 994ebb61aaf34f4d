"""Explicit-state search: all that can be reached, what must never be, what can always be.

A state is any hashable value; it is hashed once for every step that leads to it, so let it be a
flat tuple whose hash is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)
Steps = Callable[[State], Iterable[State]]


@dataclass(frozen=True)
class Graph(Generic[State]):
    """All states that can be reached, the first one first.

    Attributes:
        before: for each state the numbers of those with a step to it that is no fault; as often as
            there are such steps.
        transitions: number of steps between all states, faults included.
    """

    states: list[State]
    before: list[list[int]]
    transitions: int

    def from_which(self, goal: Callable[[State], bool]) -> set[int]:
        """Return the numbers of the states from which a goal can be reached without faults."""
        reached = {number for number, state in enumerate(self.states) if goal(state)}
        todo = list(reached)
        while todo:
            for earlier in self.before[todo.pop()]:
                if earlier not in reached:
                    reached.add(earlier)
                    todo.append(earlier)
        return reached


class BadStateFound(Exception):  # noqa: N818 - what is searched for
    """A bad state; `way` holds the states on a shortest way there, first to last."""

    def __init__(self, way: list) -> None:
        super().__init__(f"{way[-1]} after {len(way) - 1} steps")
        self.way = way


def explore(
    first: State, steps: Steps, faults: Steps, is_bad: Callable[[State], bool]
) -> Graph[State]:
    """Visit every state, breadth first; stop at the first bad one.

    Args:
        steps, faults: the states that one step leads to; only `from_which` tells them apart.

    Raises:
        BadStateFound: with a shortest way there.
    """
    numbers, states, parents = {first: 0}, [first], [0]
    before: list[list[int]] = [[]]
    transitions = 0
    for here, state in enumerate(states):  # the list grows meanwhile: it is the queue, too
        if is_bad(state):
            raise BadStateFound(_way(states, parents, here))
        for is_fault, following in ((False, steps(state)), (True, faults(state))):
            for after in following:
                transitions += 1
                there = numbers.setdefault(after, len(states))
                if there == len(states):
                    states.append(after)
                    parents.append(here)
                    before.append([])
                if not is_fault:
                    before[there].append(here)
    return Graph(states, before, transitions)


def _way(states: list[State], parents: list[int], end: int) -> list[State]:
    way = [end]
    while way[-1]:
        way.append(parents[way[-1]])
    return [states[number] for number in reversed(way)]
