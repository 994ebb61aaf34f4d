"""The nodes of the workspace: what documents and tests need to start and describe each one."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module


@dataclass(frozen=True)
class NodeEntry:
    """One node.

    Attributes:
        parameters: dotted path of its parameter class.
        arguments: parameter values with which it starts on any machine, without hardware.
        is_lifecycle: it is brought up by transitions.
    """

    package: str
    executable: str
    purpose: str
    parameters: str
    arguments: dict[str, str] = field(default_factory=dict)
    is_lifecycle: bool = False

    @property
    def name(self) -> str:
        """Name of the node, that of its executable."""
        return self.executable

    @property
    def parameters_class(self) -> type:
        """The dataclass that `ros_support_pkg.parameters` declares."""
        module, _, name = self.parameters.rpartition(".")
        parameters_class: type = getattr(import_module(module), name)
        return parameters_class


NODES = (
    NodeEntry(
        "semantic_detection_pkg",
        "camera",
        "Frames from any source, the newest wins.",
        "semantic_detection_pkg.nodes.camera.CameraParameters",
        {"source": "fake:64x48?rate=10"},
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "detector",
        "Pictures in, detections with masks out.",
        "semantic_detection_pkg.nodes.detector.DetectorParameters",
        {"engine": "fake", "model": __file__},  # any file: the fake engine does not read it
        is_lifecycle=True,
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "patrol",
        "Turns the gimbal to and fro, so that the demo sees something while no scan runs.",
        "semantic_detection_pkg.nodes.patrol.PatrolParameters",
    ),
    NodeEntry(
        "semantic_detection_pkg",
        "watch",
        "Prints what the detector sees, keeps overlay pictures, ends with a summary.",
        "semantic_detection_pkg.nodes.watch.WatchParameters",
    ),
)
