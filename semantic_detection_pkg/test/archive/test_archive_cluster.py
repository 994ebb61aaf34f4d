"""Workers of a real Dask cluster on this machine: one is killed, the findings are the same."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import archive_things as things
import cv2
import pytest
import text_encoders
from patience import patience, wait_until

from semantic_detection_pkg.archive.answer_files import from_bytes
from semantic_detection_pkg.archive.core.question import Question, Unit
from semantic_detection_pkg.archive.search import Part, Search
from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
from semantic_detection_pkg.archive.workers.cluster import ClusterWorkers
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.cli.archive_options import make_parser
from semantic_detection_pkg.cli.search_archive import _question, main
from semantic_detection_pkg.errors import ConfigurationError, ModelError, SourceLostError

pytest.importorskip(
    "distributed",
    reason="distributed is missing: make setup has it from PyPI, a sourced ROS's own Python is "
    "left as it is",
)
pytestmark = pytest.mark.timeout(180)  # each process of a cluster imports all there is

_BEGIN_S = 60.0  # a worker's imports, of the reference machine


class Cluster:
    """A scheduler and workers, each a process, on the loopback device."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._begin(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(self._file),
        )  # fmt: skip
        self.address: str = wait_until(self._told_address, "the scheduler", _BEGIN_S)
        self.workers: list[subprocess.Popen[bytes]] = []

    def _told_address(self) -> str:
        """Return what the scheduler has written; "": nothing yet, or half of it."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return str(json.loads(self._file.read_text())["address"])
        return ""

    def add_worker(self) -> None:
        self.workers.append(
            self._begin(
                "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                "--host", "127.0.0.1", "--local-directory", str(self._folder),
            )
        )  # fmt: skip

    def _begin(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait(patience(10.0))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "dask"
    folder.mkdir()
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.end()


def workers_of(cluster: Cluster, count: int) -> ClusterWorkers:
    """Connect when so many workers are there."""

    def connected() -> ClusterWorkers | None:
        try:
            workers = ClusterWorkers(cluster.address)
        except ConfigurationError:
            return None
        if workers._threads() == count:
            return workers
        workers.close()
        return None

    found = wait_until(connected, f"{count} workers", _BEGIN_S, 0.5)
    assert found is not None
    return found


@pytest.mark.long
def test_a_worker_that_is_killed_loses_nothing(
    cluster: Cluster, tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster.add_worker()
    cluster.add_worker()
    received = [things.stamp_of(number, 5_000_000_000) for number in range(60)]
    path = things.write_bag(tmp_path / "long", 60, received=received)
    source = open_path(path, SourceOptions())
    units = source.units()
    question = things.question(model)
    right = {number: look(question, unit) for number, unit in enumerate(units)}
    workers = workers_of(cluster, 2)
    came: dict[int, bytes] = {}
    killed = False
    try:
        for number, data in workers.run(question, units):
            assert number not in came
            came[number] = data
            if len(came) == 3:
                assert len(units) > 50
                os.kill(cluster.workers[0].pid, signal.SIGKILL)
                killed = cluster.workers[0].wait(patience(10.0)) == -signal.SIGKILL
        assert workers._threads() == 1
    finally:
        workers.close()
    assert killed
    assert came == right
    # The tool itself, with whoever is left.
    asked = [path, "--words", "red,green,blue", "--model", model, "--output", tmp_path / "out"]
    assert main([*map(str, asked), "--scheduler", cluster.address]) == 0
    parts = [Part(source, unit) for unit in units]
    here = Search(question, parts, lambda number: from_bytes(right[number])).run()
    assert len(here.findings) > 0
    assert f"findings sha256 {here.digest}\n" in capfd.readouterr().out


@pytest.mark.long
def test_workers_are_told_the_example_and_need_no_picture(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The picture and the example network are removed before the first of them asks."""
    cluster.add_worker()
    model = text_encoders.prompt_model_with_text(tmp_path)
    spots = (things.Spot("green", 2, 3), things.Spot("magenta", 5, 5, 4))
    path = things.write_bag(tmp_path / "flight", 40, spots=spots)
    picture = tmp_path / "jacket.png"
    cv2.imwrite(str(picture), things.picture(4, spots))
    x, y = 5 * things.CELL_PX, 5 * things.CELL_PX
    box = f"{x},{y},{x + things.CELL_PX},{y + things.CELL_PX}"
    asked = ["--model", str(model), "--example", f"{picture}:{box}=jacket"]
    here = [str(path), *asked, "--output", str(tmp_path / "here"), "--workers", "1"]
    assert main(here) == 0
    digest = re.search(r"findings sha256 \w{64}\n", capfd.readouterr().out)
    question = _question(make_parser().parse_args([str(path), *asked]))
    picture.unlink()
    model.with_name("prompts.example.onnx").unlink()
    source = open_path(path, SourceOptions())
    parts = [Part(source, unit) for unit in source.units()]
    workers = workers_of(cluster, 1)
    try:
        came = dict(workers.run(question, [part.unit for part in parts]))
    finally:
        workers.close()
    found = Search(question, parts, lambda number: from_bytes(came[number])).run()
    assert [finding.class_name for finding in found.findings] == ["jacket"]
    assert digest is not None
    assert digest[0] == f"findings sha256 {found.digest}\n"


@pytest.mark.long
def test_what_is_wrong_with_a_cluster(
    cluster: Cluster, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="has no workers: start `dask worker`"):
        ClusterWorkers(cluster.address)
    cluster.add_worker()
    workers = workers_of(cluster, 1)
    path = things.write_bag(tmp_path / "bag", 8)
    units = list(open_path(path, SourceOptions()).units())
    other = tmp_path / "other.onnx"
    other.write_bytes(model.read_bytes())
    question = things.question(other)
    other.write_bytes(b"another file on that machine")
    try:
        with pytest.raises(ModelError, match="is another file here than where the search was"):
            list(workers.run(question, units))
        monkeypatch.setattr("semantic_detection_pkg.archive.workers.cluster._ALONE_MAX", 2)
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        with pytest.raises(SourceLostError, match="has lost all its workers"):
            run_all(workers, things.question(model), units)
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        with pytest.raises(SourceLostError, match="is gone"):
            run_all(workers, things.question(model, ["red"]), units)
    finally:
        workers.close()


def run_all(workers: ClusterWorkers, question: Question, units: list[Unit]) -> None:
    list(workers.run(question, units))
