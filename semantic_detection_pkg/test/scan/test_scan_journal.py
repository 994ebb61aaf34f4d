"""The texts of a journal: inputs and settings come back, decisions with old words compare."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import Level, Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.serialization import canonical, from_plain, to_plain
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.decisions import Decision, RateCommand, ScanStatus
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    FrameDetections,
    GimbalReading,
    Goal,
    InspectionResult,
    input_from_plain,
    input_to_plain,
)
from semantic_detection_pkg.scan.core.journal import (
    _RENAMED_BEHAVIOURS,
    RecordedStep,
    with_present_words,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings, TierSettings
from semantic_detection_pkg.scan.core.tree import build_tree


@given(
    yaw=st.floats(-4, 4),
    zoom=st.floats(1, 30) | st.just(math.nan),
    words=st.lists(st.text(max_size=8), max_size=3),
)
def test_inputs_come_back_from_json_bit_for_bit(yaw, zoom, words):
    for item in (
        GimbalReading(7, yaw, -yaw, zoom=zoom),
        Goal("g", Area(yaw, 1.0, 0.0, 1.0, ((yaw, 0.1),)), tuple(words), yaw, True),
        VlmReply(3, Verdict.UNSURE, yaw, cause="timeout"),
        InspectionResult(1, 2, labels=tuple(words), probabilities=(yaw,) * len(words)),
        BaseAttitude(1, (0.0, 0.0, yaw, 1.0)),
    ):
        text = canonical(input_to_plain(item))
        assert repr(input_from_plain(json.loads(text))) == repr(item)


def test_settings_come_back_from_json():
    settings = ScanSettings(tiers=TierSettings(path_classes=("road",)))
    text = canonical(to_plain(settings))
    assert repr(from_plain(ScanSettings, json.loads(text))) == repr(settings)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"type": "Joke"}, "input of type 'Joke' is unknown, known are GimbalReading, Goal"),
        ({"type": "Pause"}, "Pause: fields is_paused are missing or unknown"),
        ({"type": "Pause", "is_paused": 3}, "3 is given, bool is needed"),
        ({"type": "Pause", "is_paused": True, "x": 1}, "fields x are missing or unknown"),
        ({"type": "Cancel", "goal_id": ["g"]}, "is given, str is needed"),
    ],
)
def test_a_journal_that_is_none_is_refused(plain, message):
    with pytest.raises(ValueError, match=message):
        input_from_plain(plain)


def test_detections_are_named_by_their_stamp_and_not_written():
    with pytest.raises(ValueError, match="FrameDetections is not journalled"):
        input_to_plain(FrameDetections(1, Detections.none(8, 8), ("person",)))


def test_a_decision_is_one_text_whatever_the_last_bits():
    first, second = (Decision(rate=RateCommand(0.1 + extra, -0.0)) for extra in (0.0, 1e-12))
    assert first.to_json() == second.to_json()
    assert '"rate":{"pitch_rad_s":0.0,"yaw_rad_s":0.1}' in first.to_json()
    assert first.to_json() != Decision(rate=RateCommand(0.10001, 0.0)).to_json()


def recorded(status: ScanStatus) -> RecordedStep:
    return RecordedStep(0, 1, (), (), "[]", Decision(status).to_json())


@pytest.mark.parametrize(
    ("leaf", "reason", "leaf_now", "reason_now"),
    [
        ("safe", "gimbal: link down", "hold still", "gimbal: link down"),
        ("approach", "approaches person 3", "approach view", "approaching person 3"),
        ("tier 3 model", "asks the model about a 1", "ask vlm", "asking the VLM about a 1"),
        ("rest", "no goal", "go to rest", "no goal"),
        ("follow path", "follows footpath 2", "follow path", "following footpath 2"),
    ],
)
def test_decisions_recorded_with_old_words_are_compared_in_the_present_ones(
    leaf, reason, leaf_now, reason_now
):
    old = recorded(ScanStatus(Level.SWEEP, 1, leaf, reason))
    now = recorded(ScanStatus(Level.SWEEP, 1, leaf_now, reason_now))
    assert with_present_words(old) == now
    assert with_present_words(now) == now


def test_words_of_a_message_are_no_old_names():
    """A text that looks like a status is none: its quotes are escaped."""
    text = '"leaf":"safe","level":3,"reason":"sweeps'
    step = recorded(ScanStatus(Level.IDLE, 0, "go to rest", text))
    assert with_present_words(step) == step


def test_no_behaviour_has_an_old_name_again():
    tree = build_tree(Blackboard(ScanSettings()))
    names = {one.name for one in tree.iterate() if not one.children}
    for old, (now, reasons) in _RENAMED_BEHAVIOURS.items():
        assert now in names
        assert old == now or old not in names
        assert not any(new.startswith(tuple(reasons)) for new in reasons.values())


def test_arrays_and_numpy_numbers_are_plain():
    assert to_plain((np.float32(0.5), np.int64(3), np.array([1.25]))) == [0.5, 3, [1.25]]
