"""What must hold of a bag that is published again, and of a scan that is decided again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ros_graph import GraphProbe
from rosgraph_msgs.msg import Clock

from interfaces_pkg.msg import Detections, GimbalState, ScanJournal
from ros_support_pkg.qos import RECORD, SENSOR_DATA
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.recorder.core.replay.player import replay
from semantic_detection_pkg.scan.core.from_messages import (
    from_detections,
    from_gimbal_state,
    from_journal,
)
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


def check_heard_replay(
    journals: Sequence[ScanJournal],
    gimbal: Sequence[GimbalState],
    detections: Sequence[Detections],
) -> None:
    """The same inputs give the same decisions, in another process."""
    recorded = [
        *map(from_gimbal_state, gimbal),
        *map(from_detections, detections),
        *map(from_journal, sorted(journals, key=lambda one: one.step)),
    ]
    recorded.sort(key=lambda item: getattr(item, "now_ns", 0) or item.stamp_ns)
    outcomes = list(replay(recorded))
    # Best effort may lose something on its way to this test, on a loaded machine it does; what is
    # before can be replayed.
    decided = list(itertools.takewhile(lambda outcome: outcome.decision is not None, outcomes))
    assert [outcome.step.number for outcome in decided if not outcome.is_same] == []
    assert len(decided) >= 10, f"{len(decided)} of {len(journals)} steps could be replayed"
