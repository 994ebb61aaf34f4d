"""The terrain model: heights, where rays meet it, compared with plane geometry and fine steps."""

import math
from dataclasses import replace

import numpy as np
import pytest

from semantic_detection_pkg.scan.core.inputs import input_from_plain, input_to_plain
from semantic_detection_pkg.scan.core.terrain import Terrain, Viewpoint, pack_terrain
from semantic_detection_pkg.scan.core.thing_sizes import Ground, cell_ranges

SPACING = 10.0
SIDE = 201  # one kilometre to each side
AXIS = SPACING * (np.arange(SIDE) - SIDE // 2)
NORTH = (0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4))
LEVEL = (0.0, 0.0, 0.0, 1.0)


def terrain(height, zero_m=math.nan) -> Terrain:
    """A terrain of `height(east, north)` [m]."""
    east, north = np.meshgrid(AXIS, AXIS)
    made = pack_terrain("dem.tif", (47.0, 11.0), SPACING, np.asarray(height(east, north)), zero_m)
    assert made is not None
    return made


def rays_of(yaw_deg, pitch_deg):
    """East, north and up of bearings of a base that looks east."""
    yaw, pitch = np.radians(np.asarray(yaw_deg, float)), np.radians(np.asarray(pitch_deg, float))
    return np.stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])


def hills(east, north):
    """Smooth and steep by turns, up to 120 m."""
    return (
        40.0 * np.sin(east / 130.0) * np.cos(north / 170.0)
        + 25.0 * np.cos((east + north) / 61.0)
        + 0.05 * east
    )


def marched(made: Terrain, place, eye_m, ray, step_m=0.5):
    """Return the distance at which a ray meets the ground, by small steps; inf: it does not."""
    along = np.arange(0.0, 1500.0, step_m)
    level = math.hypot(ray[0], ray[1])
    height = made.height_m(place[0] + ray[0] * along, place[1] + ray[1] * along)
    bend = 0.87 / (2 * 6.371e6) * (along * level) ** 2
    below = np.flatnonzero(eye_m + ray[2] * along <= height - bend)
    return along[below[0]] if len(below) else math.inf


def test_heights_are_kept_to_half_a_step_and_what_is_unknown_stays_unknown():
    heights = np.array([[400.04, np.nan, 2000.0], [0.0, 1e6, -5.0]])
    made = pack_terrain("a.tif", (47.0, 11.0), 5.0, heights)
    assert made.heights_m == pytest.approx(
        np.array([[400.0, np.nan, 2000.0], [0.0, np.nan, -5.0]]), abs=0.051, nan_ok=True
    )
    assert pack_terrain("a.tif", (47.0, 11.0), 5.0, np.full((3, 3), np.nan)) is None


def test_heights_between_those_of_the_grid_are_linear_and_nothing_is_known_beyond():
    made = terrain(lambda east, north: 500.0 + 0.1 * east - 0.2 * north)
    east, north = np.array([0.0, 33.0, -999.0, 1001.0]), np.array([0.0, 47.0, 1.0, 0.0])
    wanted = [500.0, 500.0 + 3.3 - 9.4, 500.0 - 99.9 - 0.2, math.nan]
    assert made.height_m(east, north) == pytest.approx(np.array(wanted), abs=0.06, nan_ok=True)
    assert made.offset_m(47.0, 11.0) == pytest.approx((0.0, 0.0))
    east_m, north_m = made.offset_m(47.001, 11.001)
    assert (east_m, north_m) == pytest.approx((76.1, 111.2), abs=0.3)


def test_level_ground_as_a_terrain_is_level_ground():
    yaw, pitch = np.radians(np.arange(-50.0, 51.0)), np.radians(np.arange(3.0, 89.0))
    flat = cell_ranges(yaw, pitch, Ground(30.0), 100.0)
    view = Viewpoint(terrain(lambda east, _north: 0.0 * east + 812.0), (0.0, 0.0), 30.0)
    found = cell_ranges(yaw, pitch, Ground(30.0, LEVEL, view), 100.0)
    assert found.range_m == pytest.approx(flat.range_m, rel=2e-3)
    assert found.falling == pytest.approx(flat.falling)
    assert found.weights == pytest.approx(flat.weights, rel=0.01)
    assert found.is_by_terrain
    assert not flat.is_by_terrain


@pytest.mark.parametrize("slope", [-0.3, -0.05, 0.05, 0.5])
def test_a_slope_ahead_is_met_where_geometry_says(slope):
    view = Viewpoint(terrain(lambda east, _north: slope * east), (0.0, 0.0), 20.0)
    pitch_deg = np.arange(-20.0, 80.0, 3.0)
    hits = view.meet(rays_of(0.0 * pitch_deg, pitch_deg))
    fall = np.tan(np.radians(pitch_deg)) + slope
    level_m = np.where(fall > 1e-3, 20.0 / np.maximum(fall, 1e-3), math.inf)
    wanted = level_m / np.cos(np.radians(pitch_deg))
    inside = level_m < 950.0
    assert inside.sum() > 5
    assert hits.is_met.tolist() == (level_m < 1000.0).tolist()
    assert hits.range_m[inside] == pytest.approx(wanted[inside], rel=0.01)
    # The area on the map behind a ray, by its neighbours: range and incidence say the same.
    assert hits.incidence[inside] == pytest.approx(
        np.maximum(np.sin(np.radians(pitch_deg)) + slope * np.cos(np.radians(pitch_deg)), 0.0087)[
            inside
        ],
        rel=0.02,
        abs=2e-3,
    )


