"""The `sim:` camera: what it shows belongs to the pose at the capture, however late it comes."""

import math

import numpy as np
import pytest

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.common.core.optics import direction
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.camera import open_source
from simulation_pkg.core.world.geometry import CameraPose, projection
from simulation_pkg.core.world.things import ODDITY_NAMES

SMALL = "width=320&height=180&noise=0&readout_ms=0"
SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 100 * SECOND

    def __call__(self) -> int:
        return self.now_ns


def sweeping(stamp_ns: int) -> CameraPose:
    """A gimbal that turns left by 0.2 rad/s."""
    return CameraPose(-0.4 + 0.2 * (stamp_ns / SECOND - 100.0), 0.4)


@pytest.mark.parametrize("delay_ms", [0, 60, 400])
def test_a_picture_shows_the_pose_at_its_stamp(delay_ms):
    clock, truths = Clock(), []
    uri = CameraUri.parse(f"sim:4?{SMALL}&delay_ms={delay_ms}")
    camera = open_source(uri, clock, sweeping, lambda stamp, truth: truths.append((stamp, truth)))
    seen_things = 0
    for _ in range(5):
        clock.now_ns += SECOND // 2
        shot = camera.read()
        stamp_ns, truth = truths[-1]
        assert shot.stamp_ns == stamp_ns == clock.now_ns - delay_ms * 1_000_000
        assert truth.pose == sweeping(shot.stamp_ns)
        to_pixels = projection(camera._renderer._lens, sweeping(shot.stamp_ns))
        for seen in truth.objects:
            if seen.visible < 1.0:
                continue
            x, y, depth = to_pixels @ direction(seen.yaw_rad, seen.pitch_rad)
            x0, y0, x1, y1 = seen.box_xyxy
            assert x0 - 1 <= x / depth <= x1 + 1
            assert y0 - 1 <= y / depth <= y1 + 1
            seen_things += 1
    assert seen_things > 5


@pytest.mark.parametrize("option", ["", "&oddities=18"])
def test_what_no_class_names_stands_where_it_is_asked_for(option):
    clock, names = Clock(), set()
    uri = CameraUri.parse(f"sim:4?{SMALL}&hfov_deg=120{option}")
    camera = open_source(
        uri, clock, sweeping, lambda _, truth: names.update(one.class_name for one in truth.objects)
    )
    camera.read()
    assert bool(names & set(ODDITY_NAMES)) == bool(option)


def test_a_wrong_stamp_is_only_a_wrong_stamp():
    clock, truths = Clock(), []
    uri = CameraUri.parse(f"sim:4?{SMALL}&delay_ms=100&stamp_error_ms=100")
    camera = open_source(uri, clock, sweeping, lambda stamp, truth: truths.append((stamp, truth)))
    assert camera.read().stamp_ns == clock.now_ns
    assert truths[0][1].pose == sweeping(clock.now_ns - SECOND // 10)


def test_the_last_known_pose_holds_and_before_it_the_rest_pose():
    clock, truths = Clock(), []
    poses = {0: None, 1: CameraPose(0.3, 0.5), 2: None}
    uri = CameraUri.parse(f"sim:4?{SMALL}&delay_ms=0&yaw_deg=10&pitch_deg=30&zoom=2")
    camera = open_source(
        uri,
        clock,
        lambda stamp: poses[(stamp - 100 * SECOND) // SECOND],
        lambda _, truth: truths.append(truth.pose),
    )
    for _ in poses:
        camera.read()
        clock.now_ns += SECOND
    rest = CameraPose(math.radians(10), math.radians(30), zoom=2.0)
    assert truths == [rest, CameraPose(0.3, 0.5), CameraPose(0.3, 0.5)]


def test_the_same_uri_gives_the_same_pictures():
    shots = []
    for _ in range(2):
        clock = Clock()
        camera = open_camera("sim:9?width=320&height=180", clock)
        shots.append([])
        for _ in range(3):
            shots[-1].append(camera.read())
            clock.now_ns += SECOND
    for first, second in zip(*shots, strict=True):
        assert first.stamp_ns == second.stamp_ns
        assert np.array_equal(first.image, second.image)


@pytest.mark.parametrize("step_s", [-3600, -5, 365 * 24 * 3600])
def test_the_world_goes_on_evenly_where_the_clock_steps(step_s, monkeypatch):
    """How long the step itself took nobody can tell: nothing moves between its two pictures."""
    clock, times = Clock(), []
    clock.now_ns += 4000 * SECOND
    camera = open_source(CameraUri.parse(f"sim:4?{SMALL}&delay_ms=0"), clock)
    render = camera._renderer.render
    monkeypatch.setattr(
        camera._renderer,
        "render",
        lambda pose, time_s, n: times.append(time_s) or render(pose, time_s, n),
    )
    for number in range(5):
        clock.now_ns += SECOND // 2 + (step_s * SECOND if number == 3 else 0)
        assert camera.read().stamp_ns == clock.now_ns
    assert times == [0.0, 0.5, 1.0, 1.0, 1.5]


def test_lost_pictures_are_longer_pauses():
    clock = Clock()
    camera = open_camera("sim:9?width=64&height=36&rate=10&drop=0.5", clock)
    pauses = []
    for _ in range(60):
        camera.read()
        pauses.append(camera.period_s)
    assert min(pauses) == pytest.approx(0.1)
    assert all(p == pytest.approx(round(p * 10) / 10) for p in pauses)
    assert 0.15 < np.mean(pauses) < 0.27


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sim:seven", "world seed 'seven': must be a whole number"),
        ("sim:-1", "world seed '-1': must be a whole number"),
        ("sim:1?rate=0", "option rate='0': must be a number in 0.1..240"),
        ("sim:1?zoom=0.2", "option zoom='0.2': must be a number in 1..200"),
        ("sim:1?speed=2", "option 'speed' is unknown; allowed: delay_ms, drop"),
    ],
)
def test_bad_uris_are_named(uri, message):
    with pytest.raises(ConfigurationError, match=message.replace("?", r"\?")):
        open_camera(uri)
