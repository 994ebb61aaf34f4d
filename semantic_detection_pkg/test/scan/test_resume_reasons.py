"""When a mission that is taken up waits for an operator, and when a checkpoint is due."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from mission_life import GOAL, SAVED, S

from semantic_detection_pkg.scan.adapters.machine_clock import moment
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.checkpoint_encoding import Head, Moment
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.core.resuming import (
    ATTEMPTS_UNASKED,
    CheckpointSchedule,
    reasons_to_ask,
)
from semantic_detection_pkg.scan.core.settings import CloseSettings, ScanSettings


def asked(policy: str = "at_once", now: Moment | None = None, **changes) -> tuple[str, ...]:
    head = Head(SAVED, ScanSettings(), **changes.pop("head", {}))
    rules = CheckpointSettings("x", policy, changes.pop("max_age_s", 600.0))
    now = now or dataclasses.replace(SAVED, boot_ns=SAVED.boot_ns + 3 * S)
    return reasons_to_ask(
        head, GOAL, now, rules, changes.pop("settings", ScanSettings()), changes.pop("start", None)
    )


REBOOTED = Moment(SAVED.wall_ns + 60 * S, "other boot", 20 * S)


@pytest.mark.parametrize(
    ("policy", "now", "head", "words"),
    [
        ("at_once", None, {}, ""),
        ("at_once", None, {"is_orderly": True}, ""),
        ("at_once", REBOOTED, {}, ""),
        ("at_once_after_crash", None, {}, ""),
        ("at_once_after_crash", None, {"is_orderly": True}, "was shut down"),
        ("at_once_after_crash", REBOOTED, {}, "the computer was started again"),
        ("ask", None, {}, "resume_policy is ask"),
        ("at_once", None, {"attempts": ATTEMPTS_UNASKED}, "it was resumed 3 times"),
    ],
)
def test_the_policy(policy: str, now: Moment | None, head: dict, words: str) -> None:
    reasons = asked(policy, now, head=head)
    assert bool(reasons) == bool(words)
    assert words in "; ".join(reasons)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Moment(SAVED.wall_ns, "boot", SAVED.boot_ns + 599 * S), ""),
        (Moment(SAVED.wall_ns, "boot", SAVED.boot_ns + 601 * S), "interrupted 10 min ago"),
        (Moment(SAVED.wall_ns + 601 * S, "boot", SAVED.boot_ns), ""),  # the clock was set
        (Moment(SAVED.wall_ns + 3 * 86400 * S, "new", 5 * S), "interrupted 72 h ago"),
        (Moment(40 * 86400 * S, "new", 5 * S), "the clock was set back"),
        (Moment(SAVED.wall_ns + S, "", 0), ""),
    ],
)
def test_an_old_mission_waits(now: Moment, words: str) -> None:
    assert words in "; ".join(asked(now=now))
    assert bool(asked(now=now)) == bool(words)


def test_other_settings_are_named() -> None:
    settings = dataclasses.replace(
        ScanSettings(), sweep_zoom=2.0, close=dataclasses.replace(CloseSettings(), max_views=9)
    )
    assert asked(settings=settings) == ("settings were changed: sweep_zoom, close.max_views",)


@pytest.mark.parametrize(
    ("start", "is_other"),
    [
        (GOAL, False),
        (dataclasses.replace(GOAL, goal_id="autostart"), False),
        (dataclasses.replace(GOAL, words=()), False),
        (dataclasses.replace(GOAL, words=("boat",)), True),
        (dataclasses.replace(GOAL, area=Area(-1.0, 1.0, 0.0, 0.5)), True),
        (dataclasses.replace(GOAL, zoom=3.0), True),
    ],
)
def test_another_goal_of_the_start_parameters_is_a_question(start: Goal, is_other: bool) -> None:
    assert bool(asked(start=start)) == is_other


def test_the_clocks_of_this_machine(tmp_path: Path) -> None:
    first, second = moment(), moment()
    assert first.boot_id
    elapsed_ns = second.elapsed_ns(first)
    assert elapsed_ns is not None
    assert 0 <= elapsed_ns < 60 * S
    assert moment(tmp_path / "missing").boot_id == ""


def test_a_checkpoint_is_due_at_each_decision_and_once_a_second() -> None:
    schedule = CheckpointSchedule()
    assert not schedule.is_due(0.0, None)
    assert schedule.is_due(10.0, 1)
    assert not schedule.is_due(10.9, 1)
    assert schedule.is_due(10.95, 2)
    assert not schedule.is_due(11.9, 2)
    assert schedule.is_due(11.95, 2)
    assert schedule.is_due(12.0, None)
    assert not schedule.is_due(99.0, None)
    assert schedule.is_due(100.0, 1, took_s=2.0)
    assert not schedule.is_due(107.0, 1, took_s=2.0)
    assert schedule.is_due(107.5, 2, took_s=2.0)
