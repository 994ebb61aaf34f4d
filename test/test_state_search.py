"""The search through states: all of them, the shortest way, faults that are no way on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from state_search import BadStateFound, explore


def _none(_: object) -> Iterator:
    return iter(())


def _is_never(_: object) -> bool:
    return False


def _grid(cell: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Right or down on three by four cells."""
    x, y = cell
    if x < 2:
        yield x + 1, y
    if y < 3:
        yield x, y + 1


def test_every_state_is_visited_once_and_every_step_counted() -> None:
    graph = explore((0, 0), _grid, _none, _is_never)
    assert sorted(graph.states) == [(x, y) for x in range(3) for y in range(4)]
    assert graph.transitions == 2 * 4 + 3 * 3
    before_last = {graph.states[n] for n in graph.before[graph.states.index((2, 3))]}
    assert before_last == {(1, 3), (2, 2)}


def test_a_bad_state_is_found_on_a_shortest_way() -> None:
    with pytest.raises(BadStateFound, match=r"\(2, 1\) after 3 steps") as found:
        explore((0, 0), _grid, _none, lambda cell: cell == (2, 1))
    way = found.value.way
    assert (way[0], way[-1], len(way)) == ((0, 0), (2, 1), 4)
    assert all(after in _grid(before) for before, after in zip(way, way[1:], strict=False))


def test_the_first_state_may_be_bad() -> None:
    with pytest.raises(BadStateFound) as found:
        explore(0, _none, _none, lambda state: state == 0)
    assert found.value.way == [0]


def test_two_that_look_before_they_lock_meet() -> None:
    """A state: for each of two processes how far it is, and whether the lock is taken."""
    after = {0: (1, False), 1: (2, True), 2: (0, False)}  # looked, locked and inside, unlocked

    def steps(state: tuple[int, int, bool]) -> Iterator[tuple[int, int, bool]]:
        one, two, is_taken = state
        if one or not is_taken:
            yield after[one][0], two, after[one][1]
        if two or not is_taken:
            yield one, after[two][0], after[two][1]

    with pytest.raises(BadStateFound) as found:
        explore((0, 0, False), steps, _none, lambda state: state[:2] == (2, 2))
    assert len(found.value.way) == 5  # both look, both lock


def test_a_fault_leads_somewhere_but_is_no_way_to_a_goal() -> None:
    """0 and 1 go back and forth, a fault leads from 1 to 2, from there it goes on to 3."""
    ways = {0: [1], 1: [0], 2: [3], 3: []}
    graph = explore(0, ways.__getitem__, lambda state: [2] if state == 1 else [], _is_never)
    assert graph.states == [0, 1, 2, 3]
    assert graph.transitions == 4
    assert {graph.states[n] for n in graph.from_which(lambda state: state == 3)} == {2, 3}
