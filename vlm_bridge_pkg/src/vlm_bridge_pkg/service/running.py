"""Running a server as a process: options of the command line that service and stub share."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from vlm_bridge_pkg.service.memory import free_memory_bytes
from vlm_bridge_pkg.service.server import Options, VlmServer
from vlm_bridge_pkg.service.turn import Guards
from vlm_bridge_pkg.service.watchdog import EXIT_HUNG, end_process

DEFAULT_SOCKET = "/run/tier3/vlm.sock"
EXIT_USAGE = 2
EXIT_HELD = 75  # EX_TEMPFAIL
_HOLD_POLL_S = 0.5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `options_from` to a parser."""
    add = parser.add_argument
    add("--socket", default=DEFAULT_SOCKET, metavar="PATH", help=f"default: {DEFAULT_SOCKET}")
    add("--lock-file", type=Path, metavar="PATH", help="kernel lock of the GPU; default: none")
    add("--epoch-file", type=Path, metavar="PATH", help="newest lease epoch; default: none")
    add("--min-free-mib", type=int, default=0, metavar="N", help="refuse below; default: 0")
    add("--hold-file", type=Path, metavar="PATH", help="while it exists the model is not loaded")
    add("--hang-s", type=float, default=30.0, metavar="S", help="end when a piece takes longer")


def options_from(arguments: argparse.Namespace) -> Options:
    """Return the server's options from the command line's."""
    guards = Guards(
        arguments.lock_file,
        arguments.epoch_file,
        free_memory_bytes,
        arguments.min_free_mib << 20,
    )
    return Options(guards, arguments.hang_s)


def serve(server: VlmServer, hold_file: Path | None = None) -> int:
    """Load the model, serve until SIGINT or SIGTERM, return the exit status.

    Args:
        hold_file: made by who watches the machine's memory. While it exists nothing is loaded; a
            service that is loaded ends, because only that gives the memory back, and is started
            anew by whoever supervises it.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=_listen, args=[server], name="service", daemon=True).start()
    logging.info("listening on %s", server.server_address)
    while _is_held(hold_file):
        if over.wait(_HOLD_POLL_S):
            server.close()
            return 0
    server.load()
    logging.info("ready: %s", server.model.name)
    while not over.wait(_HOLD_POLL_S):
        if _is_held(hold_file):
            end_process(f"{hold_file} holds the model back", EXIT_HELD)
    server.close()
    return 0


def _listen(server: VlmServer) -> None:
    try:
        server.serve_forever(0.1)
    except Exception as error:  # whoever supervises it starts it anew; deaf, it would stay
        end_process(f"the service cannot listen any more: {error!r}", EXIT_HUNG)


def _is_held(hold_file: Path | None) -> bool:
    return hold_file is not None and hold_file.exists()
