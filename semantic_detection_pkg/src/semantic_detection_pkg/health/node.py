"""Health monitor node: memory, GPU, heat, disk, rates, delays; says what is to be shed.

It only says so on `health/level`; who can shed something listens (`ros_support_pkg.shedding`). The
model in the other container has no ROS: a file in the shared folder holds it back.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from interfaces_pkg.msg import Detections, GimbalState, GpuState, HealthState
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, subscribe
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import SENSOR_DATA, STATE
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.timers import every
from semantic_detection_pkg.common.core.serialised import stamp_of
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.health.core.policy import SHED, Assessment, Policy, Step
from semantic_detection_pkg.health.core.reading import MachineReading
from semantic_detection_pkg.health.core.settings import HealthMonitorSettings
from semantic_detection_pkg.health.core.streams import (
    CAMERA,
    DETECTIONS,
    GIMBAL,
    Stream,
    streams_of,
)
from semantic_detection_pkg.health.machine_files import read_machine

_LEVELS = {
    Step.NOTHING: HealthState.LEVEL_OK,
    Step.TIER3: HealthState.LEVEL_SHED,
    Step.RATES: HealthState.LEVEL_SHED,
    Step.MODEL: HealthState.LEVEL_CRITICAL,
}


class HealthMonitorNode(Node):
    """Reads the machine, judges, tells."""

    def __init__(self, **options: Any) -> None:
        super().__init__("health_monitor", **options)
        self._config = declare_parameters(self, HealthMonitorSettings)
        self._policy = Policy(self._config.limits)
        self._reading = MachineReading()
        self._assessment = Assessment(Step.NOTHING, ())
        self._streams = streams_of(self._config.streams, self._now_s())
        self._complaints: tuple[str, ...] = ()
        self._watch(CAMERA, CameraInfo)
        self._watch(DETECTIONS, Detections)
        self._watch(GIMBAL, GimbalState)
        self._is_lent = False
        subscribe(self, GpuState, "gpu/state", self._note_owner, STATE)
        self._level = advertise(self, HealthState, "health/level", STATE)
        every(self, self._config.period_s, self._look)
        publish_diagnostics(self, self._check)
        self._look()

    def destroy_node(self) -> None:
        self._hold(False)  # nobody would take it back
        super().destroy_node()

    def _watch(self, topic: str, message_type: type) -> None:
        if topic in self._streams:
            count = partial(self._count, self._streams[topic])
            subscribe(self, message_type, topic, count, SENSOR_DATA, raw=True)

    def _note_owner(self, state: GpuState) -> None:
        self._is_lent = state.owner == GpuState.OWNER_LEASE

    def _look(self) -> None:
        config = self._config
        self._reading = reading = read_machine(config.output_dir, Path(config.root_dir))
        before = self._assessment.step
        self._assessment = assessed = self._policy.assess(self._now_s(), reading)
        if assessed.step != before:
            words = "; ".join(assessed.reasons) or "there is room again"
            shed = ", ".join(assessed.shed) or "nothing"
            self.get_logger().warning(f"shed now: {shed}: {words}")
        self._hold(SHED[Step.MODEL] in assessed.shed)
        now_s = self._now_s()
        if self._is_lent and DETECTIONS in self._streams:
            self._streams[DETECTIONS].excuse(now_s)  # the detector waits for the model
        complaints = (stream.complaint(now_s) for stream in self._streams.values())
        self._complaints = tuple(filter(None, complaints))
        message = HealthState(
            level=self._level_of(assessed),
            reasons=[*assessed.reasons, *self._complaints],
            shed=list(assessed.shed),
            memory_available_mb=reading.memory_available_mb,
            gpu_memory_mb=reading.gpu_memory_mb,
            gpu_load=reading.gpu_load,
            temperature_max_c=reading.hottest_c,
            disk_free_mb=reading.disk_free_mb,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._level.publish(message)

    def _level_of(self, assessed: Assessment) -> int:
        if assessed.step is Step.NOTHING and (assessed.reasons or self._complaints):
            return int(HealthState.LEVEL_WARN)
        return int(_LEVELS[assessed.step])

    def _hold(self, is_held: bool) -> None:
        if not self._config.vlm_hold_file:
            return
        path = Path(self._config.vlm_hold_file)
        try:
            if is_held:
                path.touch()
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            self.get_logger().error(f"vlm_hold_file {path}: {error.strerror}", once=True)

    def _count(self, stream: Stream, message: bytes) -> None:
        now_ns = self.get_clock().now().nanoseconds
        stream.count(self._now_s(), 1e-9 * (now_ns - stamp_of(message)))

    def _check(self) -> Health:
        now_s, reading = self._now_s(), self._reading
        figures: dict[str, object] = {
            "memory_available_mb": f"{reading.memory_available_mb:.0f}",
            "gpu_memory_mb": f"{reading.gpu_memory_mb:.0f}",
            "container_memory_mb": f"{reading.container_memory_mb:.0f}",
            "stalled_percent": f"{reading.stalled_percent:.1f}",
            "temperature_max_c": f"{reading.hottest_c:.0f}",
            "disk_free_mb": f"{reading.disk_free_mb:.0f}",
            "shed": ", ".join(self._assessment.shed) or "nothing",
        }
        for topic, stream in self._streams.items():
            figures.update(stream.figures(topic, now_s))
        words = "; ".join((*self._assessment.reasons, *self._complaints))
        if self._assessment.step is Step.MODEL:
            return Health.error(words, **figures)
        return Health.warn(words, **figures) if words else Health.ok("all well", **figures)

    def _now_s(self) -> float:
        return time.monotonic()


main = NodeProgram(HealthMonitorNode, (SemanticDetectionError,))
