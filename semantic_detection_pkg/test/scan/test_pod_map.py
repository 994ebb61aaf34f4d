"""The map of the probability of detection: one look, groups, range, tiles, blur, checkpoints."""

import math

import numpy as np
import pytest

from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
)
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria, CoverageMap
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.thing_sizes import Ground, PodSettings, cell_ranges

CURVE = DetectionCurve(0.9, 12.0, 0.3, ceiling=0.95, blur_px=4.0)
DEPENDENCE = Dependence(within=0.1, between=0.4, group_s=5.0)
CELL = math.radians(1.0)
WHOLE = (Look(0, 0, 1280, 720, 0.5),)


def rad(*degrees: float) -> tuple[float, ...]:
    return tuple(math.radians(value) for value in degrees)


def view_at(yaw_deg: float, pitch_deg: float, hfov_deg: float = 62.0) -> CameraView:
    return CameraView(*rad(yaw_deg, pitch_deg, 0.0, hfov_deg), 1280, 720)


def curves(**changes) -> DetectionCurves:
    one = ClassCurve("person", changes.get("curve", CURVE), True, 100)
    return DetectionCurves("m", 0.25, changes.get("dependence", DEPENDENCE), True, (one,))


def pod_map(
    names=("person",), height_m=26.0, area=None, known=None, hits=1, weight_left=1.0
) -> PodMap:
    grid = CoverageMap(area or Area(*rad(-60, 60, 11, 44)), CELL, CoverageCriteria())
    weights = np.ones(grid.is_wanted.shape)
    weights[:, grid.yaw_rad > 0.0] = weight_left
    made = PodMap(grid, names, hits=hits, weights=weights if weight_left != 1.0 else None)
    made.use(known or curves(), Ground(height_m))
    return made


