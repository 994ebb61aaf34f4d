"""What a config.yaml says of the machine, for the checks of `doctor` and `bringup`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from semantic_detection_pkg.camera.calibration import load_calibration
from semantic_detection_pkg.camera.sources.registry import check_source
from semantic_detection_pkg.cli.launch_arguments import (
    DEV_LAUNCH,
    ROBOT_LAUNCH,
    argument_default,
)
from semantic_detection_pkg.common.configuration.launching import variable
from semantic_detection_pkg.common.configuration.reading import load_schema
from semantic_detection_pkg.detector.backends.trt.cuda import has_driver
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file
from semantic_detection_pkg.detector.backends.trt.platform import NO_DRIVER, survey
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.health.checkup import (
    CHECKS,
    CheckResult,
    CheckStatus,
    Machine,
    check_device,
    check_engine,
)
from semantic_detection_pkg.scan.adapters.terrain_file import check_terrain
from semantic_detection_pkg.scan.core.terrain import TerrainSettings

#: Imported only where a config asks for CUDA: it takes a second.
_ONNX = "semantic_detection_pkg.detector.backends.onnx"
#: Cameras that look into a world of their own; a robot has none.
_WORLDS = ("sim", "photo")


def launch_file_of(config: Mapping[str, Any]) -> str:
    """Return the launch file that a config.yaml is for: one with a made world is for the laptop."""
    scheme = str(config.get("camera", {}).get("source", "")).partition(":")[0]
    return DEV_LAUNCH if scheme in _WORLDS else ROBOT_LAUNCH


def machine_from(
    config: Mapping[str, Any], launch_file: str, typed: Mapping[str, str] | None = None
) -> Machine:
    """Return what a checked config.yaml says of the machine.

    Args:
        launch_file: that it is for; its defaults hold where the config says nothing.
        typed: arguments of the launch file, which win.
    """
    typed = typed or {}
    gimbal, launch, recorder = (
        config.get(name, {}) for name in ("gimbal_driver", "launch", "recorder")
    )
    known = load_schema()["properties"]
    defaults = known["gimbal_driver"]["properties"]
    default_source = known["camera"]["properties"]["source"]["default"]
    mode = typed.get("gimbal_mode") or _variable("GIMBAL_MODE")
    mode = mode or gimbal.get("gimbal_mode", defaults["gimbal_mode"]["default"])
    if typed.get("gimbal", str(launch.get("gimbal", True))).lower() != "true":
        mode = "none"
    serial_device = _variable("GIMBAL_DEVICE") or gimbal.get(
        "serial_device", defaults["serial_device"]["default"]
    )
    output_dir = launch.get("output_dir") or _variable("OUTPUT_DIR") or "output"
    detector = config.get("detector", {})
    model = typed.get("model") or detector.get("model") or argument_default(launch_file, "model")
    default_engine = known["detector"]["properties"]["engine"]["default"]
    shared_dir = (
        launch.get("shared_dir")
        or argument_default(launch_file, "shared_dir")
        or _variable("TIER3_DIR")
        or "/run/tier3"
    )
    terrain = TerrainSettings(config.get("scan_controller", {}).get("terrain_file", ""))
    camera = config.get("camera", {})
    camera_source = typed.get("source") or camera.get("source", default_source)
    engine = _variable("INFERENCE_ENGINE") or detector.get("engine", default_engine)
    device = detector.get("device", known["detector"]["properties"]["device"]["default"])
    has_model = typed.get("vlm", str(launch.get("vlm", True))).lower() == "true"
    return Machine(
        model=model,
        serial_device=serial_device if mode == "serial" else "",
        output_dir=typed.get("output_dir") or recorder.get("output_dir", output_dir),
        shared_dir=(typed.get("shared_dir") or shared_dir) if has_model else "",
        now_s=time.time(),
        camera_source=camera_source,
        camera_mistake=_camera_mistake(camera_source, camera.get("calibration_file", "")),
        engine=typed.get("engine") or engine,
        device=device,
        find_cuda=_lack_of_cuda,
        # On a laptop nothing of it is in a container: a stand-in answers for the model.
        has_gpu_in_container=launch_file != DEV_LAUNCH
        and (has_model or engine == "tensorrt" or device == "cuda"),
        look_for_gpu=lambda: survey(family_of_file(Path(model))),
        terrain_file=terrain.terrain_file,
        find_terrain_mistake=lambda: _terrain_mistake(terrain),
    )


def _variable(name: str) -> str:
    return variable(os.environ, name)


def _terrain_mistake(terrain: TerrainSettings) -> str:
    try:
        check_terrain(terrain)
    except ConfigurationError as error:
        return str(error)
    return ""


def _lack_of_cuda() -> str:
    lack: str = import_module(_ONNX).lack_of_cuda()
    return lack or ("" if has_driver() else NO_DRIVER)


def _camera_mistake(source: str, calibration_file: str) -> str:
    """Return for what the camera node would end at once, as far as files tell; "" for nothing."""
    try:
        check_source(source)
        if calibration_file:
            load_calibration(calibration_file)
    except ConfigurationError as error:
        return str(error)
    return ""


def line_of(finding: CheckResult) -> str:
    """Return one line: status, name, what was found, and after an arrow what to do."""
    text = f"{finding.status.value:>4}  {finding.name:<8} {finding.what}"
    return f"{text} -> {finding.remedy}" if finding.remedy else text


def say_what_is_wrong(machine: Machine, *, is_robot: bool) -> None:
    """Print the lines of `doctor` that are not well, on stderr.

    All but the engine's: loading CUDA for a look takes seconds, and the detector says it itself.

    Args:
        is_robot: else only what the config asks for is looked at: a laptop is no robot.
    """
    for check in CHECKS if is_robot else (check_device,):
        if check is check_engine:
            continue
        finding = check(machine)
        if finding.status in (CheckStatus.BAD, CheckStatus.WARN):
            print(line_of(finding), file=sys.stderr, flush=True)
