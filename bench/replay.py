"""A recorded scan decided again: the same twice and as it was live, and how fast.

A scan in an exact world (gimbal, detector and classifier, no pixels) is written as a bag
and replayed from there, reading included: what a model costs that costs nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.row import Row

ROWS = ("replay_same_digest", "replay_realtime_factor")

_SECONDS = 60.0
_RUNS = 3


def rows() -> Iterator[Row]:
    from semantic_detection_pkg.recorder.core.replay.comparison import Digest
    from semantic_detection_pkg.recorder.core.replay.player import replay
    from semantic_detection_pkg.recorder.core.replay.summary import Summary
    from semantic_detection_pkg.recorder.storage.bag_messages import scan_recording
    from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
    from simulation_pkg.harness.scan_recording import messages_of, recorded_scan, write_bag

    scan = recorded_scan(_SECONDS, is_repeating=True)
    live = Digest()
    for decision in scan.decisions:
        live.add(decision.to_json())
    factors, digests = [], {live.text}
    with tempfile.TemporaryDirectory() as folder:
        bag = write_bag(Path(folder), list(messages_of(scan)))
        for _ in range(_RUNS):
            started_s = time.perf_counter()
            with BagReader(bag) as reader:
                summary = Summary.of(replay(scan_recording(reader, "/")))
            factors.append(summary.exact_s / (time.perf_counter() - started_s))
            digests.add(summary.replayed.text if summary.exact == len(scan.decisions) else "")
    yield Row("replay_same_digest", float(len(digests) == 1), "", goal=1.0, better="higher")
    yield Row("replay_realtime_factor", sorted(factors)[_RUNS // 2], "x", goal=5.0, better="higher")
