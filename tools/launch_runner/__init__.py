"""Starts `*.launch.yaml` files where the ROS `launch` package is missing.

The files are those of the official YAML frontend (`ros2 launch`), limited to what Humble and Jazzy
both know: the runner refuses, by file and line, what either of them would refuse. Data flow:

    document (YAML, checked)  ->  plan (command lines)  ->  supervisor (processes)

Facts about the frontend come from the sources of `launch` and `launch_ros`, branches humble and
jazzy (github.com/ros2/launch, github.com/ros2/launch_ros).
"""

from launch_runner.errors import LaunchError
from launch_runner.session import LaunchSession, ProcessState

__all__ = ["LaunchError", "LaunchSession", "ProcessState"]
