"""Wheels in a folder, in parts small enough to carry, and whole again."""

from __future__ import annotations

import glob
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PART_BYTES = 60_000_000
_INDEX = "parts.json"
_PART = re.compile(r"(.+\.whl)\.part(\d{3})")


class WheelsError(Exception):
    """The folder cannot be used; one line."""


def fetch(requirements: Path, folder: Path, python_version: str) -> None:
    """Fetch the wheels of a requirements file, for Linux on x86-64, and split the large ones.

    Raises:
        WheelsError: pip could not; its last line.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WheelsError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
    platforms = ("manylinux_2_28_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64")
    for platform in (*platforms, "manylinux_2_27_x86_64", "linux_x86_64"):
        command += ["--platform", platform]
    command += ["--python-version", python_version, "-r", str(requirements)]
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        done = subprocess.run([*command, "--dest", fresh], capture_output=True, text=True)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            reason = lines[-1] if lines else "no reason"
            raise WheelsError(f"pip could not fetch the wheels: {reason}")
        for name in _known(folder) or ():  # a wheel of another version would be installed, too
            (folder / name).unlink(missing_ok=True)
        for wheel in Path(fresh).glob("*.whl"):
            wheel.replace(folder / wheel.name)
    split(folder)


def split(folder: Path, part_bytes: int = PART_BYTES) -> None:
    """Cut each wheel larger than a part, and write down what all files must be."""
    for wheel in sorted(folder.glob("*.whl")):
        content = wheel.read_bytes()
        for old in folder.glob(f"{glob.escape(wheel.name)}.part*"):
            old.unlink()  # there may have been more of them
        if len(content) <= part_bytes:
            continue
        for number, start in enumerate(range(0, len(content), part_bytes)):
            part = folder / f"{wheel.name}.part{number:03}"
            part.write_bytes(content[start : start + part_bytes])
        wheel.unlink()
    files = sorted([*folder.glob("*.whl"), *folder.glob("*.whl.part*")])
    marks = {path.name: _digest(path) for path in files}
    (folder / _INDEX).write_text(json.dumps(marks, indent=2) + "\n")


def join(folder: Path, target: Path) -> list[Path]:
    """Make the wheels whole again in `target`; returns them.

    Raises:
        WheelsError: the folder has no index, or a file in it is missing or another one.
    """
    marks = _known(folder)
    if not marks:
        raise WheelsError(f"{folder}: no {_INDEX}; make the folder with: gpu_check pack")
    target.mkdir(parents=True, exist_ok=True)
    for name, digest in sorted(marks.items()):
        path = folder / name
        if not path.is_file():
            raise WheelsError(f"{path}: is missing; copy the folder again")
        if _digest(path) != digest:
            raise WheelsError(f"{path}: is not what was packed; copy it again")
        found = _PART.fullmatch(name)
        whole = target / (found[1] if found else name)
        # Parts come in the order of their names.
        mode = "ab" if found and int(found[2]) > 0 else "wb"
        with path.open("rb") as source, whole.open(mode) as out:
            shutil.copyfileobj(source, out)
    return sorted(target.glob("*.whl"))


def _known(folder: Path) -> dict[str, str] | None:
    """Return the digests of the files in a folder; None: nobody wrote them down."""
    try:
        marks = json.loads((folder / _INDEX).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    is_index = isinstance(marks, dict) and all(
        isinstance(digest, str) and re.fullmatch(r"[^/]+\.whl(\.part\d{3})?", name)
        for name, digest in marks.items()
    )
    return marks if is_index else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
