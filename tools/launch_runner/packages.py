"""Packages, their share folders and executables, looked up in the ament index."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix

from launch_runner.errors import LaunchError


def package_prefix(package: str) -> Path:
    """Return the install prefix of `package`, the first one in AMENT_PREFIX_PATH that has it.

    Raises LaunchError when no prefix has it.
    """
    try:
        return Path(get_package_prefix(package))
    except (PackageNotFoundError, OSError, ValueError):
        searched = os.environ.get("AMENT_PREFIX_PATH") or "(empty)"
        raise LaunchError(
            f"package '{package}' not found in AMENT_PREFIX_PATH {searched}"
        ) from None


def package_share(package: str) -> Path:
    """Return the share folder of `package`. Raises LaunchError."""
    return package_prefix(package) / "share" / package


def package_executable(package: str, executable: str) -> Path:
    """Return the path of a program in the package's lib folder. Raises LaunchError."""
    folder = package_prefix(package) / "lib" / package
    found = shutil.which(executable, path=str(folder))
    if found is None:
        raise LaunchError(f"package '{package}' has no executable '{executable}' in {folder}")
    return Path(found)


def package_launch_file(package: str, name: str) -> Path:
    """Return the one file called `name` anywhere below the package's share folder.

    Raises LaunchError when there is none or more than one.
    """
    share = package_share(package)
    found = sorted(share.rglob(name))
    if len(found) != 1:
        problem = "not found" if not found else f"found {len(found)} times"
        raise LaunchError(f"launch file '{name}' of package '{package}' {problem} below {share}")
    return found[0]
