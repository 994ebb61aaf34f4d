"""The tracker by itself: births, misses, crossings, moving targets, long things, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker_run import PERSON, STEP_NS, WIDE, WORDS, Run, found, view_at

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.tracking.association import MeasurementNoise
from semantic_detection_pkg.scan.core.tracking.motion import MotionModel
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker, TrackerSettings


def test_a_thing_is_tentative_then_confirmed_then_lost_then_gone():
    run = Run()
    states = [run.frame(view_at(), PERSON)[0].state for _ in range(4)]
    assert states == [TrackState.TENTATIVE] * 2 + [TrackState.CONFIRMED] * 2
    seen = []
    for _ in range(60):
        tracks = run.frame(view_at())
        seen.append(tracks[0].state if tracks else None)
    assert seen[0] is TrackState.CONFIRMED
    assert TrackState.LOST in seen
    assert seen[-1] is None


def test_the_track_names_its_box_and_frame_exactly():
    run = Run()
    (track,) = run.frame(view_at(), PERSON)
    assert track.last_seen_ns == run.stamp_ns == track.first_seen_ns
    assert (track.class_name, track.hits, track.detection, track.is_seen) == ("person", 1, 0, True)
    assert (track.yaw_rad, track.pitch_rad) == pytest.approx((0.1, 0.4), abs=1e-6)
    assert (track.width_rad, track.height_rad) == pytest.approx((0.02, 0.04), rel=1e-4)
    assert track.box_xyxy == pytest.approx(view_at().boxes_of([(0.1, 0.4)], [(0.02, 0.04)])[0])
    box = track.box_xyxy
    (track,) = run.frame(view_at())
    assert (track.detection, track.is_seen, track.box_xyxy) == (-1, False, box)


def test_what_is_out_of_view_is_not_missed():
    run = Run()
    for _ in range(4):
        run.frame(view_at(), PERSON)
    for _ in range(600):
        tracks = run.frame(view_at(1.2))
    assert [track.state for track in tracks] == [TrackState.LOST]
    (track,) = run.frame(view_at(), PERSON)
    assert (track.id, track.hits, track.state) == (1, 5, TrackState.CONFIRMED)


def test_a_flash_is_forgotten_and_its_id_never_used_again():
    run = Run()
    run.frame(view_at(), PERSON)
    for _ in range(8):
        tracks = run.frame(view_at())
    assert tracks == ()
    assert run.frame(view_at(), PERSON)[0].id == 2


def test_two_that_cross_keep_their_ids():
    run = Run()
    rng = np.random.default_rng(3)
    owners = [set(), set()]
    for n in range(60):
        things = []
        for sign in (-1, 1):
            yaw = sign * (0.12 - 0.004 * n) + rng.normal(0, 0.001)
            things.append((0, yaw, 0.4 + 0.004 * sign, 0.02, 0.04))
        tracks = run.frame(view_at(), *(things if abs(n - 30) > 1 else things[:1]))
        for track in tracks:
            if track.is_seen and abs(n - 30) > 1:
                owners[track.detection].add(track.id)
    assert owners == [{1}, {2}]


@pytest.mark.parametrize("speed", [0.17, 0.35])
def test_a_fast_target_is_followed_and_found_again(speed):
    run = Run()
    rng = np.random.default_rng(4)
    for n in range(100):
        yaw = speed * n / 10
        view = view_at(yaw - 0.05 + 0.1 * math.sin(n / 7))  # a camera that follows badly
        is_gone = 60 <= n < 66
        thing = (0, yaw + rng.normal(0, 0.001), 0.4, 0.02, 0.04)
        tracks = run.frame(view, *([] if is_gone else [thing]))
    assert [track.id for track in tracks] == [1]
    assert tracks[0].yaw_rate_rad_s == pytest.approx(speed, rel=0.15)
    off = math.remainder(tracks[0].yaw_rad - speed * 9.9, math.tau)
    assert off == pytest.approx(0.0, abs=0.01)


def test_a_long_thing_keeps_its_id_while_the_camera_walks_along_it():
    run = Run()
    path = (2, 0.0, 0.5, 0.3, 0.03)
    for _ in range(3):
        run.frame(view_at(0.0, 0.5), path)
    hfov = 2 * math.atan(math.tan(WIDE / 2) / 6)
    for n in range(41):
        tracks = run.frame(view_at(-0.14 + 0.007 * n, 0.5, hfov), path)
        assert [track.id for track in tracks] == [1]
    assert (tracks[0].yaw_rad, tracks[0].pitch_rad) == pytest.approx((0.0, 0.5), abs=0.02)
    assert tracks[0].width_rad == pytest.approx(0.3, abs=0.04)


def test_a_long_thing_first_seen_in_part_grows_into_its_size():
    run = Run()
    path = (2, 0.0, 0.5, 0.3, 0.03)
    hfov = 2 * math.atan(math.tan(WIDE / 2) / 6)
    for n in range(45):
        tracks = run.frame(view_at(-0.16 + 0.007 * n, 0.5, hfov), path)
    assert [track.id for track in tracks] == [1]
    assert tracks[0].width_rad == pytest.approx(0.3, abs=0.05)
    assert tracks[0].yaw_rad == pytest.approx(0.0, abs=0.04)


def test_the_class_is_voted():
    run = Run()
    for n in range(12):
        (track,) = run.frame(view_at(), (1 if n in (0, 5) else 0, *PERSON[1:]))
    assert (track.id, track.class_name) == (1, "person")


def test_the_same_thing_under_two_classes_is_one_track():
    run = Run()
    for _ in range(5):
        tracks = run.frame(view_at(), PERSON, (1, *PERSON[1:]), scores=[0.8, 0.5])
    assert [track.class_name for track in tracks] == ["person"]


def test_a_weak_detection_goes_on_but_does_not_begin():
    run = Run(birth_score=0.5)
    assert run.frame(view_at(), PERSON, scores=[0.3]) == ()
    run.frame(view_at(), PERSON)
    assert run.frame(view_at(), PERSON, scores=[0.3])[0].hits == 2


def test_yaw_wraps():
    run = Run()
    for n in range(12):
        yaw = 3.1 + 0.01 * n
        tracks = run.frame(view_at(math.remainder(yaw, math.tau)), (0, yaw, 0.4, 0.02, 0.04))
    assert [track.id for track in tracks] == [1]
    assert -math.pi <= tracks[0].yaw_rad <= math.pi
    assert math.remainder(tracks[0].yaw_rad - 3.21, math.tau) == pytest.approx(0.0, abs=0.01)


def test_memory_is_bounded_and_history_thin():
    run = Run(tracks_max=5)
    for n in range(30):
        tracks = run.frame(view_at(0.1 * n), (0, 0.1 * n, 0.4, 0.02, 0.04))
        assert len(tracks) <= 5
    run = Run()
    for _ in range(400):
        (track,) = run.frame(view_at(), PERSON)
    assert len(track.history) == 64
    assert track.history[-1].stamp_ns - track.history[-2].stamp_ns == 500_000_000


def test_old_frames_change_nothing_and_forget_drops():
    run = Run()
    before = run.frame(view_at(), PERSON)
    assert run.tracker.update(run.stamp_ns, view_at(), found(view_at()), WORDS) == before
    run.tracker.drop(7)
    assert run.tracker.tracks == before
    run.tracker.drop(1)
    assert run.tracker.tracks == ()


boxes = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.floats(-9, 1289),
        st.floats(-9, 729),
        st.floats(0, 900),
        st.floats(0, 700),
    ),
    max_size=6,
)
turns = st.tuples(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(0.02, 1.5), boxes)


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(turns, max_size=8))
def test_whatever_comes_stays_finite_and_repeats_exactly(frames):
    def tracked():
        tracker, stamp_ns = Tracker(), 0
        for yaw, pitch, hfov, things in frames:
            stamp_ns += STEP_NS
            array = np.array([(x, y, x + w, y + h) for _, x, y, w, h in things]).reshape(-1, 4)
            ids, scores = [thing[0] for thing in things], [0.5] * len(things)
            detections = Detections(1280, 720, ids, scores, array)
            tracker.update(stamp_ns, view_at(yaw, pitch, hfov), detections, WORDS)
        return tracker.tracks

    tracks = tracked()
    assert tracks == tracked()
    assert len({track.id for track in tracks}) == len(tracks)
    for track in tracks:
        numbers = (track.yaw_rad, track.pitch_rad, track.yaw_rate_rad_s, *track.covariance)
        assert all(math.isfinite(number) for number in numbers)
        assert track.covariance[0] >= 0
        assert track.covariance[2] >= 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrackerSettings(birth_score=2.0), "birth_score: 2.0, allowed is 0..1"),
        (lambda: TrackerSettings(confirm_hits=0), "confirm_hits: 0, allowed is 1 or more"),
        (
            lambda: TrackerSettings(lost_after_s=math.nan),
            "lost_after_s: nan, allowed is more than 0",
        ),
        (lambda: MotionModel(rate_memory_s=0.0), "rate_memory_s: 0.0, allowed is more than 0"),
        (lambda: MeasurementNoise(box_px=-1.0), "box_px -1.0 must be 0 or more"),
        (
            lambda: Tracker().update(1, view_at(), Detections.none(64, 36), WORDS),
            "view 1280x720 and detections 64x36 must be of one picture",
        ),
        (
            lambda: Tracker().update(1, view_at(), found(view_at(), (2, *PERSON[1:])), WORDS[:2]),
            "class 2 is not in the vocabulary of 2",
        ),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
