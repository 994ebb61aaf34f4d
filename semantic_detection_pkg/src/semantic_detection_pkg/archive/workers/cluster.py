"""Workers of a Dask cluster look, on as many machines as it has.

The engine is Dask's distributed (docs.dask.org), an optional part: it starts again what a worker
that died had in hand, and gives each unit to whoever is free. Recordings and model lie at the same
path on each machine, and the workspace is installed there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from semantic_detection_pkg.archive.core.question import Question, Unit
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.errors import (
    ConfigurationError,
    SemanticDetectionError,
    SourceLostError,
)

_CONNECT_S = 10.0
_LOOK_S = 2.0  # between two looks at who is there
#: So many looks without any worker: nobody comes back.
_ALONE_MAX = 30
_UNITS_AT_ONCE = 64  # for each worker's thread: results do not pile up, and none waits for work
_LOGGERS = ("distributed", "distributed.client", "distributed.comm", "tornado.application")


class ClusterWorkers:
    """See `Workers`."""

    def __init__(self, address: str) -> None:
        """Connect to a scheduler.

        Args:
            address: "tcp://host:8786" or "host:8786".

        Raises:
            ConfigurationError: Dask is not installed, there is no scheduler, or it has no workers.
        """
        try:
            import distributed
        except ImportError:
            raise ConfigurationError(
                "scheduler: Dask is not installed; `pip install distributed` installs it"
            ) from None
        for name in _LOGGERS:  # what is wrong is told in one line of ours
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._distributed: Any = distributed
        try:
            self._client: Any = distributed.Client(address, timeout=_CONNECT_S)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise ConfigurationError(f"scheduler {address} cannot be reached: {reason}") from None
        self._address = address
        if not self._threads():
            self.close()
            raise ConfigurationError(f"scheduler {address} has no workers: start `dask worker`")

    def close(self) -> None:
        """Disconnect; may be called again."""
        with contextlib.suppress(Exception):  # it is gone, perhaps
            self._client.close(timeout=1.0)

    def run(self, question: Question, units: Sequence[Unit]) -> Iterator[tuple[int, bytes]]:
        """See `Workers`."""
        numbers: dict[Any, int] = {}
        waiting = iter(enumerate(units))
        alone = 0
        try:
            while True:
                room = max(1, self._threads()) * _UNITS_AT_ONCE - len(numbers)
                for _ in range(room):
                    number, unit = next(waiting, (-1, None))
                    if unit is None:
                        break
                    # A key of its own: what failed before is not taken for the answer.
                    future = self._client.submit(look, question, unit, pure=False)
                    numbers[future] = number
                if not numbers:
                    return
                done = self._done(list(numbers))
                alone = 0 if done or self._threads() else alone + 1
                if alone >= _ALONE_MAX:
                    raise SourceLostError(f"scheduler {self._address} has lost all its workers")
                for future in sorted(done, key=lambda one: numbers[one]):
                    number = numbers.pop(future)
                    yield number, self._result(future, units[number])
                    future.release()
        finally:
            with contextlib.suppress(Exception):
                self._client.cancel(list(numbers))

    def _threads(self) -> int:
        """Return how many units can be looked through at a time.

        Raises:
            SourceLostError: the scheduler is gone.
        """
        try:
            return sum(self._client.nthreads().values())
        except (OSError, RuntimeError, ValueError, self._distributed.TimeoutError):
            raise SourceLostError(f"scheduler {self._address} is gone") from None

    def _done(self, futures: list[Any]) -> list[Any]:
        """Return those that are done, after a while none."""
        with contextlib.suppress(TimeoutError, self._distributed.TimeoutError):
            self._distributed.wait(futures, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
        if any(one.cancelled() for one in futures):  # all are, where the scheduler is lost
            raise SourceLostError(f"scheduler {self._address} is gone")
        return [one for one in futures if one.done()]

    def _result(self, future: Any, unit: Unit) -> bytes:
        try:
            return bytes(future.result())
        except SemanticDetectionError:
            raise
        except self._distributed.scheduler.KilledWorker:
            raise SourceLostError(
                f"workers die again and again while they look through {unit.path} {unit.scene}"
            ) from None
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise SourceLostError(
                f"scheduler {self._address}: a worker cannot do it: {type(error).__name__}: {said}"
            ) from error
