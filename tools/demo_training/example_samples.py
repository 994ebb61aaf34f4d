"""Pictures of made-up kinds: cuts of things and of ground, and what the detector's head sees there.

Cuts are made as the product makes them, around the boxes that the frozen detector gives. Rocks and
bushes are taken out of these worlds: the demo is judged by them, and nothing may learn them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from demo_training.files import DETECTOR_FILE
from demo_training.made_up import MadeUpKind
from demo_training.metrics import box_overlaps
from demo_training.samples import letterbox, on_processes, renderer_of
from demo_training.text_side import held_out
from demo_training.views import shots
from semantic_detection_pkg.detector.kernels.crops import crop_square
from semantic_detection_pkg.detector.kernels.twins.nms import suppress
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.things import ODDITY_NAMES
from simulation_pkg.core.world.truth import View

FEATURE_SEEDS = range(60000, 60024)
EXAMPLE_SEEDS = range(62000, 62084)
LIKENESS_SEEDS = range(61000, 61006)  # of kinds that no other world has
CUT_PX, CUT_MARGIN = 48, 1.3
KIND_COUNT = 1500  # that a world's kinds are drawn from; as many others for the likeness
_KINDS, _SHOTS = 48, (4, 5, 7)  # of a world; sweeps, approaches, close-ups
_LEAST_PX = 20.0  # longer side from which a box in the picture is cut out
_MIN_VISIBLE, _LEAST_SEEN_PX = 0.3, 10.0
_IS_THING, _IS_GROUND, _IS_CLEAR_GROUND = 0.55, 0.1, 0.2  # overlaps with what is there
_ANCHORS_OF_THING, _ANCHORS_OF_GROUND = 4, 160
_MOST_CUTS, _SAME = 40, 0.5
NO_CLASS = "footpath"  # no box shows what it is


class Head(NamedTuple):
    """What the detector's head says of a picture: n anchors.

    Attributes:
        features: (n, C) float32 before the class scores.
        levels: (n,) index of the head's level.
        boxes: (n, 4) x0, y0, x1, y1 [px of the picture].
    """

    features: NDArray[np.float32]
    levels: NDArray[np.int64]
    boxes: NDArray[np.float32]


class FrozenDetector:
    """The exported demo detector, with the features of its class branch as outputs, too."""

    def __init__(self, folder: Path) -> None:
        model = onnx.load(str(folder / DETECTOR_FILE))
        products = [node for node in model.graph.node if node.op_type == "MatMul"]
        self._features = [node.input[1] for node in products]
        for name in self._features:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self._words = {
            value.name: np.zeros(value.shape, np.float32)
            for value in self._session.get_inputs()
            if value.name != "images"
        }

    def look(self, image: NDArray[np.uint8]) -> Head:
        """Look at a BGR picture."""
        square, gain, left, top = letterbox(image)
        tensor = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / 255.0
        names = ["output0", *self._features]
        head, *features = self._session.run(names, {"images": tensor, **self._words})
        flat = [one.reshape(one.shape[1], -1).T for one in features]
        middle, sides = head[0, :2].T, head[0, 2:4].T
        boxes = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
        boxes = (boxes - (left, top, left, top)) / gain
        edges = (image.shape[1], image.shape[0]) * 2
        levels = np.repeat(np.arange(len(flat)), [len(one) for one in flat])
        return Head(np.concatenate(flat), levels, np.clip(boxes, 0, edges).astype(np.float32))


def things_of(view: View) -> tuple[NDArray[np.float32], list[str]]:
    """Return the boxes (n, 4) [px] of what a picture shows well enough, and their names."""
    boxes, names = [], []
    for seen in view.truth.objects:
        box = np.clip(seen.box_xyxy, 0, (view.truth.width, view.truth.height) * 2)
        if seen.visible >= _MIN_VISIBLE and (box[2:] - box[:2]).max() >= _LEAST_SEEN_PX:
            boxes.append(box)
            names.append(f"decoy of {seen.class_name}" if seen.is_decoy else seen.class_name)
    return np.array(boxes, np.float32).reshape(-1, 4), names


def made_up_world(seed: int) -> tuple[World, list[MadeUpKind]]:
    """Return a world where made-up kinds stand in the oddities' places, without held-out kinds."""
    rng = np.random.default_rng((seed, 99))
    first = KIND_COUNT if seed in LIKENESS_SEEDS else 0
    kinds = [MadeUpKind(first + int(n)) for n in rng.choice(KIND_COUNT, _KINDS, replace=False)]
    world = build_world(WorldLayout(seed, per_class=1, plants=90, oddities=_KINDS))
    boards = []
    for board in world.boards:
        if board.class_name in ODDITY_NAMES:
            kind = kinds[int(rng.integers(len(kinds)))]
            scale = float(np.exp(rng.normal(0, kind.size_spread)))
            look = int(rng.integers(1 << 31))
            board = dataclasses.replace(
                board,
                class_name=kind.name,
                look_seed=look,
                width_m=kind.width_m * scale,
                height_m=kind.height_m * scale,
            )
        if board.class_name not in held_out()["kinds"]:
            boards.append(board)
    return dataclasses.replace(world, boards=tuple(boards)), kinds


