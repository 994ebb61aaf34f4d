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

DEFAULT_SOCKET = "/run/tier3/vlm.sock"
EXIT_USAGE = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `options_from`."""
    add = parser.add_argument
    add("--socket", default=DEFAULT_SOCKET, metavar="PATH", help=f"default: {DEFAULT_SOCKET}")
    add("--lock-file", type=Path, metavar="PATH", help="kernel lock of the GPU; default: none")
    add("--epoch-file", type=Path, metavar="PATH", help="newest lease epoch; default: none")
    add("--min-free-mib", type=int, default=0, metavar="N", help="refuse below; default: 0")
    add("--hang-s", type=float, default=30.0, metavar="S", help="end when a piece takes longer")


def options_from(arguments: argparse.Namespace) -> Options:
    """The server's options from the command line's."""
    guards = Guards(
        arguments.lock_file,
        arguments.epoch_file,
        free_memory_bytes,
        arguments.min_free_mib << 20,
    )
    return Options(guards, arguments.hang_s)


def serve(server: VlmServer) -> int:
    """Load the model, serve until SIGINT or SIGTERM, return the exit status."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=server.serve_forever, args=[0.1], daemon=True).start()
    logging.info("listening on %s", server.server_address)
    server.load()
    logging.info("ready: %s", server.model.name)
    over.wait()
    server.close()
    return 0
