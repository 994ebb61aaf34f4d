"""doctor: is this machine fit for the robot? Prints what is wrong and what to do about it.

ros2 run semantic_detection_pkg doctor [--config FILE]

Exit status 0 if nothing is bad, 1 if something is, 2 if the config cannot be read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semantic_detection_pkg.cli.bringup import DEFAULT_CONFIG, EXIT_USAGE, read_file
from semantic_detection_pkg.common.configuration.reading import load_schema
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file
from semantic_detection_pkg.detector.backends.trt.platform import survey
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.health.checkup import CHECKS, CheckResult, CheckStatus, Machine


def main(words: Sequence[str] | None = None) -> int:
    """Run all checks."""
    parser = argparse.ArgumentParser(prog="doctor", description="Checks a machine.")
    parser.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="FILE", help=DEFAULT_CONFIG
    )
    given = parser.parse_args(words)
    try:
        machine = machine_from(read_file(given.config))
    except SemanticDetectionError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USAGE
    findings = [check(machine) for check in CHECKS]
    for finding in findings:
        print(line_of(finding))
    return int(any(finding.status is CheckStatus.BAD for finding in findings))


def machine_from(config: dict[str, Any]) -> Machine:
    """Return what a checked config.yaml says of the machine."""
    gimbal, launch, recorder = (
        config.get(name, {}) for name in ("gimbal_driver", "launch", "recorder")
    )
    known = load_schema()["properties"]
    defaults = known["gimbal_driver"]["properties"]
    default_source = known["camera"]["properties"]["source"]["default"]
    mode = os.environ.get(
        "GIMBAL_MODE", gimbal.get("gimbal_mode", defaults["gimbal_mode"]["default"])
    )
    device = gimbal.get("serial_device", defaults["serial_device"]["default"])
    output_dir = launch.get("output_dir", os.environ.get("OUTPUT_DIR", "output"))
    detector = config.get("detector", {})
    model = detector.get("model", "")
    default_engine = known["detector"]["properties"]["engine"]["default"]
    return Machine(
        model=model,
        serial_device=device if mode == "serial" else "",
        output_dir=recorder.get("output_dir", output_dir),
        shared_dir=launch.get("shared_dir", os.environ.get("TIER3_DIR", "/run/tier3")),
        now_s=time.time(),
        camera_source=config.get("camera", {}).get("source", default_source),
        engine=os.environ.get("INFERENCE_ENGINE", detector.get("engine", default_engine)),
        look_for_gpu=lambda: survey(family_of_file(Path(model))),
    )


def line_of(finding: CheckResult) -> str:
    """Return one line: status, name, what was found, and after an arrow what to do."""
    text = f"{finding.status.value:>4}  {finding.name:<8} {finding.what}"
    return f"{text} -> {finding.remedy}" if finding.remedy else text


if __name__ == "__main__":
    sys.exit(main())
