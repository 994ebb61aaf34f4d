"""`python3 -m semantic_detection_pkg.cli.is_healthy [URL]`: a container's health check.

Exit status 0 if the dashboard says that the graph is well; 1 otherwise, with the reason.
"""

from __future__ import annotations

import sys
import urllib.request

DEFAULT_URL = "http://127.0.0.1:8080/healthz"
_TIMEOUT_S = 3.0


def main(words: list[str]) -> int:
    """Ask the dashboard once."""
    url = words[0] if words else DEFAULT_URL
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S):  # other than 2xx raises
            return 0
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
