"""The driver's last will: stop the gimbal, though the driver was killed or hangs.

A gimbal that was told to turn goes on turning when nobody speaks any more. A driver that is told
to end sends a stop; one that is killed (-9) or stuck cannot. So while the gimbal moves, a small
process of its own (`last_will_child`) holds a copy of the line and the stop frame, and sends it
when the driver's end of a pipe closes, or when the driver has been silent for too long.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

from gimbal_driver_pkg.links import last_will_child as child

_EXIT_S = 2.0

SILENCE_S = 0.18
"""[s] A gimbal must be stopped within 0.3 s of its driver's end: the rest is for the child's turn
on a busy machine and for the line. A driver that is held up for so long says its wish again."""


class LastWill:
    """Lets somebody else stop the gimbal. Not thread-safe."""

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        """Start the child; a driver that moves the gimbal and is silent that long is stuck."""
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pipe.setblocking(False)
        command = [sys.executable, "-I", "-S", str(Path(child.__file__))]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(silence_s)],
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C and a killed process group must not reach it
                stdin=subprocess.DEVNULL,
            )

    def hold(self, line_fd: int, stop_frame: bytes) -> None:
        """Hand over the line as it is now and what to send; the gimbal is taken to be still."""
        message = [child.HOLD + stop_frame]
        with contextlib.suppress(OSError):
            socket.send_fds(self._pipe, message, [line_fd])

    def drop(self) -> None:
        """Let go of the line: the driver has closed it, and only the last copy really closes."""
        with contextlib.suppress(OSError):
            self._pipe.send(child.DROP)

    def beat(self, is_moving: bool) -> None:
        """Say that the driver is alive and whether the gimbal moves; often while it does."""
        with contextlib.suppress(OSError):  # without the child the driver still stops by itself
            self._pipe.send(child.MOVING if is_moving else child.STILL)

    def close(self) -> None:
        """End the child without a stop: the driver has sent its own."""
        self.beat(is_moving=False)
        self._pipe.close()
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
