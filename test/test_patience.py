"""Limits of time stretch with the machine, in one place, and no test has one of its own."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import patience
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("test", *(f"{package}/test" for package in ("ros_support_pkg", "vlm_bridge_pkg")))
FOLDERS += ("semantic_detection_pkg/test", "gimbal_driver_pkg/test")
#: Whose `timeout` is the time between two looks, not a limit; and what is short is that anyway.
POLLING, POLL_S = {"Serial"}, 0.05


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As in a process that has not measured yet."""
    monkeypatch.setenv(patience.VARIABLE, "1")  # so that what is measured is gone afterwards
    monkeypatch.delenv(patience.VARIABLE)
    return monkeypatch


@pytest.mark.parametrize(
    ("took", "factor"),
    [(0.5, patience.SPARE), (1.0, patience.SPARE), (3.0, 3 * patience.SPARE), (1e6, None)],
)
def test_slowness_is_measured_once(
    fresh: pytest.MonkeyPatch, took: float, factor: float | None
) -> None:
    """By the best of some runs: a moment's disturbance is not the machine."""
    seconds = iter([9e9, took * patience.REFERENCE_S, 9e9, 9e9, 9e9])
    fresh.setattr(patience, "_time", lambda _: next(seconds))
    for _ in range(2):
        assert patience.factor() == pytest.approx(factor or patience.LARGEST)
    assert patience.patience(10.0) == pytest.approx(10.0 * (factor or patience.LARGEST))


def test_a_real_machine_is_not_faster_than_the_reference(fresh: pytest.MonkeyPatch) -> None:
    assert patience.SPARE <= patience.factor() <= patience.LARGEST


@pytest.mark.parametrize("text", ["", "much", "0", "0.99", "nan", "inf"])
def test_a_factor_that_is_none_is_named(fresh: pytest.MonkeyPatch, text: str) -> None:
    fresh.setenv(patience.VARIABLE, text)
    with pytest.raises(ValueError, match=f"TEST_PATIENCE: '{text}', allowed is a number from 1"):
        patience.patience(1.0)


def test_waiting_ends_with_the_condition_or_says_what_for(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv(patience.VARIABLE, "1")
    looks = iter([None, 0, "there"])
    assert patience.wait_until(lambda: next(looks), "it") == "there"
    with pytest.raises(AssertionError, match="waited 0 s for the moon"):
        patience.wait_until(lambda: False, "the moon", timeout_s=0.01)


@pytest.mark.parametrize(("slower", "is_over"), [(1.0, True), (1e3, False)])
def test_a_machine_that_has_become_busy_is_waited_for(
    fresh: pytest.MonkeyPatch, slower: float, is_over: bool
) -> None:
    fresh.setenv(patience.VARIABLE, "1")
    deadline = patience.Deadline(0.0)
    assert deadline.is_over()
    deadline = patience.Deadline(1.0)
    waited = iter([0.9, 2.5])
    start_s = time.monotonic()
    fresh.setattr(time, "monotonic", lambda: start_s + next(waited))
    fresh.setattr(patience, "_time", lambda _: slower * patience.REFERENCE_S)
    assert [deadline.is_over(), deadline.is_over()] == [False, is_over]


def test_pytests_own_limits_stretch(request: pytest.FixtureRequest) -> None:
    ini_s = float(request.config.getini("timeout"))
    assert request.config.getoption("timeout") == pytest.approx(patience.patience(ini_s))


@pytest.mark.timeout(7)
def test_marks_stretch(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("timeout")
    assert mark.args == (patience.patience(7),)


def test_no_test_has_a_limit_of_its_own() -> None:
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(paths) > 100
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}, allowed is patience(...)"
        for path in paths
        for line, text in limits_in(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("run(command, timeout=10)", 1),
        ("process.communicate(timeout=10.0)", 1),
        ("line.settimeout(5.0)", 1),
        ("run(command, timeout=patience(10.0))", 0),
        ("queue.get(timeout=0.0)", 0),
        ("semaphore.acquire(timeout=0.01)", 0),
        ("Serial(terminal, timeout=0.2)", 0),
        ("line.settimeout(None)", 0),
    ],
)
def test_limits_are_found(text: str, count: int) -> None:
    assert len(list(limits_in(text))) == count


def limits_in(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of each call that is given a number of seconds as its limit."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        values = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
        values += node.args if name == "settimeout" else []
        for value in values:
            is_bare = isinstance(value, ast.Constant) and value.value is not None
            if is_bare and name not in POLLING and value.value > POLL_S:
                yield node.lineno, ast.unparse(node)
