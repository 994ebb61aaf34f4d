"""Each party stopped or killed at random moments: never two on the GPU, never nobody for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

from simulation_pkg.harness.gpu_faults import inject_faults, running
from simulation_pkg.harness.gpu_processes import StandInGpu

#: `make faults ARGS="--only gpu"` is the long check, 1,000 rounds in some ten minutes.
ROUNDS = int(os.environ.get("GPU_FAULT_ROUNDS", "50"))


@pytest.mark.long
@pytest.mark.timeout(60 + 3 * ROUNDS)
def test_faults_at_random_moments() -> None:
    with running(patience=patience) as harness:
        longest_s = inject_faults(harness, ROUNDS, seed=ROUNDS)
    print(f"{ROUNDS} rounds, detector back within {longest_s:.2f} s")  # noqa: T201 - with -s


def test_without_the_kernel_lock_the_service_is_met_by_the_detector() -> None:
    """The one fault that lease and epoch cannot catch: a service that stops in its work."""
    with running(False, patience) as harness:
        harness.wait_for(lambda: harness.answers() > 0, "answer")

        # Whoever is stopped inside stays inside; the lease runs out, and the detector comes.
        for _ in range(100):
            harness.wait_for(lambda: harness.is_inside("vlm"), "service at work")
            with harness.stopped("vlm"):
                if harness.is_inside("vlm"):  # else it left between the look and the stop
                    harness.wait_for(lambda: bool(harness.overlaps()), "overlap")
                    return
        pytest.fail("the service could not be stopped in its work")


def test_the_stand_in_notices_an_overlap(tmp_path: Path) -> None:
    """Otherwise the rounds above would prove nothing."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from simulation_pkg.harness.gpu_processes import StandInGpu\n"
        "with StandInGpu(Path(sys.argv[1])).computing('other'):\n"
        "    print('inside', flush=True); time.sleep(3600)"
    )
    gpu = StandInGpu(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"inside\n"
            other.send_signal(signal.SIGSTOP)
            with gpu.computing("me"):
                pass
            assert len(gpu.overlaps.read_text().splitlines()) == 1
        finally:
            other.kill()
        other.wait()
        with gpu.computing("me"):
            pass
    assert len(gpu.overlaps.read_text().splitlines()) == 1, "the dead are not inside"
