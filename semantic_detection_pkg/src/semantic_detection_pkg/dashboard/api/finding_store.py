"""Findings and their thumbnails on the disk, so that the page knows them after a restart.

    findings/1764176400000000000-7.json    the finding as the page shows it
    findings/1764176400000000000-7.jpg     what it looks like

beside the recorder's folders. The folder of the recordings itself is not made: where a disk is not
mounted, another one would fill up.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semantic_detection_pkg.common.file_system import FileSystem

_log = logging.getLogger(__name__)

FOLDER = "findings"
_BYTES_MAX = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
#: Fields that the page reads, and their types.
_FIELDS = {
    "id": str,
    "revision": int,
    "state": str,
    "class_name": str,
    "stamp_ns": str,
    "best_frame": str,
    "tiers": list,
    "answers": list,
    "best_box_xyxy": list,
    "bearing": dict,
}


def is_finding(value: Any) -> bool:
    """Return whether a JSON value is a finding as the page shows it."""
    if not isinstance(value, dict):
        return False
    return (
        all(isinstance(value.get(name), kind) for name, kind in _FIELDS.items())
        and all(_WHOLE.fullmatch(value[name]) for name in ("stamp_ns", "best_frame"))
        and all(isinstance(one, dict) for one in (*value["tiers"], *value["answers"]))
        and all(one is None or isinstance(one, int | float) for one in value["best_box_xyxy"])
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class FindingStore:
    """Reads and writes the folder. A disk that cannot be written is said once."""

    def __init__(self, recordings: Path, disk: FileSystem | None = None) -> None:
        """Prepare; nothing is touched yet."""
        self._recordings = recordings
        self._folder = recordings / FOLDER
        self._disk = disk or FileSystem()
        self._said = ""

    def load(self) -> list[dict[str, Any]]:
        """Return all findings that lie there; what is none is left out."""
        found = []
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            try:
                if path.stat().st_size <= _BYTES_MAX:
                    value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
                    if is_finding(value) and self._path(value["id"], "json") == path:
                        found.append(value)
                        continue
            except (OSError, ValueError, RecursionError):
                pass
            _log.warning("%s is no finding: it is left alone", path)
        return found

    def picture(self, finding_id: str) -> bytes | None:
        """Return a thumbnail, JPEG; None: there is none."""
        try:
            return self._path(finding_id, "jpg").read_bytes()
        except OSError:
            return None

    def save(self, finding: Mapping[str, Any]) -> bool:
        """Write a finding; return whether it need not be tried again.

        One that could not be read again, of a state that nobody knows, say, is not written.
        """
        if not is_finding(finding):
            return True
        return self._write(finding["id"], "json", json.dumps(finding, allow_nan=False).encode())

    def save_picture(self, finding_id: str, jpeg: bytes) -> bool:
        """Write a thumbnail; return whether it lies there now."""
        return self._write(finding_id, "jpg", jpeg)

    def remove(self, finding_id: str) -> None:
        """Remove a finding and its thumbnail, if they are there."""
        for suffix in ("json", "jpg"):
            with contextlib.suppress(OSError):
                self._disk.remove(self._path(finding_id, suffix))

    def _write(self, finding_id: str, suffix: str, data: bytes) -> bool:
        if not self._recordings.is_dir():
            return False  # the recorder makes it
        try:
            self._folder.mkdir(exist_ok=True)
            self._disk.write_atomically(self._path(finding_id, suffix), data)
        except OSError as error:
            reason = error.strerror or str(error)
            if reason != self._said:
                _log.warning("%s: findings are not kept: %s", self._folder, reason)
            self._said = reason
            return False
        self._said = ""
        return True

    def _path(self, finding_id: str, suffix: str) -> Path:
        """Return a finding's file; an id that is no plain name, a sender's affair, is hashed."""
        name = finding_id
        if not _NAME.fullmatch(finding_id):
            digest = hashlib.sha256(finding_id.encode("utf-8", "surrogatepass")).hexdigest()
            name = f"id-{digest[:40]}"
        return self._folder / f"{name}.{suffix}"
