"""The nodes of the workspace: what documents and tests need to start and describe each one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from importlib import import_module


@dataclass(frozen=True)
class NodeEntry:
    """One node.

    Attributes:
        settings: dotted path of the dataclass of its settings.
        arguments: parameter values with which it starts on any machine, without hardware.
        is_lifecycle: it is brought up by transitions.
    """

    package: str
    executable: str
    purpose: str
    settings: str
    arguments: dict[str, str | int] = field(default_factory=dict)
    is_lifecycle: bool = False

    @property
    def name(self) -> str:
        """Name of the node, that of its executable."""
        return self.executable

    @property
    def settings_class(self) -> type:
        """Return the dataclass that `ros_support_pkg.parameters` declares."""
        module, _, name = self.settings.rpartition(".")
        settings_class: type = getattr(import_module(module), name)
        return settings_class


#: Goes with this process: in one that all share, one recorder at a time would record.
_FOLDER = tempfile.TemporaryDirectory(prefix="nodes")
#: Exists on any machine, for what two containers share on the robot, and for recordings.
_SHARED = _FOLDER.name

NODES = (
    NodeEntry(
        "semantic_detection_pkg",
        "camera",
        "Frames from any source, the newest wins.",
        "semantic_detection_pkg.camera.core.settings.CameraSettings",
        {"source": "fake:64x48?rate=10"},
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "detector",
        "Pictures in, detections with masks out.",
        "semantic_detection_pkg.detector.core.settings.DetectorNodeSettings",
        {"engine": "fake", "model": __file__},  # any file: the fake engine does not read it
        is_lifecycle=True,
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "gpu_arbiter",
        "Who may compute on the GPU: supervises the detector, grants leases to others.",
        "semantic_detection_pkg.gpu.core.settings.GpuArbiterSettings",
        {"gpu_lock_file": f"{_SHARED}/gpu.lock", "epoch_file": f"{_SHARED}/gpu.epoch"},
        is_lifecycle=True,
    ),
    NodeEntry(
        "gimbal_driver_pkg",
        "gimbal_driver",
        "A gimbal's protocol on one side, topics and services on the other.",
        "gimbal_driver_pkg.core.settings.GimbalDriverSettings",
        {"gimbal_mode": "mock_tcp", "mock_address": "127.0.0.1:9"},  # nobody listens there
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "health_monitor",
        "Memory, GPU, heat, disk and rates; says what is to be shed.",
        "semantic_detection_pkg.health.core.settings.HealthMonitorSettings",
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "scan_controller",
        "Sweeps an area, looks closer at what might match, decides, comes back.",
        "semantic_detection_pkg.scan.core.settings.ScanControllerSettings",
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "recorder",
        "A ring of bags of all that is seen and decided; events stay beyond it.",
        "semantic_detection_pkg.recorder.core.settings.RecorderSettings",
        {"output_dir": f"{_SHARED}/recordings", "min_free_mb": 0},
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "dashboard",
        "The page on port 8080: see, steer, measure.",
        "semantic_detection_pkg.dashboard.core.settings.DashboardNodeSettings",
        {"port": 0},
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "tak",
        "Findings, robot, camera and searched area onto the maps of teams with TAK; optional.",
        "semantic_detection_pkg.tak.core.settings.TakSettings",
        {"server": "tcp://127.0.0.1:9"},  # nobody listens there
    ),
    NodeEntry(
        "gimbal_driver_pkg",
        "vehicle",
        "Where the vehicle is, from its autopilot's MAVLink on a line of its own; optional.",
        "gimbal_driver_pkg.core.vehicle_settings.VehicleNodeSettings",
        {"line": "socket://127.0.0.1:9"},  # nobody listens there
    ),
    NodeEntry(
        "simulation_pkg",
        "demo_judge",
        "Prints what the detector sees, keeps overlay pictures, ends with a summary.",
        "simulation_pkg.core.settings.DemoJudgeSettings",
    ),
    NodeEntry(
        "vlm_bridge_pkg",
        "vlm_bridge",
        "Questions about pictures to a vision-language model, under a lease of the GPU.",
        "vlm_bridge_pkg.core.settings.VlmBridgeSettings",
    ),
)
