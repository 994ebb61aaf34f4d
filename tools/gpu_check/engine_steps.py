"""What the runner of plans and ONNX Runtime do on the GPU, against ONNX Runtime on the CPU."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
from model_export.builder import Recipe, build_plan
from numpy.typing import NDArray

from gpu_check.steps import NotPossible, Row, Wrong
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.onnx import CUDA, BoundOnnxBackend, OnnxBackend
from semantic_detection_pkg.detector.backends.protocol import InferenceBackend
from semantic_detection_pkg.detector.backends.trt.api import TensorRtBuilding
from semantic_detection_pkg.detector.backends.trt.cuda import Cuda
from semantic_detection_pkg.detector.backends.trt.families import capabilities, title
from semantic_detection_pkg.detector.backends.trt.platform import Platform
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.detector.core.settings import Buffers
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX as VOCABULARY
from semantic_detection_pkg.errors import FrameError, ModelError

DEMO = Path(__file__).resolve().parents[2] / "models" / "demo" / "demo_detector.onnx"
Values = Mapping[str, NDArray[Any]]
# Of the largest value of an output: TensorFloat-32 has ten bits of fraction, FP16 as many, and
# what is added up in it.
_TOLERANCE = {"fp32": 5e-3, "fp16": 3e-2}
_WORKSPACE_MB = 1024
_GROWTH_MB = 16.0


@dataclass(frozen=True)
class Bench:
    """Where the steps run: a platform, and a folder for models and plans."""

    platform: Platform
    folder: Path

    def plan(self, model: Path, precision: str) -> Path:
        """Build a plan of a model.

        Raises:
            NotPossible: this library makes none for this card.
            Wrong: it could, and does not.
        """
        tensorrt = self.platform.tensorrt
        path = self.folder / f"{model.stem}_{precision}.engine"
        recipe = Recipe(precision, _WORKSPACE_MB, self.folder / "timing.cache")
        try:
            built = build_plan(cast(TensorRtBuilding, tensorrt), model.read_bytes(), model, recipe)
        except ModelError as error:
            raise Wrong(str(error)) from error
        path.write_bytes(built.content)
        return path

    @contextmanager
    def running(self, plan: Path, buffers: Buffers = Buffers.AUTO) -> Iterator[TensorRtBackend]:
        """Load a plan.

        Raises:
            NotPossible: the library refuses it, and does not name this card among its own.
            Wrong: it refuses it all the same.
        """
        try:
            backend = TensorRtBackend(plan, self.platform, buffers)
        except ModelError as error:
            tensorrt, device = self.platform.tensorrt, self.platform.device
            known = capabilities(tensorrt)
            if known and device.compute_capability not in known:
                raise NotPossible(
                    f"{device} is not a card of {title(tensorrt)}: {error}"
                ) from error
            raise Wrong(str(error)) from error
        try:
            yield backend
        finally:
            backend.close()


def layouts(folder: Path) -> dict[str, Path]:
    """Write a small model of each layout; and the demo's detector."""
    tiny: Any = import_module("tiny_models")
    models = {
        "raw": tiny.colour_model("raw"),
        "end_to_end": tiny.colour_model("end_to_end"),
        "raw_boxes": tiny.without_masks(tiny.colour_model("raw")),
        "words_at_run_time": tiny.prompt_model(),
    }
    written = {name: tiny.save(model, folder / f"{name}.onnx") for name, model in models.items()}
    return {**written, "demo_detector": DEMO}


def noise(backend: InferenceBackend, seed: int) -> dict[str, NDArray[Any]]:
    """Make inputs between 0 and 1."""
    random = np.random.default_rng(seed)
    return {
        spec.name: random.random(tuple(n or 1 for n in spec.shape)).astype(spec.dtype)
        for spec in backend.inputs
    }


