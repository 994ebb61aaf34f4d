"""Findings: what is one thing, its revisions, and where it stands on the ground."""

import dataclasses
import math

import pytest

from ros_support_pkg.core.words import FindingState, TrackState
from semantic_detection_pkg.scan.core.association import is_same_object
from semantic_detection_pkg.scan.core.findings import Conclusion, FindingList, position_of
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import CandidateSettings
from semantic_detection_pkg.scan.core.tracking.track import Track

CONFIRMED, UNCERTAIN = FindingState.CONFIRMED, FindingState.UNCERTAIN


def track(yaw_rad=0.1, pitch_rad=0.2, name="person", size_rad=0.02, track_id=1) -> Track:
    return Track(
        id=track_id,
        state=TrackState.CONFIRMED,
        class_name=name,
        score=0.8,
        score_mean=0.8,
        yaw_rad=yaw_rad,
        pitch_rad=pitch_rad,
        covariance=(1e-6, 0.0, 1e-6),
        yaw_rate_rad_s=0.0,
        pitch_rate_rad_s=0.0,
        width_rad=size_rad,
        height_rad=size_rad,
        is_whole=True,
        is_seen=True,
        hits=3,
        first_seen_ns=1,
        last_seen_ns=2,
        box_xyxy=(0.0, 0.0, 100.0, 100.0),
        detection=0,
        history=(),
    )


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (track(0.1 + 0.011), True),
        (track(0.1 + 0.013), False),
        (track(0.1, name="tent"), False),
        (track(0.1 + math.tau), True),
        (track(0.13, size_rad=0.2), True),
    ],
)
def test_what_is_one_thing(other, is_same):
    assert is_same_object(CandidateSettings(), track(), other) is is_same


def conclusion(seen: Track, state=CONFIRMED) -> Conclusion:
    return Conclusion(state, 0.9, (), (), seen, 5, (0.0, 0.0, 9.0, 9.0))


def test_one_thing_is_one_finding_however_often_it_is_concluded():
    findings = FindingList(77, CandidateSettings())
    first = findings.record(100, conclusion(track()))
    again = findings.record(200, conclusion(track(track_id=9, yaw_rad=0.105), UNCERTAIN))
    other = findings.record(300, conclusion(track(track_id=2, yaw_rad=0.5)))
    assert [(f.finding_id, f.revision) for f in (first, again, other)] == [
        ("77-1", 1),
        ("77-1", 2),
        ("77-2", 1),
    ]
    assert [f.stamp_ns for f in findings.all] == [200, 300]
    assert findings.confirmed == 1


def test_a_thing_that_walked_on_is_the_same_finding_where_it_went():
    findings = FindingList(77, CandidateSettings())
    findings.record(100, conclusion(track()))
    findings.update_tracks({1: track(yaw_rad=0.2)})
    findings.update_tracks(
        {1: dataclasses.replace(track(yaw_rad=0.9), is_seen=False)}
    )  # only guessed
    again = findings.record(200, conclusion(track(yaw_rad=0.205, track_id=9)))
    assert (again.finding_id, again.revision) == ("77-1", 2)


def test_a_position_that_is_known_stays_while_the_robots_own_is_not():
    findings = FindingList(77, CandidateSettings())
    where = position_of(track(0.0, math.radians(45.0)), *BASE, 474.0, is_flat=True)
    known = dataclasses.replace(conclusion(track()), position=where)
    findings.record(100, known)
    again = findings.record(200, conclusion(track()))
    assert (again.revision, again.position, again.range_m) == (2, where, where.range_m)
    elsewhere = dataclasses.replace(where, latitude_deg=47.1)
    newer = findings.record(300, dataclasses.replace(known, position=elsewhere))
    assert newer.position == elsewhere
    assert findings.record(400, conclusion(track(0.9))).position is None  # another thing


BASE = (Fix(1, 47.0, 8.0, 500.0), BaseAttitude(1, (0.0, 0.0, 0.0, 1.0)))


def test_a_position_needs_fix_attitude_and_ground():
    fix, attitude = BASE
    down = track(0.0, math.radians(45.0))
    found = position_of(down, fix, attitude, 474.0, is_flat=True)
    # The base looks east (REP 103): 26 m below at 45 degrees is 26 m to the east.
    assert found.latitude_deg == pytest.approx(47.0, abs=1e-6)
    assert (found.longitude_deg - 8.0) * 111_320 * math.cos(math.radians(47)) == pytest.approx(
        26.0, abs=0.3
    )
    assert found.ellipse_major_m >= found.ellipse_minor_m > 0.0
    upright = position_of(down, fix, attitude, 474.0, is_flat=False)
    assert upright.range_m < found.range_m
    beyond = dataclasses.replace(fix, latitude_deg=95.0)
    assert position_of(down, beyond, attitude, 474.0, is_flat=True) is None
    assert position_of(down, None, attitude, 474.0, is_flat=True) is None
    assert position_of(down, fix, None, 474.0, is_flat=True) is None
    assert position_of(down, fix, attitude, math.nan, is_flat=True) is None
    assert position_of(track(0.0, -0.3), fix, attitude, 474.0, is_flat=True) is None
