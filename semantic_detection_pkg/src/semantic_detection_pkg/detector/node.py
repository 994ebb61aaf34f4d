"""Detector node: pictures in, detections out; a lifecycle node, because active means using the GPU.

Frames and transitions run on one thread in turn: when `deactivate` runs no inference does, so the
GPU is idle when the transition succeeds. Only the newest frame waits.
"""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image

from interfaces_pkg.msg import Detections as DetectionsMessage
from interfaces_pkg.msg import PoseAtCapture
from ros_support_pkg.core.words import WordsCause
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise_active
from ros_support_pkg.lifecycle import GuardedLifecycleNode
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import SENSOR_DATA, VIEW
from ros_support_pkg.running import EXIT_USAGE, NodeProgram
from ros_support_pkg.steady_clock import steady_ns
from semantic_detection_pkg.camera.ros import frames
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.common.core.overlay import draw_overlay
from semantic_detection_pkg.common.ros import conversions
from semantic_detection_pkg.common.ros.gimbal_poses import GimbalPoses
from semantic_detection_pkg.detector.backends.configured import SpeedChoice, load_configured
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, check_engine
from semantic_detection_pkg.detector.backends.word_memory import WordMemory
from semantic_detection_pkg.detector.core.settings import AUTOSTARTS, DetectorNodeSettings
from semantic_detection_pkg.detector.ros import notices
from semantic_detection_pkg.detector.ros.conversions import to_detections, to_pose_at_capture
from semantic_detection_pkg.detector.ros.curves import CurvePublisher
from semantic_detection_pkg.detector.ros.frame_latency import FrameLatency
from semantic_detection_pkg.detector.ros.inspection import FrameInspector
from semantic_detection_pkg.detector.ros.new_words import Asked, WordsService
from semantic_detection_pkg.detector.ros.proposals import FrameProposals
from semantic_detection_pkg.detector.ros.scan_looks import ScanLooks
from semantic_detection_pkg.detector.ros.vision import VisionDetections
from semantic_detection_pkg.detector.ros.words_in_force import WordsPublisher
from semantic_detection_pkg.errors import FrameError, SemanticDetectionError
from semantic_detection_pkg.gpu import owners
from semantic_detection_pkg.gpu.detector_lock import DetectorLock
from semantic_detection_pkg.gpu.errors import LockError
from semantic_detection_pkg.gpu.ros.arbiter_door import ArbiterDoor

#: [s] a straggler on the GPU is waited for; the arbiter activates when the lock is free.
_LOCK_TIMEOUT_S = 0.5


