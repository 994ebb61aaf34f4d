"""POD in a whole scan: curves as an input, messages, checkpoints of now and before, replay."""

import json
import math
import zlib
from dataclasses import replace

import numpy as np
import pytest
from replayed_scan import replayed
from std_msgs.msg import Header

from interfaces_pkg.msg import DetectionCurves as CurvesMessage
from ros_support_pkg.core.message_rules import MessageError, check_message
from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
    assumed_curves,
)
from semantic_detection_pkg.common.core.looks import WayOfLooking
from semantic_detection_pkg.detector.ros.curves import to_detection_curves
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointEncoder, unpack
from semantic_detection_pkg.scan.core.from_messages import from_curves
from semantic_detection_pkg.scan.core.ground_model import GroundModel
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.terrain import pack_terrain
from semantic_detection_pkg.scan.core.thing_sizes import PodSettings
from semantic_detection_pkg.scan.ros.outputs import to_coverage
from simulation_pkg.harness.exact_scan import ExactScan, Thing

CURVES = DetectionCurves(
    "exact",
    0.25,
    Dependence(0.1, 0.4, 5.0),
    True,
    (ClassCurve("person", DetectionCurve(0.95, 9.0, 0.3, 0.98, 4.0), True, 120, 0.02),),
)


def scanned(seconds: float = 2.5, height_m: float = 30.0, **inputs) -> ExactScan:
    settings = replace(ScanSettings(), pod=PodSettings(camera_height_m=height_m))
    scan = ExactScan([Thing(0.1, 0.3)], settings)
    scan.inbox.append(inputs.get("curves", CURVES))
    scan.inbox += inputs.get("others", [])
    scan.start(words=("person", "shelter=tent"), is_repeating=True)
    for _ in range(round(seconds / 0.05)):
        scan.step()
    return scan


@pytest.fixture(scope="module")
def scan() -> ExactScan:
    return scanned()


def test_a_scan_knows_its_pod_by_what_models_call_its_words(scan):
    pod = scan.controller.pod
    assert pod.class_names == ("person", "tent")
    assert pod.class_curve("person").is_measured
    assert not pod.class_curve("tent").is_measured
    assert 0.01 < pod.summary("person").mean < 0.98
    assert not pod.ranges.is_assumed
    assert pod.curves.dependence.within == 0.1


def test_without_curves_and_height_all_is_assumed():
    scan = scanned(1.5, math.nan, curves=assumed_curves())
    pod = scan.controller.pod
    assert pod.ranges.is_assumed
    assert not pod.class_curve("person").is_measured


@pytest.mark.parametrize("height_m", [0.1, 1e5])
def test_a_height_at_the_ends_of_what_is_allowed_is_known(height_m):
    made = GroundModel(replace(ScanSettings(), pod=PodSettings(camera_height_m=height_m)))
    assert made.ground(None, None).height_m == height_m


def test_the_height_comes_from_the_fix_and_the_ground():
    settings = replace(ScanSettings(), ground_height_m=100.0)
    scan = ExactScan([], settings)
    scan.inbox += [Fix(1, 47.0, 11.0, 140.0), BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))]
    scan.start(is_repeating=True)
    for _ in range(40):
        scan.step()
    ranges = scan.controller.pod.ranges
    assert not ranges.is_assumed
    assert float((ranges.range_m * ranges.falling).min()) == pytest.approx(40.0)


def test_the_same_inputs_give_the_same_bits(scan):
    again, _ = replayed(scan)
    for one, other in zip(
        scan.controller.pod.record().arrays, again.pod.record().arrays, strict=True
    ):
        assert one.tobytes() == other.tobytes()


def test_curves_go_through_their_message_bit_for_bit():
    for curves in (CURVES, replace(CURVES, ways=(WayOfLooking("full", 0.5, 0.5, 1.0, 0.04),))):
        message = to_detection_curves(curves, Header())
        check_message(message)
        assert from_curves(message) == curves
    unknown = replace(CURVES.classes[0], false_alarms_per_look=math.nan)
    message = to_detection_curves(replace(CURVES, classes=(unknown,)), Header())
    check_message(message)
    assert math.isnan(from_curves(message).classes[0].false_alarms_per_look)


