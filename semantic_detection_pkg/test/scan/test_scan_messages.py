"""Messages of the scan controller: what comes in, what goes out, the journal, the markers."""

import math

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion
from sensor_msgs.msg import Imu, NavSatFix
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from interfaces_pkg.msg import GimbalAngle, GimbalState, GpuState, VlmAnswer
from ros_support_pkg.core.message_rules import check_message
from ros_support_pkg.core.settings import make, settings_of
from ros_support_pkg.core.words import CellResult, FindingState, Level, Verdict
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.common.core.optics import direction
from semantic_detection_pkg.common.core.palette import CELL_COLOURS, rgb
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.common.core.serialization import to_plain
from semantic_detection_pkg.recorder.core.replay.player import replay
from semantic_detection_pkg.scan.core import from_messages as scan_inputs
from semantic_detection_pkg.scan.core.decisions import ScanStatus
from semantic_detection_pkg.scan.core.evidence import Finding, PathCourse, TierResult, VlmReply
from semantic_detection_pkg.scan.core.from_messages import from_journal
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading
from semantic_detection_pkg.scan.core.settings import ScanControllerSettings
from semantic_detection_pkg.scan.core.tracking.track import TrackPoint
from semantic_detection_pkg.scan.ros import outputs as scan_outputs
from semantic_detection_pkg.scan.ros.journal import to_journal
from semantic_detection_pkg.scan.ros.markers import scan_markers
from simulation_pkg.harness.exact_scan import AREA, ExactScan, Thing

NAN9 = [math.nan] * 9

SETTINGS = settings_of(ScanControllerSettings)


@pytest.fixture(scope="module")
def scanned() -> ExactScan:
    """Return a scan under way, with tracks, findings and a coverage map."""
    made = ExactScan(
        [Thing(0.3, 0.3), Thing(-0.3, 0.2, truth="scarecrow"), Thing(0.5, 0.5, "tent")]
    )
    made.start()
    made.run(30.0, until=lambda decision: bool(decision.findings))
    return made


# ------------------------------------------------------------------------------------ inputs


def test_a_gimbal_state_is_a_reading():
    message = GimbalState(yaw_rad=0.5, zoom=2.0, link=GimbalState.LINK_STALE, yaw_max_rad=1.0)
    message.header.stamp = to_time(7)
    reading = scan_inputs.from_gimbal_state(message)
    assert (reading.stamp_ns, reading.yaw_rad, reading.zoom) == (7, 0.5, 2.0)
    assert (reading.link, reading.is_up, reading.yaw_max_rad) == ("stale", False, 1.0)


@pytest.mark.parametrize(
    ("owner", "is_degraded", "is_lent"),
    [
        (GpuState.OWNER_DETECTOR, False, False),
        (GpuState.OWNER_LEASE, False, True),
        (GpuState.OWNER_NOBODY, False, True),
        (GpuState.OWNER_UNKNOWN, True, False),  # fail-safe: the detector is active
    ],
)
def test_who_has_the_gpu(owner, is_degraded, is_lent):
    told = scan_inputs.from_gpu_state(GpuState(owner=owner, is_degraded=is_degraded))
    assert (told.is_lent, told.is_degraded) == (is_lent, is_degraded)


@pytest.mark.parametrize(
    ("verdict", "meant"),
    [
        (VlmAnswer.VERDICT_YES, Verdict.YES),
        (VlmAnswer.VERDICT_NO, Verdict.NO),
        (VlmAnswer.VERDICT_UNSURE, Verdict.UNSURE),
        (99, Verdict.UNSURE),
    ],
)
def test_an_answer_that_cannot_be_read_is_unsure(verdict, meant):
    assert scan_inputs.from_vlm_answer(1, VlmAnswer(verdict=verdict)).verdict is meant


def fix(status=0, latitude=47.0, covariance=(9.0, 0, 0, 0, 4.0, 0, 0, 0, 25.0), kind=2):
    message = NavSatFix(latitude=latitude, longitude=8.0, altitude=500.0)
    message.status.status = status
    message.position_covariance = [float(value) for value in covariance]
    message.position_covariance_type = kind
    return scan_inputs.from_fix(message)


def test_a_fix_is_taken_with_its_uncertainty_or_not_at_all():
    assert (fix().sigma_horizontal_m, fix().sigma_vertical_m) == (3.0, 5.0)
    assert fix(kind=NavSatFix.COVARIANCE_TYPE_UNKNOWN).sigma_horizontal_m == 3.0
    assert fix(status=-1) is None
    assert fix(latitude=math.nan) is None
    assert fix(covariance=NAN9) == fix(kind=NavSatFix.COVARIANCE_TYPE_UNKNOWN)


