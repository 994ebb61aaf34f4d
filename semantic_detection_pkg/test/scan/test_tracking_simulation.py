"""The tracker in the simulated world: true boxes with noise, losses, false detections, no pixels.

A switch is a thing whose detection is explained by another confirmed track than before.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker
from simulation_pkg.core.world.geometry import CameraPose, Lens, board_vectors, projection
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.things import CLASS_NAMES

LENS = Lens(1280, 720)
RATE_HZ = 10.0
SWEEP_PITCH = 0.42


@dataclass(frozen=True)
class Flaws:
    """Errors of detections and poses."""

    drop: float = 0.15
    false_per_frame: float = 0.15
    box_px: float = 0.7
    box_share: float = 0.03
    pose_rad: float = 0.001
    stamp_s: float = 0.004
    other_class: float = 0.02
    least_px: float = 6.0


@dataclass(frozen=True)
class PoseSample:
    """Where the camera looks in one frame."""

    time_s: float
    pose: CameraPose


@dataclass
class TrackingScore:
    """How well the tracker did in a run."""

    switches: int = 0
    frames: int = 0
    owner: dict[int, int] = field(default_factory=dict)  # thing -> its confirmed track
    seen: dict[int, int] = field(default_factory=dict)  # thing -> detections
    update_s: list[float] = field(default_factory=list)
    tracks: tuple[Track, ...] = ()


def true_boxes(world: World, sample: PoseSample) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield (id, class, box [px] cut to the picture) of everything in view."""
    to_pixels = projection(LENS, sample.pose)
    height_m = world.layout.camera_height_m
    for board in world.boards:
        if board.id:
            w, h = board.width_m, board.height_m
            corners = np.array([(-w / 2, 0), (w / 2, 0), (w / 2, h), (-w / 2, h)]) * 0.9
            vectors = board_vectors(corners, height_m, *board.foot(sample.time_s))
            yield from in_picture(board.id, board.class_name, vectors @ to_pixels.T)
    for path in world.footpaths:
        points = np.concatenate([dense(line) for line in path.lines])
        vectors = np.column_stack([points, np.full(len(points), -height_m)])
        yield from in_picture(path.id, path.class_name, vectors @ to_pixels.T)


def dense(line: np.ndarray, times: int = 12) -> np.ndarray:
    """Return the points of a line, and `times` - 1 more between each two."""
    at = np.linspace(0, len(line) - 1, (len(line) - 1) * times + 1)
    whole = np.arange(len(line))
    return np.stack([np.interp(at, whole, line[:, 0]), np.interp(at, whole, line[:, 1])], 1)


def in_picture(
    thing: int, name: str, homogeneous: np.ndarray
) -> Iterator[tuple[int, str, np.ndarray]]:
    ahead = homogeneous[homogeneous[:, 2] > 0.5]
    if len(ahead) < 2:
        return
    pixels = ahead[:, :2] / ahead[:, 2:]
    size = np.array([LENS.width, LENS.height])
    is_in = ((pixels >= 0) & (pixels <= size)).all(axis=1)
    if name == "footpath":  # only what is in the picture makes its box
        if is_in.sum() < 3:
            return
        pixels = pixels[is_in]
        low, high = pixels.min(axis=0) - 2, pixels.max(axis=0) + 2
    else:
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        inside = np.clip(high, 0, size) - np.clip(low, 0, size)
        if inside.prod() < 0.35 * (high - low).prod():
            return
    yield thing, name, np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)])