@pytest.mark.parametrize("place", [(0.0, 0.0), (123.4, -77.7), (-400.0, 350.0)])
def test_hills_are_met_where_small_steps_meet_them(place):
    made = terrain(hills)
    view = Viewpoint(made, place, 15.0)
    eye_m = made.height_at(place) + 15.0
    rng = np.random.default_rng(7)
    yaw, pitch = rng.uniform(-180.0, 180.0, 400), rng.uniform(-8.0, 40.0, 400)
    rays = rays_of(yaw, pitch)
    hits = view.meet(rays)
    wanted = np.array([marched(made, place, eye_m, ray) for ray in rays.T])
    met = np.isfinite(wanted)
    assert met.sum() > 200
    assert np.mean(hits.is_met == met) > 0.97
    both = met & hits.is_met
    error = np.abs(hits.range_m[both] / wanted[both] - 1.0)
    # Profiles are a degree apart: a ray along a crest may miss it.
    assert np.median(error) < 0.01
    assert np.mean(error < 0.1) > 0.95


def test_a_ridge_hides_what_lies_behind_it():
    ridge = terrain(lambda east, _north: np.where(np.abs(east - 200.0) < 15.0, 50.0, 0.0))
    view = Viewpoint(ridge, (0.0, 0.0), 20.0)
    # Over level ground 3 deg below the horizon is 382 m away: behind the ridge.
    hits = view.meet(rays_of([0.0, 180.0, 0.0], [3.0, 3.0, -12.0]))
    assert hits.is_met.tolist() == [True, True, False]
    assert hits.range_m[0] == pytest.approx(190.0, abs=11.0)
    assert hits.range_m[1] == pytest.approx(382.0, rel=0.01)


def test_rays_into_the_sky_meet_nothing_and_count_for_nothing():
    view = Viewpoint(terrain(lambda east, _north: 0.2 * east), (0.0, 0.0), 20.0)
    yaw, pitch = np.radians([0.0, 180.0]), np.radians([-20.0, -5.0, 10.0])
    found = cell_ranges(yaw, pitch, Ground(20.0, LEVEL, view), 100.0)
    # Behind, the slope falls more than 10 deg: that ray meets what is level beyond the model.
    assert (found.weights > 0.0).tolist() == [[False, False], [True, False], [True, True]]
    assert found.range_m[1, 0] == pytest.approx(
        20.0 / (0.2 - math.tan(math.radians(5.0))) / math.cos(math.radians(5.0)), rel=0.01
    )


def test_beyond_the_model_the_ground_is_level_but_no_nearer_than_the_model_s_edge():
    view = Viewpoint(terrain(lambda east, _north: -0.05 * np.abs(east)), (0.0, 0.0), 30.0)
    ray = rays_of(0.0, 2.0)
    assert not view.meet(ray).is_met
    found = cell_ranges(np.zeros(1), np.radians([2.0]), Ground(30.0, LEVEL, view), 100.0)
    # Level ground would be 860 m away, where the model says that the ground is 43 m lower.
    assert found.range_m[0, 0] == pytest.approx(1000.0, rel=0.02)
    assert found.weights[0, 0] > 0.0


def test_ground_that_is_not_known_is_taken_for_level():
    def holed(east, north):
        return np.where((east > 50.0) & (east < 150.0), np.nan, 0.1 * east)

    view = Viewpoint(terrain(holed), (0.0, 0.0), 30.0)
    pitch = np.radians([13.0, 60.0])
    found = cell_ranges(np.zeros(1), pitch, Ground(30.0, LEVEL, view), 100.0)
    # The slope is met at 91 m, inside the hole: level ground is 133 m away.
    assert found.range_m[0, 0] == pytest.approx(30.0 / math.sin(pitch[0]))
    assert found.range_m[1, 0] == pytest.approx(30.0 / math.sin(pitch[1]), rel=0.1)
    assert not view.meet(rays_of([0.0], [13.0])).is_met[0]


def test_bearings_turn_with_the_base():
    view = Viewpoint(terrain(lambda _east, north: 0.2 * north), (0.0, 0.0), 20.0)
    pitch = np.radians([20.0])
    north = cell_ranges(np.zeros(1), pitch, Ground(20.0, NORTH, view), 100.0).range_m[0, 0]
    east = cell_ranges(np.zeros(1), pitch, Ground(20.0, LEVEL, view), 100.0).range_m[0, 0]
    left = cell_ranges(np.array([math.pi / 2]), pitch, Ground(20.0, LEVEL, view), 100.0)
    assert east == pytest.approx(20.0 / math.sin(pitch[0]), rel=1e-3)
    assert north == pytest.approx(left.range_m[0, 0], rel=1e-6)
    assert north < 0.7 * east


def test_another_height_needs_no_new_profiles_and_sees_the_same():
    made = terrain(hills)
    low = Viewpoint(made, (10.0, 20.0), 15.0)
    rays = rays_of(np.arange(0.0, 360.0, 7.0), np.full(52, 9.0))
    again, anew = low.at_height(60.0).meet(rays), Viewpoint(made, (10.0, 20.0), 60.0).meet(rays)
    assert again.range_m.tobytes() == anew.range_m.tobytes()


def test_a_terrain_goes_through_the_journal_bit_for_bit():
    made = terrain(hills, zero_m=48.5)
    again = input_from_plain(input_to_plain(made))
    assert again == made
    assert again.heights_m.tobytes() == made.heights_m.tobytes()
    unknown = input_from_plain(input_to_plain(replace(made, zero_m=math.nan)))
    assert math.isnan(unknown.zero_m)


@pytest.mark.parametrize(
    "changes",
    [{"packed": "?"}, {"packed": "aGFsbG8="}, {"rows": 200}, {"rows": 1}, {"spacing_m": 0.0}],
)
def test_a_terrain_that_does_not_fit_is_refused(changes):
    with pytest.raises(ValueError, match="terrain|rows|spacing_m"):
        replace(terrain(hills), **changes)
