#!/bin/bash
# Runs a command in the environment of ROS and this workspace: of an installed ROS (ROS_DISTRO is set), or of the wheels.
set -e
workspace=/opt/semantic-detection
if [[ -n "${ROS_DISTRO:-}" ]]; then
    source "/opt/ros/$ROS_DISTRO/setup.bash"
    export VIRTUAL_ENV="$workspace/.venv-$ROS_DISTRO"
    export PATH="$VIRTUAL_ENV/bin:$PATH"
else
    source "$workspace/.venv/local_setup.bash"
fi
source "$workspace/install/local_setup.bash"
# The program itself is the main process: `ros2 run` would end at SIGTERM and leave it running.
if [[ "$1 $2" == "ros2 run" && -x "$workspace/install/$3/lib/$3/$4" ]]; then
    set -- "$workspace/install/$3/lib/$3/$4" "${@:5}"
fi
exec "$@"
