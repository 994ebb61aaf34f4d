"""The GPU's way from the detector to a lease and back, with real processes and a stand-in GPU.

The hand-over is measured from the request to the lease; the stand-in detector is always between
two inferences, so what is measured is what comes beyond the running one. A round trip is lease,
question and answer, without the time that the model takes for its words, and release.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.row import Row

ROWS = ("gpu_handover_p95_ms", "gpu_overlaps", "vlm_round_trip_p95_ms")

_SUPPORT = Path(__file__).resolve().parent.parent / "test" / "support"
_ROUNDS = 200
_FAULT_ROUNDS = 20


def rows() -> Iterator[Row]:
    sys.path[:0] = [str(_SUPPORT), str(_SUPPORT.parent)]
    with tempfile.TemporaryDirectory(prefix="gpu") as folder:
        handovers_ms, round_trips_ms = _measure(Path(folder))
    yield Row("gpu_handover_p95_ms", _p95(handovers_ms), "ms", goal=20.0)
    yield Row("vlm_round_trip_p95_ms", _p95(round_trips_ms), "ms", goal=150.0)
    yield Row("gpu_overlaps", _overlaps_with_faults(), "", goal=0.0)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _measure(folder: Path) -> tuple[list[float], list[float]]:
    """Hand-overs and round trips, in milliseconds."""
    from gpu_stage import PIECE_S, StandInGpu, exchange

    from vlm_bridge_pkg.protocol.requests import ChatRequest
    from vlm_bridge_pkg.service.model import FakeModel
    from vlm_bridge_pkg.transport.client import VlmCall

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_SUPPORT), *sys.path])}
    processes = [
        subprocess.Popen([sys.executable, "-m", "gpu_stage", role, str(folder)], env=environment)
        for role in ("detector", "vlm", "arbiter")
    ]
    gpu = StandInGpu(folder)
    request = ChatRequest("Is it there?", is_streaming=True)
    model_ms = 1000 * PIECE_S * len(FakeModel().words)
    handovers_ms, round_trips_ms = [], []
    try:
        while not (folder / "vlm.sock").exists():
            time.sleep(0.01)
        for _ in range(_ROUNDS):
            while not any(name.startswith("detector.") for name in gpu.who()):
                time.sleep(0.005)
            time.sleep(0.03)  # the detector's assured turn
            start_s = time.perf_counter()
            lease = exchange(folder / "arbiter.sock", {"holder": "bench"}, 5.0)
            assert lease is not None
            assert lease["epoch"], lease["reason"]
            handovers_ms.append(1000 * (time.perf_counter() - start_s))
            call = VlmCall(str(folder / "vlm.sock"))
            call.ask(request, epoch=lease["epoch"], timeout_s=5.0)
            release = {"holder": "bench", "epoch": lease["epoch"]}
            assert exchange(folder / "arbiter.sock", release, 5.0)
            round_trips_ms.append(1000 * (time.perf_counter() - start_s) - model_ms)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return handovers_ms, round_trips_ms


def _overlaps_with_faults() -> int:
    from test_gpu_faults import Stage, play

    with tempfile.TemporaryDirectory(prefix="gpu") as folder:
        stage = Stage(Path(folder))
        try:
            stage.start_missing()
            play(stage, _FAULT_ROUNDS, seed=3)
            return len(stage.overlaps())
        finally:
            stage.close()