def cell(made: PodMap, yaw_deg: float, pitch_deg: float) -> tuple[int, int]:
    grid = made._grid
    row = int((math.radians(pitch_deg) - grid.pitch_min_rad) // CELL)
    return row, int((math.radians(yaw_deg) - grid.yaw_min_rad) // CELL)


def size_px(made: PodMap, at: tuple[int, int], view: CameraView, gain: float) -> float:
    """By hand: height over slant range, seen from above, in the network's pixels."""
    pitch = float(made._grid.pitch_rad[at[0]])
    seen_m = 1.7 * math.cos(pitch) + 0.5 * math.sin(pitch)
    return seen_m / (26.0 / math.sin(pitch)) * view.pixels_per_rad * gain


def test_one_look_gives_the_chance_of_the_apparent_size():
    made, view = pod_map(), view_at(0, 27)
    made.update(view, 1.0, looks=WHOLE)
    for pitch in (12.5, 20.5, 40.5):
        at = cell(made, 3.5, pitch)
        expected = CURVE.probability(size_px(made, at, view, 0.5))
        assert made.pod("person")[at] == pytest.approx(expected, abs=0.02)
    assert made.pod("person")[cell(made, 50.5, 27)] == 0.0
    assert made.look_counts[cell(made, 3.5, 20.5)] == 1
    assert made.last_look_s[cell(made, 3.5, 20.5)] == 1.0
    finest = made.finest[cell(made, 3.5, 20.5)]
    assert finest == pytest.approx(0.5 * view.pixels_per_rad)


def test_looks_that_follow_each_other_count_for_little_more_than_the_best():
    made, at = pod_map(), (10, 60)
    for number in range(5):
        made.update(view_at(0, 27), 1.0 + 0.1 * number, looks=WHOLE)
    one = pod_map()
    one.update(view_at(0, 27), 1.0, looks=WHOLE)
    exposure = one.exposure("person")[at]
    assert made.exposure("person")[at] == pytest.approx(1.2 * exposure, rel=1e-5)


def test_where_a_track_needs_three_detections_the_third_best_look_of_a_group_counts():
    made, at = pod_map(hits=3), (10, 60)
    one = pod_map()
    one.update(view_at(0, 27), 1.0, looks=WHOLE)
    single = one.exposure("person")[at]
    for number in range(2):
        made.update(view_at(0, 27), 1.0 + 0.1 * number, looks=WHOLE)
        assert made.pod("person")[at] == 0.0
    made.update(view_at(0, 21.5, 20.0), 1.3, looks=WHOLE)  # closer: one of three is better
    assert made.exposure("person")[at] == pytest.approx(single, rel=1e-6)
    made.update(view_at(0, 27), 1.4, looks=WHOLE)
    assert made.exposure("person")[at] == pytest.approx(1.1 * single, rel=1e-5)
    made.update(view_at(0, 27), 50.0, looks=WHOLE)  # another group does not make up for the first
    assert made.exposure("person")[at] == pytest.approx(1.1 * single, rel=1e-5)


def test_where_tiles_are_looked_at_two_detections_are_a_track():
    made, view = pod_map(hits=3), view_at(0, 27)
    looks = (*WHOLE, Look(0, 0, 640, 720, 1.0))
    for stamp in (1.0, 1.1):
        made.update(view, stamp, looks=looks)
    assert made.pod("person")[cell(made, 15.5, 20.5)] > 0.2


def test_classes_that_are_counted_together_are_counted_as_each_alone():
    names = ("person", "tent", "boat")
    looks = (*WHOLE, Look(0, 0, 640, 720, 1.0), Look(500, 200, 1000, 700, 1.7))
    together, alone = pod_map(names, hits=3), [pod_map((name,), hits=3) for name in names]
    for number in range(8):
        view, stamp_s = view_at(5.0 * number - 20.0, 25, 62.0 - 5 * number), 1.7 * number
        args = view, stamp_s, (0.2, 0.1), looks[: 1 + number % 4]
        gains = together.gain(*args)
        for one, gain in zip(alone, gains, strict=True):
            assert np.array_equal(one.gain(*args)[0], gain)
        for one in (together, *alone):
            one.update(*args)
    for one, exposures in zip(alone, together.record().exposures, strict=True):
        assert exposures.any()
        assert np.array_equal(one.record().exposures[0], exposures)


def test_a_map_without_room_for_a_class_counts_looks_all_the_same():
    made = pod_map(names=())
    made.update(view_at(0, 27), 1.0, looks=WHOLE)
    assert made.look_counts.max() == 1
    assert made.gain(view_at(0, 27), 2.0).size == 0


def test_a_later_visit_is_another_group_and_the_ceiling_stays():
    made, at = pod_map(), (10, 60)
    made.update(view_at(0, 27), 1.0, looks=WHOLE)
    first = made.exposure("person")[at]
    made.update(view_at(0, 27), 100.0, looks=WHOLE)
    assert made.exposure("person")[at] == pytest.approx(1.4 * first, rel=1e-5)
    for number in range(3000):
        made.update(view_at(0, 27, 10.0), 200.0 + 10.0 * number, looks=WHOLE)
    assert made.pod("person").max() <= CURVE.ceiling + 1e-6
    assert made.pod("person").max() > CURVE.ceiling - 0.001


def test_a_closer_view_raises_the_pod_and_a_coarser_one_after_it_hardly():
    made, at = pod_map(), (10, 60)
    made.update(view_at(0, 21.5, 20.0), 1.0, looks=WHOLE)
    close = made.pod("person")[at]
    made.update(view_at(0, 27), 2.0, looks=WHOLE)
    wide = pod_map()
    wide.update(view_at(0, 27), 2.0, looks=WHOLE)
    assert close > wide.pod("person")[at] + 0.1
    assert close <= made.pod("person")[at] < close + 0.03


def test_tiles_count_at_their_own_resolution_and_only_where_they_look():
    made, view = pod_map(), view_at(0, 27)
    tile = Look(0, 0, 640, 720, 1.0)  # the left half, at twice the resolution
    made.update(view, 1.0, looks=(*WHOLE, tile))
    left, right = cell(made, 15.5, 20.5), cell(made, -15.5, 20.5)
    assert made.finest[left] == pytest.approx(2 * made.finest[right])
    assert made.pod("person")[left] > made.pod("person")[right] + 0.1


def test_blur_lowers_the_pod_as_the_curve_says():
    sharp, blurred = pod_map(), pod_map()
    rate = 1.5
    sharp.update(view_at(0, 27), 1.0, looks=WHOLE)
    blurred.update(view_at(0, 27), 1.0, (rate, 0.0), WHOLE)
    view, at = view_at(0, 27), cell(sharp, 0.5, 20.5)
    smear = blurred._grid.criteria.motion_blur_px(view, (rate, 0.0)) * 0.5
    expected = CURVE.probability(size_px(sharp, at, view, 0.5), smear)
    assert blurred.pod("person")[at] == pytest.approx(expected, abs=0.02)
    assert expected < sharp.pod("person")[at] - 0.02


def test_a_class_without_a_curve_and_a_ground_nobody_knows_are_assumed():
    made = PodMap(CoverageMap(Area(*rad(-60, 60, 11, 44)), CELL), ("person", "gnome"))
    made.use(curves(), Ground())
    assert made.ranges.is_assumed
    assert np.unique(made.ranges.range_m).tolist() == [100.0]
    assert made.class_curve("person").is_measured
    assert not made.class_curve("gnome").is_measured
    assert made.size_m("gnome") == (0.5, 1.0)
    with pytest.raises(KeyError):
        made.pod("unicorn")


def test_ranges_follow_the_height_the_bearing_and_the_turn_of_the_base():
    yaw, pitch = np.array([0.0, math.pi / 2]), np.radians([0.0, 30.0, 90.0])
    level = cell_ranges(yaw, pitch, Ground(20.0), 100.0)
    assert level.range_m[1].tolist() == pytest.approx([40.0, 40.0])
    assert level.range_m[2].tolist() == pytest.approx([20.0, 20.0])
    assert level.range_m[0, 0] == pytest.approx(20.0 / math.sin(math.radians(0.5)))
    # The base's nose is down by 30 deg: what is level to it falls by 30 deg ahead.
    nose_down = (0.0, math.sin(math.radians(15)), 0.0, math.cos(math.radians(15)))
    tilted = cell_ranges(yaw, pitch, Ground(20.0, nose_down), 100.0)
    assert tilted.range_m[0, 0] == pytest.approx(40.0)
    assert tilted.falling[2, 0] == pytest.approx(math.sin(math.radians(120)))
    assert tilted.range_m[0, 1] > 1000.0


def test_from_straight_above_a_person_is_as_large_as_his_shoulders():
    ranges = cell_ranges(np.array([0.0]), np.radians([90.0]), Ground(20.0), 100.0)
    assert ranges.sizes_rad((0.5, 1.7))[0, 0] == pytest.approx(0.5 / 20.0)


def test_the_gain_is_what_an_update_brings():
    made = pod_map()
    for view, stamp in ((view_at(0, 27), 1.0), (view_at(5, 27), 1.2), (view_at(0, 22, 15), 20.0)):
        before = made.pod("person").copy()
        gained = made.gain(view, stamp, looks=WHOLE)[0]
        unchanged = made.pod("person")
        assert np.array_equal(before, unchanged)
        made.update(view, stamp, looks=WHOLE)
        assert gained == pytest.approx(np.maximum(made.pod("person") - before, 0.0), abs=1e-6)
        assert gained.max() > 0.0


def test_the_area_s_pod_counts_ground_and_names_the_least_part():
    made = pod_map()
    made.update(view_at(-30, 27), 1.0, looks=WHOLE)
    summary = made.summary("person")
    weights = made.ranges.weights
    assert summary.mean == pytest.approx(
        float((made.pod("person") * weights).sum() / weights.sum())
    )
    assert summary.least == 0.0
    assert summary.least_bearing[0] > 0.0  # the left was not looked at
    # The far ground is more, and seen worse.
    assert summary.mean < made.pod("person").mean()


def test_all_pods_of_the_area_are_one_number_with_and_without_weights():
    for weight_left in (1.0, 30.0):
        made = pod_map(("person", "tent"), weight_left=weight_left)
        made.update(view_at(30, 27), 1.0, looks=WHOLE)
        means = [made.summary(name).mean for name in made.class_names]
        assert made.area_pod() == pytest.approx(sum(means) / 2.0)
        assert made.area_weights.sum() == pytest.approx(1.0)
    even = pod_map(("person", "tent"))
    even.update(view_at(30, 27), 1.0, looks=WHOLE)
    assert made.area_pod() > 1.5 * even.area_pod()  # it was looked where it is likelier
    made = pod_map(weight_left=0.0)
    made.update(view_at(30, 27), 1.0, looks=WHOLE)
    assert made.summary("person").mean == pytest.approx(0.0, abs=0.02)


def test_equal_looks_give_equal_bits_also_across_a_checkpoint():
    looked = [(view_at(3 * n - 30, 25 + n % 3, 62 - 2 * n), 0.7 * n) for n in range(20)]
    one, other = pod_map(), pod_map()
    for view, stamp in looked:
        one.update(view, stamp, (0.1, 0.0), WHOLE)
    for view, stamp in looked[:9]:
        other.update(view, stamp, (0.1, 0.0), WHOLE)
    resumed = pod_map()
    resumed.restore(other.record())
    for view, stamp in looked[9:]:
        resumed.update(view, stamp, (0.1, 0.0), WHOLE)
    for a, b in zip(one.record().arrays, resumed.record().arrays, strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_class_that_was_spelled_otherwise_goes_on():
    """As typed in a goal, before the detector has said how it spells it."""
    before = pod_map(("person", "tent"))
    before.update(view_at(0, 30), 1.0, looks=WHOLE)
    resumed = pod_map(("Person", "tent"))
    resumed.restore(before.record())
    assert np.array_equal(resumed.exposure("Person"), before.exposure("person"))
    assert resumed.exposure("Person").max() > 0.0
    other = pod_map(("dog", "tent", "boat"))
    other.restore(before.record())
    assert other.exposure("dog").max() == 0.0


def test_classes_that_a_record_has_not_begin_anew_and_other_cells_are_refused():
    before = pod_map()
    before.update(view_at(0, 27), 1.0, looks=WHOLE)
    made = pod_map(names=("tent", "person"))
    made.restore(before.record())
    assert np.array_equal(made.pod("person"), before.pod("person"))
    assert not made.pod("tent").any()
    with pytest.raises(ValueError, match="cells for a map of"):
        pod_map(area=Area(*rad(-10, 10, 0, 20))).restore(before.record())


def test_where_cells_are_too_many_classes_are_left_out():
    grid = CoverageMap(Area(*rad(-170, 170, -80, 80)), math.radians(0.25))
    assert grid.is_wanted.size > 500_000
    made = PodMap(grid, ("person", "tent", "car"))
    assert made.class_names == ("person",)
    made.update(view_at(0, 10), 1.0, looks=WHOLE)
    assert made.pod("person").max() > 0.0


@pytest.mark.parametrize("text", ["", "1x", "1x2x3", "axb", "0x1", "1x-1", "nanx1", "1xinf"])
def test_sizes_that_are_none_are_refused_in_one_line(text):
    with pytest.raises(ConfigurationError, match=r"'thing_sizes' has 'tent=.*WIDTHxHEIGHT"):
        PodSettings(thing_sizes=(("tent", text),))


@pytest.mark.parametrize("height_m", [0.0, -3.0, math.inf])
def test_a_height_that_is_none_is_refused_in_one_line(height_m):
    with pytest.raises(ConfigurationError, match="'camera_height_m' is"):
        PodSettings(camera_height_m=height_m)