def difference(ours: Values, theirs: Values) -> float:
    """Return the largest difference, as a share of the largest value of its output."""
    if ours.keys() != theirs.keys():
        raise Wrong(f"outputs {sorted(ours)} are not {sorted(theirs)}")
    worst = 0.0
    for name, value in theirs.items():
        # Rows of equal score may come in another order.
        ordered = [np.sort(one.astype(np.float64), axis=1) for one in (ours[name], value)]
        scale = max(float(np.abs(value).max()), 1e-6)
        worst = max(worst, float(np.abs(ordered[0] - ordered[1]).max()) / scale)
    return worst


def parity(bench: Bench) -> Sequence[Row]:
    """Compare every layout, in both precisions, with ONNX Runtime on the CPU."""
    rows = []
    for name, model in layouts(bench.folder).items():
        reference = OnnxBackend(model)
        for precision, tolerance in _TOLERANCE.items():
            with bench.running(bench.plan(model, precision)) as backend:
                worst = 0.0
                for seed in range(4):  # plainly, recorded, and replayed
                    inputs = noise(reference, seed)
                    worst = max(worst, difference(backend.infer(inputs), reference.infer(inputs)))
            if not worst <= tolerance:
                raise Wrong(
                    f"{name}, {precision}: differs by {worst:.2g}, {tolerance:g} is allowed"
                )
            rows.append(Row(f"{name}, {precision}, largest difference", worst, "of the largest"))
    return rows


def endurance(bench: Bench, runs: int = 10_000) -> Sequence[Row]:
    """Infer so often; neither the GPU's memory nor the process may grow."""
    model = layouts(bench.folder)["words_at_run_time"]
    cuda, process = bench.platform.cuda, psutil.Process()
    with bench.running(bench.plan(model, "fp32")) as backend:
        inputs = noise(backend, 0)
        for _ in range(min(runs, 100)):
            expected = {name: value.copy() for name, value in backend.infer(inputs).items()}
        before = _memory(cuda, process)
        started_s = time.monotonic()
        for _ in range(runs):
            found = backend.infer(inputs)
        took_s = time.monotonic() - started_s
        grown = [now - then for now, then in zip(_memory(cuda, process), before, strict=True)]
        if difference(found, expected) > 0:
            raise Wrong(f"the result of inference {runs} is another than that of the first")
    if max(grown) > _GROWTH_MB:
        raise Wrong(
            f"{runs} inferences: the GPU's memory grew by {grown[0]:.1f} MB, the process "
            f"by {grown[1]:.1f} MB"
        )
    return [
        Row("inferences", runs),
        Row("growth of the GPU's memory", round(grown[0], 2), "MB"),
        Row("growth of the process", round(grown[1], 2), "MB"),
        Row("mean of an inference", round(1e3 * took_s / runs, 4), "ms"),
    ]


def _memory(cuda: Cuda, process: psutil.Process) -> tuple[float, float]:
    free = cuda.call(cuda.runtime.cudaMemGetInfo)
    return -free / 1e6, process.memory_info().rss / 1e6


class FailsOnce:
    """A CUDA runtime of which one call fails, once it is told to."""

    def __init__(self, runtime: Any, name: str) -> None:
        self._runtime = runtime
        self._name = name
        self.is_armed = False

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self.is_armed:
            self.is_armed = False
            return self._fail
        return getattr(self._runtime, name)

    def _fail(self, *_: Any) -> tuple[int]:
        return (2,)  # cudaErrorMemoryAllocation: one after which others go on


def recovery(bench: Bench) -> Sequence[Row]:
    """Let calls of a frame fail; the next frame must be right."""
    model = layouts(bench.folder)["words_at_run_time"]
    plan = bench.plan(model, "fp32")
    reference = OnnxBackend(model)
    rows = []
    for name in ("cudaEventRecord", "cudaMemcpyAsync", "cudaGraphLaunch", "cudaEventSynchronize"):
        runtime = FailsOnce(bench.platform.cuda.runtime, name)
        failing = replace(bench.platform, cuda=Cuda(cast(Any, runtime)))
        with replace(bench, platform=failing).running(plan, Buffers.PINNED) as backend:
            for seed in range(3):  # to the recorded graph
                backend.infer(noise(reference, seed))
            runtime.is_armed = True
            try:
                backend.infer(noise(reference, 3))
            except FrameError:
                pass
            else:
                raise Wrong(f"{name} failed, and the frame did not")
            inputs = noise(reference, 4)
            worst = difference(backend.infer(inputs), reference.infer(inputs))
            if not worst <= _TOLERANCE["fp32"]:
                raise Wrong(f"after {name} had failed, the next frame differs by {worst:.2g}")
            rows.append(Row(f"{name} failed, next frame right", True))
    return rows


