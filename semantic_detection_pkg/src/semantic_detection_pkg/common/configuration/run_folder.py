"""A folder for the files of one run, which are gone at the latest when the next run starts.

`bringup` becomes `ros2 launch`, which may be killed, so nobody is there to clean up behind it. Each
folder is locked by the process that made it; the kernel frees the lock when that has ended, also
after it has become another program. What is not locked is of nobody and is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path


def make_run_folder(parent: Path | None = None) -> Path:
    """Make a folder of this process; remove those of processes that have ended.

    Args:
        parent: where; by default the folder for temporary files.

    Raises:
        OSError: it cannot be made.
    """
    base = _base(parent)
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FileExistsError(f"{base} is not a folder of this user")
    for path in base.iterdir():
        _remove_if_free(path)
    while True:
        path = Path(tempfile.mkdtemp(dir=base))
        descriptor = _lock(path)
        # Another start may have taken it for a left one, between the two lines above.
        if descriptor is not None and path.exists():
            os.set_inheritable(descriptor, True)  # kept through exec, for as long as that runs
            return path


def run_folders(parent: Path | None = None) -> list[Path]:
    """Return the folders of this user's runs, those of ended ones too until the next start.

    Args:
        parent: where; by default the folder for temporary files.
    """
    try:
        return sorted(path for path in _base(parent).iterdir() if path.is_dir())
    except OSError:
        return []


def _base(parent: Path | None) -> Path:
    return (parent or Path(tempfile.gettempdir())) / f"semantic_detection-{os.getuid()}"


def _lock(path: Path) -> int | None:
    """Take a folder's lock; None: another has it, or the folder is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_if_free(path: Path) -> None:
    descriptor = _lock(path)
    if descriptor is not None:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)
