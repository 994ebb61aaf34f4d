"""What weights come to, told from a message of coverage: as the map of the POD counts them."""

import math

import numpy as np
import pytest
from std_msgs.msg import Header

from interfaces_pkg.msg import Coverage
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.thing_sizes import Ground
from semantic_detection_pkg.scan.core.weight_shares import WeightShare, weight_shares
from semantic_detection_pkg.scan.core.weights import WeightedArea
from semantic_detection_pkg.scan.ros.outputs import to_coverage

AREA = Area(-0.5, 0.5, 0.1, 0.6)
CORNERS = ((-0.5, 0.1), (0.0, 0.1), (0.0, 0.6), (-0.5, 0.6))
LEFT = WeightedArea(CORNERS, 4.0)


@pytest.mark.parametrize("height_m", [math.nan, 25.0], ids=["assumed", "level ground"])
def test_shares_are_those_of_the_map(height_m):
    coverage = CoverageMap(AREA, math.radians(1.0))
    pod = PodMap(coverage, ["person"])
    pod.use(None, Ground(height_m))
    message = to_coverage(coverage, 0.0, Header(), pod)
    near = WeightedArea(((-0.6, 0.4), (0.6, 0.4), (0.6, 0.7), (-0.6, 0.7)), 3.0)
    part, rest = weight_shares([near], message)
    is_near = coverage.pitch_rad > 0.4
    ground = pod.ranges.weights / pod.ranges.weights.sum()
    assert part.ground == pytest.approx(float(ground[is_near].sum()), abs=1e-6)
    expected = 3.0 * part.ground / (3.0 * part.ground + rest.ground)
    assert part.chance == pytest.approx(expected)
    assert part.chance + rest.chance == pytest.approx(1.0)
    if height_m == 25.0:
        assert part.ground < 0.05  # near ground is little, though it fills 40 % of the area


def grid(columns: int = 10, rows: int = 5) -> Coverage:
    return Coverage(yaw_min_rad=-0.5, pitch_min_rad=0.1, cell_rad=0.1, columns=columns, rows=rows)


def test_a_small_place_far_away_has_its_chance():
    """A field of 40 x 40 m, 500 m away, a thousand times as likely as the rest."""
    coverage = CoverageMap(Area(-0.5, 0.5, 0.05, 0.6), math.radians(1.0))
    pod = PodMap(coverage, ["person"])
    pod.use(None, Ground(40.0))
    low, high = (math.atan2(40.0, distance_m) for distance_m in (520.0, 480.0))
    for yaw in np.linspace(-0.3, 0.3, 7):
        corners = ((yaw, low), (yaw + 0.08, low), (yaw + 0.08, high), (yaw, high))
        field, rest = weight_shares(
            [WeightedArea(corners, 1000.0)], to_coverage(coverage, 0.0, Header(), pod)
        )
        area_m2 = 0.08 * 500.0 * 40.0
        whole_m2 = 0.5 * (800.0**2 - 58.0**2)
        assert field.ground == pytest.approx(area_m2 / whole_m2, rel=0.35)
        assert field.chance + rest.chance == pytest.approx(1.0)
        assert field.chance > 0.8


def test_of_parts_that_overlap_the_last_counts():
    over = WeightedArea(CORNERS, 1.0)
    hidden, part, rest = weight_shares([LEFT, over], grid())
    assert hidden == WeightShare(4.0, 0.0, 0.0)
    assert (part.ground, part.chance) == (pytest.approx(0.5), pytest.approx(0.5))
    assert rest == WeightShare(1.0, pytest.approx(0.5), pytest.approx(0.5))


def test_without_weights_or_cells_nothing_breaks():
    (rest,) = weight_shares([], grid())
    assert (rest.weight, rest.ground, rest.chance) == pytest.approx((1.0, 1.0, 1.0))
    sky = grid()
    sky.range_m = np.zeros(50, np.float32)
    assert [one.chance for one in weight_shares([LEFT], sky)] == pytest.approx([0.5, 0.5])
    nobody = WeightedArea(CORNERS, 0.0)
    none, rest = weight_shares([nobody], grid())
    assert (none.chance, rest.chance) == pytest.approx((0.0, 1.0))
