"""Faults of parts that need no robot around them; each has a program or a harness of its own."""

from __future__ import annotations

from pathlib import Path

import kill_recorder
from patience import patience

from faults.report import Outcome
from simulation_pkg.harness.gpu_faults import inject_faults, running

#: Rounds of a part for each round of the campaign: one takes seconds, and what is sought is rare.
RECORDER_ROUNDS = 20
GPU_ROUNDS = 100
_LONGEST_S = 3.0  # until the recorder is killed


def recorder(folder: Path, rounds: int) -> Outcome:
    """Kill the recorder at random moments while findings come; see `kill_recorder`."""
    done = kill_recorder.rounds(folder / "recordings", rounds, rounds, _LONGEST_S)
    lost = [
        *(f"finding {one} has no event" for one in done.without),
        *(f"the event of finding {one} cannot be read" for one in done.broken),
        *(f"finished segment {name} is gone" for name in done.lost),
    ]
    remark = (
        f"{len(done.told) + len(done.orphans)} found, {len(done.recorded)} recorded, "
        f"{done.events} events, {len(done.without)} without event, {len(done.lost)} segments lost"
    )
    return Outcome("recorder", f"killed {rounds} times", 0.0, lost, remark)


def gpu(rounds: int) -> Outcome:
    """Stop and kill the parties around a GPU at random moments: never two on it, never nobody."""
    what = f"{rounds} stops and kills"
    with running(patience=patience) as harness:
        try:
            longest_s = inject_faults(harness, rounds, seed=rounds)
        except AssertionError as error:
            return Outcome("gpu", what, None, harness.overlaps(), str(error))
        remark = f"the detector was back within {longest_s:.2f} s"
        return Outcome("gpu", what, longest_s, harness.overlaps(), remark)
