#!/bin/bash
# Runs a command in the environment of ROS and this workspace.
set -e
source /opt/ros/humble/setup.bash
export PATH="/opt/semantic-detection/.venv-humble/bin:$PATH" VIRTUAL_ENV=/opt/semantic-detection/.venv-humble
source /opt/semantic-detection/install/local_setup.bash
# The program itself is the main process: `ros2 run` would end at SIGTERM and leave it running.
if [[ "$1 $2" == "ros2 run" && -x "/opt/semantic-detection/install/$3/lib/$3/$4" ]]; then
    set -- "/opt/semantic-detection/install/$3/lib/$3/$4" "${@:5}"
fi
exec "$@"
