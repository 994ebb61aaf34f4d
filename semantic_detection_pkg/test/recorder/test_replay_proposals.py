"""A scan with proposals: found, asked about, kept in the bag, decided the same in a replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.cli.replay_frames import _Detect
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.proposer import Proposer
from semantic_detection_pkg.recorder.core.replay.player import replay
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.storage.bag_messages import scan_recording
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.inputs import FrameDetections, Input
from simulation_pkg.harness.exact_scan import Thing
from simulation_pkg.harness.scan_recording import WireScan, messages_of, write_bag

SETTINGS = ProposalSettings(propose_anomalies=True)


class ProposingScan(WireScan):
    """Its detector proposes things of class anomaly beside those of the goal's words."""

    def sense(self) -> list[Input]:
        """See `ScanHarness`."""
        words = self.vocabulary
        self.vocabulary = (*words, "anomaly") if words else words
        items = super().sense()
        self.vocabulary = words
        return [
            replace(item, proposed_classes=1, proposer=SETTINGS.as_text())
            if isinstance(item, FrameDetections) and "anomaly" in item.vocabulary
            else item
            for item in items
        ]


@pytest.fixture(scope="module")
def scan() -> ProposingScan:
    things = [Thing(-0.2, 0.3, "anomaly", truth="barrel"), Thing(0.3, 0.25, "person")]
    made = ProposingScan(things)
    made.start(words=("person",))
    made.run(30.0)
    return made


def test_a_proposal_becomes_a_finding_of_its_class_by_the_models_answer(scan) -> None:
    found = {one.class_name: one for decision in scan.decisions for one in decision.findings}
    asked = [ask.class_name for decision in scan.decisions for ask in decision.ask]

    assert set(found) == {"person", "anomaly"}
    assert asked == ["anomaly"]  # the classifier knows the other
    assert found["anomaly"].state is FindingState.CONFIRMED
    requests = [one.vocabulary for one in scan.decisions if one.vocabulary is not None]
    assert len(requests) == 1  # proposals among the classes are no other words


def test_the_bag_keeps_them_and_the_replay_decides_the_same(scan, tmp_path: Path) -> None:
    path = write_bag(tmp_path, list(messages_of(scan)))

    with BagReader(path) as reader:
        items = list(scan_recording(reader, "/"))
        frames = [item for item in items if isinstance(item, FrameDetections)]
    with BagReader(path) as reader:
        summary = Summary.of(replay(scan_recording(reader, "/"), lambda same: same))

    assert {one.proposer for one in frames if one.proposed_classes} == {SETTINGS.as_text()}
    assert any(one.proposed_names == {"anomaly"} for one in frames)
    assert summary.exact == summary.steps == len(scan.decisions)


def test_pictures_are_proposed_in_again_by_the_settings_of_then() -> None:
    picture = np.full((120, 200, 3), 90, np.uint8)
    picture[40:60, 50:80] = (210, 190, 20)
    wanted = ProposalSettings(propose_anomalies=True, propose_colours=("red",), max_proposals=2)
    model = SimpleNamespace(
        info=SimpleNamespace(name="net"),
        vocabulary=("person",),
        process=lambda _, looks: SimpleNamespace(
            detections=Detections.none(200, 120), vocabulary=("person",), looks=looks
        ),
    )
    _, file = cv2.imencode(".png", picture)
    recorded = RecordedPicture(1, file.tobytes())
    detect = _Detect(SimpleNamespace(pipeline=model), ())

    then = FrameDetections(1, Detections.none(200, 120), ("person",))
    again = detect(recorded, replace(then, proposer=wanted.as_text()))
    without = detect(recorded, then)

    expected = Proposer(wanted).propose(picture)
    np.testing.assert_array_equal(again.detections.boxes_xyxy, expected.boxes_xyxy)
    assert len(expected) == 1
    assert again.vocabulary == ("person", "red", "anomaly")
    assert (again.words, again.proposed_names) == (("person",), {"red", "anomaly"})
    assert (len(without.detections), without.vocabulary) == (0, ("person",))
