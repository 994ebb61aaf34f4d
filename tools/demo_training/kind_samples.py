"""Rendered pictures of worlds of kinds, with a box and the kind of everything in them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_training.kinds import (
    TRAINING,
    VALIDATION,
    MadeUp,
    kind_of,
    kinds_world,
    made_up_looks,
    spread_targets,
)
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH, MIN_VISIBLE, letterbox
from demo_training.views import Shot, shots
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.things import Board, Footpath
from simulation_pkg.core.world.truth import View

TRAIN_SEEDS, VALIDATION_SEEDS = range(50000, 50070), range(51000, 51010)
_SHOTS_PER_WORLD = (2, 9, 3)  # sweeps, approaches, close-ups
_CROP_SHARE = 0.6  # pictures of which a part goes in at its own resolution, too
_MIN_SIDE_PX = 5.0  # longer side from which something is labelled, in the detector's input


class Labelled(NamedTuple):
    """A picture in the detector's input.

    Attributes:
        image: (INPUT_HEIGHT, INPUT_WIDTH, 3) uint8 RGB, letterboxed.
        boxes: (n, 4) float32 x0, y0, x1, y1 [px of it], cut at its edge.
        kinds: of each box.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    kinds: tuple[str, ...]


def kind_views(
    seed: int, counts: tuple[int, int, int], most: int, made_up: MadeUp | None = None
) -> Iterator[tuple[Shot, View, dict[int, str]]]:
    """Return a world's shots, what they show, and the kind of each thing by its id.

    Args:
        seed, made_up: see `kinds_world`.
        counts: of sweeps, approaches, close-ups.
        most: things of a kind to point at.
    """
    cv2.setNumThreads(1)
    world, lens = kinds_world(seed, made_up), Lens()
    noise = float(np.random.default_rng((seed, 5)).uniform(1.0, 5.0))
    renderer = Renderer(world, lens, Effects(noise=noise), looks=made_up_looks())
    things: list[Board | Footpath] = [*world.boards, *world.footpaths]
    kinds = {thing.id: kind_of(thing) for thing in things}
    for shot in shots(world, lens, *counts, spread_targets(world, most)):
        yield shot, renderer.render(shot.pose, shot.time_s, shot.seed), kinds


def labelled(
    view: View, kinds: dict[int, str], cut: tuple[int, int, int, int] | None = None
) -> Labelled:
    """Turn a view into a training picture.

    Args:
        view: of the world.
        kinds: of the things in it by their ids.
        cut: x0, y0, x1, y1 [px] part of the picture; None: the whole.
    """
    x0, y0, x1, y1 = cut or (0, 0, view.truth.width, view.truth.height)
    image, gain, left, top = letterbox(view.image[y0:y1, x0:x1])
    boxes, names = [], []
    for seen in view.truth.objects:
        whole = np.array(seen.box_xyxy)
        shown = np.clip(whole, (x0, y0, x0, y0), (x1, y1, x1, y1))
        share = np.prod(shown[2:] - shown[:2]) / max(np.prod(whole[2:] - whole[:2]), 1e-9)
        box = (shown - (x0, y0, x0, y0)) * gain + (left, top, left, top)
        if share >= MIN_VISIBLE and (box[2:] - box[:2]).max() >= _MIN_SIDE_PX:
            boxes.append(box)
            names.append(kinds[seen.id])
    return Labelled(image, np.array(boxes, np.float32).reshape(-1, 4), tuple(names))


def _cut(
    view: View, kinds: dict[int, str], rng: np.random.Generator
) -> tuple[int, int, int, int] | None:
    """Return a part of the input's size around something made up, as examples are looked at."""
    named = [
        seen
        for seen in view.truth.objects
        if seen.visible > 0.95 and kinds[seen.id].startswith("made_up")
    ]
    named = [seen for seen in named if 8 < seen.box_xyxy[2] - seen.box_xyxy[0] < 200]
    if not named:
        return None
    box = named[int(rng.integers(len(named)))].box_xyxy
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    x = int(np.clip(middle[0] - INPUT_WIDTH / 2, 0, view.truth.width - INPUT_WIDTH))
    y = int(np.clip(middle[1] - INPUT_HEIGHT / 2, 0, view.truth.height - INPUT_HEIGHT))
    return x, y, x + INPUT_WIDTH, y + INPUT_HEIGHT


def _render(job: tuple[int, MadeUp, Path]) -> Path:
    seed, made_up, folder = job
    path = folder / f"kinds_{seed}.npz"
    if path.exists():
        return path
    rng = np.random.default_rng((seed, 96))
    taken = []
    for _, view, kinds in kind_views(seed, _SHOTS_PER_WORLD, 1, made_up):
        taken.append(labelled(view, kinds))
        cut = _cut(view, kinds, rng) if rng.random() < _CROP_SHARE else None
        taken += [labelled(view, kinds, cut)] if cut else []
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        images=np.stack([one.image for one in taken]),
        counts=np.array([len(one.kinds) for one in taken]),
        boxes=np.concatenate([one.boxes for one in taken]),
        kinds=np.array([name for one in taken for name in one.kinds]),
    )
    temporary.rename(path)
    return path


def render_kinds(folder: Path, workers: int) -> list[Path]:
    """Render all worlds on several processes; what is in the folder is taken as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(seed, TRAINING, folder) for seed in TRAIN_SEEDS]
    jobs += [(seed, VALIDATION, folder) for seed in VALIDATION_SEEDS]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(pool.imap(_render, jobs))


def read_kinds(paths: Iterable[Path]) -> list[Labelled]:
    """Return all pictures of rendered worlds."""
    found = []
    for path in paths:
        with np.load(path) as arrays:
            ends = np.cumsum(arrays["counts"])
            images, boxes, kinds = arrays["images"], arrays["boxes"], arrays["kinds"]
        for image, own, names in zip(
            images, np.split(boxes, ends[:-1]), np.split(kinds, ends[:-1]), strict=True
        ):
            found.append(Labelled(image, own, tuple(map(str, names))))
    return found
