"""Cameras and detectors that are slow, late or away: nobody is given up unseen."""

import dataclasses

import pytest
from scan_things import PERSON, SCARECROW, TENT, states_of

from ros_support_pkg.core.words import FindingState, Level
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.journal import inputs_from_json, inputs_to_json
from semantic_detection_pkg.scan.core.planning.sweep import SweepSettings
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import STEP_NS, ExactScan, Thing

S = 1_000_000_000
SETTINGS = ScanSettings()
THINGS = (PERSON, TENT, SCARECROW)


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> list[Candidate]:
    """Return the candidates that are given up from now on."""
    gone: list[Candidate] = []
    give_up = Candidate.give_up

    def noted(self: Candidate, now_ns: int, why: str) -> None:
        gone.append(self)
        give_up(self, now_ns, why)

    monkeypatch.setattr(Candidate, "give_up", noted)
    return gone


def crowd(count: int) -> list[Thing]:
    """Return persons in rows across the area."""
    return [Thing(-0.6 + 0.15 * (i % 9), 0.1 + 0.1 * (i // 9)) for i in range(count)]


def frame_ns(rate_hz: float) -> int:
    """Return the interval of frames at about this rate, a multiple of the steps'."""
    return round(S / rate_hz / STEP_NS) * STEP_NS


def at_rate(rate_hz: float) -> ScanSettings:
    """Return settings with which the sweep is slow enough for a camera."""
    rate_hz = max(0.5, rate_hz)
    return dataclasses.replace(SETTINGS, sweep=SweepSettings(frame_rate_hz=rate_hz))


@pytest.mark.parametrize("latency_s", [0.0, 1.4])
@pytest.mark.parametrize("rate_hz", [0.3, 0.5, 1.0, 2.0, 10.0])
def test_a_slow_camera_costs_time_and_no_verdict(rate_hz, latency_s, given_up):
    settings = at_rate(rate_hz)
    made = ExactScan(list(THINGS), settings, frame_ns=frame_ns(rate_hz))
    made.latency_ns = round(latency_s * S)
    made.start()
    made.run(900.0, until=lambda decision: decision.result is not None)
    assert made.result.outcome == "succeeded"
    assert states_of(made) == {
        "person": FindingState.CONFIRMED,
        "tent": FindingState.CONFIRMED,
        "scarecrow": FindingState.REJECTED,
    }
    assert given_up == []


@pytest.mark.parametrize("rate_hz", [0.3, 1.0, 2.0, 10.0])
def test_who_is_given_up_was_seen_in_as_many_frames_at_any_rate(rate_hz, given_up):
    """Somebody whom the classifier never answers about has all the views there are."""
    settings = at_rate(rate_hz)
    settings = dataclasses.replace(
        settings, tiers=dataclasses.replace(settings.tiers, inspection_timeout_s=1000.0)
    )
    made = ExactScan([PERSON], settings, frame_ns=frame_ns(rate_hz), is_classifier_silent=True)
    made.start()
    made.run(900.0, until=lambda _: bool(given_up))
    (candidate,) = given_up
    close = settings.close
    assert candidate.evidence.views == close.max_views
    assert len(candidate.evidence.frames_ns) >= close.max_views * close.min_view_frames


@pytest.mark.parametrize("moment", ["approach view", "watch candidates", "await classifier"])
def test_with_the_camera_away_nobody_is_given_up(moment, given_up):
    made = ExactScan(crowd(41))
    made.start()
    made.run(120.0, until=lambda d: d.status.leaf == moment)
    before = made.decisions[-1].status
    made.is_camera_silent = True
    made.run(30.0)
    now = made.decisions[-1].status
    assert now.level is Level.SAFE
    assert now.candidates + now.findings == before.candidates + before.findings
    made.is_camera_silent = False
    made.run(900.0, until=lambda decision: decision.result is not None)
    assert made.result.findings == 41
    assert given_up == []


def test_a_camera_that_comes_and_goes(given_up):
    """Every frame is followed by a silence that is longer than any view."""
    made = ExactScan(crowd(8))
    made.start()
    made.run(60.0, until=lambda d: d.status.level is Level.CLOSE)
    for _ in range(60):
        made.is_camera_silent = True
        made.run(1.2)
        made.is_camera_silent = False
        made.run(0.1)
    if made.result is None:
        made.run(300.0, until=lambda decision: decision.result is not None)
    assert made.result.findings == 8
    assert given_up == []


def test_a_slow_camera_is_not_lost_and_a_lost_one_is_not_slow():
    made = ExactScan([], frame_ns=3 * S)
    made.start(is_repeating=True)
    made.run(24.0)
    assert all(one.status.level is not Level.SAFE for one in made.decisions[-120:])
    made.is_camera_silent = True
    made.run(6.0, until=lambda d: d.status.level is Level.SAFE)
    made.is_camera_silent, made.frame_ns = False, S // 10
    made.run(6.0)
    made.is_camera_silent = True
    made.run(2.2, until=lambda d: d.status.level is Level.SAFE)


def test_a_recording_from_before_frames_were_counted_is_decided_as_it_was():
    text = inputs_to_json(SETTINGS, []).replace('"min_view_frames":2,', "")
    assert "min_view_frames" not in text
    inputs = inputs_from_json(text)
    assert inputs.settings.close == dataclasses.replace(SETTINGS.close, min_view_frames=0)
    assert inputs.version_notes == ("close.min_view_frames is new, 0 is taken",)
