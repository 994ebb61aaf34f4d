"""The recorder killed at random moments while findings come: none is without an event."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

pytestmark = pytest.mark.graph

PROGRAM = Path(__file__).resolve().parents[1] / "tools/kill_recorder.py"
#: `make faults ARGS="--only recorder"` is the long check, 200 rounds.
ROUNDS = 5  # the last of them kills the sender, too


@pytest.mark.long
def test_no_finding_is_without_an_event(ros_domain: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRAM), "--rounds", str(ROUNDS), "--longest-s", "1.5"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        env={**os.environ, **ros_domain},
        capture_output=True,
        text=True,
        timeout=patience(300.0),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert "0 confirmed findings without an event" in said
    assert "0 events that cannot be read" in said
    assert "0 finished segments lost" in said
    assert int(said[ROUNDS + 1].split()[0]) >= 3, "events that show something"
