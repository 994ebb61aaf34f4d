"""`python3 -m vlm_bridge_pkg.service.is_healthy SOCKET`: a container's health check.

Exit status 0 if a service answers there and its model is loaded; 1 otherwise, with the reason.
"""

from __future__ import annotations

import sys

from vlm_bridge_pkg.errors import VlmError
from vlm_bridge_pkg.transport.client import read_health


def main(words: list[str]) -> int:
    """Ask the service once."""
    if len(words) != 1:
        sys.stderr.write("usage: is_healthy SOCKET\n")
        return 2
    try:
        status = read_health(words[0]).get("status")
    except VlmError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if status != "ok":
        sys.stderr.write(f"{words[0]}: the service is {status}\n")
    return 0 if status == "ok" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