@pytest.mark.parametrize(
    ("quaternion", "first", "is_taken"),
    [
        ((0.0, 0.0, 0.0, 1.0), 0.0, True),
        ((0.0, 0.0, 0.0, 0.0), 0.0, False),
        ((math.nan, 0.0, 0.0, 1.0), 0.0, False),
        ((0.0, 0.0, 0.0, 1.0), -1.0, False),
    ],
)
def test_an_attitude_is_taken_where_there_is_one(quaternion, first, is_taken):
    x, y, z, w = quaternion
    message = Imu(orientation=Quaternion(x=x, y=y, z=z, w=w))
    message.orientation_covariance[0] = first
    assert (scan_inputs.from_imu(message) is not None) is is_taken


def test_nobody_points_nowhere():
    with pytest.raises(ValueError, match="yaw_rad is nan"):
        check_message(GimbalAngle(yaw_rad=math.nan))
    assert scan_inputs.from_point_here(GimbalAngle(yaw_rad=0.5)).yaw_rad == 0.5


# -------------------------------------------------------------------------------- parameters


def test_the_defaults_for_people_are_those_of_the_code():
    built = make(ScanControllerSettings, {n: s.default for n, s in SETTINGS.items()})
    assert to_plain(built) == to_plain(ScanControllerSettings()), "to the last bit"


def test_one_parameter_sets_a_part_that_is_held_twice():
    scan = make(ScanControllerSettings, {"command_latency_s": 0.1}).scan
    assert scan.pointing.command_latency_s == scan.sweep.pointing.command_latency_s == 0.1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"min_target_px_by_class": ("footpath",)},
            "parameter 'min_target_px_by_class' has 'footpath', word=number is allowed",
        ),
        (
            {"min_target_px_by_class": ("footpath=wide",)},
            "parameter 'min_target_px_by_class' has 'footpath=wide', word=number is allowed",
        ),
        ({"synonyms": ("person",)}, "parameter 'synonyms' has 'person', word=text is allowed"),
        (
            {"classifier_reject_threshold": 0.9, "classifier_accept_threshold": 0.5},
            "classifier_reject_threshold, classifier_accept_threshold 0.9, 0.5: must rise",
        ),
        ({"max_rate_deg_s": 400.0}, "parameter 'max_rate_deg_s' is 400.0, allowed is a decimal"),
    ],
)
def test_parameters_that_make_no_sense_are_one_line(values, message):
    with pytest.raises(ValueError, match=message):
        make(ScanControllerSettings, values)


def test_other_names_of_classes():
    made = make(ScanControllerSettings, {"synonyms": ("person=hiker", "person=man")})
    assert made.names_by_class() == {"person": ["hiker", "man"]}


# ----------------------------------------------------------------------------------- outputs


def test_a_finding_is_complete():
    finding = Finding(
        finding_id="1-1",
        revision=2,
        stamp_ns=5,
        state=FindingState.CONFIRMED,
        class_name="footpath",
        score=0.9,
        tiers=(TierResult(1, Verdict.YES, 0.99, "seen", "net", (3, 4), 0.5),),
        answers=(VlmReply(1, Verdict.UNSURE, cause="timeout", frame_ns=4),),
        yaw_rad=0.1,
        pitch_rad=0.2,
        covariance=(1e-6, 0.0, 2e-6),
        range_m=30.0,
        track_id=7,
        history=(TrackPoint(1, 0.1, 0.2), TrackPoint(2, 0.11, 0.2)),
        best_frame_ns=4,
        best_box_xyxy=(1.0, 2.0, 3.0, 4.0),
        position=Position(47.0, 8.0, 400.0, 30.0, 2.0, 1.0, 0.3),
        path=PathCourse(((0.0, 0.1), (0.2, 0.1)), (), 0.2, 0.01, 1.0, True),
    )
    line = "confirmed: footpath 0.90 at yaw 5.7, pitch 11.5 deg; tier 1: seen"
    assert scan_outputs.in_words(finding) == line
    message = scan_outputs.to_finding(finding, "base")
    assert (message.id, message.revision, message.state) == ("1-1", 2, message.STATE_CONFIRMED)
    assert (message.header.frame_id, from_time(message.header.stamp)) == ("base", 5)
    assert [from_time(stamp) for stamp in message.tiers[0].frames] == [3, 4]
    assert message.tiers[0].verdict == message.tiers[0].VERDICT_YES
    assert (message.answers[0].verdict, message.answers[0].cause) == (3, "timeout")
    assert list(message.bearing.covariance) == [1e-6, 0.0, 2e-6]
    assert [one.yaw_rad for one in message.track_bearings] == [0.1, 0.11]
    assert list(message.best_box_xyxy) == [1.0, 2.0, 3.0, 4.0]
    assert (message.has_position, message.latitude_deg, message.ellipse_major_m) == (True, 47, 2)
    assert (len(message.path), message.path[0].is_followed) == (1, True)