def stage_times(bench: Bench, runs: int = 100) -> Sequence[Row]:
    """Time the stages of the demo's detector, for a whole frame and for all tiles of it."""
    rows = []
    for precision in _TOLERANCE:
        plan = bench.plan(DEMO, precision)
        for buffers in (Buffers.PINNED, Buffers.MAPPED):
            with bench.running(plan, buffers) as backend:
                inputs = noise(backend, 0)
                times, whole_s = [], []
                for _ in range(10 + runs):
                    started_s = time.perf_counter()
                    backend.infer(inputs)
                    whole_s.append(time.perf_counter() - started_s)
                    times.append(backend.stage_times())
                where = f"demo detector, {precision}, {buffers.value}"
                for stage in ("upload", "compute", "download"):
                    median = statistics.median(getattr(one, stage) for one in times[10:])
                    rows.append(Row(f"{where}: {stage}", round(median, 4), "ms"))
                whole_ms = 1e3 * statistics.median(whole_s[10:])
                rows.append(Row(f"{where}: whole call", round(whole_ms, 4), "ms"))
                rows.append(Row(f"{where}: CUDA graph", backend.is_graph_used))
    plan = bench.plan(DEMO, "fp16")
    shutil.copyfile(DEMO.with_suffix("").with_suffix(VOCABULARY), plan.with_suffix(VOCABULARY))
    rows += [row for tiles in ("full", "tiles") for row in _frame_times(plan, tiles, runs // 10)]
    return rows


def _frame_times(plan: Path, tiles: str, runs: int) -> list[Row]:
    """Time the detector on a picture of 1080p, from the picture to the detections."""
    picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
    tiling = TileSettings(tiles, tile_px=640)
    with load_detector(plan, engine="tensorrt", tiling=tiling) as detector:
        looks, took_s = 0, []
        for _ in range(3 + runs):
            started_s = time.perf_counter()
            looks = len(detector.pipeline.process(picture).looks)
            took_s.append(time.perf_counter() - started_s)
    median_ms = round(1e3 * statistics.median(took_s[3:]), 3)
    where = f"demo detector, fp16, 1920x1080, {tiles}"
    return [Row(f"{where}: looks", looks), Row(f"{where}: whole frame", median_ms, "ms")]


def onnxruntime_on_cuda(
    folder: Path, open_bound: Callable[[Path], InferenceBackend] | None = None
) -> Sequence[Row]:
    """Compare ONNX Runtime on the GPU with itself on the CPU.

    Raises:
        NotPossible: it has no CUDA, or that does not start.
    """
    rows = []
    for name, model in layouts(folder).items():
        reference = OnnxBackend(model)
        try:
            backend = open_bound(model) if open_bound else BoundOnnxBackend(model, 0, CUDA, "cuda")
        except Exception as error:  # its classes have no common base but Exception
            raise NotPossible(" ".join(str(error).split())[:300]) from error
        worst = 0.0
        took_s = []
        for seed in range(20):
            inputs = noise(reference, seed)
            started_s = time.perf_counter()
            found = backend.infer(inputs)
            took_s.append(time.perf_counter() - started_s)
            worst = max(worst, difference(found, reference.infer(inputs)))
        backend.close()
        if not worst <= _TOLERANCE["fp32"]:
            raise Wrong(f"{name}: differs by {worst:.2g}, {_TOLERANCE['fp32']:g} is allowed")
        rows.append(Row(f"{name}, largest difference", worst, "of the largest"))
        rows.append(Row(f"{name}, median", round(1e3 * statistics.median(took_s), 3), "ms"))
    return rows
