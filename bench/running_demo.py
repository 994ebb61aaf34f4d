"""The graph of `make demo`, simulated world, mock gimbal and all, from its first detections on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_START_TIMEOUT_S = 120.0


@contextmanager
def running_demo(folder: Path, **arguments: str) -> Iterator[tuple[Any, Any]]:
    """Run it, with launch arguments besides; give the launch and a probe in its domain.

    Raises:
        AssertionError: no detections came.
    """
    sys.path.insert(0, str(_ROOT / "tools"))
    from free_port import free_port
    from launch_runner import LaunchSession
    from ros_graph import GraphProbe, isolated_domain

    from interfaces_pkg.msg import Detections
    from ros_support_pkg.qos import SENSOR_DATA
    from semantic_detection_pkg.cli.bringup import arguments_of, read_file
    from semantic_detection_pkg.common.configuration.launching import plan_launch

    config = read_file(_ROOT / "config/config.dev.yaml")
    given = {
        **arguments_of(plan_launch(config, {})),
        "mock_port": str(free_port()),
        "dashboard_port": str(free_port()),
        "output_dir": str(folder / "recordings"),
        "save_dir": str(folder / "pictures"),
        "shared_dir": str(folder),
        **arguments,
    }
    target = ("semantic_detection_pkg", "dev.launch.yaml")
    with isolated_domain() as environment, LaunchSession(target, given, env=environment) as launch:
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        try:
            detections = probe.listen(Detections, "detections", SENSOR_DATA)
            probe.wait_for(lambda: detections, "detections", _START_TIMEOUT_S)
            yield launch, probe
        finally:
            probe.close()
