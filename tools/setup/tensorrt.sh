#!/bin/sh
# Installs NVIDIA's TensorRT for RTX for the tests that ask the real one, where there is a wheel of it.
# Without it those tests are skipped, and say so.
# usage: tensorrt.sh VENV
set -u
venv=$1
here=$(dirname "$0")
skipped="its tests will be skipped"

if ! "$venv/bin/python" -c 'import platform, sys
sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 12) and sys.platform == "linux" and platform.machine() == "x86_64"))'; then
    echo "no wheel of TensorRT for RTX for this Python and machine: $skipped" >&2
    exit 0
fi
# Fetched once, 95 MB; afterwards a question of milliseconds.
if ! why=$("$here/uv.sh" "$venv" pip install --quiet --no-deps --require-hashes --python "$venv/bin/python" \
    -r "$here/../../requirements/tensorrt.lock" 2>&1); then
    echo "TensorRT for RTX could not be installed ($(printf '%s' "$why" | tr '\n' ' ' | cut -c 1-200)): $skipped" >&2
fi
