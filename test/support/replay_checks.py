"""What must hold of a bag that is published again. For `test/launch/replay_test.py`."""

from __future__ import annotations

from ros_graph import GraphProbe
from rosgraph_msgs.msg import Clock

from interfaces_pkg.msg import ScanJournal
from ros_support_pkg.qos import RECORD, SENSOR_DATA
from ros_support_pkg.stamps import from_time
from simulation_pkg.harness.exact_scan import ExactScan


class Listener:
    """Hears the journal and the clock of a bag; it is to listen before the bag is played."""

    def __init__(self, probe: GraphProbe) -> None:
        self.probe = probe
        self.journals = probe.listen(ScanJournal, "scan/journal", RECORD)
        self.clock = probe.listen(Clock, "/clock", SENSOR_DATA)

    def check(self, scan: ExactScan) -> None:
        """All steps come as they were, in their order, with the clock of their time."""
        journals = self.journals
        self.probe.wait_for(
            lambda: journals and journals[-1].step == len(scan.decisions) - 1, "all steps"
        )
        steps = [message.step for message in journals]
        assert steps == sorted(set(steps))
        for message in list(journals):
            assert message.decision == scan.decisions[message.step].to_json()
            assert from_time(message.header.stamp) == scan.journal[message.step][0]
        times = [from_time(message.clock) for message in self.clock]
        assert times == sorted(times)
        assert scan.journal[0][0] <= times[0]
        assert times[-1] <= scan.journal[-1][0]