def detect(
    world: World, sample: PoseSample, flaws: Flaws, rng: np.random.Generator
) -> tuple[Detections, list[int]]:
    """Return detections with errors, and the id of the object behind each; 0: none."""
    boxes, ids, names = [], [], []
    size = np.array([LENS.width, LENS.height] * 2, float)
    for thing, name, box in true_boxes(world, sample):
        extent = (box[2:] - box[:2]).max()
        if extent < flaws.least_px or rng.random() < flaws.drop:
            continue
        is_free = (box > 0.5) & (box < size - 0.5)
        box = box + is_free * rng.normal(0, flaws.box_px + flaws.box_share * extent, 4) * 0.7
        boxes.append(box)
        ids.append(thing)
        names.append(rng.choice(CLASS_NAMES) if rng.random() < flaws.other_class else name)
    for _ in range(rng.poisson(flaws.false_per_frame)):
        corner = rng.uniform(0, size[:2] - 60)
        boxes.append(np.concatenate([corner, corner + rng.uniform(10, 60, 2)]))
        ids.append(0)
        names.append(rng.choice(CLASS_NAMES))
    if not boxes:
        return Detections.none(LENS.width, LENS.height), []
    array = np.array(boxes)
    array = np.concatenate([np.minimum(array[:, :2], array[:, 2:] - 1), array[:, 2:]], axis=1)
    class_ids = [CLASS_NAMES.index(name) for name in names]
    scores = rng.uniform(0.3, 0.9, len(ids))
    order = np.argsort(-scores)
    found = Detections(LENS.width, LENS.height, class_ids, scores, np.clip(array, 0, size))
    return found.take(order), [ids[i] for i in order]


def run(world: World, samples: list[PoseSample], flaws: Flaws, seed: int = 0) -> TrackingScore:
    """Run a tracker over the samples; without a pose, nothing was detected in the frame."""
    rng = np.random.default_rng(seed)
    tracker, score = Tracker(), TrackingScore()
    for sample in samples:
        detections, ids = detect(world, sample, flaws, rng)
        pose = sample.pose
        late = rng.normal(0, flaws.stamp_s)
        yaw, pitch = rng.normal(0, flaws.pose_rad, 2)
        view = CameraView(
            pose.yaw_rad + yaw + late * pose.yaw_rate_rad_s,
            pose.pitch_rad + pitch + late * pose.pitch_rate_rad_s,
            0.0,
            LENS.hfov_rad(pose.zoom),
            LENS.width,
            LENS.height,
        )
        tracks = tracker.update(round(sample.time_s * 1e9), view, detections, CLASS_NAMES)
        note(score, tracks, ids)
    score.tracks = tracker.tracks
    return score


def note(score: TrackingScore, tracks: tuple[Track, ...], ids: list[int]) -> None:
    score.frames += 1
    for track in tracks:
        if track.is_seen and (thing := ids[track.detection]):
            score.seen[thing] = score.seen.get(thing, 0) + 1
            if track.state is TrackState.CONFIRMED:
                score.switches += score.owner.get(thing, track.id) != track.id
                score.owner[thing] = track.id


def samples_along(*legs: tuple[float, float, float, float]) -> list[PoseSample]:
    """Return samples along waypoints (yaw, pitch, zoom, duration [s]), at even rates."""
    samples = []
    yaw, pitch, zoom, time_s = legs[0][0], legs[0][1], legs[0][2], 0.0
    for to_yaw, to_pitch, to_zoom, duration_s in legs[1:]:
        steps = max(1, round(duration_s * RATE_HZ))
        for step in range(1, steps + 1):
            share = step / steps
            pose = CameraPose(
                yaw + share * (to_yaw - yaw),
                pitch + share * (to_pitch - pitch),
                0.0,
                zoom * (to_zoom / zoom) ** share,
                (to_yaw - yaw) / duration_s,
                (to_pitch - pitch) / duration_s,
            )
            samples.append(PoseSample(time_s + step / RATE_HZ, pose))
        time_s += steps / RATE_HZ
        yaw, pitch, zoom = to_yaw, to_pitch, to_zoom
    return samples


def slews(count: int = 4) -> list[PoseSample]:
    """Return samples to and fro over the sector at 60 deg/s."""
    side, turn_s = math.radians(60), 2.0
    legs = [(-side, SWEEP_PITCH, 1.0, 0.0)]
    legs += [((-side, side)[n % 2 == 0], SWEEP_PITCH, 1.0, turn_s) for n in range(count)]
    return samples_along(*legs)


