"""Replay from pictures: another model in the place of the recorded detections."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semantic_detection_pkg.cli.replay import main
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.recorder.core.replay.redetect import (
    Comparison,
    RecordedPicture,
    detected_again,
)
from semantic_detection_pkg.scan.core.inputs import FrameDetections
from simulation_pkg.harness.scan_recording import messages_of, recorded_scan, write_bag

WORDS = ("person", "tent")
FAKE = ["--from", "frames", "--engine", "fake", "--model", __file__]


def frame(stamp_ns: int, *found: tuple[int, float, float]) -> FrameDetections:
    """Detections as (class id, score, left edge), each 10 px wide and high."""
    ids, scores, lefts = zip(*found, strict=True) if found else ((), (), ())
    boxes = np.array([(left, 0, left + 10, 10) for left in lefts], np.float32).reshape(-1, 4)
    detections = Detections(100, 50, np.array(ids), np.array(scores), boxes)
    return FrameDetections(stamp_ns, detections, WORDS, "then")


@pytest.mark.parametrize(
    ("then", "now", "found_again", "lost", "new", "same"),
    [
        ([], [], 0, {}, {}, 1),
        ([(0, 0.9, 5)], [(0, 0.9, 5)], 1, {}, {}, 1),
        ([(0, 0.9, 5)], [(0, 0.7, 6)], 1, {}, {}, 0),
        ([(0, 0.9, 5)], [(1, 0.9, 5)], 0, {"person": 1}, {"tent": 1}, 0),
        ([(0, 0.9, 5)], [(0, 0.9, 40)], 0, {"person": 1}, {"person": 1}, 0),
        # Two for one: the better overlap is it.
        ([(0, 0.9, 5)], [(0, 0.9, 7), (0, 0.8, 5)], 1, {}, {"person": 1}, 0),
    ],
)
def test_detections_compared(then, now, found_again, lost, new, same) -> None:
    comparison = Comparison()
    comparison.add(frame(1, *then), frame(1, *now))
    assert (comparison.found_again, comparison.same) == (found_again, same)
    assert (comparison.lost, comparison.new) == (lost, new)


def test_a_picture_stands_for_the_detections_of_its_stamp() -> None:
    """2 was not looked at then, 3 has no picture; 1 is looked at in the same parts again."""
    looks = (Look(0, 0, 100, 50, 0.5), Look(40, 0, 90, 50, 1.0))
    then = [replace(frame(1), looks=looks), frame(3)]
    items = [then[0], RecordedPicture(1, b"a"), RecordedPicture(2, b"b"), then[1]]
    seen = []

    def detect(picture: RecordedPicture, then: FrameDetections | None) -> FrameDetections:
        assert then is not None
        seen.append((picture.stamp_ns, then.words, then.looks))
        return frame(picture.stamp_ns, (0, 0.5, 5))

    comparison = Comparison()
    known = {one.stamp_ns: one for one in then}
    again = list(detected_again(items, known, frozenset({1, 2}), detect, comparison))
    assert [(item.stamp_ns, len(item.detections)) for item in again] == [(1, 1), (3, 0)]
    assert seen == [(1, WORDS, looks)]
    assert (comparison.frames, comparison.without_picture, comparison.compared) == (1, 1, 1)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    messages = messages_of(recorded_scan(4.0), with_frames=True)
    return write_bag(tmp_path_factory.mktemp("frames"), list(messages))


def test_the_same_digest_twice(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digests = []
    for _ in range(2):
        assert main([str(bag), *FAKE]) == 0
        out = capsys.readouterr().out
        assert re.search(r"^\d+ pictures detected again", out, re.M)
        digests.append(re.findall(r"replayed sha256 (\w{64})", out)[0])
    assert digests[0] == digests[1]


def test_a_bag_of_pictures_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What any robot records: no journal, no detections."""
    kept = ("/camera/image_raw/compressed", "/gimbal/state")
    messages = messages_of(recorded_scan(4.0), with_frames=True)
    path = write_bag(tmp_path, [one for one in messages if one.topic.name in kept])
    assert main([str(path), *FAKE]) == 0
    out = capsys.readouterr().out
    assert "no journal was recorded" in out
    assert re.search(r"replayed sha256 \w{64}", out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "frames"], "--from frames needs --model FILE"),
        (["--from", "frames", "--model", "none.onnx"], "model none.onnx: does not exist"),
        ([*FAKE, "--conf", "3"], "confidence"),
        ([*FAKE, "--words", "unicorn"], "unicorn"),
    ],
)
def test_options_that_are_none(
    bag: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bag), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
