"""Processes of this machine look."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, resource_tracker

from semantic_detection_pkg.archive.core.question import Question, Unit
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.errors import SourceLostError

#: A unit that was under way so often when a worker died is what they die of.
_DEATHS_MAX = 3
_WAITING_EACH = 2  # units that wait for each worker: more would be lost in a queue
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class LocalWorkers:
    """See `Workers`. A process that is killed is replaced, and its unit done again."""

    def __init__(self, count: int) -> None:
        """Have so many processes, 1 or more."""
        self._count = count

    def run(self, question: Question, units: Sequence[Unit]) -> Iterator[tuple[int, bytes]]:
        """See `Workers`."""
        left = dict(enumerate(units))
        deaths: Counter[int] = Counter()
        while left:
            for number, data in self._round(question, left, deaths):
                del left[number]
                yield number, data

    def _round(
        self, question: Question, left: dict[int, Unit], deaths: Counter[int]
    ) -> Iterator[tuple[int, bytes]]:
        """Work until all is done or a worker has died."""
        pool = ProcessPoolExecutor(
            self._count, get_context("spawn"), initializer=_begin, initargs=(os.getpid(),)
        )
        waiting = iter(list(left.items()))
        under_way: dict[Future[bytes], int] = {}
        try:
            while True:
                for number, unit in waiting:
                    with _without_ctrl_c():  # processes begin here
                        under_way[pool.submit(look, question, unit)] = number
                    if len(under_way) >= self._count * _WAITING_EACH:
                        break
                if not under_way:
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda one: under_way[one]):
                    yield under_way[future], future.result()
                    del under_way[future]
        except BrokenProcessPool:
            # Whose unit it was nobody knows: of all that were begun.
            for number in under_way.values():
                deaths[number] += 1
                if deaths[number] >= _DEATHS_MAX * _WAITING_EACH:
                    name = f"{left[number].path} {left[number].scene}".strip()
                    raise SourceLostError(
                        f"workers die again and again while they look through {name}; is there "
                        "enough memory for as many? --workers takes fewer"
                    ) from None
        finally:
            _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes now, whatever they do."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back inside; processes that begin there never get it, not while they import.

    What comes meanwhile is delivered to this process afterwards. The mask is what those processes
    inherit. It is this thread's alone: through any other one, of NumPy's say, the signal reaches
    Python, which would raise here, with a process half begun.
    """
    resource_tracker.ensure_running()  # it would let the signal through again when it begins
    came: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    is_ours = threading.current_thread() is threading.main_thread() and callable(handler)
    if is_ours:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if is_ours:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _begin(parent: int) -> None:
    """Begin a worker: Ctrl-C is the main process's to take, and without it there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died meanwhile
        os._exit(1)
