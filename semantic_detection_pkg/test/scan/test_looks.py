"""What was looked at, and how finely: in the tracker, in the coverage, in messages."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scan_things import PERSON, TENT, exact_scan

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.from_messages import from_looks
from semantic_detection_pkg.common.core.looks import Look, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import FrameError
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria, CoverageMap
from semantic_detection_pkg.scan.core.planning.sweep import SweepPlanner, SweepSettings
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker

VIEW = CameraView(0.0, 0.4, 0.0, math.radians(62.0), 1280, 720)
WHOLE = Look(0, 0, 1280, 720, 0.5)
LEFT, RIGHT = Look(0, 0, 640, 720, 0.9), Look(640, 0, 1280, 720, 0.9)
STEP_NS = 100_000_000


def found(*boxes) -> Detections:
    return Detections(1280, 720, [0] * len(boxes), [0.6] * len(boxes), boxes or np.empty((0, 4)))


class Frames:
    """Gives a tracker frames at 10 Hz."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.stamp_ns = 0

    def show(self, detections: Detections, *looks: Look):
        self.stamp_ns += STEP_NS
        return self.tracker.update(self.stamp_ns, VIEW, detections, ["person"], looks)


def test_a_track_is_not_missed_where_nobody_looked_finely():
    """Seen in a tile; the whole picture is too coarse, and the other tile shows another place."""
    frames = Frames()
    box = [900.0, 300.0, 912.0, 330.0]
    frames.show(found(box), WHOLE, RIGHT)
    for _ in range(20):
        frames.show(found(), WHOLE, LEFT)

    assert len(frames.tracker.tracks) == 1  # tentative: seven empty looks would end it
    assert frames.show(found(box), WHOLE, RIGHT)[0].hits == 2


def test_a_track_is_missed_where_its_tile_shows_nothing():
    frames = Frames()
    frames.show(found([900.0, 300.0, 912.0, 330.0]), WHOLE, RIGHT)
    for _ in range(8):
        frames.show(found(), WHOLE, RIGHT)

    assert frames.tracker.tracks == ()


def test_what_the_whole_picture_showed_is_expected_in_it():
    frames = Frames()
    frames.show(found(), WHOLE, RIGHT)
    frames.show(found([200.0, 200.0, 320.0, 500.0]), WHOLE, RIGHT)
    for _ in range(8):
        frames.show(found(), WHOLE, RIGHT)

    assert frames.tracker.tracks == ()


def test_without_tiles_a_track_is_expected_at_any_resolution():
    """As before there were tiles: recordings decide as they did."""
    frames = Frames()
    frames.show(found([900.0, 300.0, 912.0, 330.0]), Look(0, 0, 1280, 720, 1.0))
    for _ in range(8):
        frames.show(found(), WHOLE)

    assert frames.tracker.tracks == ()


def test_two_detections_in_tiles_confirm_a_track():
    frames = Frames()
    box = [900.0, 300.0, 912.0, 330.0]
    assert frames.show(found(box), WHOLE, RIGHT)[0].state is TrackState.TENTATIVE
    assert frames.show(found(box), WHOLE, RIGHT)[0].state is TrackState.CONFIRMED


# --------------------------------------------------------------------------------- coverage


def coverage_of(min_views: int = 1) -> CoverageMap:
    area = Area(-0.3, 0.3, 0.2, 0.6)
    criteria = CoverageCriteria(min_views=min_views, edge_margin=0.0)
    return CoverageMap(area, math.radians(1.0), criteria)


def test_only_what_tiles_showed_counts_as_seen():
    coverage = coverage_of()
    coverage.add_view(VIEW, 1.0, looks=(WHOLE, LEFT))

    seen = ~coverage.unseen()
    points = VIEW.project([(yaw, 0.4) for yaw in coverage.yaw_rad])
    row = int(np.argmin(np.abs(coverage.pitch_rad - 0.4)))
    np.testing.assert_array_equal(seen[row], points[:, 0] <= 640)
    assert 0.4 < coverage.look_share < 0.6
    coverage.add_view(VIEW, 2.0, looks=(WHOLE, RIGHT))
    assert not coverage.unseen().any()


def test_a_frame_whose_tiles_were_given_up_shows_nothing_new():
    coverage = coverage_of()
    coverage.add_view(VIEW, 1.0, looks=(WHOLE, LEFT))
    before = coverage.share_seen()

    coverage.add_view(VIEW, 2.0, looks=(WHOLE,))

    assert 0.0 < before < 1.0
    assert coverage.share_seen() == before


