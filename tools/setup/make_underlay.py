"""Turns a virtual environment with the ROS 2 wheels into an underlay like /opt/ros/DISTRO.

Writes `local_setup.sh` and `local_setup.bash`, so that colcon chains to it, a CMake toolchain file
that repairs the wheels, and links the `ros2` stand-in, since ros2cli is not on PyPI.
"""

import sys
from pathlib import Path

LOCAL_SETUP = """\
# ROS 2 from wheels: sourced by the workspace's setup files.
export VIRTUAL_ENV="{venv}"
case ":$PATH:" in *":{venv}/bin:"*) ;; *) export PATH="{venv}/bin:$PATH" ;; esac
case ":${{AMENT_PREFIX_PATH:-}}:" in
    *":{venv}:"*) ;;
    *) export AMENT_PREFIX_PATH="{venv}${{AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}}" ;;
esac
export CMAKE_TOOLCHAIN_FILE="{venv}/share/wheel_toolchain.cmake"
"""

# The exported message targets name include directories of the wheels' build machine
# (/opt/python/cp3*); CMake refuses targets whose include directories do not exist. Nothing that
# links them needs those. Nor does anything here link C++ messages; see interfaces_pkg.
TOOLCHAIN = """\
set(CMAKE_PROJECT_INCLUDE "{venv}/share/wheel_includes.cmake")
set(INTERFACES_FOR_PYTHON ON CACHE BOOL "Generate messages for Python only, without C++")
"""
INCLUDES = """\
function(drop_wheel_builder_includes)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(includes ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(includes)
      list(FILTER includes EXCLUDE REGEX "^/opt/python/cp")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${includes}")
    endif()
  endforeach()
endfunction()
if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  cmake_language(DEFER CALL drop_wheel_builder_includes)
endif()
"""


def main(venv: Path) -> None:
    for name in ("local_setup.sh", "local_setup.bash"):
        (venv / name).write_text(LOCAL_SETUP.format(venv=venv))
    share = venv / "share"
    share.mkdir(exist_ok=True)
    (share / "wheel_toolchain.cmake").write_text(TOOLCHAIN.format(venv=venv))
    (share / "wheel_includes.cmake").write_text(INCLUDES)
    ros2 = venv / "bin" / "ros2"
    ros2.unlink(missing_ok=True)
    ros2.symlink_to(Path(__file__).resolve().parent.parent / "ros2")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
