"""The model that the node's settings name, at the speed that suits this machine.

Which files are variants of one model: `backends.variants`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ros_support_pkg.core.closing import Closing
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.backends.variants import fast_path
from semantic_detection_pkg.detector.core.inference_cost import Cost, in_words, measure
from semantic_detection_pkg.detector.core.settings import DetectorNodeSettings, Device, Speed
from semantic_detection_pkg.detector.core.word_table import WordTable
from semantic_detection_pkg.errors import ConfigurationError, FrameError, SemanticDetectionError

#: Their models compute on a GPU, which is not the detector's before it is active.
_GPU_ENGINES = frozenset({"tensorrt"})


@dataclass(frozen=True)
class SpeedChoice:
    """Which variant runs, and why.

    Attributes:
        speed: FULL or FAST.
        said: one line for the log; "" where there is nothing to choose.
        costs: what was measured, by the variant; empty where nothing was.
        warning: why the fast variant does not run although it should; "" for nothing.
    """

    speed: Speed
    said: str = ""
    costs: Mapping[Speed, Cost] = field(default_factory=dict)
    warning: str = ""

    @property
    def figures(self) -> dict[str, str | float]:
        """For the diagnostics; empty where there is nothing to choose."""
        if not self.said:
            return {}
        measured = {
            f"{speed.value}_inference_ms": round(1e3 * cost.inference_s, 1)
            for speed, cost in self.costs.items()
        }
        return {"speed": self.speed.value, **measured}


@dataclass(frozen=True)
class ConfiguredDetector(Closing):
    """A loaded model, and which of its variants it is."""

    loaded: LoadedDetector
    choice: SpeedChoice

    def close(self) -> None:
        """Free the model; may be called again."""
        self.loaded.close()


@dataclass(frozen=True)
class Clocks:
    """Both [s]: monotonic time, and processor time of all threads of this process."""

    wall: Callable[[], float] = time.perf_counter
    processor: Callable[[], float] = time.process_time


#: Shows a table of words what is known by example; see `load_detector`.
Recall = Callable[[WordTable, Path], None]


def load_configured(
    settings: DetectorNodeSettings, clocks: Clocks | None = None, recall: Recall | None = None
) -> ConfiguredDetector:
    """Load the model that the settings of the node name, or its fast variant; see `Speed`.

    Args:
        clocks: left out: the system's.
        recall: see `load_detector`.

    Raises:
        ConfigurationError: they name none, or something in them is wrong.
        ModelError: the model is.
    """
    if not settings.model:
        raise ConfigurationError("parameter 'model' is '', the path of a model file is allowed")
    speed, full = Speed(settings.speed), Path(settings.model)
    fast = fast_path(full)
    has_fast = _is_file(fast)
    if speed is Speed.FAST:
        if not has_fast:
            raise ConfigurationError(
                f"parameter 'speed' is 'fast', but {fast.name} is not beside {full}; make it, or "
                "set speed: auto or full"
            )
        loaded = _load(settings, fast, recall)
        return ConfiguredDetector(loaded, SpeedChoice(speed, f"speed fast: {fast.name} runs"))
    loaded = _load(settings, full, recall)
    if not has_fast:
        return ConfiguredDetector(loaded, SpeedChoice(Speed.FULL))
    said = f"speed {speed.value}: {full.name} runs"
    if speed is Speed.FULL:
        return ConfiguredDetector(loaded, SpeedChoice(speed, said))
    if _is_on_gpu(settings, loaded):
        said += "; nothing was measured, a GPU computes"
        return ConfiguredDetector(loaded, SpeedChoice(Speed.FULL, said))
    try:
        return _choose(settings, loaded, fast, clocks or Clocks(), recall)
    except BaseException:
        loaded.close()
        raise


def _choose(
    settings: DetectorNodeSettings,
    full: LoadedDetector,
    fast: Path,
    clocks: Clocks,
    recall: Recall | None,
) -> ConfiguredDetector:
    """Measure the full model, and the fast one where that is too slow; the other is closed."""
    limit_ms = 1e3 * settings.inference_limit_s
    kept = f"speed auto: {full.path.name} runs"
    try:
        costs = {Speed.FULL: _cost(full, settings.threads, clocks)}
    except FrameError as error:  # the frames will say so, too
        return ConfiguredDetector(full, SpeedChoice(Speed.FULL, f"{kept}; not measured: {error}"))
    told = in_words(full.path.name, costs[Speed.FULL])
    if costs[Speed.FULL].inference_s <= settings.inference_limit_s:
        said = f"{kept}: {told}, up to {limit_ms:g} ms are allowed"
        return ConfiguredDetector(full, SpeedChoice(Speed.FULL, said, costs))
    told += f", more than {limit_ms:g} ms"
    try:
        other = _load(settings, fast, recall)
        try:
            _check_like(full, other)
            costs[Speed.FAST] = _cost(other, settings.threads, clocks)
        except BaseException:
            other.close()
            raise
    except SemanticDetectionError as error:
        warning = f"{full.path.name} is slow, but its fast variant does not run: {error}"
        return ConfiguredDetector(full, SpeedChoice(Speed.FULL, f"{kept}: {told}", costs, warning))
    told += f"; {in_words(fast.name, costs[Speed.FAST])}"
    if costs[Speed.FAST].inference_s >= costs[Speed.FULL].inference_s:
        other.close()
        said = f"{kept}, its fast variant is no faster: {told}"
        return ConfiguredDetector(full, SpeedChoice(Speed.FULL, said, costs))
    full.close()
    said = f"speed auto: {fast.name} runs: {told}"
    return ConfiguredDetector(other, SpeedChoice(Speed.FAST, said, costs))


def _cost(loaded: LoadedDetector, threads: int, clocks: Clocks) -> Cost:
    cores = len(os.sched_getaffinity(0))
    used = min(threads or cores, cores)
    return measure(loaded.pipeline.infer_blank, clocks.wall, clocks.processor, used)


def _check_like(full: LoadedDetector, fast: LoadedDetector) -> None:
    """Refuse a variant that cannot stand for its model.

    Raises:
        ConfigurationError: it has other classes, or masks where its model has none, or none.
    """
    one, other = full.pipeline.info, fast.pipeline.info
    for what, is_alike in (
        ("classes", one.class_names == other.class_names),
        ("inputs for classes", one.prompts == other.prompts),
        ("masks", one.has_masks == other.has_masks),
    ):
        if not is_alike:
            raise ConfigurationError(
                f"{other.name}: has other {what} than {one.name}; make it anew"
            )


def _is_on_gpu(settings: DetectorNodeSettings, loaded: LoadedDetector) -> bool:
    is_cuda = settings.device == Device.CUDA.value and not loaded.fallback
    return settings.engine in _GPU_ENGINES or is_cuda


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long; the model's own is refused where it is loaded
        return False


def _load(settings: DetectorNodeSettings, path: Path, recall: Recall | None) -> LoadedDetector:
    return load_detector(
        path,
        engine=settings.engine,
        threads=settings.threads,
        buffers=settings.memory_mode,
        device=settings.device,
        names_file=settings.class_names_file or None,
        words=settings.classes,
        settings=settings.thresholds,
        tiling=settings.tiling,
        words_dir=settings.words_dir,
        recall=recall,
    )
