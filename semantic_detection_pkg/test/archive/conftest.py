"""What most tests of the archive search in, and with; a test of another recording has its own."""

from pathlib import Path

import archive_things as things
import pytest


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return things.model_file(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's bag: 80 pictures in 20 s with three things in them."""
    return things.write_bag(tmp_path_factory.mktemp("bag") / "flight")


@pytest.fixture
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a search is long enough to tell how far it is."""
    for tool in ("search_archive", "report"):
        monkeypatch.setattr(f"semantic_detection_pkg.cli.{tool}._PERIOD_S", float("inf"))
