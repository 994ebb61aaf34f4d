"""Predicted POD against what was found in sweeps of sixty simulated worlds.

The sweeps (seeds 53001 to 53060, things at 30 to 400 m, 25 to 60 m above the ground) are kept as
what was looked at and what became of each thing; `tools/measure_detector --calibrate` makes them.
The curve is that beside the demo model, measured on other worlds, and how looks add up was decided
on others again (52001 to 52030): nothing was fitted to these.
"""

from pathlib import Path

import pytest
from measure_detector.calibration import (
    Outcome,
    calibration_error,
    outcomes,
    read_worlds,
    reliability,
    shifted,
)

from semantic_detection_pkg.detector.backends.curve_file import read_curves

ROOT = Path(__file__).resolve().parents[3]
SWEEPS = ROOT / "semantic_detection_pkg" / "test" / "data" / "pod_sweeps.jsonl"
MODEL = ROOT / "models" / "demo" / "demo_detector.onnx"
CONFIDENCE = 0.25
CLASSES = ("person", "tent")
WANTED = 0.05


def predicted(factor: float) -> list[Outcome]:
    """What is predicted for persons and tents by a curve that needs them so much larger."""
    curves = read_curves(MODEL, CONFIDENCE)
    assert curves is not None
    return outcomes(read_worlds(SWEEPS), shifted(curves, factor), CONFIDENCE, CLASSES)


def test_predicted_and_found_agree():
    found = predicted(1.0)
    assert len(found) > 600
    assert len({world["seed"] for world in read_worlds(SWEEPS)}) >= 60
    assert calibration_error(found) <= WANTED
    # The map tells things apart: it is no single share for all.
    assert len(reliability(found)) >= 8
    for low, high, least, most in ((0.0, 0.1, 0.0, 0.05), (0.9, 1.0, 0.9, 1.0)):
        inside = [one for one in found if low <= one.pod <= high]
        assert least <= sum(one.is_tracked for one in inside) / len(inside) <= most


@pytest.mark.parametrize("factor", [1.3, 1.0 / 1.3])
def test_a_curve_that_is_off_by_1_3_is_noticed(factor):
    assert calibration_error(predicted(factor)) > WANTED


def test_the_error_is_the_mean_distance():
    sure = [Outcome("person", 0.95, True, True)] * 19 + [Outcome("person", 0.95, True, False)]
    assert calibration_error(sure) == pytest.approx(0.0, abs=1e-9)
    wrong = [Outcome("person", 0.95, True, False)] * 20
    assert calibration_error(wrong) == pytest.approx(0.95)