def test_a_message_of_curves_that_cannot_be_is_refused():
    message = to_detection_curves(CURVES, Header())
    message.p_max = [0.5, 0.6]
    with pytest.raises(MessageError, match="p_max 2"):
        check_message(message)
    for name, value in (("p_max", 1.5), ("width", -1.0), ("ceiling", 0.1), ("blur_px", 0.0)):
        message = to_detection_curves(CURVES, Header())
        setattr(message, name, [value])
        with pytest.raises(ValueError, match=name):
            from_curves(message)
    message = to_detection_curves(CURVES, Header())
    message.way_names, message.way_gains, message.way_whole_gains = ["full"], [0.5], [0.0]
    message.way_shares, message.way_frame_s = [1.5], [0.1]
    with pytest.raises(ValueError, match="share"):
        from_curves(message)
    empty = CurvesMessage(group_s=1.0)
    assert from_curves(empty).classes == ()


def test_coverage_tells_the_pod_of_each_class(scan):
    controller = scan.controller
    message = to_coverage(controller.coverage, controller.now_s, Header(), controller.pod)
    check_message(message)
    cells = message.rows * message.columns
    person, tent = message.classes
    assert (person.class_name, person.is_measured, tent.is_measured) == ("person", True, False)
    assert len(person.pod_percent) == len(message.range_m) == len(message.look_counts) == cells
    shown = np.asarray(person.pod_percent).reshape(message.rows, message.columns)
    assert shown == pytest.approx(100.0 * controller.pod.pod("person"), abs=0.5)
    assert person.pod == pytest.approx(controller.pod.summary("person").mean, abs=1e-6)
    assert person.least_pod <= person.pod


def test_a_checkpoint_goes_on_with_the_pod(scan):
    checkpoint = scan.controller.checkpoint()
    again = unpack(CheckpointEncoder().body(checkpoint))
    assert again.pod.class_names == ("person", "tent")
    for one, other in zip(checkpoint.pod.arrays, again.pod.arrays, strict=True):
        assert np.array_equal(one, other)


def test_a_checkpoint_from_before_has_none_and_is_read(scan):
    body = CheckpointEncoder().body(replace(scan.controller.checkpoint(), pod=None))
    length = int.from_bytes(body[:8], "little")
    plain = json.loads(zlib.decompress(body[8 : 8 + length]))
    del plain["pod"]
    packed = zlib.compress(json.dumps(plain).encode())
    old = len(packed).to_bytes(8, "little") + packed + body[8 + length :]
    checkpoint = unpack(old)
    assert checkpoint.pod is None
    assert checkpoint.coverage is not None


def slope(east, north):
    """Rises to the east by a fifth; 100 m above the ellipsoid under the robot."""
    return 100.0 + 0.2 * east + 0.0 * north


TERRAIN = pack_terrain(
    "dem.tif",
    (47.0, 11.0),
    10.0,
    slope(*np.meshgrid(10.0 * np.arange(-100, 101), 10.0 * np.arange(-100, 101))),
)
FIX, ATTITUDE = Fix(1, 47.0, 11.0, 130.0), BaseAttitude(1, (0.0, 0.0, 0.0, 1.0))
BY_TERRAIN = [FIX, ATTITUDE, TERRAIN]


def test_a_terrain_gives_the_ranges_where_place_and_attitude_are_known():
    controller = scanned(others=BY_TERRAIN).controller
    pod, grid = controller.pod, controller.coverage
    assert pod.ranges.is_by_terrain
    column = int(np.argmin(np.abs(grid.yaw_rad)))
    pitch = grid.pitch_rad
    # Straight ahead is east: height over the sum of both slopes.
    wanted = 30.0 / (np.sin(pitch) + 0.2 * np.cos(pitch))
    assert pod.ranges.range_m[:, column] == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("missing", [FIX, ATTITUDE, TERRAIN])
