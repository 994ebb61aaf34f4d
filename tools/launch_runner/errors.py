"""The one exception of the runner, and the place in a launch file that it names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Where:
    """A line of a launch file, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class LaunchError(Exception):
    """Something that the user can correct; the message is one line, led by file and line."""

    def __init__(self, message: str, where: Where | None = None) -> None:
        line = " ".join(message.split())
        super().__init__(f"{where}: {line}" if where else line)
