"""Rendered, labelled pictures of many worlds, in the detector's input format, cached on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_training.views import CLOSE_UP, Shot, shots
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.looks import Drawing
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.core.world.truth import View

INPUT_HEIGHT, INPUT_WIDTH = 384, 640  # [px] of the detector's input
CROP_SIZE = 160  # [px] a side of the classifier's input
CROP_MARGIN = 1.25  # side of the crop, in longest sides of the box
PAD_VALUE = 114
MASK_STRIDE = 4
MIN_VISIBLE = 0.3  # share of a box inside the picture from which it is labelled
MIN_SIDE_PX = 3.0  # shorter box side from which a thing is labelled, in input pixels
CLOSE_VISIBLE = 0.9  # share of a box inside the picture from which a crop goes there
CLOSE_SIDE_PX = 110.0  # longer box side from which a crop goes to the classifier, camera pixels


class Sample(NamedTuple):
    """One labelled picture.

    Attributes:
        image: (INPUT_HEIGHT, INPUT_WIDTH, 3) uint8 RGB, letterboxed.
        boxes: (n, 4) float32 x0, y0, x1, y1 in input pixels, cut at the picture's edge.
        classes: (n,) int64 index into CLASS_NAMES, by look.
        is_decoy: (n,) bool.
        masks: (INPUT_HEIGHT / 4, INPUT_WIDTH / 4) uint8, 1 + index of the box, 0 for none.
        level: index of the view's level.
        crops: (m, CROP_SIZE, CROP_SIZE, 3) uint8 RGB close-ups.
        crop_labels: (m,) int64: 2 * class + is_decoy.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    is_decoy: NDArray[np.bool_]
    masks: NDArray[np.uint8]
    level: str
    crops: NDArray[np.uint8]
    crop_labels: NDArray[np.int64]


def make_renderer(seed: int, lens: Lens) -> Renderer:
    """The renderer of a world for training; noise and light differ between worlds."""
    return renderer_of(build_world(WorldLayout(seed)), lens)


def renderer_of(
    world: World, lens: Lens, drawings: Mapping[str, Drawing] | None = None
) -> Renderer:
    """The same of a world that was changed, or has further kinds."""
    rng = np.random.default_rng((world.layout.seed, 5))
    noise = float(rng.uniform(1.0, 5.0))
    return Renderer(world, lens, Effects(noise=noise), drawings=drawings)


