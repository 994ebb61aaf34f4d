"""doctor: is this machine fit for the robot? Prints what is wrong and what to do about it.

ros2 run semantic_detection_pkg doctor [--config FILE] [--launch-file FILE]

Exit status 0 if nothing is bad, 1 if something is, 2 if the config cannot be read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from semantic_detection_pkg.cli.bringup import DEFAULT_CONFIG, EXIT_USAGE, read_file
from semantic_detection_pkg.cli.launch_arguments import DEV_LAUNCH, ROBOT_LAUNCH
from semantic_detection_pkg.cli.machine import launch_file_of, line_of, machine_from
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.health.checkup import CHECKS, CheckStatus


def main(words: Sequence[str] | None = None) -> int:
    """Run all checks."""
    parser = argparse.ArgumentParser(prog="doctor", description="Checks a machine.")
    parser.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="FILE", help=DEFAULT_CONFIG
    )
    parser.add_argument(
        "--launch-file",
        choices=(ROBOT_LAUNCH, DEV_LAUNCH),
        help=f"that the config is for; left out: {DEV_LAUNCH} where its camera is sim: or photo:",
    )
    given = parser.parse_args(words)
    try:
        config = read_file(given.config)
        plan_launch(config, os.environ)  # what would end `bringup` at once
        machine = machine_from(config, given.launch_file or launch_file_of(config))
    except SemanticDetectionError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USAGE
    findings = [check(machine) for check in CHECKS]
    for finding in findings:
        print(line_of(finding))
    return int(any(finding.status is CheckStatus.BAD for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
