#!/bin/sh
# Names what this machine lacks before the set-up fails on it: one line each, with the command that installs it.
# usage: preflight.sh PYTHON
set -u
python=$1
missing=0

lack() { # what it is, what it is for, Debian package
    printf 'missing: %s (%s); install it with: sudo apt-get install %s\n' "$1" "$2" "$3" >&2
    missing=1
}

if ! command -v "$python" >/dev/null 2>&1; then
    lack "$python" "the language" python3
else
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || {
        printf 'missing: Python 3.10 to 3.12, %s is %s; name another with: make PYTHON=python3.11\n' \
            "$python" "$("$python" -c 'import platform; print(platform.python_version())')" >&2
        missing=1
    }
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        lack "Python module venv" "the virtual environment" python3-venv
    "$python" -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        lack "Python.h" "compiling extensions" python3-dev
fi
command -v g++ >/dev/null 2>&1 || lack g++ "compiling messages and kernels" g++
command -v cmake >/dev/null 2>&1 || lack cmake "building the interfaces" cmake
command -v make >/dev/null 2>&1 || lack make "building the interfaces" make
if command -v cmake >/dev/null 2>&1; then
    cmake_version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p')
    printf '3.21\n%s\n' "$cmake_version" | sort -VC ||
        lack "CMake 3.21 or newer, here is $cmake_version" "building the interfaces" cmake
fi
exit $missing
