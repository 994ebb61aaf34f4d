"""What the layers below log, brought to a node's log; they know only Python's logging."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator

from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node


class RosLogHandler(logging.Handler):
    """Says what comes in to the node it belongs to.

    What is said while a node is being made waits for it: its log, and with it /rosout, is there
    only then. Where nodes share a process, a record belongs to the node in whose room it was made,
    by the logger's name; of a room without a node, to the first one.
    """

    def __init__(self, modules: Iterable[str]) -> None:
        """Expect nodes.

        Args:
            modules: in which they are defined; the package of each is its room.
        """
        super().__init__()
        self._loggers: dict[str, RcutilsLogger | None] = dict.fromkeys(map(_room, modules))
        self._waiting: list[logging.LogRecord] = []

    def attach(self, node: Node, module: str) -> None:
        """Say to the node's log what has waited for it, and from now on all that belongs to it."""
        with self._held():
            self._loggers[_room(module)] = node.get_logger()
            for record in self._taken():
                self.emit(record)

    def tell_without_node(self) -> None:
        """Print on standard error what still waits: there was no node."""
        with self._held():
            for record in self._taken():
                print(record.getMessage(), file=sys.stderr)  # noqa: T201

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _taken(self) -> list[logging.LogRecord]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _logger_of(self, record: logging.LogRecord) -> RcutilsLogger | None:
        for room, logger in self._loggers.items():
            if record.name == room or record.name.startswith(f"{room}."):
                return logger
        return next(filter(None, self._loggers.values()), None)

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record, or keep it until there is a node."""
        logger = self._logger_of(record)
        if logger is None:
            self._waiting.append(record)
            return
        text = record.getMessage()
        # rclpy ties a level to the line of the call: one line for each level.
        if record.levelno >= logging.ERROR:
            logger.error(text)
        elif record.levelno >= logging.WARNING:
            logger.warning(text)
        elif record.levelno >= logging.INFO:
            logger.info(text)
        else:
            logger.debug(text)


def _room(module: str) -> str:
    return module.rpartition(".")[0]
