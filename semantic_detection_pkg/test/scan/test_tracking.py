"""The tracker by itself: births, misses, crossings, moving targets, long things, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.tracking.association import MeasurementNoise
from semantic_detection_pkg.scan.core.tracking.fast_starts import FastStartSettings
from semantic_detection_pkg.scan.core.tracking.motion import MotionModel
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker, TrackerSettings

WORDS = ["person", "tent", "footpath"]
STEP_NS = 100_000_000


WIDE = math.radians(62)


def view_at(yaw=0.0, pitch=0.4, hfov=WIDE) -> CameraView:
    return CameraView(yaw, pitch, 0.0, hfov, 1280, 720)


def found(view: CameraView, *things, scores=None) -> Detections:
    """Return detections of (class id, yaw, pitch, width, height), cut off by the picture."""
    kept, boxes = [], []
    for thing in things:
        box = view.boxes_of([thing[1:3]], [thing[3:5]])[0]
        box = np.clip(box, 0, [view.width, view.height] * 2)
        if np.isfinite(box).all() and (box[2:] - box[:2] > 2).all():
            kept.append(thing[0])
            boxes.append(box)
    scores = [0.8] * len(kept) if scores is None else scores
    return Detections(view.width, view.height, kept, scores, np.array(boxes).reshape(-1, 4))


class Run:
    """Feeds a tracker at 10 Hz."""

    def __init__(self, **changes):
        self.tracker = Tracker(TrackerSettings(**changes))
        self.stamp_ns = 1_700_000_000_123_456_789

    def frame(self, view, *things, **kwargs):
        self.stamp_ns += STEP_NS
        return self.tracker.update(self.stamp_ns, view, found(view, *things, **kwargs), WORDS)


PERSON = (0, 0.1, 0.4, 0.02, 0.04)


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


def test_neighbours_in_a_crowd_are_not_one_that_runs():
    """A person of 30 px, seen once; then one at the other side of the street, four sizes away."""
    run = Run()
    size = (0.01, 0.02)
    run.stamp_ns += 3 * STEP_NS  # a slow detector
    run.frame(view_at(), (0, 0.1, 0.4, *size))
    run.stamp_ns += 3 * STEP_NS
    run.frame(view_at(), (0, 0.18, 0.4, *size))
    run.stamp_ns += 3 * STEP_NS
    tracks = run.frame(view_at(), (0, 0.1, 0.4, *size), (0, 0.18, 0.4, *size))

    assert len(tracks) == 2
    assert all(math.hypot(one.yaw_rate_rad_s, one.pitch_rate_rad_s) < 0.01 for one in tracks)


def test_what_walks_at_two_of_its_sizes_a_second_is_followed():
    run = Run()
    for step in range(12):
        tracks = run.frame(view_at(), (0, 0.1 + step * 0.004, 0.4, 0.01, 0.02))

    (track,) = tracks
    assert track.hits == 12
    assert track.yaw_rate_rad_s == pytest.approx(0.04, rel=0.3)


SMALL = (0.01, 0.02)  # at 62 deg across: 10 by 20 px


def test_what_crosses_the_picture_faster_than_its_sizes_tell_is_followed_from_the_third_frame():
    """A bird: 20 deg/s, 17 of its sizes a second."""
    run = Run()
    for step in range(8):
        tracks = run.frame(view_at(), (0, -0.2 + step * 0.035, 0.4 + step * 0.004, *SMALL))

    (track,) = tracks
    assert (track.id, track.hits, track.state) == (1, 8, TrackState.CONFIRMED)
    assert (track.yaw_rate_rad_s, track.pitch_rate_rad_s) == pytest.approx((0.35, 0.04), abs=0.02)


def test_a_frame_in_which_it_was_missed_only_makes_the_step_longer():
    run = Run()
    for step in (0, 1, 3, 4):
        run.stamp_ns += STEP_NS * (step == 3)
        tracks = run.frame(view_at(), (0, -0.2 + step * 0.035, 0.4, *SMALL))

    (track,) = tracks
    assert track.hits == 4
    assert track.yaw_rate_rad_s == pytest.approx(0.35, abs=0.03)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([[0.0], [0.08], [0.0], [0.08]], id="two by turns"),
        pytest.param([[0.0], [0.08], [0.2]], id="another step"),
        pytest.param([[0.0], [0.08], [0.16, 0.2]], id="another stands near"),
        pytest.param([[0.0, 0.02], [0.08, 0.09], [0.16]], id="two ways to have come"),
    ],
)
def test_things_that_are_seen_now_and_then_are_not_one_that_flies(frames):
    run = Run()
    for seen in frames:
        tracks = run.frame(view_at(), *((0, yaw, 0.4, *SMALL) for yaw in seen))

    assert all(abs(track.yaw_rate_rad_s) < 0.01 for track in tracks)


def test_one_of_another_class_or_size_is_not_the_same_that_flies():
    for third in ((1, 0.16, 0.4, *SMALL), (0, 0.16, 0.4, 0.03, 0.05)):
        run = Run()
        run.frame(view_at(), (0, 0.0, 0.4, *SMALL))
        run.frame(view_at(), (0, 0.08, 0.4, *SMALL))
        assert len(run.frame(view_at(), third)) == 3


def test_journals_of_before_start_no_fast_tracks():
    run = Run(fast=FastStartSettings(rate_max_rad_s=0.0))
    for step in range(3):
        tracks = run.frame(view_at(), (0, -0.2 + step * 0.035, 0.4, *SMALL))

    assert [track.hits for track in tracks] == [1, 1, 1]


def crowd_after_a_while(**changes):
    """Return the tracks of one that was out of sight for long, and of two who now stand nearby."""
    run = Run(**changes)
    size = (0.01, 0.02)
    for _ in range(4):
        run.frame(view_at(), (0, 0.1, 0.4, *size))
    for _ in range(300):
        run.frame(view_at(1.2))
    run.frame(view_at())  # the camera has come to rest
    others = ((0, 0.15, 0.4, *size), (0, 0.165, 0.4, *size))
    return run.frame(view_at(), *others)


def test_one_out_of_sight_for_long_does_not_take_the_place_of_others_in_a_crowd():
    first, *others = crowd_after_a_while()

    assert (first.id, first.hits, first.is_seen) == (1, 4, False)
    assert first.yaw_rad == pytest.approx(0.1, abs=0.003)
    assert [one.yaw_rad for one in others] == pytest.approx([0.15, 0.165], abs=1e-3)


def test_journals_of_before_track_crowds_as_they_did():
    first, *others = crowd_after_a_while(new_share=0.0)

    assert (first.hits, first.is_seen, len(others)) == (5, True, 1)


def test_one_out_of_sight_for_long_who_is_alone_is_found_again_a_way_off():
    run = Run()
    for _ in range(4):
        run.frame(view_at(), PERSON)
    for _ in range(300):
        run.frame(view_at(1.2))
    (track,) = run.frame(view_at(), (0, 0.13, *PERSON[2:]))

    assert (track.id, track.hits) == (1, 5)


def test_each_of_a_crowd_that_is_looked_at_now_and_then_keeps_its_id():
    """Persons of 30 px, half a size apart, whom every fourth frame of a slow detector shows."""
    run = Run()
    rng = np.random.default_rng(5)
    places = [(0.06 + 0.012 * n, 0.4 + 0.004 * (n % 3)) for n in range(8)]
    for n in range(40):
        things = [(0, yaw + rng.normal(0, 4e-4), pitch, 0.01, 0.02) for yaw, pitch in places]
        run.stamp_ns += 3 * STEP_NS
        tracks = run.frame(view_at(0.0 if n % 4 < 2 else 1.2), *(things if n % 4 < 2 else ()))

    assert [track.id for track in tracks] == [1, 2, 3, 4, 5, 6, 7, 8]
    found_at = [(track.yaw_rad, track.pitch_rad) for track in tracks]
    assert np.array(found_at) == pytest.approx(np.array(places), abs=1e-3)
