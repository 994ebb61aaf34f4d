"""A scan of a recording that holds none."""

from __future__ import annotations

import dataclasses

import pytest

from semantic_detection_pkg.recorder.core.replay.rehearsal import rehearse
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading, Goal
from simulation_pkg.harness.exact_scan import AREA, ExactScan, Thing

S = 1_000_000_000
SECONDS, STEP_AT_S = 6.0, 1.0


def rehearsed(step_s: float) -> list[Decision]:
    """Decisions about a recording in the middle of which the clock steps."""
    made = ExactScan([Thing(-0.3, 0.3)])
    made.start()
    made.run(SECONDS)
    start_ns = made.journal[0][0]
    recorded = []
    for now_ns, items in made.journal:
        shift_ns = round(step_s * S) if now_ns - start_ns >= STEP_AT_S * S else 0
        recorded += [
            dataclasses.replace(item, stamp_ns=item.stamp_ns + shift_ns)
            for item in items
            if isinstance(item, GimbalReading | FrameDetections)
        ]
    return [decision for _, decision in rehearse(recorded, Goal("g", AREA, ("person",)))]


@pytest.mark.parametrize("step_s", [-5.0, -3600.0, 365 * 24 * 3600.0])
def test_a_rehearsal_goes_on_where_the_clock_stepped(step_s: float) -> None:
    steady, stepped = rehearsed(0.0), rehearsed(step_s)
    assert len(stepped) == pytest.approx(len(steady), abs=3)
    before = steady[round(STEP_AT_S * 20)].status.coverage  # 20 steps a second
    assert before + 0.05 < steady[-1].status.coverage
    assert stepped[-1].status.coverage == pytest.approx(steady[-1].status.coverage, abs=0.03)