def label(view: View, shot: Shot) -> Sample:
    """Turn a rendered view into a sample."""
    image, gain, left, top = letterbox(view.image)
    ids = view.ids
    assert ids is not None
    kept = []
    for seen in view.truth.objects:
        cut = np.clip(np.array(seen.box_xyxy), 0, (view.truth.width, view.truth.height) * 2)
        box = cut * gain + (left, top, left, top)
        sides = box[2:] - box[:2]
        if seen.visible < MIN_VISIBLE or sides.min() < MIN_SIDE_PX or sides.max() < 6.0:
            continue
        kept.append((seen, box))
    step = MASK_STRIDE / gain
    rows = np.clip((np.arange(view.truth.height * gain / MASK_STRIDE) + 0.5) * step, 0, None)
    columns = np.clip((np.arange(view.truth.width * gain / MASK_STRIDE) + 0.5) * step, 0, None)
    small = ids[rows.astype(int)[:, None], columns.astype(int)[None]]
    masks = np.zeros((INPUT_HEIGHT // MASK_STRIDE, INPUT_WIDTH // MASK_STRIDE), np.uint8)
    y, x = round(top / MASK_STRIDE), round(left / MASK_STRIDE)
    for index, (seen, _) in enumerate(kept):
        masks[y : y + small.shape[0], x : x + small.shape[1]][small == seen.id] = index + 1
    crops, crop_labels = _crops(view, shot)
    return Sample(
        image,
        np.array([box for _, box in kept], np.float32).reshape(-1, 4),
        np.array([CLASS_NAMES.index(seen.class_name) for seen, _ in kept], np.int64),
        np.array([seen.is_decoy for seen, _ in kept], bool),
        masks,
        shot.level,
        crops,
        crop_labels,
    )


def letterbox(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, int, int]:
    """(RGB input picture, gain, left, top) as Ultralytics' LetterBox does it."""
    height, width = image.shape[:2]
    gain = min(INPUT_HEIGHT / height, INPUT_WIDTH / width)
    new_width, new_height = max(round(width * gain), 1), max(round(height * gain), 1)
    left = round((INPUT_WIDTH - new_width) / 2 - 0.1)
    top = round((INPUT_HEIGHT - new_height) / 2 - 0.1)
    canvas = np.full((INPUT_HEIGHT, INPUT_WIDTH, 3), PAD_VALUE, np.uint8)
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    canvas[top : top + new_height, left : left + new_width] = resized[..., ::-1]
    return canvas, gain, left, top


def crop_square(
    image: NDArray[np.uint8], box_xyxy: tuple[float, float, float, float], margin: float
) -> NDArray[np.uint8]:
    """(CROP_SIZE, CROP_SIZE, 3) RGB square around a box, grey beyond the picture's edge."""
    x0, y0, x1, y1 = box_xyxy
    side = max(max(x1 - x0, y1 - y0) * margin, 8.0)
    scale = CROP_SIZE / side
    matrix = np.array(
        [
            [scale, 0.0, CROP_SIZE / 2 - scale * (x0 + x1) / 2],
            [0.0, scale, CROP_SIZE / 2 - scale * (y0 + y1) / 2],
        ]
    )
    if scale < 1.0:
        # Average first: a warp alone would skip pixels.
        halving = 2.0 ** np.floor(np.log2(1.0 / scale))
        size = (max(1, round(image.shape[1] / halving)), max(1, round(image.shape[0] / halving)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= halving
    warped = cv2.warpAffine(
        image, matrix, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderValue=(PAD_VALUE,) * 3
    )
    return np.ascontiguousarray(warped[..., ::-1])


def _crops(view: View, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Crops of what is seen close and whole, with the errors a detector's box has."""
    rng = np.random.default_rng((shot.seed, 9))
    crops, labels = [], []
    for seen in view.truth.objects:
        x0, y0, x1, y1 = seen.box_xyxy
        longest = max(x1 - x0, y1 - y0)
        is_close = shot.level == CLOSE_UP and longest >= CLOSE_SIDE_PX
        if seen.visible < CLOSE_VISIBLE or not is_close:
            continue
        jitter = rng.uniform(-0.06, 0.06, 4) * longest
        box = (x0 + jitter[0], y0 + jitter[1], x1 + jitter[2], y1 + jitter[3])
        crops.append(crop_square(view.image, box, CROP_MARGIN))
        labels.append(2 * CLASS_NAMES.index(seen.class_name) + int(seen.is_decoy))
    stacked = np.array(crops, np.uint8).reshape(-1, CROP_SIZE, CROP_SIZE, 3)
    return stacked, np.array(labels, np.int64)


def render_world(seed: int, counts: tuple[int, int, int], folder: Path) -> Path:
    """Render one world's samples to a file, unless it is there."""
    path = folder / f"world_{seed}.npz"
    if path.exists():
        return path
    cv2.setNumThreads(1)
    lens = Lens()
    renderer = make_renderer(seed, lens)
    taken = []
    for shot in shots(build_world(WorldLayout(seed)), lens, *counts):
        view = renderer.render(shot.pose, shot.time_s, shot.seed, has_ids=True)
        taken.append(label(view, shot))
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        images=np.stack([s.image for s in taken]),
        masks=np.stack([s.masks for s in taken]),
        levels=np.array([s.level for s in taken]),
        counts=np.array([len(s.classes) for s in taken]),
        boxes=np.concatenate([s.boxes for s in taken]),
        classes=np.concatenate([s.classes for s in taken]),
        is_decoy=np.concatenate([s.is_decoy for s in taken]),
        crops=np.concatenate([s.crops for s in taken]),
        crop_labels=np.concatenate([s.crop_labels for s in taken]),
    )
    temporary.rename(path)
    return path


def render_worlds(
    seeds: Iterable[int], counts: tuple[int, int, int], folder: Path, workers: int
) -> list[Path]:
    """Render worlds on several processes; what is already in the folder is taken as it is."""
    return on_processes(partial(render_world, counts=counts, folder=folder), seeds, folder, workers)


def on_processes(
    render: Callable[[int], Path], seeds: Iterable[int], folder: Path, workers: int
) -> list[Path]:
    """Render each seed's world on one of several processes, and tell how far it is.

    Args:
        render: to a file in the folder, whose path it returns; may be sent to a process.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted, paths = list(seeds), []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, path in enumerate(pool.imap(render, wanted), start=1):
            paths.append(path)
            print(f"rendered world {done} of {len(wanted)}", end="\r", flush=True)
    print()
    return paths


class Samples:
    """All rendered worlds of a folder, in memory."""

    def __init__(self, paths: list[Path]) -> None:
        parts = [dict(np.load(path)) for path in paths]
        self.images = np.concatenate([part["images"] for part in parts])
        self.masks = np.concatenate([part["masks"] for part in parts])
        self.levels = np.concatenate([part["levels"] for part in parts])
        self._starts = np.concatenate(
            [[0], np.cumsum(np.concatenate([p["counts"] for p in parts]))]
        )
        self.boxes = np.concatenate([part["boxes"] for part in parts])
        self.classes = np.concatenate([part["classes"] for part in parts])
        self.is_decoy = np.concatenate([part["is_decoy"] for part in parts])
        self.crops = np.concatenate([part["crops"] for part in parts])
        self.crop_labels = np.concatenate([part["crop_labels"] for part in parts])

    def __len__(self) -> int:
        return len(self.images)

    def objects(self, index: int) -> slice:
        """Where a picture's objects lie in boxes, classes and is_decoy."""
        return slice(int(self._starts[index]), int(self._starts[index + 1]))
