"""Detections against the truth, and the counting of both."""

import numpy as np
import pytest

from simulation_pkg.core.scoring import box_iou, confirmed
from simulation_pkg.core.tally import Tally

SQUARE = np.array([[0, 0, 10, 10]], np.float32)


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),
        ((10, 0, 20, 10), 0.0),
        ((-5, -5, 15, 15), 0.25),
        ((3, 3, 3, 3), 0.0),
    ],
)
def test_box_iou(other: tuple[float, ...], iou: float) -> None:
    assert box_iou(SQUARE, np.array([other], np.float32))[0, 0] == pytest.approx(iou)


@pytest.mark.parametrize(
    ("name", "box", "is_there"),
    [
        ("tent", (0, 0, 10, 10), True),
        ("tent", (0, 0, 10, 6), True),
        ("tent", (0, 0, 10, 4), False),  # less than half
        ("boat", (0, 0, 10, 10), False),  # there, but called something else
        ("tent", (40, 40, 50, 50), False),
    ],
)
def test_confirmed(name: str, box: tuple[float, ...], is_there: bool) -> None:
    boxes = np.array([box], np.float32)
    assert confirmed([name], boxes, ["tent"], SQUARE).tolist() == [is_there]


def test_nothing_is_confirmed_by_nothing() -> None:
    none = np.empty((0, 4), np.float32)
    assert confirmed([], none, ["tent"], SQUARE).tolist() == []
    assert confirmed(["tent"], SQUARE, [], none).tolist() == [False]


def test_summary_counts_everything() -> None:
    tally = Tally()
    tally.add(["tent", "person"], 10.0, confirmed=1)
    tally.add([], 10.0, confirmed=0)
    tally.add(["tent"], 10.0)
    assert tally.summary(2.0) == {
        "frames": 3,
        "detections": 3,
        "confirmed": 1,
        "classes": {"tent": 2, "person": 1},
        "fps": 1.5,
        "seconds": 2.0,
    }


@pytest.mark.parametrize(
    ("names", "true_ones", "has_succeeded"),
    [(["tent"], 1, True), (["tent"], 0, False), (["tent"], None, True), ([], None, False)],
)
def test_success_is_judged_by_the_truth_where_it_is_known(
    names: list[str], true_ones: int | None, has_succeeded: bool
) -> None:
    tally = Tally()
    tally.add(names, 1.0, true_ones)
    assert tally.has_succeeded is has_succeeded


def test_line_tells_the_time_since_the_last_line() -> None:
    tally = Tally()
    for _ in range(4):
        tally.add(["tent", "tent"], 12.0)
    line = tally.line(2.0)
    assert line == ("2.0 frames/s, 4.0 detections/s, inference 12 ms; in each frame: tent 2.0")
    assert tally.line(1.0) == "no frames"
