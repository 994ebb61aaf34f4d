#!/bin/bash
# Runs a command in the environment of ROS and this workspace.
set -e
source /opt/ros/humble/setup.bash
export PATH="/opt/semantic-detection/.venv-humble/bin:$PATH" VIRTUAL_ENV=/opt/semantic-detection/.venv-humble
source /opt/semantic-detection/install/local_setup.bash
exec "$@"
