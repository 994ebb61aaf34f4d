"""What decode and encode share: their options, and standard streams that may end at any time."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from gimbal_driver_pkg.protocol.dialects import DIALECTS


def protocol_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option --protocol."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--protocol", choices=DIALECTS, default="siyi", help="default: siyi")
    return parser


def run(filter_lines: Callable[[], int]) -> int:
    """Run a filter from standard input to standard output and return its exit status.

    A reader that goes away (`| head`) and Ctrl-C end it quietly.
    """
    try:
        status = filter_lines()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status
