"""Whether the page shows the evidence of the folder that the recorder writes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def folder_complaint(recorder: Mapping[str, Any] | None, output_dir: str) -> str:
    """Say that recorder and page differ; "" where they agree or nothing is known.

    Args:
        recorder: what `recorder/status` says, its `directory` the ring; None: nothing yet.
        output_dir: absolute, the page's folder of the recordings.
    """
    written, _, _ = str((recorder or {}).get("directory", "")).rpartition("/")
    if written in ("", output_dir):
        return ""
    where = f"output_dir is {output_dir}, but the recorder writes to {written}"
    return f"{where}: its events are not shown"
