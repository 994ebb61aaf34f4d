"""What recorded pictures come to: the tiers' word as in a mission, and what is one thing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ros_support_pkg.core.pose_history import Pose, PoseHistory
from ros_support_pkg.core.words import FindingState, TrackState, Verdict
from semantic_detection_pkg.archive.core.evaluation import Sighted
from semantic_detection_pkg.archive.core.grouping import group, to_findings
from semantic_detection_pkg.archive.core.question import SeenFrame, UnitAnswer
from semantic_detection_pkg.archive.core.stretches import sightings_of
from semantic_detection_pkg.archive.core.surroundings import Surroundings, Timeline
from semantic_detection_pkg.archive.core.third_tier import asking_settings, is_open, with_answer
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.picture_questions import PictureAnswer
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.scan.core.association import angular_distance_rad
from semantic_detection_pkg.scan.core.decisions import InspectRequest
from semantic_detection_pkg.scan.core.evidence import Finding, TierResult
from semantic_detection_pkg.scan.core.inputs import (
    Fix,
    FrameDetections,
    GimbalReading,
    InspectionResult,
)
from semantic_detection_pkg.scan.core.settings import CandidateSettings, ScanSettings, TierSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from simulation_pkg.harness.exact_scan import ExactScan, Thing

SECOND = 1_000_000_000  # [ns]
WORDS = ("person", "tent")
LABELS = {word: word for word in WORDS}


def no_classifier(stamp_ns: int, box: tuple[float, float, float, float]) -> InspectionResult:
    return InspectionResult(0, stamp_ns, has_crop=False)


def frame(stamp_ns: int, *found: tuple[int, float, float, float]) -> SeenFrame:
    """What was seen in 1000 x 500 px: (class, score, left edge, size)."""
    boxes = np.array([(x, 100, x + size, 100 + size) for _, _, x, size in found], np.float32)
    detections = Detections(
        1000,
        500,
        np.array([one[0] for one in found], np.uint16),
        np.array([one[1] for one in found], np.float32),
        boxes.reshape(-1, 4),
    )
    return SeenFrame(stamp_ns, stamp_ns, detections)


def seen(frames: list[SeenFrame], around: Surroundings | None = None) -> list[Sighted]:
    answer = UnitAnswer(tuple(frames), WORDS, "model.onnx")
    return sightings_of(0, lambda: [answer], LABELS, around or Surroundings(), no_classifier)


def at_4_hz(count: int, *found: tuple[int, float, float, float], from_ns: int = SECOND) -> list:
    return [frame(from_ns + number * SECOND // 4, *found) for number in range(count)]


# ------------------------------------------------------------------------- as in a mission


@pytest.mark.parametrize(
    "things",
    [
        [Thing(0.3, 0.2), Thing(-0.3, 0.3, "tent", truth="boulder")],
        [Thing(0.3, 0.2), Thing(-0.2, 0.25), Thing(0.1, 0.4, "tent"), Thing(-0.5, 0.2, "tent")],
    ],
)
def test_what_a_mission_found_is_found_in_its_recording(things: list[Thing]) -> None:
    """The same frames, poses and classifier: the same things, states and scores."""
    scan = ExactScan(list(things))
    scan.start()
    scan.run(25.0)
    said = {one.finding_id: one for step in scan.decisions for one in step.findings}
    live = list(said.values())
    history: PoseHistory[Pose] = PoseHistory(100_000)
    frames = []
    for _, inputs in scan.journal:
        for item in inputs:
            if isinstance(item, GimbalReading):
                history.add(item)
            elif isinstance(item, FrameDetections):
                frames.append(item)
    around = Surroundings(history=history, zoom_max=scan.zoom_max)
    around.settings.add(0, scan.settings)
    answers = [
        UnitAnswer((SeenFrame(0, one.stamp_ns, one.detections),), one.vocabulary, "exact")
        for one in frames
    ]

    def classify(stamp_ns: int, box: tuple[float, float, float, float]) -> InspectionResult:
        answer = scan.classify(InspectRequest(0, stamp_ns, box))
        assert answer is not None
        return answer

    sighted = sightings_of(0, lambda: answers, LABELS, around, classify)
    found = to_findings(group(sighted, CandidateSettings()), 1, {})
    assert len(live) == len(things)
    assert told(found) == told(live)
    assert {one.state for one in live} == {
        FindingState.REJECTED if thing.truth else FindingState.CONFIRMED for thing in things
    }
    for one in live:
        (same,) = [other for other in found if near(other, one)]
        assert angular_distance_rad(as_track(one), as_track(same)) < math.radians(0.2)


def told(findings: object) -> list[tuple[object, ...]]:
    return sorted(
        (one.class_name, one.state.name, round(one.score, 6), one.tiers[-1].reason.split(";")[0])
        for one in findings  # type: ignore[attr-defined]
    )


def near(one: Finding, other: Finding) -> bool:
    return math.hypot(one.yaw_rad - other.yaw_rad, one.pitch_rad - other.pitch_rad) < 0.03


def as_track(finding: Finding) -> Track:
    return track(finding.class_name, finding.yaw_rad, finding.pitch_rad)


def test_what_no_picture_shows_close_is_told_as_uncertain() -> None:
    """Nobody turned the camera to it then: the recording is looked through for another thing."""
    scan = ExactScan([Thing(0.1, 0.3)])
    history: PoseHistory[Pose] = PoseHistory(100_000)
    frames = []
    scan.vocabulary = ("person", "tent")
    for _ in range(60):
        for item in scan.sense():
            if isinstance(item, GimbalReading):
                history.add(item)
            elif isinstance(item, FrameDetections):
                frames.append(SeenFrame(0, item.stamp_ns, item.detections))
    (one,) = seen(frames, Surroundings(history=history, zoom_max=6.0))
    assert one.state is FindingState.UNCERTAIN
    assert one.tiers[0].reason == "seen in 0 of 0 close frames"
    assert "the recording shows it no closer" in one.tiers[1].reason
    # A lens without zoom: nothing could have shown it any larger.
    (one,) = seen(frames, Surroundings(history=history))
    assert one.state is FindingState.CONFIRMED


# ------------------------------------------------------------------------- without bearings


def test_a_fixed_video() -> None:
    thing, fleeting = (0, 0.8, 100.0, 40.0), (1, 0.9, 600.0, 60.0)
    frames = at_4_hz(20, thing) + at_4_hz(1, thing, fleeting, from_ns=6 * SECOND)
    (one,) = seen(frames + at_4_hz(20, thing, from_ns=7 * SECOND))
    assert (one.track.class_name, one.state) == ("person", FindingState.CONFIRMED)
    assert one.position is None


def test_the_best_frame_is_the_one_that_shows_most() -> None:
    """Long after it was decided it comes nearer."""
    frames = [frame(SECOND + i * SECOND // 4, (0, 0.8, 100.0, 40.0 + i)) for i in range(30)]
    frames += [frame(9 * SECOND + i * SECOND // 4, (0, 0.8, 100.0, 69.0 - i)) for i in range(9)]
    things = group(seen(frames), CandidateSettings())
    assert len(things) == 1
    assert things[0].best.best_ns == SECOND + 29 * SECOND // 4
    assert things[0].best.box_xyxy == (100.0, 100.0, 169.0, 169.0)


def test_after_a_pause_the_same_place_in_the_picture_is_something_else() -> None:
    thing = (0, 0.8, 100.0, 40.0)
    frames = at_4_hz(12, thing) + at_4_hz(12, thing, from_ns=600 * SECOND)
    assert len(group(seen(frames), CandidateSettings())) == 2
    set_back = at_4_hz(12, thing, from_ns=600 * SECOND) + at_4_hz(12, thing)
    assert len(group(seen(set_back), CandidateSettings())) == 2
    twice = [one for one in at_4_hz(12, thing) for _ in range(2)]
    assert len(group(seen(twice), CandidateSettings())) == 1


def test_stills_are_each_for_themselves() -> None:
    thing = (0, 0.8, 100.0, 40.0)
    photos = [frame(SECOND, thing), frame(SECOND, thing), frame(60 * SECOND, thing)]
    assert len(seen(photos, Surroundings(is_still=True))) == 3
    assert len(seen([frame(n * 10 * SECOND, thing) for n in range(1, 5)])) == 4  # of a slow camera
    (doubtful,) = seen([frame(SECOND, (0, 0.4, 100.0, 40.0))], Surroundings(is_still=True))
    assert doubtful.state is FindingState.UNCERTAIN


# ------------------------------------------------------------------------- one thing or two


def track(
    class_name: str = "person", yaw_rad: float = 0.0, pitch_rad: float = 0.3, number: int = 1
) -> Track:
    return Track(
        number, TrackState.CONFIRMED, class_name, 0.8, 0.8, yaw_rad, pitch_rad, (1e-6, 0.0, 1e-6),
        0.0, 0.0, 0.02, 0.02, True, True, 5, SECOND, 2 * SECOND, (0.0, 0.0, 20.0, 20.0), 0, (),
    )  # fmt: skip


def sight(north_m: float | None = None, fix_m: float = 0.0, **more: object) -> Sighted:
    """A sight of something so far north of a place, from a base so far north of it."""
    position = None
    if north_m is not None:
        position = Position(47.0 + north_m / 111_200, 8.0, 400.0, 100.0, 5.0, 3.0, 0.0)
    kept: dict[str, object] = {
        "scene": 0, "stretch": 1, "decided_ns": 2 * SECOND, "state": FindingState.CONFIRMED,
        "score": 0.9, "tiers": (), "track": track(), "first_ns": SECOND, "last_ns": 2 * SECOND,
        "best_ns": SECOND, "box_xyxy": (0.0, 0.0, 20.0, 20.0), "position": position, "path": None,
        "fix": Fix(0, 47.0 + fix_m / 111_200, 8.0, 450.0), "is_by_bearing": True, **more,
    }  # fmt: skip
    return Sighted(**kept)  # type: ignore[arg-type]


LATER = {"first_ns": 50 * SECOND, "last_ns": 51 * SECOND, "track": track(number=2)}
FAR = {**LATER, "track": track(yaw_rad=0.3, number=2)}


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (sight(), sight(**LATER), 1),  # the same bearing again
        (sight(), sight(**FAR), 2),
        (sight(), sight(**{**LATER, "track": track("tent", number=2)}), 2),
        (sight(0.0), sight(4.0, **FAR), 2),  # bearings of a base that stands tell more
        (sight(0.0), sight(4.0, fix_m=30.0, **FAR), 1),  # from elsewhere: by the place
        (sight(0.0), sight(40.0, fix_m=30.0, **LATER), 2),
        (sight(0.0), sight(4.0, fix_m=30.0, track=track(number=2)), 2),  # seen side by side
        (sight(0.0), sight(4.0, scene=1), 1),  # another recording
        (sight(0.0), sight(9.0, scene=1), 2),
        (sight(), sight(scene=1), 2),  # nothing tells that they are one
        (sight(is_by_bearing=False), sight(is_by_bearing=False, **LATER), 2),
        (sight(is_by_bearing=False), sight(is_by_bearing=False, first_ns=9 * SECOND), 1),
    ],
)  # fmt: skip
def test_one_thing_or_two(one: Sighted, other: Sighted, count: int) -> None:
    assert len(group([one, other], CandidateSettings())) == count
    assert len(group([other, one], CandidateSettings())) == count


def test_a_crowd_does_not_run_together() -> None:
    """Two persons 6 m apart in each of three photographs are two."""
    sights = [
        sight(6.0 * who + shot, scene=1, stretch=0, fix_m=20.0 * shot, first_ns=shot, last_ns=shot,
              track=track(yaw_rad=0.1 * who, number=10 * shot + who))
        for shot in range(3)
        for who in range(2)
    ]  # fmt: skip
    assert [len(thing.sightings) for thing in group(sights, CandidateSettings())] == [3, 3]


def test_the_best_that_was_said_of_a_thing_is_told() -> None:
    sights = [
        sight(state=FindingState.REJECTED, score=0.99),
        sight(state=FindingState.UNCERTAIN, score=0.5),
        sight(score=0.7),
        sight(score=0.8, best_ns=7),
    ]
    (finding,) = to_findings(group(sights, CandidateSettings()), 77, {(0, 7): 8})
    assert (finding.state, finding.score) == (FindingState.CONFIRMED, 0.8)
    assert (finding.finding_id, finding.revision, finding.best_frame_ns) == ("77-1", 4, 8)


def test_a_close_look_says_more_than_a_glimpse() -> None:
    """From afar a scarecrow looks like a person; a mission went there and saw."""
    glimpse = tiers(Verdict.UNSURE, Verdict.YES)
    close, left_open = tiers(Verdict.YES, Verdict.NO), tiers(Verdict.YES, Verdict.UNSURE)
    missed = tiers(Verdict.NO, Verdict.NOT_RUN)
    confirmed, rejected, uncertain = (
        FindingState.CONFIRMED,
        FindingState.REJECTED,
        FindingState.UNCERTAIN,
    )
    for sights, state in (
        ([(confirmed, 0.9, glimpse), (rejected, 0.97, close)], rejected),
        ([(confirmed, 0.9, glimpse), (uncertain, 0.5, left_open)], uncertain),
        ([(confirmed, 0.9, tiers(Verdict.YES, Verdict.YES)), (rejected, 0.97, close)], confirmed),
        ([(confirmed, 0.9, glimpse), (rejected, 0.97, missed)], confirmed),  # says the least
        # Without a classifier nobody's close look is worth more.
        (
            [(confirmed, 0.9, glimpse), (rejected, 0.9, tiers(Verdict.YES, Verdict.NOT_RUN))],
            confirmed,
        ),
    ):
        seen_so = [
            sight(state=state, score=score, tiers=results) for state, score, results in sights
        ]
        for order in (seen_so, seen_so[::-1]):
            (thing,) = group(order, CandidateSettings())
            assert thing.best.state is state


TURNING = 2.0  # [rad/s]; blurs by more than a close look may be


def in_view(poses: list[tuple[float, float]]) -> tuple[list[SeenFrame], Surroundings]:
    """A person 40 px wide that stands ahead, seen small; one (yaw rate [rad/s], score) a frame."""
    history: PoseHistory[Pose] = PoseHistory(100)
    frames = []
    for number, (rate_rad_s, size) in enumerate(poses):
        stamp_ns = SECOND + number * SECOND // 10
        history.add(Pose(stamp_ns, 0.0, 0.3, yaw_rate_rad_s=rate_rad_s, hfov_rad=1.0))
        frames.append(frame(stamp_ns, (0, 0.8, 500.0 - size / 2.0, size)))
    return frames, Surroundings(history=history, zoom_max=6.0)


def test_a_sharp_picture_shows_more_than_a_large_blurred_one() -> None:
    frames, around = in_view([(0.0, 40.0)] * 4 + [(TURNING, 48.0)] * 2 + [(0.0, 40.0)] * 2)
    (one,) = seen(frames, around)
    assert one.is_sharp
    assert one.box_xyxy[2] - one.box_xyxy[0] == pytest.approx(40.0)
    frames, around = in_view([(TURNING, 40.0)] * 6)
    (one,) = seen(frames, around)
    assert not one.is_sharp  # there is no other


def test_what_is_given_up_is_judged_by_as_many_crops_as_in_a_mission() -> None:
    """One alone may be what the classifier is wrong about."""
    frames, around = in_view([(0.0, 40.0 + number) for number in range(8)])
    asked: list[int] = []

    def classify(stamp_ns: int, box: tuple[float, float, float, float]) -> InspectionResult:
        asked.append(stamp_ns)
        person = 0.99 if stamp_ns < frames[-1].stamp_ns else 0.2
        return InspectionResult(0, stamp_ns, "", "net", ("person", "post"), (person, 1.0 - person))

    answer = UnitAnswer(tuple(frames), WORDS, "model.onnx")
    (one,) = sightings_of(0, lambda: [answer], LABELS, around, classify)
    assert asked == [frames[-1].stamp_ns, frames[-2].stamp_ns]
    assert one.state is FindingState.CONFIRMED  # by the last crop alone it is rejected
    assert "over 2 crops" in one.tiers[1].reason


def test_a_place_of_the_camera_is_told_as_uncertain_as_it_is() -> None:
    fixes: Timeline[Fix] = Timeline(0)
    fixes.add(SECOND, Fix(SECOND, 47.0, 8.0, 450.0, 4.0))
    around = Surroundings(is_still=True, fixes=fixes, reach_m=30.0)
    shots = [frame(SECOND, (0, 0.8, 100.0, 40.0)), frame(2 * SECOND, (0, 0.8, 100.0, 40.0))]
    placed, unplaced = seen(shots, around)
    assert placed.position is not None
    assert placed.position.ellipse_major_m == pytest.approx(math.hypot(30.0, 4.0))
    assert unplaced.position is None
    (never, _) = seen(shots, replace(around, reach_m=math.nan))
    assert never.position is None


@pytest.mark.parametrize(
    "wrong",
    [{"latitude_deg": 95.0}, {"altitude_m": 1e9}, {"sigma_horizontal_m": 4294967295.0}],
)
def test_a_place_on_no_earth_gives_no_position(wrong: dict[str, float]) -> None:
    fixes: Timeline[Fix] = Timeline(0)
    fixes.add(SECOND, replace(Fix(SECOND, 47.0, 8.0, 450.0, 4.0), **wrong))
    around = Surroundings(is_still=True, fixes=fixes, reach_m=30.0)
    (found,) = seen([frame(SECOND, (0, 0.8, 100.0, 40.0))], around)
    assert (found.position, found.fix) == (None, None)


def test_settings_of_a_recording_count() -> None:
    around = Surroundings()
    settings = ScanSettings()
    strict = replace(settings.candidates, min_score=0.9)
    around.settings.add(0, replace(settings, candidates=strict))
    assert seen(at_4_hz(12, (0, 0.8, 100.0, 40.0)), around) == []


# ------------------------------------------------------------------------- Tier 3


def tiers(first: Verdict, second: Verdict) -> tuple[TierResult, ...]:
    return TierResult(1, first, 0.9, ""), TierResult(2, second, 0.6, "")


def answer(verdict: Verdict, **more: object) -> PictureAnswer:
    return PictureAnswer(verdict, 0.7, "logprobs", "its words", "its reason", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second", "policies"),
    [
        (Verdict.YES, Verdict.UNSURE, {"unsure", "always"}),
        (Verdict.UNSURE, Verdict.NOT_RUN, {"unsure", "always"}),
        (Verdict.YES, Verdict.YES, {"always"}),
        (Verdict.YES, Verdict.NO, set()),
        (Verdict.NO, Verdict.NOT_RUN, set()),
    ],
)
def test_what_is_asked_is_what_a_mission_asks(
    first: Verdict, second: Verdict, policies: set[str]
) -> None:
    what = sight(tiers=tiers(first, second))
    for policy in ("unsure", "always"):
        is_asked = is_open(what, asking_settings(TierSettings(vlm_policy="never"), policy))
        assert is_asked == (policy in policies)


def test_it_is_asked_by_the_mission_s_rules_unless_somebody_says_otherwise() -> None:
    always, never = TierSettings(vlm_policy="always"), TierSettings(vlm_policy="never")
    assert asking_settings(always).vlm_policy == "always"
    assert asking_settings(always, "unsure").vlm_policy == "unsure"
    assert asking_settings(never).vlm_policy == "unsure"  # who names a server wants it asked


@pytest.mark.parametrize(
    ("verdict", "unavailable", "state", "score"),
    [
        (Verdict.YES, "uncertain", FindingState.CONFIRMED, 0.7),
        (Verdict.NO, "uncertain", FindingState.REJECTED, 0.7),
        (Verdict.UNSURE, "uncertain", FindingState.UNCERTAIN, 0.6),
        (Verdict.UNSURE, "lower", FindingState.CONFIRMED, 0.6),
    ],
)
def test_what_its_answer_comes_to(
    verdict: Verdict, unavailable: str, state: FindingState, score: float
) -> None:
    settings = TierSettings(vlm_unavailable_policy=unavailable)
    before = sight(tiers=tiers(Verdict.YES, Verdict.UNSURE), best_ns=7)
    after = with_answer(before, answer(verdict), 3, settings)
    assert (after.state, after.score) == (state, score)
    (reply,) = after.answers
    assert (reply.request_id, reply.verdict, reply.frame_ns) == (3, verdict, 7)
    assert after.tiers[:2] == before.tiers
    assert (after.tiers[2].tier, after.tiers[2].verdict, after.tiers[2].frames_ns) == (
        3, verdict, (7,)
    )  # fmt: skip


def test_without_an_answer_it_is_as_it_was() -> None:
    before = sight(tiers=tiers(Verdict.YES, Verdict.UNSURE))
    silence = PictureAnswer(Verdict.UNSURE, reason="nobody is there", is_answered=False)
    after = with_answer(before, silence, 1, TierSettings())
    assert (after.state, after.score, after.answers) == (before.state, before.score, ())
    assert (after.tiers[2].verdict, after.tiers[2].reason) == (Verdict.NOT_RUN, "nobody is there")


def test_its_no_holds_against_another_sight_of_the_same_thing() -> None:
    """Of the smaller picture nothing was asked, and the detector alone was content with it."""
    large = sight(tiers=tiers(Verdict.YES, Verdict.NOT_RUN), score=0.9, best_ns=7)
    small = sight(tiers=tiers(Verdict.YES, Verdict.NOT_RUN), score=0.8, **LATER)
    (thing,) = group([large, small], CandidateSettings())
    assert thing.best is large
    thing.asked = with_answer(thing.best, answer(Verdict.NO), 1, TierSettings())
    (finding,) = to_findings([thing], 77, {(0, 7): 8})
    assert (finding.state, finding.score) == (FindingState.REJECTED, 0.7)
    assert [one.frame_ns for one in finding.answers] == [8]
    assert finding.tiers[2].frames_ns == (8,)
