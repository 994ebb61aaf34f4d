"""Replay of messages that share a stamp: each step has the very ones that it had."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from semantic_detection_pkg.recorder.core.replay.player import Recorded, replay
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_messages import scan_recording
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.from_messages import from_journal
from semantic_detection_pkg.scan.core.inputs import GimbalReading, Input
from semantic_detection_pkg.scan.core.journal import RecordedStep, reading_checksum
from simulation_pkg.harness.recorded_messages import typestore
from simulation_pkg.harness.scan_recording import (
    JOURNAL_TYPE,
    THINGS,
    WireScan,
    messages_of,
    write_bag,
)


class StateOfOldAngles(WireScan):
    """New angles come with every other step; the state is published twice in each all the same."""

    angles: GimbalReading | None = None

    def sense(self) -> list[Input]:
        *others, reading = sorted(super().sense(), key=lambda i: isinstance(i, GimbalReading))
        assert isinstance(reading, GimbalReading)
        if self.angles is None or len(self.journal) % 2 == 0:
            self.angles = reading
        state = replace(self.angles, zoom=reading.zoom)
        return [replace(state, link="stale"), state, *others]


@pytest.fixture
def old_angles() -> list[Message]:
    """A recording of twelve seconds in which several readings have one stamp."""
    scan = StateOfOldAngles(list(THINGS))
    scan.start()
    scan.run(12.0)
    return list(messages_of(scan))


def is_journal(one: Message) -> bool:
    return one.topic.type_name == JOURNAL_TYPE


def recorded_before(step: Recorded) -> Recorded:
    """Return it as it was recorded before checksums were."""
    return replace(step, gimbal_checksums=()) if isinstance(step, RecordedStep) else step


def recorded(tmp_path: Path, messages: list[Message]) -> list[Recorded]:
    with BagReader(write_bag(tmp_path, messages)) as reader:
        return list(scan_recording(reader, "/"))


@pytest.mark.parametrize("has_checksums", [True, False])
def test_messages_of_the_same_stamp(
    tmp_path: Path, old_angles: list[Message], has_checksums: bool
) -> None:
    written = old_angles
    # Steps come after what they took, as of a live scan. What is before the first no step took.
    starts = [i for i, one in enumerate(written) if is_journal(one)] + [len(written)]
    before = [one for one in written[: starts[1]] if not is_journal(one)]
    live = [*before, *before]
    for start, end in pairwise(starts):
        live += [*written[start + 1 : end], written[start]]
    for messages in (written, live):
        items = recorded(tmp_path / str(len(messages)), messages)
        summary = Summary.of(replay(items if has_checksums else map(recorded_before, items)))
        assert [(one.steps, one.problem) for one in summary.stretches] == [(240, "")]
        assert summary.first_different is None


def test_of_one_stamp_each_step_has_its_own_whatever_came_first(
    tmp_path: Path, old_angles: list[Message]
) -> None:
    items = recorded(tmp_path, old_angles)
    steps = [item for item in items if isinstance(item, RecordedStep)]
    others = [item for item in items if not isinstance(item, RecordedStep)]
    for known in (others, others[::-1]):
        outcomes = list(replay([*known, *steps]))
        assert [one.step.number for one in outcomes if not one.is_same] == []


def test_a_step_of_a_recording_of_before_has_no_checksums(messages: list[Message]) -> None:
    journal = next(one for one in messages if is_journal(one))
    content = typestore().deserialize_cdr(journal.data, JOURNAL_TYPE)
    assert len(from_journal(content).gimbal_checksums) == len(content.gimbal_stamps) > 0
    known = {name: value for name, value in vars(content).items() if name != "gimbal_checksums"}
    assert from_journal(SimpleNamespace(**known)).gimbal_checksums == ()


def test_another_one_of_the_same_stamp_is_no_stand_in_for_what_was_lost(
    tmp_path: Path, old_angles: list[Message]
) -> None:
    items = recorded(tmp_path, old_angles)
    step = [item for item in items if isinstance(item, RecordedStep)][100]
    checksum = step.gimbal_checksums[1]
    same = [
        item
        for item in items
        if isinstance(item, GimbalReading)
        and item.stamp_ns == step.gimbal_ns[1]
        and reading_checksum(item) == checksum
    ]
    gone = [item for item in items if not any(item is one for one in same)]
    outcomes = list(replay(gone))
    assert all(one.is_same for one in outcomes[:99])
    assert "GimbalReading of" in outcomes[100].problem
    assert all(one.decision is None for one in outcomes[100:])
