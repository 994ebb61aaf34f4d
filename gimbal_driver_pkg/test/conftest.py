"""Golden data: published, captured and computed frames, and streams with faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"


def _load(name: str) -> list[dict[str, Any]]:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def _ids(rows: list[dict[str, Any]], *keys: str) -> list[str]:
    return [f"{i}-" + "-".join(str(row[key]) for key in keys) for i, row in enumerate(rows)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a `golden_frame` or `fault_stream` argument over all of them."""
    if "golden_frame" in metafunc.fixturenames:
        rows = _load("frames.json")
        metafunc.parametrize("golden_frame", rows, ids=_ids(rows, "protocol", "command"))
    if "fault_stream" in metafunc.fixturenames:
        rows = _load("fault_streams.json")
        metafunc.parametrize("fault_stream", rows, ids=_ids(rows, "protocol", "case"))


@pytest.fixture
def golden_frames() -> list[dict[str, Any]]:
    """All golden frames."""
    return _load("frames.json")
