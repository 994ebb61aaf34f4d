"""A thread that ends by an exception ends its process, so that whoever respawns it can help.

Python prints such an exception and goes on without the thread: a node that looks alive and is deaf.
`run_node` watches all threads of the process by the one hook that Python has for that.
"""

import contextlib
import faulthandler
import logging
import threading
import traceback
from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)


class ThreadWatch:
    """What became of the process's threads."""

    def __init__(
        self, end: Callable[[], object], is_expected: Callable[[BaseException], bool]
    ) -> None:
        self._end = end
        self._is_expected = is_expected
        self._deadline_s = 0.0
        self.has_failed = False
        """Whether a thread ended by an exception."""

    def arm(self, deadline_s: float) -> None:
        """Have the process ended with status 1 if it is still there after a time [s].

        The first deadline after a thread's failure holds.
        """
        if self._deadline_s == 0.0 or not self.has_failed:
            self._deadline_s = deadline_s
            faulthandler.dump_traceback_later(deadline_s, exit=True)

    def disarm(self) -> None:
        """Call the deadline off."""
        faulthandler.cancel_dump_traceback_later()

    def note_failure(self, name: str, error: BaseException, deadline_s: float) -> None:
        """Note that a thread ended by an exception; say so; end the process in an orderly way."""
        if self._is_expected(error):
            return
        self.has_failed = True
        self.arm(deadline_s)
        said = "".join(traceback.format_exception(error)).rstrip()
        _log.critical(
            "thread '%s' ended by %s: %s; the process ends\n%s",
            name,
            type(error).__name__,
            error,
            said,
        )
        self._end()


@contextlib.contextmanager
def watching_threads(
    end: Callable[[], object],
    is_expected: Callable[[BaseException], bool],
    deadline_s: float,
) -> Iterator[ThreadWatch]:
    """Watch all threads of the process inside a `with` block.

    Args:
        end: makes the main thread leave what it does; called in the thread that failed.
        is_expected: whether an exception of a thread is no news, as after Ctrl-C.
        deadline_s: [s] after a failure; then the process is ended, whatever the main thread does.
    """
    watch = ThreadWatch(end, is_expected)

    def hook(failed: threading.ExceptHookArgs) -> None:
        error = failed.exc_value or failed.exc_type()
        watch.note_failure(failed.thread.name if failed.thread else "?", error, deadline_s)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield watch
    finally:
        threading.excepthook = before
