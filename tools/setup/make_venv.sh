#!/bin/sh
# Makes the virtual environment of the workspace. Run through `make setup`.
# usage: make_venv.sh PYTHON VENV
#
# Without a ROS, the environment holds ROS 2 itself (wheels) and becomes an underlay that colcon can
# chain to. With ROS_DISTRO set, it holds only what that ROS lacks and sees the system's modules; then
#   SETUP_GROUPS   which of run, build, dev is installed (all)
#   SETUP_WITHOUT  a requirement that the system has in another way (OpenCV, if the system's has GStreamer, which csi:
#                  needs and the wheel has not)
set -eu
python=$1
venv=$2
here=$(dirname "$0")
"$here/preflight.sh" "$python"

if [ -n "${ROS_DISTRO:-}" ]; then
    [ -x "$venv/bin/python" ] || "$python" -m venv --system-site-packages "$venv"
else
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

# Never `uv pip sync`: the ROS wheels carry nested package records that a second sync removes.
install="$here/uv.sh $venv pip install --quiet --python $venv/bin/python"
if [ -n "${ROS_DISTRO:-}" ]; then
    if [ -z "${SETUP_WITHOUT:-}" ] && "$here/has_gstreamer.sh" "$python"; then
        SETUP_WITHOUT=opencv-python-headless
        echo "OpenCV is the system's: it has GStreamer" >&2
        "$venv/bin/python" -m pip uninstall --quiet --yes opencv-python-headless 2>/dev/null # of a set-up before
    fi
    wanted=$venv/wanted.txt
    for group in ${SETUP_GROUPS:-run build dev}; do
        grep -v "^${SETUP_WITHOUT:-#}" "requirements/$group.in"
    done >"$wanted"
    $install --overrides requirements/overrides.txt -r "$wanted" -c requirements.lock
else
    # The lock is complete; without --no-deps its overrides would be asked for again.
    $install --no-deps --require-hashes -r requirements.lock
    "$venv/bin/python" "$here/make_underlay.py" "$venv"
fi
