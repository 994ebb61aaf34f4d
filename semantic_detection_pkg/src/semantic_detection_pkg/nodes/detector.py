"""Detector node: pictures in, detections out; a lifecycle node, because active means using the GPU.

Frames and transitions run on one thread in turn: when `deactivate` runs no inference does, so the
GPU is idle when the transition succeeds. Only the newest frame waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image

from interfaces_pkg.msg import Detections as DetectionsMessage
from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.lifecycle import GuardedLifecycleNode
from ros_support_pkg.parameters import declare_parameters, parameter
from ros_support_pkg.qos import SENSOR_DATA, VIEW
from ros_support_pkg.running import EXIT_USAGE, run_node
from semantic_detection_pkg.backends.loading import ENGINES, LoadedDetector, load_detector
from semantic_detection_pkg.core.frame import Frame
from semantic_detection_pkg.core.overlay import draw_overlay
from semantic_detection_pkg.core.settings import RANGES, DetectorSettings
from semantic_detection_pkg.errors import ConfigurationError, FrameError, SemanticDetectionError
from semantic_detection_pkg.ros import conversions, frames
from semantic_detection_pkg.ros.inspection import FrameInspector
from semantic_detection_pkg.transport.protocol import FRAMES_HELD_MAX
from vlm_bridge_pkg.errors import LockError
from vlm_bridge_pkg.transport.kernel_lock import KernelLock

#: [s] a straggler on the GPU is waited for; the arbiter activates when the lock is free.
_LOCK_TIMEOUT_S = 0.5
_AUTOSTARTS = ("nothing", "configure", "activate")


def _setting(name: str, document: str) -> Any:
    """A parameter that is a number of `DetectorSettings`, with its default and range."""
    minimum, maximum = RANGES[name]
    default = getattr(DetectorSettings(), name)
    return parameter(default, document, minimum=minimum, maximum=maximum, is_runtime=True)


@dataclass(frozen=True)
class DetectorParameters:
    """Parameters of the detector node."""

    model: str = parameter("", "model file; what belongs to it lies beside it")
    engine: str = parameter("onnxruntime", "what runs the model", choices=ENGINES)
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
        choices=_AUTOSTARTS,
    )

    def settings(self) -> DetectorSettings:
        """The part that the core knows."""
        numbers = {name: getattr(self, name) for name in RANGES}
        return DetectorSettings(**numbers, is_class_agnostic=self.agnostic_nms)


class DetectorNode(GuardedLifecycleNode):
    """Runs a `DetectorPipeline` on the camera's pictures while it is active."""

    expected_errors = (SemanticDetectionError, LockError)

    def __init__(self) -> None:
        super().__init__("detector")
        self._config = declare_parameters(self, DetectorParameters, self._change)
        self._detector: LoadedDetector | None = None
        self._subscription: frames.FrameSubscription | None = None
        lock_file = self._config.gpu_lock_file
        self._lock = KernelLock(lock_file) if lock_file else None
        self._inspector = FrameInspector(self, self._config.frames_kept)
        self._frames = 0
        self._frames_before = 0
        self._failure = ""
        self._detections = self.create_lifecycle_publisher(
            DetectionsMessage, "detections", SENSOR_DATA
        )
        self._overlay = self.create_lifecycle_publisher(Image, "detections/overlay", VIEW)
        self.create_service(SetVocabulary, "detector/set_vocabulary", self._set_vocabulary)
        publish_diagnostics(self, self._check)
        self._start(self._config.autostart)

    def configure(self) -> None:
        wanted = self._config
        if not wanted.model:
            raise ConfigurationError("parameter 'model' is '', the path of a model file is allowed")
        self._detector = load_detector(
            wanted.model,
            engine=wanted.engine,
            threads=wanted.threads,
            names_file=wanted.names_file or None,
            words=wanted.words,
            settings=wanted.settings(),
        )
        self._inspector.load(wanted.classifier, engine=wanted.engine, threads=wanted.threads)
        self.get_logger().info(
            f"{wanted.model} on {self._detector.backend.device}, looks for "
            + ", ".join(self._detector.pipeline.vocabulary)
        )

    def activate(self) -> None:
        if self._lock is not None:
            self._lock.acquire(_LOCK_TIMEOUT_S)
        try:
            self._subscription = frames.subscribe_frames(
                self, self._config.frame_transport, self._detect, self._fail
            )
        except SemanticDetectionError:
            self.deactivate()
            raise
        self._inspector.open()

    def deactivate(self) -> None:
        if self._subscription is not None:
            self._subscription.destroy()
            self._subscription = None
        self._inspector.close()
        if self._lock is not None:
            self._lock.release()

    def cleanup(self) -> None:
        self.deactivate()
        self._inspector.unload()
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def _start(self, autostart: str) -> None:
        triggers = (self.trigger_configure, self.trigger_activate)
        for trigger in triggers[: _AUTOSTARTS.index(autostart)]:
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise SystemExit(EXIT_USAGE)  # the transition has said why

    def _detect(self, frame: Frame) -> None:
        if self._detector is None:
            return
        try:
            if self._lock is not None:
                self._lock.check()
            result = self._detector.pipeline.process(frame.image)
        except (FrameError, LockError) as error:
            self._fail(error)
            return
        self._frames += 1
        self._inspector.keep(frame.stamp_ns, frame.image, frame.frame_id)
        self._failure = ""
        model, header = Path(self._config.model).name, conversions.to_header(frame)
        self._detections.publish(conversions.to_detections(result, model, header))
        if self._overlay.get_subscription_count():
            picture = draw_overlay(frame.image, result.detections, result.vocabulary)
            self._overlay.publish(conversions.to_image(picture, frame.stamp_ns, frame.frame_id))

    def _fail(self, error: Exception) -> None:
        self._failure = str(error)
        self.get_logger().error(self._failure, throttle_duration_sec=1.0)

    def _set_vocabulary(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response:
        if self._detector is None:
            response.message = "no model is loaded: configure the detector first"
            return response
        pipeline = self._detector.pipeline
        try:
            pipeline.set_vocabulary(request.words)
            response.success = True
        except ConfigurationError as error:
            response.message = str(error)
        response.vocabulary = list(pipeline.vocabulary)
        return response

    def _change(self, changed: DetectorParameters) -> None:
        if self._detector is not None:
            self._detector.pipeline.settings = changed.settings()
        self._config = changed

    def _check(self) -> Health:
        rate = self._frames - self._frames_before
        self._frames_before = self._frames
        figures = {"frames": self._frames, "frames_per_s": rate, "model": self._config.model}
        if self._failure:
            return Health.error(self._failure, **figures)
        if self._subscription is None:
            return Health.ok("not active", **figures)
        figures["dropped"] = self._subscription.dropped
        return Health.ok("active", **figures) if rate else Health.warn("no frames", **figures)


def main() -> int:
    return run_node(DetectorNode, expected_errors=(SemanticDetectionError,))
