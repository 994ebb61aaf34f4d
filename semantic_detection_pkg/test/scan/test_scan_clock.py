"""Steps of the system's clock: the scan's time does not move, and stamps come out as they came."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    CameraBeat,
    Fix,
    FrameDetections,
    GimbalReading,
    Input,
    InspectionResult,
)
from semantic_detection_pkg.scan.core.scan_clock import ScanClock
from simulation_pkg.harness.exact_scan import ExactScan, Thing
from simulation_pkg.harness.scan_harness import START_NS

S = 1_000_000_000
MS = 1_000_000
HOUR, YEAR = 3600 * S, 365 * 24 * 3600 * S
T = 1_700_000_000 * S
#: Offset of the outside's clock [ns] from a time after the start [s] on.
Offsets = Sequence[tuple[float, int]]
STEPS: dict[str, Offsets] = {
    "5 s back": [(1.0, -5 * S)],
    "an hour back": [(1.0, -HOUR)],
    "a year on": [(1.0, YEAR)],
    "begins in 1970, then is set": [(0.0, -START_NS + 60 * S), (1.0, 0)],
    "to and fro": [(0.5, -HOUR), (1.0, YEAR), (1.5, -YEAR), (2.0, 0), (2.5, -5 * S)],
}


# ------------------------------------------------------------------------------ the clock alone


def test_without_a_step_nothing_is_shifted():
    clock = ScanClock()
    reading = GimbalReading(T, 0.0, 0.0)
    for now_ns in (T, T + 50 * MS, T + 50 * MS, T + 4 * S, T + 8 * S):
        assert clock.advance(now_ns) == now_ns
        assert clock.input_inward(reading) is reading
        assert clock.outward(now_ns - HOUR) == now_ns - HOUR


def test_a_step_is_as_long_as_the_one_before_it():
    clock = ScanClock()
    times = [T, T + 50 * MS, T - HOUR, T - HOUR + 50 * MS, T + YEAR, T + YEAR + 70 * MS, 9 * S]
    passed = [clock.advance(now_ns) - T for now_ns in times]
    assert passed == [0, 50 * MS, 100 * MS, 150 * MS, 200 * MS, 270 * MS, 340 * MS]


@pytest.mark.parametrize("step_ns", [-5 * S, -HOUR, YEAR, 6 * S, -2 * S])
def test_stamps_from_before_a_step_count_as_before_it(step_ns):
    clock = ScanClock()
    clock.advance(T)
    clock.advance(T + 50 * MS)
    now_ns = clock.advance(T + 100 * MS + step_ns)
    late, new = T - 900 * MS, T + 80 * MS + step_ns
    assert (clock.inward(late), clock.inward(new)) == (late, now_ns - 20 * MS)
    assert clock.outward(clock.inward(late)) == late
    assert clock.outward(clock.inward(new)) == new
    assert clock.inward(new) == clock.inward(new)


def test_no_stamp_stays_no_stamp():
    clock = ScanClock()
    clock.advance(T)
    clock.advance(T - HOUR)
    assert clock.has_stepped
    assert (clock.inward(0), clock.outward(0)) == (0, 0)


def test_memory_stays_bounded():
    clock = ScanClock()
    for index in range(5000):
        now_ns = T - 3 * index * S
        clock.advance(now_ns)
        clock.inward(now_ns - 10 * MS)
    assert len(clock._segments) <= 1000
    assert len(clock._exceptions) <= 4000


offset_steps = st.one_of(
    st.just(0), st.integers(-YEAR, -2 * S), st.integers(8 * S, YEAR), st.sampled_from([-5 * S])
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(20 * MS, 90 * MS), st.integers(0, 1400 * MS), offset_steps),
        min_size=5,
        max_size=60,
    )
)
def test_time_goes_on_evenly_and_stamps_come_out_as_they_came(intervals):
    """Whatever the clock does, with frames late by up to 1.4 s and steps of 20 to 90 ms."""
    clock, true_ns, offset_ns = ScanClock(), T, 0
    history = [(T, 0)]  # since when the outside's clock has which offset
    last_ns = clock.advance(T)
    steps = 0
    for interval_ns, late_ns, step_ns in intervals:
        if step_ns and T + offset_ns + step_ns > 10 * S:
            offset_ns += step_ns
            steps += 1
            history.append((true_ns + interval_ns // 2, offset_ns))
        true_ns += interval_ns
        now_ns = clock.advance(true_ns + offset_ns)
        assert 0 <= now_ns - last_ns <= 90 * MS
        last_ns = now_ns
        captured_ns = max(true_ns - late_ns, T)
        made = next(offset for since_ns, offset in reversed(history) if since_ns <= captured_ns)
        stamp_ns = captured_ns + made
        inner_ns = clock.inward(stamp_ns)
        assert clock.outward(inner_ns) == stamp_ns
        if steps <= 1:  # later ones may be told apart by nothing
            assert abs((now_ns - inner_ns) - (true_ns - captured_ns)) <= 90 * MS


# ------------------------------------------------------------------------- a scan through steps


class OutsideClock:
    """A controller that is given the times of a clock that steps; all else sees the true time."""

    def __init__(self, controller: ScanController, offsets: Offsets) -> None:
        self._controller = controller
        self._offsets = [(START_NS + round(since_s * S), offset) for since_s, offset in offsets]
        self._true_ns: dict[int, int] = {0: 0}
        self.shown: list[int] = []  # frames of the tracks, and their stamps

    def __getattr__(self, name: str) -> object:
        return getattr(self._controller, name)

    def outside(self, true_ns: int) -> int:
        if true_ns == 0:
            return 0
        offset = next((o for since, o in reversed(self._offsets) if since <= true_ns), 0)
        self._true_ns[true_ns + offset] = true_ns
        return true_ns + offset

    def true(self, outside_ns: int) -> int:
        return self._true_ns[outside_ns]

    def step(self, now_ns: int, inputs: Sequence[Input]) -> Decision:
        items = [_with_stamps(item, self.outside) for item in inputs]
        decision = self._controller.step(self.outside(now_ns), items)
        self.shown.append(self.true(self._controller.frame_ns))
        for track in self._controller.tracks:
            self.shown += [self.true(track.first_seen_ns), self.true(track.last_seen_ns)]
        return dataclasses.replace(
            decision,
            inspect=tuple(_with_stamps(one, self.true) for one in decision.inspect),
            findings=tuple(self._finding(one) for one in decision.findings),
        )

    def _finding(self, finding):
        started, number = finding.finding_id.split("-")
        return dataclasses.replace(
            finding,
            finding_id=f"{self.true(int(started))}-{number}",
            stamp_ns=self.true(finding.stamp_ns),
            best_frame_ns=self.true(finding.best_frame_ns),
            tiers=tuple(
                dataclasses.replace(one, frames_ns=tuple(map(self.true, one.frames_ns)))
                for one in finding.tiers
            ),
            answers=tuple(_with_stamps(one, self.true) for one in finding.answers),
            history=tuple(_with_stamps(one, self.true) for one in finding.history),
        )


def _with_stamps(item, change: Callable[[int], int]):
    if isinstance(item, GimbalReading | FrameDetections | Fix | BaseAttitude | CameraBeat):
        return dataclasses.replace(item, stamp_ns=change(item.stamp_ns))
    if isinstance(item, InspectionResult) or hasattr(item, "frame_ns"):
        return dataclasses.replace(item, frame_ns=change(item.frame_ns))
    if hasattr(item, "stamp_ns"):
        return dataclasses.replace(item, stamp_ns=change(item.stamp_ns))
    return item


def scan(offsets: Offsets) -> tuple[ExactScan, OutsideClock]:
    made = ExactScan([Thing(-0.3, 0.3), Thing(0.4, 0.25, truth="scarecrow")])
    clock = OutsideClock(made.controller, offsets)
    made.controller = clock  # type: ignore[assignment]
    made.start()
    made.run(300.0, until=lambda decision: decision.result is not None)
    return made, clock


@functools.cache
def undisturbed(start: tuple[float, int] | None) -> tuple[ExactScan, OutsideClock]:
    """A scan that begins at this time; seconds since 1970 round otherwise than those of today."""
    return scan([start] if start is not None else [])


@pytest.mark.parametrize("offsets", STEPS.values(), ids=STEPS.keys())
def test_a_scan_decides_the_same_whatever_the_clock_does(offsets):
    """Same commands in the same steps; frames, findings, tracks under the stamps that came in."""
    expected, expected_clock = undisturbed(offsets[0] if offsets[0][0] == 0.0 else None)
    assert expected.findings
    assert expected.result is not None
    assert expected.result.elapsed_s > offsets[-1][0]
    made, clock = scan(offsets)
    for index, (ours, theirs) in enumerate(zip(made.decisions, expected.decisions, strict=True)):
        assert ours.to_json() == theirs.to_json(), f"step {index}"
    assert clock.shown == expected_clock.shown


@pytest.mark.parametrize("offsets", STEPS.values(), ids=STEPS.keys())
def test_a_scan_with_steps_of_the_clock_replays_from_its_inputs(offsets):
    made = ExactScan([Thing(-0.3, 0.3)])
    clock = OutsideClock(made.controller, offsets)
    given: list[tuple[int, list[Input], Decision]] = []
    inner = made.controller

    class Journal:
        def __getattr__(self, name):
            return getattr(inner, name)

        def step(self, now_ns, items):
            decision = inner.step(now_ns, items)
            given.append((now_ns, list(items), decision))
            return decision

    clock._controller = Journal()
    made.controller = clock  # type: ignore[assignment]
    made.start()
    made.run(20.0)
    again = ScanController(made.settings)
    for now_ns, items, decision in given:
        assert again.step(now_ns, items).to_json() == decision.to_json()
