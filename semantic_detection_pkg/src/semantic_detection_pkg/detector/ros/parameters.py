"""Parameters of the detector node, and what they build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ros_support_pkg.parameters import parameter
from semantic_detection_pkg.camera.ros import frames
from semantic_detection_pkg.camera.transport.protocol import FRAMES_HELD_MAX
from semantic_detection_pkg.detector.backends.loading import BUFFERS, ENGINES, check_engine
from semantic_detection_pkg.detector.core.settings import RANGES, DetectorSettings

AUTOSTARTS = ("nothing", "configure", "activate")


def _setting(name: str, document: str) -> Any:
    """A parameter that is a number of `DetectorSettings`, with its default and range."""
    minimum, maximum = RANGES[name]
    default = getattr(DetectorSettings(), name)
    return parameter(default, document, minimum=minimum, maximum=maximum, is_runtime=True)


@dataclass(frozen=True)
class DetectorParameters:
    """Parameters of the detector node."""

    model: str = parameter("", "model file; what belongs to it lies beside it")
    engine: str = parameter(
        "onnxruntime", f"what runs the model: {', '.join(ENGINES)}, or that of a plug-in"
    )
    buffers: str = parameter(
        "auto", "memory between CPU and GPU, engine tensorrt only", choices=BUFFERS
    )
    frame_transport: str = frames.transport_parameter()
    classifier: str = parameter("", "model of the closer look at a part of a frame; '': none")
    frames_kept: int = parameter(
        16, "newest frames held for a closer look", minimum=1, maximum=FRAMES_HELD_MAX
    )
    names_file: str = parameter("", "class names, one on each line; '': those in the model")
    threads: int = parameter(0, "CPU threads of one inference; 0: all", minimum=0, maximum=64)
    words: tuple[str, ...] = parameter((), "what to look for first; ['']: all that is known")
    confidence: float = _setting("confidence", "a detection's score is greater than this")
    iou: float = _setting("iou", "boxes of a class that overlap more are one thing")
    max_detections: int = _setting("max_detections", "the best so many are kept")
    polygon_tolerance_px: float = _setting("polygon_tolerance_px", "[px] outlines may be off by")
    agnostic_nms: bool = parameter(
        False, "boxes suppress each other whatever their classes are", is_runtime=True
    )
    gpu_lock_file: str = parameter(
        "", "kernel lock held while active, shared by all who use the GPU; '': none"
    )
    autostart: str = parameter(
        "nothing",
        "what the node does by itself at the start; 'configure' where an arbiter activates it",
        choices=AUTOSTARTS,
    )

    def __post_init__(self) -> None:
        """Refuse what no range can say.

        Raises:
            ConfigurationError: nobody offers the engine.
        """
        check_engine(self.engine)

    def settings(self) -> DetectorSettings:
        """The part that the core knows."""
        numbers = {name: getattr(self, name) for name in RANGES}
        return DetectorSettings(**numbers, is_class_agnostic=self.agnostic_nms)
