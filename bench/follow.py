"""Following something that moves: how far it is from the middle of the picture.

Tracker and pointing law of the scan controller on the mock gimbal's dynamics, in simulated time
(see `simulation_pkg.harness.following`); beside them a step-and-wait follower on the same pictures.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.row import Row

ROWS = (
    "follow_error_p95_fov",
    "follow_error_20deg_s_p95_fov",
    "follow_error_20deg_s_max_fov",
    "follow_lost_tracks",
    "follow_20deg_s_lost_tracks",
    "follow_beyond_limit_deg",
)


def rows() -> Iterator[Row]:
    from simulation_pkg.harness.following import StepAndWait, follow, smooth

    slow, fast = follow(smooth, 10.0), follow(smooth, 20.0)
    slow_steps, fast_steps = follow(StepAndWait(), 10.0), follow(StepAndWait(), 20.0)
    runs_away = follow(smooth, 20.0, reach_deg=170.0)
    name = "follow_error"
    yield Row(f"{name}_p95_fov", slow.p95_fov, "fov", 0.05, baseline=slow_steps.p95_fov)
    yield Row(f"{name}_20deg_s_p95_fov", fast.p95_fov, "fov", baseline=fast_steps.p95_fov)
    yield Row(f"{name}_20deg_s_max_fov", fast.max_fov, "fov", 0.5, baseline=fast_steps.max_fov)
    yield Row("follow_lost_tracks", slow.lost, "", 0.0)
    yield Row("follow_20deg_s_lost_tracks", fast.lost, "")
    yield Row("follow_beyond_limit_deg", runs_away.beyond_limit_deg, "deg", 0.0)
