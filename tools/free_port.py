"""A TCP port that a test's own server may have."""

import socket


def free_port() -> int:
    """Return a TCP port of the loopback that nobody has at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
