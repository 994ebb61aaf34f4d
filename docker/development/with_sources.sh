#!/bin/bash
# Takes up the sources mounted at /sources, then runs a command in the workspace's environment.
#
# They are copied, not mounted in place: what the host compiled (*.so) is for another machine and must not be seen here,
# and what is compiled here has no place in folders that cannot be written. Only what differs in content is written, so
# `make build` compiles what was changed and nothing else. The environment is the image's: after a change of
# requirements.lock or of tools/setup the image is built anew.
set -e
sources=(config gimbal_driver_pkg interfaces_pkg launch models ros_support_pkg semantic_detection_pkg simulation_pkg
    tools vlm_bridge_pkg)
if [[ -d /sources ]]; then
    cd /opt/semantic-detection
    rsync --recursive --links --perms --checksum --inplace --delete --delete-delay \
        --exclude='*.so' --exclude='compiled/*.c' --exclude='__pycache__' --exclude='*.egg-info' --exclude='.*' \
        --exclude='/tools/setup' "${sources[@]/#//sources/}" .
    make build
fi
exec entrypoint "$@"
