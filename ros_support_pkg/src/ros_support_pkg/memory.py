"""Memory that a process freed goes back to the system: a start needs much that nothing needs later.

glibc gives back by itself only what lies at the end of its first heap, and large blocks. What is
freed below something that stays, or by another thread than the main one, it keeps for the process:
of the simulated world's camera a third of all that it holds (docs/performance.md).
"""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: [s] Between two times. It takes a millisecond or few, and what is needed again is had again by a
#: page fault, so this costs nothing that can be measured.
_PERIOD_S = 20.0


@contextmanager
def giving_back(period_s: float = _PERIOD_S) -> Iterator[None]:
    """Give free memory back each `period_s` [s] inside a `with` block, in a thread of its own."""
    give_back = _trim()
    if give_back is None:
        yield
        return
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(period_s):
            give_back()

    threading.Thread(target=work, name="free memory", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _trim() -> Callable[[], object] | None:
    """Return what gives free memory back; None where the C library has nothing of that kind."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:  # not glibc
        return None
    return lambda: trim(ctypes.c_size_t(0))
