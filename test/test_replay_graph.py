"""A bag published again: as it was, in its order, with the clock of its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import ScanJournal
from ros_support_pkg.qos import RECORD
from simulation_pkg.harness.scan_recording import messages_of, recorded_scan, write_bag

pytestmark = pytest.mark.graph
REPLAY = (sys.executable, "-m", "semantic_detection_pkg.cli.replay")


@pytest.mark.long
def test_jumps_of_the_recordings_clock_are_skipped(tmp_path: Path, probe: GraphProbe) -> None:
    """A recording that began in 1970 was published up to there, and then waited for 57 years."""
    scan = recorded_scan(3.0)
    messages = list(messages_of(scan))
    first_ns = messages[0].received_ns - 10**9
    early = [
        one._replace(received_ns=one.received_ns - first_ns, published_ns=10**9)
        for one in messages[:50]
    ]
    bag = write_bag(tmp_path, [*early, *messages[50:]])
    journals = probe.listen(ScanJournal, "scan/journal", RECORD)
    command = [*REPLAY, str(bag), "--publish", "--rate", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        probe.wait_for(
            lambda: journals and journals[-1].step == len(scan.decisions) - 1, "all steps"
        )
        said, _ = process.communicate(timeout=patience(30.0))
    assert process.returncode == 0
    line, last = said.splitlines()
    assert line.endswith(" s without a message are skipped")
    assert last == f"{len(messages)} messages published"
