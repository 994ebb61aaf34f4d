"""A flight with pixels, recorded and looked through: what the mission found, and no more.

Short, for its cost; `make bench ONLY=recorded_hour` is the long one, over many worlds.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.recorder.evidence.content import latest_findings
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.harness.recorded_flight import RecordedFlight
from simulation_pkg.harness.robot import MODEL_FOLDER
from simulation_pkg.harness.scores import Claim, Score, Things
from simulation_pkg.vlm_eyes import WorldEyes
from vlm_bridge_pkg.stub.faults import Script, stub_server

WORLD = 24002
SECONDS = 12.0
LATER_NS = 3_600_000_000_000
START_NS = 1_700_000_000_000_000_000 + LATER_NS


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's stand-in for a vision-language model."""
    eyes = WorldEyes(MODEL_FOLDER / "demo_classifier.onnx")
    server = stub_server(str(tmp_path_factory.mktemp("vlm") / "vlm.sock"), Script(look=eyes.answer))
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield str(server.server_address)
    server.close()
    thread.join()


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory, vlm: str) -> tuple[Path, Score]:
    """The recording of a mission, and what it found."""
    folder = tmp_path_factory.mktemp("flight") / "recordings"
    return folder, RecordedFlight(WORLD, folder, vlm, LATER_NS, ScanSettings()).fly(SECONDS)


def claims_in(folder: Path) -> list[Claim]:
    found = []
    with BagReader(folder) as reader:
        for one in latest_findings(reader, "/"):
            if one.state == FindingState.CONFIRMED.value:
                stamp: Any = one.best_frame
                seen_s = (stamp.sec * 1_000_000_000 + stamp.nanosec - START_NS) * 1e-9
                bearing = one.bearing.yaw_rad, one.bearing.pitch_rad
                found.append(Claim(one.class_name, *bearing, seen_s, seen_s))
    return found


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("no_progress")
def test_a_recorded_flight_shows_what_the_mission_found(
    tmp_path: Path,
    flight: tuple[Path, Score],
    vlm: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    recordings, live = flight
    assert len(live.found_s) > 3
    digests = set()
    for workers in (1, 2):
        out = tmp_path / str(workers)
        words = ["--words", ",".join(CLASS_NAMES), "--vlm", vlm, "--workers", workers]
        models = ["--model", "demo_detector.onnx", "--classifier", "demo_classifier.onnx"]
        models[1::2] = [str(MODEL_FOLDER / name) for name in models[1::2]]
        assert main([str(one) for one in [recordings, *words, *models, "--output", out]]) == 0
        said = capfd.readouterr()
        assert said.err == ""
        digest = re.search(r"findings sha256 ([0-9a-f]{64})", said.out)
        assert digest is not None
        digests.add(digest[1])
    assert len(digests) == 1
    again = Things(build_world(WorldLayout(WORLD))).score(claims_in(out / "findings"), SECONDS)
    assert again.found_s.keys() >= live.found_s.keys()
    assert len(again.false) <= len(live.false)
    assert again.doubles == 0