class DetectorNode(GuardedLifecycleNode):
    """Runs a `DetectorPipeline` on the camera's pictures while it is active."""

    expected_errors = (SemanticDetectionError, LockError)

    def __init__(self, **options: Any) -> None:
        super().__init__("detector", **options)
        self._config = declare_parameters(self, DetectorNodeSettings, self._change)
        check_engine(self._config.engine)
        self._detector: LoadedDetector | None = None
        self._choice: SpeedChoice | None = None
        self._subscription: frames.FrameSubscription | None = None
        owner = owners.robot(self.get_namespace())
        self._lock = DetectorLock(self._config.gpu_lock_file, owner)
        self._inspector = FrameInspector(self, self._config.frame_buffer_size)
        self._proposals = FrameProposals(self._config.proposals)
        self._frames = 0
        self._frames_before = 0
        self._looks_given_up = 0
        self._failure = ""
        self._latency = FrameLatency()
        self._detections = advertise_active(self, DetectionsMessage, "detections", SENSOR_DATA)
        self._poses = GimbalPoses(self)
        self._looks = ScanLooks(self, self._poses)
        self._vision = VisionDetections(self)
        self._curves = CurvePublisher(self)
        self._overlay = advertise_active(self, Image, "detections/overlay", VIEW)
        self._memory = WordMemory(self._config.words_dir)
        self._words = WordsPublisher(self)
        tell, heed = self._tell_words, self._words.heed
        self._words_service = WordsService(
            self, lambda: self._detector, self._inspector.frame, self._memory, tell, heed
        )
        self._door = ArbiterDoor(self)
        publish_diagnostics(self, self._check)
        self._start(self._config.autostart)

    def configure(self) -> None:
        wanted = self._config
        configured = load_configured(wanted, recall=self._memory.recall)
        loaded = self._detector = configured.loaded
        self._choice, info = configured.choice, loaded.pipeline.info
        self._looks.use((info.width, info.height))
        self._inspector.load(
            wanted.classifier, engine=wanted.engine, threads=wanted.threads, device=wanted.device
        )
        begins = not self._memory.reinstate(loaded.pipeline, loaded.set_vocabulary)
        self._curves.tell(loaded.path, wanted.thresholds.confidence_threshold)
        self._words.tell(loaded, self._memory.examples, WordsCause.CONFIGURED, begins=begins)
        notices.tell_of_models(self.get_logger(), loaded, self._choice, self._inspector)
        notices.tell_of_memory(self.get_logger(), self._memory)

    def activate(self) -> None:
        self._lock.take(_LOCK_TIMEOUT_S)
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
        self._lock.release()

    def cleanup(self) -> None:
        self.deactivate()
        self._inspector.unload()
        if self._detector is not None:
            self._detector.close()
            self._detector = self._choice = None

    def _start(self, autostart: str) -> None:
        triggers = (self.trigger_configure, self.trigger_activate)
        for trigger in triggers[: AUTOSTARTS.index(autostart)]:
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise SystemExit(EXIT_USAGE)  # the transition has said why

    def _detect(self, frame: Frame) -> None:
        if self._detector is None:
            return
        times = self._latency.received(frame.captured_ns)
        try:
            self._lock.renew()
            pipeline = self._detector.pipeline
            pipeline.tiling = self._looks.tiling(self._config.tiling)
            need = self._looks.need_of(frame, pipeline.tiling)
            result = pipeline.process(frame.image, need)
            self._curves.offer(self._looks.offered(frame, self._config.tiling, result))
            result = self._proposals.add(frame.image, result)
        except (FrameError, LockError) as error:
            self._fail(error)
            return
        self._frames += 1
        self._looks_given_up += result.given_up
        self._inspector.keep(frame.stamp_ns, frame.image, frame.frame_id)
        self._failure = ""
        model, header = self._detector.backend.name, conversions.to_header(frame)
        message = to_detections(result, model, header, self._pose_at(frame.stamp_ns))
        message.words_since = self._words.since
        self._proposals.describe(message)
        message.times = self._latency.inferred(times, result.elapsed_ms.inference)
        self._detections.publish(message)
        self._vision.publish(message)
        if self._overlay.get_subscription_count():
            picture = draw_overlay(frame.image, result.detections, result.vocabulary)
            self._overlay.publish(conversions.to_image(picture, frame.stamp_ns, frame.frame_id))

    def _tell_words(self, detector: LoadedDetector, cause: WordsCause, asked: Asked) -> Time:
        notices.warn_of_strange_words(self.get_logger(), detector, self._inspector)
        return self._words.tell(detector, self._memory.examples, cause, asked)

    def _pose_at(self, stamp_ns: int) -> PoseAtCapture:
        self._poses.take_waiting()  # those after the capture came while the frame was computed
        return to_pose_at_capture(self._poses.at(stamp_ns), self._poses.newest)

    def _fail(self, error: Exception) -> None:
        self._failure = str(error)
        self.get_logger().error(self._failure, throttle_duration_sec=1.0)

    def _change(self, changed: DetectorNodeSettings) -> None:
        if self._detector is not None:
            changed.proposals.check_words(self._detector.pipeline.vocabulary)
            self._detector.pipeline.settings = changed.thresholds
            self._detector.pipeline.tiling = changed.tiling
            self._curves.retell(changed.thresholds.confidence_threshold)
        self._proposals.change(changed.proposals)
        self._config = changed

    def _model_figures(self) -> dict[str, Any]:
        """Return which file runs, and what an inference took where variants were compared."""
        if self._detector is None or self._choice is None:
            return {"model": self._config.model}
        return {"model": str(self._detector.path), **self._choice.figures}

    def _check(self) -> Health:
        rate = self._frames - self._frames_before
        self._frames_before = self._frames
        figures = {"frames": self._frames, "frames_per_s": rate, **self._model_figures()}
        figures |= self._latency.ledger.figures(steady_ns())
        if self._subscription is not None:
            try:
                self._lock.renew()  # noticed without frames, too
            except LockError as error:
                self._fail(error)
        if self._failure:
            return Health.error(self._failure, **figures)
        fallback = notices.fallback_of(self._detector, self._choice, self._inspector)
        fallback = "; ".join(filter(None, (fallback, self._proposals.notice)))
        say = Health.warn if fallback else Health.ok
        if self._subscription is None:
            notice = self._door.notice
            say = Health.warn if notice else say
            return say("; ".join(filter(None, ("not active", notice, fallback))), **figures)
        figures["dropped"] = self._subscription.dropped
        figures["looks_given_up"] = self._looks_given_up
        return say(fallback or "active", **figures) if rate else Health.warn("no frames", **figures)


main = NodeProgram(DetectorNode, (SemanticDetectionError,))
