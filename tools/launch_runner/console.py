"""What the runner says: the lines of `ros2 launch`, on the screen and in a log file."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TextIO


def new_log_dir(environment: Mapping[str, str]) -> Path:
    """Create and return the folder of this run, below ROS_LOG_DIR, ROS_HOME/log or ~/.ros/log.

    Raises OSError.
    """
    home = Path(environment.get("ROS_HOME") or "~/.ros")
    base = Path(environment.get("ROS_LOG_DIR") or home / "log").expanduser()
    stamp = datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
    folder = base / f"{stamp}-{socket.gethostname()}-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


class Console:
    """Writes messages about processes and the lines that they print."""

    def __init__(self, screen: TextIO, log_file: TextIO | None = None) -> None:
        self._screen = screen
        self._log_file = log_file

    def message(self, level: str, name: str, text: str) -> None:
        """Write one message: `[INFO] [camera-1]: process started with pid [123]`."""
        self.line(f"[{level}] [{name}]: {text}")

    def line(self, text: str, is_shown: bool = True) -> None:
        """Write one line to the log file and, if `is_shown`, to the screen."""
        if is_shown:
            try:
                print(text, file=self._screen, flush=True)
            except BrokenPipeError:
                # Whoever read the screen is gone; the processes go on. What Python still holds for
                # it would fail once more at the end, and be the exit status.
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._screen.fileno())
        if self._log_file:
            print(f"{time.time():.7f} {text}", file=self._log_file, flush=True)
