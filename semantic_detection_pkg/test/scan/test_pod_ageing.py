"""POD that ages: by half in each half life, looks of before and after, whole scans, replay."""

import math
from dataclasses import replace

import numpy as np
import pytest
from replayed_scan import replayed
from std_msgs.msg import Header

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
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.pod_ageing import PodAgeing
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground, PodSettings
from semantic_detection_pkg.scan.ros.outputs import to_coverage
from simulation_pkg.harness.exact_scan import ExactScan, Thing

HALF_LIFE_S = 600.0
WHOLE = (Look(0, 0, 1280, 720, 0.5),)
AHEAD = CameraView(0.0, math.radians(25.0), 0.0, math.radians(62.0), 1280, 720)
FAR = replace(AHEAD, hfov_rad=math.radians(110.0))
AT = (10, 30)
#: Groups add up without dependence, so that PODs can be counted by hand.
CURVE = ClassCurve("person", DetectionCurve(0.8, 12.0, 0.3, ceiling=1.0, blur_px=4.0), True, 100)
CURVES = DetectionCurves("m", 0.25, Dependence(0.0, 1.0, 5.0), True, (CURVE,))


def pod_map(half_life_s: float = HALF_LIFE_S) -> PodMap:
    grid = CoverageMap(Area(-0.5, 0.5, 0.2, 0.7), math.radians(1.0))
    made = PodMap(grid, ("person",), PodSettings(pod_half_life_s=half_life_s))
    made.use(CURVES, Ground(26.0))
    return made


def pod_at(made: PodMap, now_s: float) -> float:
    made.now_s = now_s
    return float(made.pod("person")[AT])


def test_half_is_left_after_a_half_life_and_a_quarter_after_two():
    made = pod_map()
    made.update(AHEAD, 100.0, looks=WHOLE)
    fresh = pod_at(made, 100.0)
    assert fresh > 0.3
    for age, share in ((1.0, 0.5), (2.0, 0.25), (0.5, math.sqrt(0.5)), (60.0, 0.0)):
        left = pod_at(made, 100.0 + age * HALF_LIFE_S)
        assert left == pytest.approx(share * fresh, abs=1e-5)


def test_by_default_nothing_ages():
    assert PodSettings().pod_half_life_s == 0.0
    made, again = pod_map(0.0), pod_map(0.0)
    for one in (made, again):
        one.update(AHEAD, 100.0, looks=WHOLE)
    assert pod_at(made, 1e6) == pod_at(again, 100.0) > 0.3
    again.update(AHEAD, 1e6, looks=WHOLE)
    assert pod_at(again, 1e6) > pod_at(made, 1e6)


def test_a_later_look_adds_to_what_is_left():
    made = pod_map()
    made.update(AHEAD, 100.0, looks=WHOLE)
    one = pod_at(made, 100.0)
    made.update(AHEAD, 100.0 + HALF_LIFE_S, looks=WHOLE)
    both = pod_at(made, 100.0 + HALF_LIFE_S)
    # Who is there now was there before with one half, and was then found by either look.
    assert both == pytest.approx(1.0 - (1.0 - one / 2.0) * (1.0 - one), abs=1e-5)


def test_looks_that_find_nothing_keep_nothing_fresh():
    """Something that small is not found from afar, however often it is looked at."""
    made = pod_map()
    made.update(AHEAD, 100.0, looks=WHOLE)
    fresh = pod_at(made, 100.0)
    coarse = (Look(0, 0, 1280, 720, 0.02),)
    for second in range(0, 600, 2):
        made.update(FAR, 100.0 + second, looks=coarse)
    assert pod_at(made, 700.0) == pytest.approx(0.5 * fresh, rel=0.02)


def test_a_planned_look_is_worth_what_it_will_have_brought():
    made = pod_map()
    made.update(AHEAD, 100.0, looks=WHOLE)
    later = 100.0 + HALF_LIFE_S
    before, gain = pod_at(made, later), float(made.gain(AHEAD, later, looks=WHOLE)[0][AT])
    young = float(made.gain(AHEAD, 110.0, looks=WHOLE)[0][AT])
    made.update(AHEAD, later, looks=WHOLE)
    assert gain == pytest.approx(pod_at(made, later) - before, abs=1e-5)
    assert gain > young


def test_a_group_in_hand_ages_too_in_what_is_told_and_in_what_is_planned():
    made = pod_map()
    made.update(AHEAD, 100.0, looks=WHOLE)
    made.update(AHEAD, 104.0, looks=WHOLE)
    before, gain = pod_at(made, 104.5), float(made.gain(AHEAD, 104.5, looks=WHOLE)[0][AT])
    made.update(AHEAD, 104.5, looks=WHOLE)
    assert gain == pytest.approx(max(0.0, pod_at(made, 104.5) - before), abs=1e-6)


def test_what_was_never_seen_stays_at_nothing_and_much_stays_finite():
    ageing = PodAgeing(HALF_LIFE_S)
    exposure = np.array([0.0, 0.0, 1e6, 1e6, 1.0], np.float32)
    ages = np.array([math.inf, 0.0, 0.0, HALF_LIFE_S, -5.0])
    left = ageing.exposure(exposure, ages)
    assert left == pytest.approx([0.0, 0.0, 1e6, math.log(2.0), 1.0])
    assert pod_at(pod_map(), 5.0) == 0.0


@pytest.mark.parametrize("half_life_s", [-1.0, 10.0, math.nan, math.inf, 1e9])
def test_a_half_life_that_is_none_is_refused(half_life_s):
    with pytest.raises(ConfigurationError, match="'pod_half_life_s' is .*, allowed is 60..1e7 s"):
        PodSettings(pod_half_life_s=half_life_s)


@pytest.fixture(scope="module")
def scan() -> ExactScan:
    pod = PodSettings(camera_height_m=30.0, pod_half_life_s=60.0)
    made = ExactScan([Thing(0.1, 0.3)], replace(ScanSettings(), pod=pod))
    made.inbox.append(CURVES)
    made.start(words=("person",), is_repeating=True)
    made.run(12.0)
    return made


def test_in_a_scan_it_ages_between_the_frames(scan):
    pod = scan.controller.pod
    assert pod.now_s == pytest.approx(scan.controller.now_s)
    seen = pod.look_counts > 0
    before = pod.pod("person")
    pod.now_s += 60.0
    assert pod.pod("person")[seen] == pytest.approx(0.5 * before[seen], abs=1e-5)
    pod.now_s -= 60.0
    assert before[seen].max() > 0.2


def test_a_replay_ages_to_the_same_bits(scan):
    again, _ = replayed(scan)
    ours, theirs = scan.controller.pod, again.pod
    for one, other in zip(ours.record().arrays, theirs.record().arrays, strict=True):
        assert one.tobytes() == other.tobytes()
    assert ours.pod("person").tobytes() == theirs.pod("person").tobytes()


def test_the_message_tells_the_half_life(scan):
    controller = scan.controller
    told = to_coverage(controller.coverage, controller.now_s, Header(), controller.pod)
    assert told.pod_half_life_s == 60.0