def test_the_state_says_what_is_carried_out(scanned):
    status = ScanStatus(Level.CLOSE, 2, "leaf", "why", 0.5, 3, 1, 9)
    goal = scanned.controller.goal
    message = scan_outputs.to_scan_state(status, goal, Header(), is_paused=True)
    assert (message.level, message.tier, message.leaf) == (message.LEVEL_CLOSE, 2, "leaf")
    assert message.is_paused
    assert message.area.yaw_min_rad == AREA.yaw_min_rad
    assert (list(message.words), message.zoom) == (["person", "tent"], 1.0)
    without = scan_outputs.to_scan_state(status, None, Header(), is_paused=False)
    assert (list(without.words), without.is_paused) == ([], False)


def test_the_state_names_its_goal_and_how_it_is_searched(scanned):
    goal, progress = scanned.controller.goal, scanned.controller.progress
    begun_ns = scanned.controller.goal_begun_ns
    (found, *_) = scanned.controller.findings
    assert found.finding_id.startswith(f"{begun_ns}-")
    run = scan_outputs.GoalRun(goal.goal_id, begun_ns, "")
    message = scan_outputs.to_scan_state(
        ScanStatus(), goal, Header(), is_paused=False, progress=progress, run=run
    )
    assert (message.goal_id, from_time(message.goal_begun)) == (goal.goal_id, begun_ns)
    assert (message.planner, message.repeat, message.outcome) == ("sweep", False, "")


def test_the_map_goes_out_row_by_row(scanned):
    coverage = scanned.controller.coverage
    message = scan_outputs.to_coverage(coverage, scanned.now_ns / 1e9, Header())
    rows, columns = coverage.results.shape
    assert (message.rows, message.columns) == (rows, columns)
    assert np.array_equal(np.asarray(message.results).reshape(rows, columns), coverage.results)
    assert np.asarray(message.age_s).min() >= 0.0
    assert {message.RESULT_EMPTY} < set(message.results)


def test_markers_are_the_whole_picture(scanned):
    markers = scan_markers(Header(frame_id="base"), scanned.now_ns / 1e9, scanned.controller)
    assert markers.markers[0].action == Marker.DELETEALL
    by_name = {marker.ns: marker for marker in markers.markers[1:]}
    names = {"coverage", "area", "view", "tracks", "findings", "findings/names"}
    classes = scanned.controller.pod.class_names
    assert set(by_name) == names | {f"pod/{name}" for name in classes}
    looked_at = int((scanned.controller.pod.look_counts > 0).sum())
    chances = by_name[f"pod/{classes[0]}"]
    assert len(chances.points) == len(chances.colors) == looked_at
    cells = by_name["coverage"]
    assert (
        len(cells.points)
        == len(cells.colors)
        == int((scanned.controller.coverage.results > 0).sum())
    )
    spot = by_name["findings"].pose.position
    assert math.hypot(spot.x, spot.y, spot.z) == pytest.approx(10.0)
    assert all(marker.header.frame_id == "base" for marker in markers.markers[1:])


def test_cells_lie_where_they_are_and_fade(scanned):
    """Points and colours are shared by messages: each cell still has its own, now and later."""
    coverage, now_s = scanned.controller.coverage, scanned.now_ns / 1e9
    rows, columns = np.nonzero(coverage.is_wanted & (coverage.results > 0))
    opacities = []
    for later_s in (0.0, 90.0):
        made = scan_markers(Header(frame_id="base"), now_s + later_s, scanned.controller)
        cells = next(marker for marker in made.markers if marker.ns == "coverage")
        for at, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            place = 10.2 * direction(coverage.yaw_rad[column], coverage.pitch_rad[row])
            point, colour = cells.points[at], cells.colors[at]
            assert [point.x, point.y, point.z] == pytest.approx(place.tolist())
            wanted = rgb(CELL_COLOURS[CellResult(coverage.results[row, column])])
            assert [255.0 * one for one in (colour.r, colour.g, colour.b)] == pytest.approx(wanted)
            age_s = coverage.ages_s(now_s + later_s)[row, column]
            fresh = math.exp(-max(float(age_s), 0.0) / 60.0)
            assert colour.a == pytest.approx(0.15 + 0.35 * fresh, abs=0.01)
        opacities.append(cells.colors[0].a)
    assert opacities[1] < opacities[0]


# ----------------------------------------------------------------------------------- journal


def test_a_journal_is_replayed_from_its_messages_and_names_detections_by_stamp(scanned):
    recorded = []
    for number, ((now_ns, items), decision) in enumerate(
        zip(scanned.journal, scanned.decisions, strict=True)
    ):
        recorded += [item for item in items if isinstance(item, (GimbalReading, FrameDetections))]
        settings = None if number else scanned.settings
        message = to_journal(number, now_ns, settings, items, decision)
        assert "FrameDetections" not in message.inputs
        recorded.append(from_journal(message))
    outcomes = list(replay(recorded))
    assert len(outcomes) == len(scanned.decisions)
    assert all(outcome.is_same for outcome in outcomes)
