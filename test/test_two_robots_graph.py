"""Two whole robots with namespaces on one host: neither ends a process of the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

pytestmark = pytest.mark.graph

TOOLS = Path(__file__).resolve().parents[1] / "tools"
#: Half of it the two stand side by side once both detect; `make faults` does that for ten minutes.
MINUTES = 1


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_robots_on_one_host_end_nothing_of_each_other() -> None:
    """With the folders that the launch file chooses, and with one lock that both were given."""
    command = [sys.executable, "-m", "faults", "--only", "two robots", "--processes", "few"]
    done = subprocess.run(
        [*command, "--minutes", str(MINUTES)],
        env={**os.environ, "PYTHONPATH": f"{TOOLS}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=patience(580.0),
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("two robots")]
    assert done.returncode == 0, done.stdout + done.stderr
    for robot in ("r1", "r2", "r1, one lock", "r2, one lock"):
        assert f"two robots: {robot}: 0.0 s" in said