def visits(world: World, count: int, stay_s: float = 1.5) -> list[PoseSample]:
    """Return samples that zoom in on one object after the other at zoom 8, and out again."""
    legs = [(0.0, SWEEP_PITCH, 1.0, 0.0), (0.0, SWEEP_PITCH, 1.0, 1.0)]
    height_m = world.layout.camera_height_m
    near = [board for board in world.boards if board.id and abs(board.y_m / board.x_m) < 0.4]
    for board in near[:count]:
        yaw = math.atan2(board.y_m, board.x_m)
        pitch = math.atan2(height_m - board.height_m / 2, math.hypot(board.x_m, board.y_m))
        legs += [(yaw, pitch, 8.0, 1.2), (yaw, pitch, 8.0, stay_s)]
        legs += [(0.0, SWEEP_PITCH, 1.0, 1.2), (0.0, SWEEP_PITCH, 1.0, 0.8)]
    return samples_along(*legs)


def without(samples: list[PoseSample], begin_s: float, end_s: float) -> list[PoseSample]:
    """Return the samples without those of an interval, as if the detector had been away."""
    return [sample for sample in samples if not begin_s < sample.time_s <= end_s]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_ids_stay_through_slews_of_60_deg_per_s(seed):
    score = run(build_world(WorldLayout(seed)), slews(), Flaws(), seed)
    assert len(score.owner) >= 25
    assert score.switches <= 1


@pytest.mark.parametrize("seed", [21, 22])
def test_ids_stay_through_zoom_1_to_8_and_back(seed):
    world = build_world(WorldLayout(seed))
    score = run(world, visits(world, 5), Flaws(), seed)
    assert len(score.owner) >= 10
    assert score.switches <= 1


@pytest.mark.parametrize("seed", [31, 32])
def test_ids_stay_through_losses_of_one_and_a_half_seconds(seed):
    samples = samples_along((-0.3, SWEEP_PITCH, 1.0, 0.0), (0.3, SWEEP_PITCH, 1.0, 9.0))
    samples = without(without(samples, 2.0, 3.5), 5.0, 6.5)
    score = run(build_world(WorldLayout(seed)), samples, Flaws(), seed)
    assert len(score.owner) >= 10
    assert score.switches == 0


def test_strollers_keep_their_ids_for_a_minute():
    world = build_world(WorldLayout(41))
    strollers = tuple(board for board in world.boards if board.stroll_m > 0.0)
    assert len(strollers) >= 4
    legs = [(0.0, SWEEP_PITCH, 1.0, 0.0)]
    legs += [((-0.6, 0.6)[n % 2], SWEEP_PITCH, 1.0, 3.0) for n in range(20)]
    score = run(replace(world, boards=strollers, footpaths=()), samples_along(*legs), Flaws(), 41)
    assert len(score.owner) >= 4
    assert score.switches == 0


def test_false_detections_are_not_confirmed_in_crowds():
    score = run(build_world(WorldLayout(51)), slews(6), Flaws(false_per_frame=1.0), 51)
    confirmed = [track for track in score.tracks if track.state is not TrackState.TENTATIVE]
    things = set(score.owner.values())
    assert sum(track.id not in things for track in confirmed) <= 4


def test_a_track_lies_where_the_thing_is():
    world = replace(build_world(WorldLayout(61)), footpaths=())
    samples = samples_along((0.0, SWEEP_PITCH, 1.0, 0.0), (0.05, SWEEP_PITCH, 1.0, 4.0))
    score = run(world, samples, Flaws(), 61)
    tracks = {track.id: track for track in score.tracks}
    errors = []
    for board in world.boards:
        if board.id in score.owner and (track := tracks.get(score.owner[board.id])):
            x, y = board.foot(samples[-1].time_s)
            height = world.layout.camera_height_m - 0.45 * board.height_m
            sigma = math.sqrt(track.covariance[0]), math.sqrt(track.covariance[2])
            errors.append((track.yaw_rad - math.atan2(y, x)) / sigma[0])
            errors.append((track.pitch_rad - math.atan2(height, math.hypot(x, y))) / sigma[1])
    assert len(errors) >= 20
    assert np.sqrt(np.mean(np.square(errors))) < 2.0  # its own doubt is honest
