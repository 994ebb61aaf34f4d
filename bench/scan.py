"""Ten unseen worlds, searched by the scan controller, by a fixed grid and by step-and-wait.

Headless and in simulated time: the world's renderer, the mock gimbal's dynamics, the demo's models,
a stand-in for the vision-language model (see `simulation_pkg.harness`). A scan's time ends with
the last verdict. All three have the same models, thresholds and costs of a question; nobody walks
along footpaths, as only the controller could.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from bench.row import Row

ROWS = (
    "scan_found",
    "scan_false_per_seed",
    "scan_time_vs_grid",
    "scan_mean_time_vs_grid",
    "scan_found_grid",
    "scan_found_step_and_wait",
    "scan_false_per_seed_grid",
    "scan_false_per_seed_step_and_wait",
    "scan_time_s",
    "scan_time_grid_s",
    "scan_time_step_and_wait_s",
    "scan_mean_time_s",
    "scan_mean_time_grid_s",
    "scan_mean_time_step_and_wait_s",
)

SEEDS = range(7001, 7011)
"""Worlds that no model was trained or judged on and no parameter was chosen by."""

_WAYS = ("controller", "grid", "step and wait")


def rows() -> Iterator[Row]:
    jobs = [(way, seed) for seed in SEEDS for way in _WAYS]
    with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        scores = dict(zip(jobs, pool.map(_score, jobs, chunksize=1), strict=True))
    from simulation_pkg.harness.scores import table

    for way in _WAYS:
        print(table(way, [(seed, scores[way, seed]) for seed in SEEDS]), file=sys.stderr)

    def mean(way: str, figure: Callable[..., float]) -> float:
        return sum(figure(scores[way, seed]) for seed in SEEDS) / len(SEEDS)

    found, false, time_s, mean_s = (
        {way: mean(way, figure) for way in _WAYS}
        for figure in (
            lambda score: score.share_found,
            lambda score: len(score.false),
            lambda score: score.elapsed_s,
            lambda score: score.mean_found_s,
        )
    )
    controller, grid, follower = _WAYS
    yield Row("scan_found", found[controller], "", 0.95, "higher", found[grid])
    yield Row("scan_false_per_seed", false[controller], "", 1.0, "lower", false[grid])
    ratio = time_s[controller] / time_s[grid]
    yield Row("scan_time_vs_grid", ratio, "x", 0.5, "lower", time_s[grid])
    yield Row("scan_mean_time_vs_grid", mean_s[controller] / mean_s[grid], "x")
    yield Row("scan_found_grid", found[grid], "", better="higher")
    yield Row("scan_found_step_and_wait", found[follower], "", better="higher")
    yield Row("scan_false_per_seed_grid", false[grid], "")
    yield Row("scan_false_per_seed_step_and_wait", false[follower], "")
    for name, figures in (("scan_time", time_s), ("scan_mean_time", mean_s)):
        for suffix, way in (("", controller), ("_grid", grid), ("_step_and_wait", follower)):
            yield Row(f"{name}{suffix}_s", figures[way], "s")


def _score(job: tuple[str, int]) -> Any:
    from simulation_pkg.harness.baselines import scan_by_grid, scan_step_and_wait
    from simulation_pkg.harness.rendered_scan import scan_by_controller

    way, seed = job
    scans: dict[str, Callable[[int], Any]] = dict(
        zip(_WAYS, (scan_by_controller, scan_by_grid, scan_step_and_wait), strict=True)
    )
    return scans[way](seed)
