"""The demo's detector on this processor: full and fast, and ONNX Runtime's settings beside ours.

Processor time of all threads of one inference by turns, medians; each setting of ONNX Runtime is
one change of what `session_options` sets. Pauses after the inferences let idle threads spin as they
would between two frames; what they burn then counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.row import Row
from semantic_detection_pkg.detector.backends.onnx import CPU, session_options
from semantic_detection_pkg.detector.backends.variants import fast_path

ROWS = (
    "inference_ms",
    "inference_fast_per_full",
    "inference_2_threads_per_1",
    "inference_2_spinning_per_1",
    "inference_no_arena_per_ours",
    "inference_memory_pattern_per_ours",
    "inference_extended_per_ours",
    "inference_parallel_per_ours",
)  # fmt: skip

_DEMO = Path(__file__).resolve().parent.parent / "models" / "demo" / "demo_detector.onnx"
_Opener = Callable[[], Callable[[], object]]
_TURNS, _RUNS = 5, 6
_PAUSE_S = 0.03
_FAST_GOAL = 0.65


def rows() -> Iterator[Row]:
    onnxruntime.set_default_logger_severity(4)  # it warns of an entry that is set twice
    took_ms = _by_turns(
        {
            "inference_ms": partial(_open, _DEMO),
            "inference_fast_per_full": partial(_open, fast_path(_DEMO)),
            **{name: partial(_open, _DEMO, change) for name, change in _CHANGES.items()},
        }
    )
    ours_ms = took_ms.pop("inference_ms")
    yield Row("inference_ms", ours_ms, "ms")
    for name in ROWS[1:]:
        goal = _FAST_GOAL if name == "inference_fast_per_full" else None
        yield Row(name, took_ms[name] / ours_ms, "x", goal=goal, baseline=ours_ms)


def _two_threads(options: Any) -> None:
    options.intra_op_num_threads = 2


def _spinning(options: Any) -> None:
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")


def _no_arena(options: Any) -> None:
    options.enable_cpu_mem_arena = False


def _memory_pattern(options: Any) -> None:
    options.enable_mem_pattern = True


def _extended(options: Any) -> None:
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


def _parallel(options: Any) -> None:
    options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    options.inter_op_num_threads = 2


_CHANGES: dict[str, Callable[[Any], None]] = {
    "inference_2_threads_per_1": _two_threads,
    "inference_2_spinning_per_1": _spinning,
    "inference_no_arena_per_ours": _no_arena,
    "inference_memory_pattern_per_ours": _memory_pattern,
    "inference_extended_per_ours": _extended,
    "inference_parallel_per_ours": _parallel,
}


def _open(model: Path, change: Callable[[Any], None] | None = None) -> Callable[[], object]:
    """Return what does one inference, on one thread unless the change says otherwise."""
    options = session_options(threads=1)
    if change is not None:
        change(options)
    session = onnxruntime.InferenceSession(str(model), options, providers=[CPU])
    random = np.random.default_rng(1)
    feeds = {
        value.name: random.random(value.shape, dtype=np.float32) for value in session.get_inputs()
    }
    return lambda: session.run(None, feeds)


def _by_turns(openers: dict[str, _Opener]) -> dict[str, float]:
    """Return the median processor time of each, with the pause after it [ms].

    One session at a time: threads of another would spin into its time.
    """
    took_ms: dict[str, list[float]] = {name: [] for name in openers}
    for _ in range(_TURNS):
        for name, open_session in openers.items():
            run = open_session()
            run()
            for _ in range(_RUNS):
                began_s = time.process_time()
                run()
                time.sleep(_PAUSE_S)
                took_ms[name].append(1e3 * (time.process_time() - began_s))
    return {name: statistics.median(taken) for name, taken in took_ms.items()}
