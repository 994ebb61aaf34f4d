"""Ends the process when the model hangs.

A model library's worker that died makes its caller wait for ever, and a kernel that hangs cannot be
cancelled; only the end of the process gives the GPU and its lock back.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import threading
from collections.abc import Callable, Iterator

EXIT_HUNG = 70  # EX_SOFTWARE


def end_process(what: str, status: int = EXIT_HUNG) -> None:
    """Say where every thread stands and leave at once."""
    os.write(2, f"error: {what}: the process ends\n".encode())
    faulthandler.dump_traceback()
    os._exit(status)


@contextlib.contextmanager
def limited(
    timeout_s: float, what: str, on_timeout: Callable[[str], None] = end_process
) -> Iterator[None]:
    """Call `on_timeout` when the `with` block takes longer."""
    timer = threading.Timer(timeout_s, on_timeout, [f"{what} took longer than {timeout_s:g} s"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