def test_without_one_of_them_the_ground_is_level(missing):
    pod = scanned(others=[one for one in BY_TERRAIN if one is not missing]).controller.pod
    assert not pod.ranges.is_by_terrain
    assert not pod.ranges.is_assumed
    assert float((pod.ranges.range_m * pod.ranges.falling).min()) == pytest.approx(30.0)


def test_a_robot_beyond_the_terrain_stands_on_level_ground():
    away = replace(FIX, latitude_deg=48.0)
    pod = scanned(others=[away, ATTITUDE, TERRAIN]).controller.pod
    assert not pod.ranges.is_by_terrain


@pytest.mark.parametrize(
    ("camera_m", "ground_m", "zero_m", "height_m"),
    [
        (30.0, 90.0, 0.0, 30.0),  # what somebody measured comes first
        (math.nan, 90.0, 0.0, 30.0),  # 130 m less the terrain's 100 m
        (math.nan, 90.0, 10.0, 20.0),
        (math.nan, 90.0, math.nan, 40.0),  # its heights count from nobody knows where
        (math.nan, math.nan, math.nan, math.nan),
        (math.nan, math.nan, 40.0, math.nan),  # the camera would be below the ground
    ],
)
def test_the_camera_s_height_above_a_terrain(camera_m, ground_m, zero_m, height_m):
    pod = PodSettings(camera_height_m=camera_m)
    made = GroundModel(replace(ScanSettings(), pod=pod, ground_height_m=ground_m))
    made.terrain = replace(TERRAIN, zero_m=zero_m)
    ground = made.ground(FIX, ATTITUDE)
    assert ground.height_m == pytest.approx(height_m, abs=0.1, nan_ok=True)
    assert (ground.viewpoint is not None) == (not math.isnan(height_m))


def test_a_receiver_s_noise_makes_no_new_ranges_and_a_move_does():
    made = GroundModel(replace(ScanSettings(), pod=PodSettings(camera_height_m=30.0)))
    made.terrain = TERRAIN
    first = made.ground(FIX, ATTITUDE)
    for east_m in (1.0, -2.0, 4.0):
        fix = replace(FIX, longitude_deg=11.0 + east_m / 76_000.0, altitude_m=133.0)
        assert made.ground(fix, ATTITUDE).is_like(first)
    moved = made.ground(replace(FIX, longitude_deg=11.0 + 8.0 / 76_000.0), ATTITUDE)
    assert not moved.is_like(first)
    made.terrain = replace(TERRAIN, name="other.tif")
    assert not made.ground(FIX, ATTITUDE).is_like(first)


def test_a_scan_over_a_terrain_replays_to_the_same_bits():
    scan = scanned(others=BY_TERRAIN)
    again, _ = replayed(scan)
    assert again.pod.ranges.is_by_terrain
    for one, other in zip(
        scan.controller.pod.record().arrays, again.pod.record().arrays, strict=True
    ):
        assert one.tobytes() == other.tobytes()


def test_a_finding_stands_where_its_bearing_meets_the_terrain():
    made = GroundModel(replace(ScanSettings(), pod=PodSettings(camera_height_m=30.0)))
    made.terrain = TERRAIN
    pitch = 0.3
    # 30 m above the slope, ahead is east: met at 30 / (tan + 0.2), a fifth of that higher.
    east_m = 30.0 / (math.tan(pitch) + 0.2)
    ground_m = made.height_at_m((0.0, pitch), FIX, ATTITUDE)
    assert ground_m == pytest.approx(100.0 + 0.2 * east_m, abs=0.3)
    assert math.isnan(made.height_at_m((0.0, pitch), FIX, None))
    assert math.isnan(made.height_at_m((math.pi, 0.05), FIX, ATTITUDE))  # the slope falls away