def render_examples(
    models: Path, folder: Path, thing: Mapping[str, NDArray[np.float32]] | None, seed: int
) -> Path:
    """Render one world's cuts and features to a file, unless it is there.

    Args:
        models: folder of the frozen detector.
        thing: "w" (L, C) and "b" (L,) of the row that finds things; None: it is not known yet, and
            nothing is cut out.
    """
    path = folder / f"{'features' if thing is None else 'cuts'}_{seed}.npz"
    if path.exists():
        return path
    cv2.setNumThreads(1)
    world, kinds = made_up_world(seed)
    renderer = renderer_of(world, Lens(), {kind.name: kind.draw for kind in kinds})
    detector, rng = FrozenDetector(models), np.random.default_rng((seed, 6))
    taken = Taken()
    for shot in shots(world, Lens(), *_SHOTS):
        view = renderer.render(shot.pose, shot.time_s, shot.seed)
        head, (boxes, names) = detector.look(view.image), things_of(view)
        if thing is None:
            taken.add_features(head, boxes, names, rng)
        else:
            taken.add_cuts(view.image, head, boxes, names, thing)
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, seed=seed, **taken.arrays())
    temporary.rename(path)
    return path


class Taken:
    """What was taken of one world's pictures."""

    def __init__(self) -> None:
        self._lists: dict[str, list[NDArray[Any]]] = {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """thing_features (n, C), thing_levels (n,), ground_features, ground_levels; or cuts
        (m, CUT_PX, CUT_PX, 3) uint8 BGR, names (m,), ground (k, CUT_PX, CUT_PX, 3)."""
        return {name: np.concatenate(parts) for name, parts in self._lists.items()}

    def add_features(
        self,
        head: Head,
        boxes: NDArray[np.float32],
        names: Sequence[str],
        rng: np.random.Generator,
    ) -> None:
        """Take what the head sees where it boxes things best, and of ground by lot."""
        overlaps = box_overlaps(head.boxes, boxes)
        for column, name in enumerate(names):
            if not name.endswith(NO_CLASS):
                best = np.argsort(-overlaps[:, column])[:_ANCHORS_OF_THING]
                self._add("thing", head, best[overlaps[best, column] > _SAME])
        ground = np.flatnonzero(overlaps.max(axis=1, initial=0.0) < _IS_CLEAR_GROUND)
        self._add("ground", head, rng.choice(ground, _ANCHORS_OF_GROUND, replace=False))

    def add_cuts(
        self,
        image: NDArray[np.uint8],
        head: Head,
        boxes: NDArray[np.float32],
        names: Sequence[str],
        thing: Mapping[str, NDArray[np.float32]],
    ) -> None:
        """Cut out what the row for things finds: things by name, and what is ground."""
        logits = (head.features * thing["w"][head.levels]).sum(axis=1) + thing["b"][head.levels]
        found = np.flatnonzero(logits > 0.0)
        scores = logits[found].astype(np.float32)
        kept = found[suppress(head.boxes[found], scores, None, _SAME, _MOST_CUTS)]
        overlaps = box_overlaps(head.boxes[kept], boxes)
        for row, anchor in enumerate(kept):
            box = head.boxes[anchor]
            best = float(overlaps[row].max(initial=0.0))
            if (box[2:] - box[:2]).max() < _LEAST_PX or _IS_GROUND <= best < _IS_THING:
                continue
            x0, y0, x1, y1 = box.tolist()
            cut = crop_square(image, (x0, y0, x1, y1), CUT_MARGIN, CUT_PX)[None]
            name = names[int(overlaps[row].argmax())] if best >= _IS_THING else ""
            if not name:
                self._put("ground", cut)
            elif not name.endswith(NO_CLASS):
                self._put("cuts", cut)
                self._put("names", np.array([name]))

    def _add(self, what: str, head: Head, anchors: NDArray[np.intp]) -> None:
        self._put(f"{what}_features", head.features[anchors])
        self._put(f"{what}_levels", head.levels[anchors])

    def _put(self, name: str, part: NDArray[Any]) -> None:
        self._lists.setdefault(name, []).append(part)


def render_example_worlds(
    models: Path,
    folder: Path,
    workers: int,
    seeds: Sequence[int],
    thing: Mapping[str, NDArray[np.float32]] | None,
) -> list[Path]:
    """Render worlds on several processes, see `render_examples`."""
    render = partial(render_examples, models, folder, thing)
    return on_processes(render, seeds, folder, workers)
