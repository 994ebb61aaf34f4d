"""Print every finding as it comes, and again whenever it changes: `python examples/findings.py`."""

from __future__ import annotations

import argparse
import contextlib

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from interfaces_pkg.msg import Finding
from ros_support_pkg.core.words import FindingState
from ros_support_pkg.qos import RECORD


class FindingsPrinter(Node):
    """Subscribes to `findings`; those of before it was started come first (QoS `RECORD`)."""

    def __init__(self, count: int) -> None:
        super().__init__("findings_printer")
        self._left = count
        self.create_subscription(Finding, "findings", self._print, RECORD)

    def _print(self, finding: Finding) -> None:
        state = FindingState(finding.state).word
        print(
            f"{finding.id} revision {finding.revision}: {finding.class_name} {state}, "
            f"score {finding.score:.2f}, yaw {finding.bearing.yaw_rad:.3f} rad, "
            f"pitch {finding.bearing.pitch_rad:.3f} rad",
            flush=True,
        )
        self._left -= 1
        if self._left == 0:
            self.context.try_shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=-1, help="end after so many (default: never)")
    options, ros_arguments = parser.parse_known_args()
    rclpy.init(args=ros_arguments)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(FindingsPrinter(options.count))


if __name__ == "__main__":
    main()
