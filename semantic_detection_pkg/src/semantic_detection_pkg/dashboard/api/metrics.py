"""`/metrics`: the figures of the board in the form of Prometheus, and their last two minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ros_support_pkg.core.latency import NAMES, PERCENTS
from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.core.figures import FIGURES

_PREFIX = "semantic_detection"
_AGE_BUCKETS_S = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0)
HISTORY_LENGTH = 120  # samples, one a second


class Metrics:
    """A registry of its own; nothing of the process's default one."""

    def __init__(self, board: SectionStore) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FiguresOf(board))
        self.picture_ages = Histogram(
            f"{_PREFIX}_picture_delivery",
            "[seconds] From the capture of a frame until a viewer confirmed its picture.",
            unit="seconds",
            buckets=_AGE_BUCKETS_S,
            registry=self._registry,
        )

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the answer's body and content type, in the format that the header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _FiguresOf(Collector):
    def __init__(self, board: SectionStore) -> None:
        self._board = board

    def describe(self) -> Iterator[Metric]:
        """Promise nothing: which figures there are is seen when they are read."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Return the figures that there are now."""
        sections = values_of(self._board)
        for figure in FIGURES:
            value = figure.read(sections)
            if value is None:
                continue
            family = CounterMetricFamily if figure.is_counter else GaugeMetricFamily
            name = f"{_PREFIX}_{figure.name}_{figure.unit}"
            text = f"[{figure.unit}] {figure.document}"
            yield family(name, text, value=value, unit=figure.unit)
        yield from _stages(sections.get("latency"))


def _stages(latency: object) -> Iterator[Metric]:
    """Return how long frames take by stage: percentiles of the last minute, all since the start."""
    if not isinstance(latency, dict):
        return
    name = f"{_PREFIX}_frame_stage_seconds"
    text = "[seconds] Duration of a frame's stage; quantiles are of the last minute."
    family = SummaryMetricFamily(name, text, labels=["stage"], unit="seconds")
    for stage in NAMES:
        if f"{stage}_count" not in latency:
            continue
        for percent in PERCENTS:
            if (value := latency.get(f"{stage}_p{percent}_s")) is not None:
                labels = {"stage": stage, "quantile": f"{percent / 100:g}"}
                family.add_sample(name, labels, value)
        count, total_s = latency[f"{stage}_count"], latency.get(f"{stage}_sum_s", 0.0)
        family.add_metric([stage], count_value=count, sum_value=total_s)
    if family.samples:
        yield family


class History:
    """The last samples of each figure, oldest first; None where it was absent."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float | None]] = {
            figure.name: deque(maxlen=HISTORY_LENGTH) for figure in FIGURES
        }

    def sample(self, board: SectionStore) -> dict[str, list[float | None]]:
        """Take a sample of each; figures that never were are left out of the answer."""
        sections = values_of(board)
        for figure in FIGURES:
            value = figure.read(sections)
            self._samples[figure.name].append(None if value is None else float(f"{value:.4g}"))
        return {
            name: list(samples)
            for name, samples in self._samples.items()
            if any(value is not None for value in samples)
        }


def values_of(board: SectionStore) -> dict[str, object]:
    """Return the values of all sections by name."""
    return {name: section.value for name, section in board.sections().items()}
