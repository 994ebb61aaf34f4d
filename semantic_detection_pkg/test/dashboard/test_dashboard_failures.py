"""What the page does by itself may fail: then its thread fails, which ends the process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from dashboard_client import serve
from patience import wait_until

from semantic_detection_pkg.dashboard.api.evidence import EvidenceFolder
from semantic_detection_pkg.dashboard.api.hub import Hub
from semantic_detection_pkg.dashboard.api.mission_book import MissionBook
from semantic_detection_pkg.dashboard.api.tile_book import TileBook


@pytest.mark.parametrize(
    ("kind", "work"),
    [(Hub, "tick"), (MissionBook, "keep"), (EvidenceFolder, "events"), (TileBook, "look")],
)
def test_work_that_fails_fails_the_thread_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type, work: str
) -> None:
    """As `ros_support_pkg.threads` sees it: an exception of a task is seen by nobody."""
    failed: list[tuple[str, str]] = []

    def hook(args: threading.ExceptHookArgs) -> None:
        failed.append((args.thread.name if args.thread else "", str(args.exc_value)))

    def breaks(*_: object) -> None:
        raise RuntimeError(f"{work} broke")

    monkeypatch.setattr(threading, "excepthook", hook)
    monkeypatch.setattr("semantic_detection_pkg.dashboard.api.dashboard._TILES_PERIOD_S", 0.05)
    with serve(tmp_path) as served:
        assert served.get("/api/state").status == 200
        assert failed == []
        with monkeypatch.context() as patch:
            patch.setattr(kind, work, breaks)
            wait_until(lambda: failed, "the end of the thread", 20.0)
    assert failed == [("web", f"{work} broke")]
