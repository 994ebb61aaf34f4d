"""What the running demo graph costs: processor and memory, per process and together.

The graph is that of `make demo`: simulated world, mock gimbal and all; in both layouts of its nodes
in processes, one after the other. Rows without a layout in their name are of the default. Inference
is taken off the detector: the number of frames it answered times the processor time of one
inference, which is measured in this process with the same model, engine and threads. Rendering the
simulated world, which no robot does, stays in and is told by itself, measured in the same way.

Memory is counted as the system counts it for each process (RSS: pages that processes share are
counted in each) and as shares of what is shared (PSS).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from bench.row import Row
from bench.running_demo import running_demo

ROWS = (
    "graph_cpu_cores",
    "graph_cpu_cores_rendering",
    "graph_rss_mb",
    "graph_pss_mb",
    "graph_frames_per_s",
)

#: Who shares a process, as robot.launch.yaml has it, and who does where nobody says.
_LAYOUTS = ("each", "few")
_DEFAULT = "few"
#: Processes that no robot has. Its camera still holds the simulated world here.
_DEMO_ONLY = ("demo_judge", "mock_gimbal", "vlm_stub")

_ROOT = Path(__file__).resolve().parent.parent
_SETTLE_S = 5.0  # from the first detection; start-up work has ended
_WINDOW_S = 20.0
_REPETITIONS = 15


@dataclass(frozen=True)
class Usage:
    """What one process took.

    Attributes:
        cores: processor time per time.
        rss_mb, pss_mb: memory [MB] at the end of the window.
    """

    cores: float
    rss_mb: float
    pss_mb: float


def rows() -> Iterator[Row]:
    costs_s = _inference_s(), _rendering_s()
    for layout in _LAYOUTS:
        with tempfile.TemporaryDirectory(prefix="graph") as folder:
            watched = _watch(Path(folder), layout)
        yield from _rows_of(layout, *watched, *costs_s)


def _rows_of(
    layout: str,
    usage: Mapping[str, Usage],
    captured_per_s: float,
    answered_per_s: float,
    inference_s: float,
    rendering_s: float,
) -> Iterator[Row]:
    """Yield what one layout of processes costs."""
    graph = "graph" if layout == _DEFAULT else f"graph_{layout}"
    inference_cores = answered_per_s * inference_s
    cores = sum(one.cores for one in usage.values()) - inference_cores
    yield Row(f"{graph}_cpu_cores", cores, "cores", goal=0.8)
    yield Row(f"{graph}_cpu_cores_inference", inference_cores, "cores")
    yield Row(f"{graph}_cpu_cores_rendering", captured_per_s * rendering_s, "cores")
    for name, one in sorted(usage.items()):
        taken_off = inference_cores if name == "detector" else 0.0
        yield Row(f"{graph}_cpu_cores_{name}", one.cores - taken_off, "cores")
    yield Row(f"{graph}_rss_mb", sum(one.rss_mb for one in usage.values()), "MB", goal=900.0)
    for name, one in sorted(usage.items()):
        yield Row(f"{graph}_rss_mb_{name}", one.rss_mb, "MB")
    yield Row(f"{graph}_pss_mb", sum(one.pss_mb for one in usage.values()), "MB", goal=700.0)
    for name, one in sorted(usage.items()):
        yield Row(f"{graph}_pss_mb_{name}", one.pss_mb, "MB")
    robot = [one.pss_mb for name, one in usage.items() if name not in _DEMO_ONLY]
    yield Row(f"{graph}_pss_mb_robot", sum(robot), "MB", goal=600.0)
    yield Row(f"{graph}_processes", len(usage), "")
    yield Row(f"{graph}_frames_per_s", answered_per_s, "1/s", better="higher")


def _watch(folder: Path, layout: str) -> tuple[dict[str, Usage], float, float]:
    """What each process takes while the demo runs; frames captured and answered [1/s].

    Args:
        layout: of the launch argument `processes`.
    """
    from interfaces_pkg.msg import Detections, FrameHandle
    from ros_support_pkg.qos import SENSOR_DATA

    with running_demo(folder, processes=layout) as (launch, probe):
        detections = probe.listen(Detections, "detections", SENSOR_DATA)
        handles = probe.listen(FrameHandle, "camera/frames", SENSOR_DATA)
        time.sleep(_SETTLE_S)
        processes = {
            state.label.rpartition("-")[0]: psutil.Process(state.pid)
            for state in launch.processes.values()
        }
        captured, answered = len(handles), len(detections)
        before_s = _processor_s(processes)
        start_s = time.monotonic()
        time.sleep(_WINDOW_S)
        elapsed_s = time.monotonic() - start_s
        after_s = _processor_s(processes)
        captured, answered = len(handles) - captured, len(detections) - answered
        usage = {
            name: Usage((after_s[name] - before_s[name]) / elapsed_s, *_memory_mb(process))
            for name, process in processes.items()
        }
        return usage, captured / elapsed_s, answered / elapsed_s


def _processor_s(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


def _memory_mb(process: psutil.Process) -> tuple[float, float]:
    memory: Any = process.memory_full_info()
    return memory.rss / 1e6, memory.pss / 1e6


def _inference_s() -> float:
    """Return the processor time of one inference with the demo's model and threads."""
    import numpy as np

    from semantic_detection_pkg.detector.backends.onnx import open_model
    from semantic_detection_pkg.detector.backends.protocol import EngineOptions

    backend = open_model(_ROOT / "models/demo/demo_detector.onnx", EngineOptions(threads=1))
    # The demo's model has fixed shapes.
    inputs = {spec.name: np.zeros(cast("Any", spec.shape), spec.dtype) for spec in backend.inputs}
    seconds = _processor_s_of(lambda: backend.infer(inputs))
    backend.close()
    return seconds


def _rendering_s() -> float:
    """Processor time of one picture of the demo's world."""
    from semantic_detection_pkg.camera.sources.registry import open_camera

    return _processor_s_of(open_camera("sim:7").read)


def _processor_s_of(action: Callable[[], object]) -> float:
    """Processor time of an action, all threads of this process together; the median of some."""
    times_s = []
    for _ in range(_REPETITIONS):
        start_s = time.process_time()
        action()
        times_s.append(time.process_time() - start_s)
    return statistics.median(times_s)
