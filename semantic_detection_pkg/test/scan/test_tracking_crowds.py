"""Which detections are one thing: neighbours in a crowd, and what crosses the picture fast."""

import math

import numpy as np
import pytest
from tracker_run import PERSON, STEP_NS, Run, view_at

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.scan.core.tracking.fast_starts import FastStartSettings


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
