"""The newest lease epoch, in a file that the GPU's users read before they compute.

The arbiter writes; it also finds its own last epoch here after a restart, so epochs never fall.
Standard library only: the VLM service runs this without ROS.
"""

from __future__ import annotations

import os
from pathlib import Path

from semantic_detection_pkg.errors import ConfigurationError

_MAX = 2**64 - 1  # AcquireGpu.epoch


def read_epoch(path: str | Path) -> int:
    """Return the newest epoch; 0 where the file does not exist yet.

    Raises:
        ConfigurationError: the file cannot be read or holds no epoch.
    """
    try:
        text = Path(path).read_bytes()[:64].decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ConfigurationError(f"epoch file {path}: {error.strerror}") from error
    if not text.isdigit() or int(text) > _MAX:
        raise ConfigurationError(f"epoch file {path}: {text!r}, allowed is a number 0..{_MAX}")
    return int(text)


def write_epoch(path: str | Path, epoch: int) -> None:
    """Replace the file's epoch; a reader sees the old or the new one, never a part.

    Raises:
        ConfigurationError: it cannot be written.
    """
    target = Path(path)
    draft = target.with_name(f"{target.name}.new")
    try:
        # No fsync: it must outlive processes, not the machine, whose end ends all leases.
        draft.write_text(f"{epoch}\n")
        os.replace(draft, target)
    except OSError as error:
        raise ConfigurationError(f"epoch file {path}: {error.strerror}") from error
