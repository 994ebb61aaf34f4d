"""Ctrl-C while a node's modules are still being imported: the process ends, without a traceback.

Imports take half a second, and a launch that ends early interrupts nodes in the middle of it. A
package's `programs` is imported before its nodes are, so that is where handling begins;
`running.run_node` takes over.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import FrameType

_interrupts: list[int] = []


def leave_on_interrupt(package: str, status: int = 0) -> None:
    """Let SIGINT end this process with a status, if it runs a program of the package.

    Programs are what ament installs in `lib/<package>`; who only imports a node's module keeps the
    handling it has. So does who was told to ignore the signal.
    """
    is_program = Path(sys.argv[0]).parent.parts[-2:] == ("lib", package)
    if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, partial(_leave, status))


def interrupt_from_now_on() -> None:
    """Go back to KeyboardInterrupt, for who is ready to catch it."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler or getattr(handler, "func", None) is _leave:
        signal.signal(signal.SIGINT, _interrupt)


def was_interrupted() -> bool:
    """Return whether a KeyboardInterrupt was raised since: compiled code may make another of it."""
    return bool(_interrupts)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _interrupts.append(number)
    raise KeyboardInterrupt


def _leave(status: int, _number: int, _frame: FrameType | None) -> None:
    os._exit(status)  # nothing was acquired yet
