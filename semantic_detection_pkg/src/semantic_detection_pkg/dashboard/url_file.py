"""Where the page of a run is, for who comes later and knows only the machine: the health check.

`bringup` names a file of its run's folder in the variable `URL_FILE_VARIABLE`; the dashboard writes
there where it listens, once it does. A run without a page has a file that says so.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from semantic_detection_pkg.common.configuration.run_folder import run_folders

URL_FILE_VARIABLE = "DASHBOARD_URL_FILE"
URL_FILE = "dashboard_url"
#: What stands in the file of a run without a page.
NO_PAGE = "no page"
#: An address to listen on that is no address to go to, and the one that reaches it from here.
_FROM_HERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def write_url(path: Path, url: str) -> None:
    """Write where the page is, or `NO_PAGE`; a reader sees all of it or nothing.

    Raises:
        OSError: it cannot be written.
    """
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(url)
    os.replace(file.name, path)


def urls_of_runs(parent: Path | None = None) -> list[str]:
    """Return what the runs of this user say of their pages: URLs that lead there, or `NO_PAGE`.

    Args:
        parent: of the runs' folders; by default the folder for temporary files.
    """
    found = []
    for folder in run_folders(parent):
        try:
            text = (folder / URL_FILE).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        found.append(_from_here(text))
    return found


def _from_here(url: str) -> str:
    """Return a URL that this machine can go to, for one that says where a server listens."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return url
    if host not in _FROM_HERE:
        return url
    return f"{parts.scheme}://{_FROM_HERE[host]}:{port}{parts.path}"
