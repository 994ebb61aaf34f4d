"""The figures of a mission: for the plots of the page and for `/metrics`, from one table.

A figure is read from the sections of the board, JSON values by name. Where its section or its
value is absent, so is the figure: it is never made up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Sections = Mapping[str, Any]

_BYTES_PER_MB = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One number that is measured again and again.

    Attributes:
        name: without the unit.
        unit: base unit in the plural, as Prometheus wants it.
        document: what it is, in words.
        path: section.key.
        factor: from the value there to the unit.
        is_counter: it only grows, since the start.
    """

    name: str
    unit: str
    document: str
    path: str
    factor: float = 1.0
    is_counter: bool = False

    def read(self, sections: Sections) -> float | None:
        """Return the number now; None where it is absent."""
        value: Any = sections
        for key in self.path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value * self.factor if math.isfinite(value) else None


FIGURES = (
    Figure(
        "picture_rate", "hertz", "Pictures made for the page each second.", "server.picture_rate_hz"
    ),
    Figure(
        "picture_age",
        "seconds",
        "Median age of a picture when its viewer confirms it, newest second.",
        "server.picture_age_s",
    ),
    Figure(
        "picture_encoding",
        "seconds",
        "Mean time to draw and encode a picture, newest second.",
        "server.encode_s",
    ),
    Figure(
        "pictures_encoded",
        "pictures",
        "Pictures encoded since the start, one for all viewers.",
        "pictures.encoded",
        is_counter=True,
    ),
    Figure(
        "pictures_dropped",
        "pictures",
        "Frames that a newer one replaced before they were drawn.",
        "pictures.dropped",
        is_counter=True,
    ),
    Figure("viewers", "pages", "Pages that are open.", "server.viewers"),
    Figure(
        "dashboard_processor",
        "cores",
        "Processor time of the dashboard each second.",
        "server.cpu_cores",
    ),
    Figure("detector_rate", "hertz", "Frames detected in each second.", "detector.rate_hz"),
    Figure(
        "detector_preprocessing",
        "seconds",
        "From picture to tensor, newest frame.",
        "detector.preprocess_ms",
        1e-3,
    ),
    Figure(
        "detector_inference", "seconds", "Inference, newest frame.", "detector.inference_ms", 1e-3
    ),
    Figure(
        "detector_postprocessing",
        "seconds",
        "From output to detections, newest frame.",
        "detector.postprocess_ms",
        1e-3,
    ),
    Figure(
        "detector_latency",
        "seconds",
        "From capture to arrival of the detections, newest frame.",
        "detector.latency_s",
    ),
    Figure(
        "command_latency",
        "seconds",
        "From capture to gimbal command, 95 % of the last minute are sooner.",
        "latency.capture_to_command_p95_s",
    ),
    Figure(
        "command_overhead",
        "seconds",
        "The same without the model's own time.",
        "latency.overhead_p95_s",
    ),
    Figure("detector_objects", "objects", "Detections in the newest frame.", "detector.count"),
    Figure("gimbal_yaw", "radians", "Yaw of the gimbal, + is left.", "gimbal.yaw_rad"),
    Figure("gimbal_pitch", "radians", "Pitch of the gimbal, + is down.", "gimbal.pitch_rad"),
    Figure("gimbal_zoom", "ratio", "Magnification against the widest view.", "gimbal.zoom"),
    Figure(
        "gimbal_age", "seconds", "Age of the newest attitude when it was published.", "gimbal.age_s"
    ),
    Figure(
        "scan_coverage",
        "ratio",
        "Share of the area seen at the wanted resolution.",
        "scan.coverage",
    ),
    Figure(
        "scan_candidates", "objects", "Candidates that wait for a closer look.", "scan.candidates"
    ),
    Figure("scan_findings", "objects", "Findings confirmed so far.", "scan.findings"),
    Figure(
        "recorder_used",
        "bytes",
        "Size of the recorder's ring, events not counted.",
        "recorder.bytes_used",
    ),
    Figure("recorder_budget", "bytes", "Budget of the recorder's ring.", "recorder.bytes_budget"),
    Figure(
        "recorder_free", "bytes", "Free space on the recorder's file system.", "recorder.bytes_free"
    ),
    Figure(
        "recorder_written",
        "messages",
        "Messages recorded since the start.",
        "recorder.messages",
        is_counter=True,
    ),
    Figure(
        "recorder_dropped",
        "messages",
        "Messages the recorder dropped since the start.",
        "recorder.dropped",
        is_counter=True,
    ),
    Figure(
        "memory_available",
        "bytes",
        "Memory that is left.",
        "health.memory_available_mb",
        _BYTES_PER_MB,
    ),
    Figure(
        "gpu_memory", "bytes", "Memory of the GPU in use.", "health.gpu_memory_mb", _BYTES_PER_MB
    ),
    Figure("gpu_load", "ratio", "Load of the GPU.", "health.gpu_load"),
    Figure(
        "temperature", "celsius", "Temperature of the hottest zone.", "health.temperature_max_c"
    ),
    Figure(
        "disk_free",
        "bytes",
        "Free space on the output volume.",
        "health.disk_free_mb",
        _BYTES_PER_MB,
    ),
    Figure("gpu_queue", "requests", "Requests that wait for the GPU.", "gpu.queue_length"),
)
