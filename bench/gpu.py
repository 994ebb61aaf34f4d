"""The GPU's way from the detector to a lease and back.

The hand-over is measured from the request to the lease, in the real graph; the detector has no
pictures, so what is measured is what comes beyond the running inference. The round trip is a whole
question by `vlm/ask` to a stub that takes no time of its own. Overlaps are counted by a stand-in
GPU while processes are stopped and killed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.row import Row

ROWS = ("gpu_handover_p95_ms", "vlm_round_trip_p95_ms", "gpu_overlaps")

_ROOT = Path(__file__).resolve().parent.parent
_ROUNDS = 60
_FAULT_ROUNDS = 20
_PAUSE_S = 0.15  # between two leases, as they come in life; the arbiter is calm again


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    with tempfile.TemporaryDirectory(prefix="gpu") as folder:
        handovers_ms, round_trips_ms = _measure(Path(folder))
    yield Row("gpu_handover_p95_ms", _p95(handovers_ms), "ms", goal=20.0)
    yield Row("vlm_round_trip_p95_ms", _p95(round_trips_ms), "ms", goal=150.0)
    yield Row("gpu_overlaps", _overlaps_with_faults(), "", goal=0.0)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _measure(folder: Path) -> tuple[list[float], list[float]]:
    """Hand-overs and round trips, in milliseconds."""
    from gpu_graph import Gpu, Stub, write_launch_file
    from launch_runner import LaunchSession
    from ros_graph import GraphProbe, isolated_domain

    stub = Stub(folder)
    stub.start("--piece-s", "0")
    with isolated_domain() as environment:
        os.environ.update(environment)
        with LaunchSession(write_launch_file(folder), timeout_s=60.0) as launch:
            probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
            try:
                return _measure_graph(Gpu(probe, launch, stub))
            finally:
                stub.stop()
                probe.close()


def _measure_graph(gpu: Any) -> tuple[list[float], list[float]]:
    from interfaces_pkg.msg import GpuState
    from interfaces_pkg.srv import AcquireGpu, ReleaseGpu

    node, result_of = gpu.probe.node, gpu.probe.result_of
    acquire = node.create_client(AcquireGpu, "gpu/acquire")
    release = node.create_client(ReleaseGpu, "gpu/release")
    for client in (acquire, release):
        assert client.wait_for_service(30.0)
    request = AcquireGpu.Request(holder="bench", duration_s=5.0, wait_s=2.0)

    def timed(action: Callable[[], Any]) -> tuple[Any, float]:
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        time.sleep(_PAUSE_S)
        start_s = time.perf_counter()
        return action(), 1000.0 * (time.perf_counter() - start_s)

    handovers_ms, round_trips_ms = [], []
    for _ in range(_ROUNDS):
        lease, elapsed_ms = timed(lambda: result_of(acquire.call_async(request), "a lease"))
        assert lease.granted, lease.reason
        handovers_ms.append(elapsed_ms)
        back = ReleaseGpu.Request(holder="bench", epoch=lease.epoch)
        assert result_of(release.call_async(back), "the release").success
        (_, answer), elapsed_ms = timed(lambda: gpu.answer(gpu.send()))
        assert not answer.cause, answer.cause
        round_trips_ms.append(elapsed_ms)
    return handovers_ms, round_trips_ms


def _overlaps_with_faults() -> int:
    from patience import patience

    from simulation_pkg.harness.gpu_faults import inject_faults, running

    with running(patience=patience) as harness:
        inject_faults(harness, _FAULT_ROUNDS, seed=3)
        return len(harness.overlaps())
