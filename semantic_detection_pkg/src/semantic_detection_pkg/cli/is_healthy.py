"""`python3 -m semantic_detection_pkg.cli.is_healthy [URL]`: a container's health check.

Exit status 0 if the page says that the graph is well; 1 otherwise, with the reason. Where the page
is, the run itself has written down (`dashboard.url_file`); a run without a page has nobody to ask,
and is well as long as it runs.
"""

from __future__ import annotations

import http.client
import sys
import urllib.request
from urllib.parse import urljoin

from semantic_detection_pkg.dashboard.url_file import NO_PAGE, urls_of_runs

#: Of a graph that was not started by `bringup`.
DEFAULT_URL = "http://127.0.0.1:8080/"
_TIMEOUT_S = 3.0


def main(words: list[str]) -> int:
    """Ask every page once."""
    urls = words[:1] or urls_of_runs() or [DEFAULT_URL]
    return max(0 if url == NO_PAGE else _ask(url) for url in urls)


def _ask(url: str) -> int:
    try:
        url = urljoin(url, "/healthz")
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S):  # other than 2xx raises
            return 0
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
