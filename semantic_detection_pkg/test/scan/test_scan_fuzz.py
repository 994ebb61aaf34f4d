"""Whatever comes in whatever order: the controller never raises, and repeats itself."""

import math
import random

import numpy as np
import pytest

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    BaseLost,
    CameraBeat,
    Cancel,
    Fix,
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    Input,
    InspectionResult,
    Pause,
    PointHere,
    VocabularyReply,
)
from semantic_detection_pkg.scan.core.settings import InputTimeouts, ScanSettings
from semantic_detection_pkg.scan.core.terrain import pack_terrain
from simulation_pkg.harness.exact_scan import AREA, STEP_NS, WORDS, ExactScan, Thing

STEPS = 250
#: Short holds and time-outs, so that all states are passed.
SETTINGS = ScanSettings(
    operator_hold_s=0.3,
    ground_height_m=400.0,
    input_timeouts=InputTimeouts(
        gimbal_timeout_s=0.3, detections_timeout_s=0.5, vocabulary_timeout_s=0.5
    ),
)

#: Around the fix below its altitude; with a hole; somewhere else, above it.
TERRAINS = [
    pack_terrain("a", (47.0, 8.0), 50.0, np.linspace(380.0, 480.0, 9 * 7).reshape(9, 7)),
    pack_terrain("b", (47.0, 8.0), 30.0, np.where(np.eye(12) > 0, np.nan, 440.0), zero_m=48.0),
    pack_terrain("c", (-47.0, 8.0), 1000.0, np.full((2, 2), 8000.0)),
]


def odd_number(dice: random.Random) -> float:
    return dice.choice([0.0, dice.uniform(-4, 4), math.nan, math.inf, -math.inf, 1e300])


def odd_frame(dice: random.Random, now_ns: int) -> FrameDetections:
    count = dice.randrange(4)
    corners = np.array([[dice.uniform(-50, 700) for _ in range(4)] for _ in range(count)])
    boxes = np.sort(corners.reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    size = dice.choice([(640, 360), (1280, 720), (64, 48)])
    scores = np.array([dice.random() for _ in range(count)], np.float32)
    ids = np.array([dice.randrange(3) for _ in range(count)], np.uint16)
    stamp_ns = now_ns - dice.choice([0, 0, 50, 5000]) * 1_000_000
    return FrameDetections(stamp_ns, Detections(*size, ids, scores, boxes), WORDS, "net")


def odd_input(dice: random.Random, now_ns: int) -> Input:
    """Return anything that another node may send, sane or not."""
    number, small = odd_number(dice), dice.randrange(12)
    return dice.choice(
        [
            lambda: GimbalReading(
                now_ns - dice.choice([0, 10_000_000, 10**12]),
                odd_number(dice),
                odd_number(dice),
                zoom=odd_number(dice),
                zoom_max=dice.choice([1.0, 6.0, math.nan]),
                hfov_rad=odd_number(dice),
                link=dice.choice(["up", "stale", "down"]),
            ),
            lambda: odd_frame(dice, now_ns),
            lambda: Goal(f"g{small}", AREA, WORDS, dice.choice([0.0, 2.0, number]), small > 6),
            lambda: Goal("odd", Area(number, odd_number(dice), 0.0, 0.5), WORDS),
            lambda: Goal("odd", Area(bearings=((number, odd_number(dice)),)), WORDS),
            lambda: Cancel(f"g{small}"),
            lambda: PointHere(dice.uniform(-9, 9), dice.uniform(-9, 9)),
            lambda: Pause(small > 6),
            lambda: VocabularyReply(small, small > 6, "no", WORDS),
            lambda: InspectionResult(
                small, now_ns, "", "net", ("person", "tent"), (number, odd_number(dice))
            ),
            lambda: InspectionResult(small, now_ns, "failed"),
            lambda: VlmReply(small, dice.choice(list(Verdict)), number, frame_ns=-1),
            lambda: Fix(now_ns, dice.choice([47.0, number]), 8.0, 500.0, abs(number)),
            lambda: BaseAttitude(now_ns, (0.0, 0.0, 0.0, 1.0)),
            lambda: BaseLost(dice.choice(["fix", "imu"])),
            lambda: dice.choice(TERRAINS),
            lambda: GpuStatus(small > 6, small > 9),
            lambda: CameraBeat(now_ns),
        ]
    )()


@pytest.mark.parametrize("seed", range(6))
def test_odd_inputs_never_raise_and_always_decide_the_same(seed):
    dice = random.Random(seed)
    things = [Thing(dice.uniform(-0.7, 0.7), 0.3, dice.choice(WORDS[:2])) for _ in range(4)]
    made = ExactScan(things, settings=SETTINGS)
    made.start(words=WORDS)
    leaves = set()
    for _ in range(STEPS):
        for _ in range(dice.choice([0, 0, 0, 0, 0, 1, 2])):
            made.inbox.append(odd_input(dice, made.now_ns + STEP_NS))
        decision = made.step()
        if decision.rate is not None:
            assert math.isfinite(decision.rate.yaw_rad_s + decision.rate.pitch_rad_s)
        if decision.angle is not None:
            assert math.isfinite(decision.angle.yaw_rad + decision.angle.pitch_rad)
        if decision.zoom is not None:
            assert decision.zoom >= 1.0
        leaves.add(decision.status.leaf)
        if made.controller.goal is None:
            made.start(words=WORDS)
    assert "sweep area" in leaves
    controller = ScanController(made.settings)
    for (now_ns, items), decision in zip(made.journal, made.decisions, strict=True):
        assert controller.step(now_ns, items).to_json() == decision.to_json()