def test_when_tiles_are_switched_off_the_whole_picture_counts_again():
    coverage = coverage_of()
    coverage.add_view(VIEW, 1.0, looks=(WHOLE, LEFT))
    for number in range(30):
        coverage.add_view(VIEW, 2.0 + number, looks=(WHOLE,))

    assert not coverage.unseen().any()
    assert coverage.look_share == 1.0


def test_without_tiles_the_whole_picture_counts():
    for looks in ((), (WHOLE,)):
        coverage = coverage_of()
        coverage.add_view(VIEW, 1.0, looks=looks)
        assert not coverage.unseen().any()


def test_needs_fall_with_each_look_and_are_none_outside_the_area():
    area = Area(bearings=((-0.1, 0.4), (0.2, 0.4)))
    coverage = CoverageMap(area, math.radians(1.0), CoverageCriteria(min_views=2, edge_margin=0.0))
    coverage.add_view(VIEW, 1.0, looks=(WHOLE, RIGHT))

    needs = coverage.needs()

    assert sorted(set(np.round(needs[coverage.is_wanted], 3))) == [0.5, 1.0]
    assert (needs[~coverage.is_wanted] == 0.0).all()
    for _ in range(2):
        coverage.add_view(VIEW, 2.0, looks=(WHOLE, LEFT, RIGHT))
    assert not coverage.needs().any()


def test_in_a_close_view_a_fine_look_is_needed_where_its_candidates_are():
    scan = exact_scan(PERSON, TENT)
    scan.start()
    coverage_needs, close_needs = None, None
    for _ in range(600):
        decision = scan.step()
        if decision.status.leaf == "sweep area" and coverage_needs is None:
            coverage_needs = scan.controller.needs
        if decision.status.leaf == "watch candidates":
            close_needs, coverage = scan.controller.needs, scan.controller.coverage
            break

    assert coverage_needs is not None
    assert coverage_needs.mean() > 0.2
    assert close_needs is not None
    assert coverage is not None
    rows, columns = np.nonzero(close_needs)
    places = [(PERSON.yaw_rad, PERSON.pitch_rad), (TENT.yaw_rad, TENT.pitch_rad)]
    assert 0 < len(rows) < 30
    for yaw, pitch in zip(coverage.yaw_rad[columns], coverage.pitch_rad[rows], strict=True):
        assert min(math.hypot(yaw - y, pitch - p) for y, p in places) < math.radians(4.0)


def test_the_sweep_is_as_slow_as_tiles_by_turns_need():
    rates = []
    for looks in ((), (WHOLE, LEFT)):
        area = Area(-1.2, 1.2, 0.2, 0.6)
        coverage = CoverageMap(area, math.radians(1.0), CoverageCriteria(min_views=20))
        coverage.add_view(VIEW, 1.0, looks=looks)
        planner = SweepPlanner(coverage, VIEW, GimbalLimits(), SweepSettings())
        planner.rates(0.0, BearingState(0.0, 0.0, 0.4))
        rates.append(max(swath.rate_rad_s for swath in planner.swaths))

    assert 0.4 < rates[1] / rates[0] < 0.6


# --------------------------------------------------------------------------------- messages


def message(bounds, gains) -> SimpleNamespace:
    return SimpleNamespace(image_width=1280, image_height=720, looks_xyxy=bounds, look_gains=gains)


def test_looks_of_a_message():
    assert from_looks(message([0, 0, 1280, 720, 640, 0, 1280, 720], [0.5, 0.875])) == (
        WHOLE,
        Look(640, 0, 1280, 720, 0.875),
    )
    assert from_looks(SimpleNamespace(image_width=8, image_height=8)) == ()  # an old recording
    assert tiles_of((WHOLE, LEFT), 1280, 720) == (LEFT,)


@pytest.mark.parametrize(
    ("bounds", "gains", "reason"),
    [
        ([0, 0, 10], [1.0], "3 bounds of looks and 1 gains"),
        ([0, 0, 10, 10], [], "4 bounds of looks and 0 gains"),
        ([0, 0, 2000, 10], [1.0], "must lie in the picture of 1280x720"),
        ([10, 0, 10, 10], [1.0], "must lie in the picture"),
        ([0, 0, 10, 10], [math.nan], "gain nan must"),
        ([0, 0, 10, 10], [0.0], "above 0"),
    ],
)
def test_looks_that_are_none_are_refused(bounds, gains, reason):
    with pytest.raises(FrameError, match=reason):
        from_looks(message(bounds, gains))
