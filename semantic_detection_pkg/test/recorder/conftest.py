"""Fixtures of replay: a scan as a recorder would have written it. Others have bags of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic_detection_pkg.recorder.core.topics import Message
from simulation_pkg.harness.scan_recording import messages_of, recorded_scan, write_bag


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    """All messages of a recorded scan, in the order in which they were written."""
    return list(messages_of(recorded_scan(), with_frames=True))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, messages: list[Message]) -> Path:
    """The bag of these messages; whoever changes one, changes a copy."""
    return write_bag(tmp_path_factory.mktemp("recorded"), messages)
