"""From a picture to the gimbal's command: each stage of a frame's way, in the running demo.

The graph is that of `make demo`: simulated world, mock gimbal and all. The nodes measure
themselves, on the machine's steady clock, and say it in their diagnostics; here it is read after a
window in which the sweep turns the gimbal. A stage is named by what has happened when it ends.
Overhead is capture to command without the model's own time, frame by frame. The simulated camera
hands its pictures over without the 60 ms that it otherwise plays: they are no work of ours.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.row import Row
from bench.running_demo import running_demo
from ros_support_pkg.core.latency import CAPTURE_TO_COMMAND, INFERENCE, OVERHEAD, STAGES

_GOALS_MS = {OVERHEAD: 25.0}
_NAMES = (CAPTURE_TO_COMMAND, OVERHEAD, INFERENCE, *STAGES)
ROWS = tuple(f"latency_{name}_{p}_ms" for name in _NAMES for p in ("p50", "p95"))

_SOURCE = "sim:7?delay_ms=0"
_WINDOW_S = 70.0  # what diagnostics tell is of a minute; the start is not in it


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="latency") as folder:
        figures = _watch(Path(folder))
    for name in _NAMES:
        for percent in ("p50", "p95"):
            if f"{percent}_s" not in figures.get(name, {}):
                raise AssertionError(f"{name}: no frame came so far within a minute")
            goal = _GOALS_MS.get(name) if percent == "p95" else None
            value_ms = 1e3 * figures[name][f"{percent}_s"]
            yield Row(f"latency_{name}_{percent}_ms", value_ms, "ms", goal=goal)


def _watch(folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return the newest figures of each stage after the window."""
    from diagnostic_msgs.msg import DiagnosticArray

    from ros_support_pkg.core.latency import read_figures
    from ros_support_pkg.qos import EVENT

    with running_demo(folder, source=_SOURCE, mock_gimbal="true") as (_, probe):
        diagnostics = probe.listen(DiagnosticArray, "/diagnostics", EVENT)
        time.sleep(_WINDOW_S)
        return {
            name: figures
            for message in list(diagnostics)
            for status in message.status
            for name, figures in read_figures(
                {item.key: item.value for item in status.values}
            ).items()
        }
