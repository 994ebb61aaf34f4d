"""What can be set about the detector: name, default, unit, range and text of each setting."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ros_support_pkg.core.settings import SettingError, check, setting
from semantic_detection_pkg.camera.core.settings import FRAMES_HELD_MAX, frame_transport_setting
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.errors import ConfigurationError

MOST_THREADS = 64
AUTOSTARTS = ("nothing", "configure", "activate")


class Buffers(Enum):
    """How CPU and GPU share tensors.

    PINNED: each has its own memory, copies go between them. MAPPED: one memory for both, no copy;
    right where they share it physically (Jetson), slow over PCIe. AUTO: mapped there, else pinned.
    """

    AUTO = "auto"
    PINNED = "pinned"
    MAPPED = "mapped"


class Device(Enum):
    """What computes a model in ONNX Runtime.

    CUDA: an NVIDIA GPU, with onnxruntime-gpu; where that does not start the CPU, with a warning.
    """

    CPU = "cpu"
    CUDA = "cuda"


class Speed(Enum):
    """Which file of a model runs, where `<model>.fast.onnx` lies beside it.

    AUTO: the full one, unless it is too slow on this machine. FULL, FAST: that one, unmeasured.
    """

    AUTO = "auto"
    FULL = "full"
    FAST = "fast"


@dataclass(frozen=True)
class DetectorSettings:
    """Thresholds of the detector; each may be changed while it runs.

    Raises:
        ConfigurationError: on construction, if a value is out of its range.
    """

    confidence_threshold: float = setting(
        0.25,
        "a detection's score is greater than this",
        minimum=0.0,
        maximum=1.0,
        is_runtime=True,
        formerly=("confidence",),
    )
    iou_threshold: float = setting(
        0.7,
        "of two boxes of one class that overlap by more than this, the better one stays",
        minimum=0.0,
        maximum=1.0,
        is_runtime=True,
        formerly=("iou",),
    )
    max_detections: int = setting(
        300, "the best so many of a frame are kept", minimum=1, maximum=10_000, is_runtime=True
    )
    agnostic_nms: bool = setting(
        False, "boxes suppress each other whatever their classes are", is_runtime=True
    )
    # Never less than 1/50; small masks are simplified less (see `kernels.masks`). The default
    # leaves an IoU >= 0.99 with the exact mask.
    polygon_tolerance_px: float = setting(
        0.25,
        "mask outlines may be simplified by this much",
        minimum=0.0,
        maximum=10.0,
        is_runtime=True,
    )

    def __post_init__(self) -> None:
        try:
            check(self)
        except SettingError as error:
            raise ConfigurationError(str(error)) from None


@dataclass(frozen=True)
class DetectorNodeSettings:
    """Settings of the detector node."""

    model: str = setting("", "model file; what belongs to it lies beside it")
    engine: str = setting(
        "onnxruntime", "what runs the model: onnxruntime, tensorrt, or that of a plug-in"
    )
    device: str = setting(
        Device.CPU.value,
        "what computes, engine onnxruntime only; cuda falls back to cpu with a warning",
        choices=tuple(device.value for device in Device),
    )
    memory_mode: str = setting(
        Buffers.AUTO.value,
        "memory between CPU and GPU, engine tensorrt only",
        choices=tuple(mode.value for mode in Buffers),
        formerly=("buffers",),
    )
    frame_transport: str = frame_transport_setting()
    classifier: str = setting("", "model that inspects a part of a frame; '': none")
    frame_buffer_size: int = setting(
        16,
        "newest frames held for inspections",
        minimum=1,
        maximum=FRAMES_HELD_MAX,
        formerly=("frames_kept",),
    )
    class_names_file: str = setting(
        "",
        "class names by id: a name on each line (a blank one: unused), lines of id and name, or the"
        " names of a data.yaml; '': those in the model",
        formerly=("names_file",),
    )
    threads: int = setting(
        0, "CPU threads of one inference; 0: all", minimum=0, maximum=MOST_THREADS
    )
    speed: str = setting(
        Speed.AUTO.value,
        "which file runs where a fast variant (model.fast.onnx) lies beside the model: auto takes "
        "it where the full one is slower than inference_limit_s on this machine's CPU",
        choices=tuple(speed.value for speed in Speed),
    )
    inference_limit_s: float = setting(
        0.05,
        "longest inference of the full model with speed auto: processor time over half of the "
        "threads that it may use, the other half being for what else runs",
        minimum=0.001,
        maximum=60.0,
    )
    classes: tuple[str, ...] = setting(
        (), "what to look for first; ['']: all that the model knows", formerly=("words",)
    )
    words_dir: str = setting(
        "",
        "folder for what is learnt at run time: words that were typed, examples that were shown; "
        "'': beside the model",
    )
    thresholds: DetectorSettings = field(default_factory=DetectorSettings)
    tiling: TileSettings = field(default_factory=TileSettings)
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    gpu_lock_file: str = setting(
        "", "kernel lock held while active, shared by all who use the GPU; '': none"
    )
    autostart: str = setting(
        "nothing",
        "what the node does by itself at the start; 'configure' where an arbiter activates it",
        choices=AUTOSTARTS,
    )
