"""What a scan makes of its inputs: poses, losses, words, limits, settings."""

import math

import pytest

from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.goals import gimbal_limits, parse_words
from semantic_detection_pkg.scan.core.input_watchdog import InputWatchdog
from semantic_detection_pkg.scan.core.inputs import (
    CameraBeat,
    FrameDetections,
    GimbalReading,
    GpuStatus,
)
from semantic_detection_pkg.scan.core.settings import (
    GimbalSettings,
    InputTimeouts,
    ScanSettings,
    TierSettings,
)

S = 1_000_000_000

# -------------------------------------------------------------------------------------- poses


def reading(stamp_s: float, yaw=0.0, **changes) -> GimbalReading:
    return GimbalReading(round(stamp_s * S), yaw, 0.1, **{"hfov_rad": 1.0, **changes})


@pytest.mark.parametrize("bad", [{"link": "stale"}, {"yaw": math.nan}, {"roll_rad": math.inf}])
def test_readings_that_say_nothing_are_no_poses(bad):
    poses = CameraPoses(1.0)
    poses.add(reading(1.0, **bad))
    assert poses.newest is None


def test_a_field_of_view_that_is_not_told_comes_from_the_lens():
    poses = CameraPoses(math.radians(60.0))
    poses.add(reading(1.0, hfov_rad=math.nan, zoom=2.0))
    view = poses.view_at(S, 640, 360)
    assert math.tan(view.hfov_rad / 2) == pytest.approx(math.tan(math.radians(30.0)) / 2)
    poses.add(reading(1.1, hfov_rad=0.5, zoom=2.0))
    assert poses.hfov_rad(2.0) == pytest.approx(0.5)


# ------------------------------------------------------------------------------------- losses


def watchdog_after(**heard_s: float) -> InputWatchdog:
    """Return a watchdog that got each input at a time. [s]"""
    made = InputWatchdog(
        InputTimeouts(gimbal_timeout_s=0.5, detections_timeout_s=2.0, camera_timeout_s=1.5)
    )
    items = {
        "gimbal": GimbalReading(0, 0.0, 0.0),
        "stale": GimbalReading(0, 0.0, 0.0, link="stale"),
        "frame": FrameDetections(0, Detections.none(8, 8), ()),
        "beat": CameraBeat(0),
        "lent": GpuStatus(True, False),
        "back": GpuStatus(False, False),
    }
    for name, when_s in heard_s.items():
        made.note_input(round(when_s * S), items[name])
    return made


@pytest.mark.parametrize(
    ("heard", "now_s", "gimbal", "pictures"),
    [
        ({}, 1, "gimbal: nothing heard yet", "detector or camera: no detections yet"),
        ({"gimbal": 0.8, "frame": 0.5}, 1, "", ""),
        ({"gimbal": 0.2, "frame": 0.5}, 1, "gimbal: nothing heard for 0 s", ""),
        ({"stale": 0.8, "frame": 0.5}, 1, "gimbal: link stale", ""),
        ({"gimbal": 4, "frame": 1}, 4, "", "detector or camera: no detections for 3 s"),
        ({"gimbal": 4, "frame": 1, "beat": 3.9}, 4, "", "detector: no detections for 3 s"),
        ({"gimbal": 4, "frame": 1, "beat": 1}, 4, "", "camera: no frame for 3 s"),
        ({"gimbal": 4, "frame": 1, "lent": 2}, 4, "", ""),
        ({"gimbal": 9, "frame": 1, "lent": 2}, 9, "", "detector or camera: no detections for 8 s"),
        ({"gimbal": 4, "frame": 1, "lent": 2, "back": 3}, 4, "", ""),
        ({"gimbal": 6, "frame": 1, "lent": 2, "back": 3}, 6, "", "detector or camera: no"),
    ],
)
def test_what_is_lost_is_said(heard, now_s, gimbal, pictures):
    made = watchdog_after(**heard)
    assert made.gimbal_problem(now_s * S) == gimbal
    told = made.detections_problem(now_s * S)
    assert told.startswith(pictures)
    assert bool(told) == bool(pictures)


# ----------------------------------------------------------------------------- goals, settings


def test_words_have_names_and_labels():
    assert [(w.name, w.label) for w in parse_words(("person", " shelter = tent "))] == [
        ("person", "person"),
        ("shelter", "tent"),
    ]


@pytest.mark.parametrize(
    ("low", "high", "is_endless"), [(-2.3, 2.3, False), (-math.tau, math.tau, True), (-1, 9, True)]
)
def test_an_axis_that_goes_round_has_no_limits(low, high, is_endless):
    limits = gimbal_limits(reading(1.0, yaw_min_rad=low, yaw_max_rad=high), GimbalSettings())
    assert limits.is_endless is is_endless


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tiers": TierSettings(vlm_policy="maybe")},
            "'vlm_policy' is 'maybe', allowed is one of unsure, always",
        ),
        (
            {
                "tiers": TierSettings(
                    classifier_reject_threshold=0.8, classifier_accept_threshold=0.75
                )
            },
            "classifier_reject_threshold, classifier_accept_threshold 0.8, 0.75",
        ),
        (
            {"input_timeouts": InputTimeouts(gimbal_timeout_s=0.0)},
            "gimbal_timeout_s: 0.0, allowed is more than 0",
        ),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        ScanSettings(**changes)
