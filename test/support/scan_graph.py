"""The graph of a scan over the simulated world, as a launch file: mock gimbal, camera, detector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from free_port import free_port

SOURCE = "sim:7?width=960&height=540&rate=6"
_GIMBALS = "$(find-pkg-prefix gimbal_driver_pkg)/lib/gimbal_driver_pkg"
_MODELS = "$(find-pkg-share semantic_detection_pkg)/models"
#: A loaded machine is slow, not silent.
_PATIENT = {"detections_timeout_s": 60.0, "camera_timeout_s": 60.0, "gimbal_timeout_s": 10.0}


def write_scan_launch(
    path: Path,
    controller: Mapping[str, object],
    *,
    source: str = SOURCE,
    detector: Mapping[str, object] | None = None,
    has_classifier: bool = True,
    respawns: bool = False,
    also: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Write it.

    Args:
        controller: parameters of the scan controller.
        detector: further ones of the detector.
        respawns: a scan controller that ends is started again; otherwise any end ends the launch.
        also: further nodes of the main package, with their parameters.
    """
    address = f"127.0.0.1:{free_port()}"
    parameters = {
        "model": f"{_MODELS}/demo_detector.onnx",
        "confidence_threshold": 0.4,
        "threads": 1,
        "autostart": "activate",
    }
    if has_classifier:
        parameters["classifier"] = f"{_MODELS}/demo_classifier.onnx"
    again = {"respawn": "true", "respawn_delay": 0.5} if respawns else {}
    gimbal = f"{_GIMBALS}/mock_gimbal --tcp {address.rpartition(':')[2]}"
    entities = [
        {"executable": {"cmd": gimbal, "name": "mock_gimbal"}},
        _node("gimbal_driver", {"gimbal_mode": "mock_tcp", "mock_address": address}),
        _node("camera", {"source": source}),
        _node("detector", {**parameters, **(detector or {})}),
        _node("scan_controller", {**_PATIENT, **controller}, output="screen", **again),
        *(_node(name, parameters) for name, parameters in (also or {}).items()),
    ]
    if not respawns:
        entities.insert(0, {"set_env": {"name": "LAUNCH_ON_EXIT", "value": "shutdown"}})
    path.write_text(yaml.safe_dump({"launch": entities}, sort_keys=False))


def _node(name: str, parameters: Mapping[str, object], **options: Any) -> dict[str, Any]:
    package = "gimbal_driver_pkg" if name == "gimbal_driver" else "semantic_detection_pkg"
    listed = [{"name": key, "value": value} for key, value in parameters.items()]
    return {"node": {"pkg": package, "exec": name, "param": listed, **options}}


def write_controller_launch(path: Path, output_dir: Path) -> None:
    """Write a launch file of a scan controller alone, which keeps its mission in a folder."""
    node = {
        "pkg": "semantic_detection_pkg",
        "exec": "scan_controller",
        "output": "screen",
        "param": [{"name": "output_dir", "value": str(output_dir), "type": "str"}],
    }
    path.write_text(yaml.safe_dump({"launch": [{"node": node}]}))
