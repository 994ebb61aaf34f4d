"""Goals that have ended, with their results, for clients that ask late or ask another controller.

A result that was told may not have been heard: its client asks again where the controller that
ended the goal has died. So results outlive their controller, for a bounded time, in one small file
beside the checkpoint, written before the checkpoint of a mission that has ended is removed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from semantic_detection_pkg.common.core.serialization import canonical, from_plain, to_plain
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointError, Moment
from semantic_detection_pkg.scan.core.decisions import GoalResult

#: So long after its end a goal's result can be asked for.
RESULT_KEPT_S = 900.0
_KEPT_MAX = 16  # the newest
_VERSION = 1
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class EndedGoal:
    """How a goal ended, and when."""

    result: GoalResult
    ended: Moment


@dataclass(frozen=True)
class _Record:
    version: int
    goals: tuple[EndedGoal, ...]


def with_result(
    goals: Sequence[EndedGoal], result: GoalResult, now: Moment
) -> tuple[EndedGoal, ...]:
    """Return the goals that are kept, oldest first, after one more has ended."""
    others = [one for one in goals if one.result.goal_id != result.goal_id]
    return still_kept([*others, EndedGoal(result, now)], now)


def still_kept(goals: Sequence[EndedGoal], now: Moment) -> tuple[EndedGoal, ...]:
    """Return those of the last `RESULT_KEPT_S`; of which no clock tells, none."""
    young = []
    for one in goals:
        age_ns = now.elapsed_ns(one.ended)
        if age_ns is not None and age_ns <= RESULT_KEPT_S * _NS_PER_S:
            young.append(one)
    return tuple(young[-_KEPT_MAX:])


def encode_ended(goals: Sequence[EndedGoal]) -> bytes:
    """Return the content of a file, JSON."""
    return canonical(to_plain(_Record(_VERSION, tuple(goals)))).encode()


def decode_ended(data: bytes) -> tuple[EndedGoal, ...]:
    """Return the goals of the content of a file.

    Raises:
        CheckpointError: it is none of this version.
    """
    try:
        record = from_plain(_Record, json.loads(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError("it holds no ended goals of a scan") from error
    if record.version != _VERSION:
        raise CheckpointError(f"it is of version {record.version}, this one reads {_VERSION}")
    return record.goals
