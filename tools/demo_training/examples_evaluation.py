"""How well kinds are found by an example, that no training saw, in unseen worlds.

`held_out.json` fixed kinds, worlds and rules before anything was trained. Things are found and
compared by the product's pipeline; what it says of each thing is kept, so that many draws of
examples are judged over the same pictures.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from demo_training.example_samples import things_of
from demo_training.files import DETECTOR_FILE
from demo_training.metrics import ClassTally, box_overlaps, match
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH, renderer_of
from demo_training.text_side import held_out
from demo_training.views import SWEEP, shots
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core import second_look
from semantic_detection_pkg.detector.core.examples import Examples
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.things import ODDITY_NAMES
from simulation_pkg.core.world.truth import View

_SHOTS_PER_WORLD = (8, 10, 24)  # sweeps, approaches, close-ups
_ODDITIES = 18
_DRAWS, _DRAWS_SEED = 10, 3
_COUNTS = {"one": 1, "three": 3}
_DECOYS = {"boulder": "decoy of tent"}
_FOUND = 0.5  # overlap
_LOW = DetectorSettings(confidence_threshold=0.0)
_CONFIDENCE = 0.25  # the detector node's default
_FIRST_ID = 1000  # of held-out kinds among the plants, which have none


class Looked(NamedTuple):
    """What the detector made of a picture, and what is there.

    Attributes:
        things: whatever is no ground.
        embeddings: (n, D) of them.
        boxes: (m, 4) of what is there [px].
        names: (m) of it.
    """

    things: Detections
    embeddings: NDArray[np.float32]
    boxes: NDArray[np.float32]
    names: list[str]


def evaluate_examples(folder: Path) -> dict[str, Any]:
    """Judge the second look beside a model."""
    fixed = held_out()
    rules, held = fixed["rules"], fixed["kinds"]
    kinds = [*held, *(name for name in ODDITY_NAMES if name not in held)]
    with load_detector(folder / DETECTOR_FILE, threads=1) as detector:
        shown = _examples(detector, _seeds(rules["example_seeds"]), rules["smallest_px"])
        looked = _looked(detector, shown[kinds[0]][0], _seeds(rules["test_seeds"]))
        classes = detector.pipeline.vocabulary_in_force.shown
        assert classes is not None  # one was shown
    rng = np.random.default_rng(_DRAWS_SEED)
    rows = {}
    for kind in kinds:
        alike = [_DECOYS[name] for name in rules["alike"].get(kind, [])]
        wanted = _Wanted(kind, alike, rules["smallest_px"], rules["wanted"]["precision"])
        rows[kind] = {
            **_proposed(looked, wanted),
            **{
                called: _draws(looked, shown[kind], count, wanted, classes.likeness, rng)
                for called, count in _COUNTS.items()
            },
        }
    return {
        "seeds": rules["test_seeds"],
        "pictures": len(looked),
        "things_a_picture": _mean([len(one.things) for one in looked]),
        "wanted": rules["wanted"],
        "kinds": rows,
        **{
            f"{called}_{title}": _mean([rows[kind][called]["recall"] for kind in some])
            for called in _COUNTS
            for title, some in (("held_out", held), ("all", kinds))
        },
    }


def _seeds(ends: Sequence[int]) -> range:
    return range(ends[0], ends[1] + 1)


def _world(seed: int) -> World:
    """Return a world with oddities, whose held-out plants count as things."""
    world = build_world(WorldLayout(seed, per_class=2, oddities=_ODDITIES))
    kinds = held_out()["kinds"]
    boards = [
        dataclasses.replace(board, id=_FIRST_ID + place)
        if board.id == 0 and board.class_name in kinds
        else board
        for place, board in enumerate(world.boards)
    ]
    return dataclasses.replace(world, boards=tuple(boards))


def _views(seeds: Sequence[int]) -> Iterator[tuple[str, View]]:
    """Yield levels and pictures of the worlds of some seeds."""
    for done, seed in enumerate(seeds, start=1):
        world = _world(seed)
        renderer = renderer_of(world, Lens())
        for shot in shots(world, Lens(), *_SHOTS_PER_WORLD):
            yield shot.level, renderer.render(shot.pose, shot.time_s, shot.seed)
        print(f"looked at world {done} of {len(seeds)}", end="\r", flush=True)
    print()


def _examples(
    detector: LoadedDetector, seeds: Sequence[int], smallest_px: float
) -> dict[str, NDArray[np.float32]]:
    """Return (n, D) of every thing that approaches and close-ups show, by name."""
    found: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for level, view in _views(seeds):
        boxes, names = things_of(view)
        for box, name in zip(boxes, names, strict=True):
            if level != SWEEP and _is_large(box, smallest_px):
                found[name].append(detector.embed_example(name, view.image, box.tolist()))
    return {name: np.stack(some) for name, some in found.items()}


def _looked(
    detector: LoadedDetector, example: NDArray[np.float32], seeds: Sequence[int]
) -> list[Looked]:
    """Return what the pipeline looks at twice where a class was shown, whatever that is."""
    pipeline = detector.pipeline
    pipeline.set_vocabulary(pipeline.add_example("example", example)[-1:])
    recorder = _Recorder(pipeline.look_again)
    pipeline.look_again = recorder
    looked = []
    for _, view in _views(seeds):
        recorder.forget()
        pipeline.process(view.image)
        count = len(recorder.boxes)
        size = view.image.shape[1], view.image.shape[0]
        things = Detections(
            *size, np.zeros(count, np.uint16), np.ones(count, np.float32), recorder.boxes
        )
        looked.append(Looked(things, recorder.embeddings, *things_of(view)))
    return looked


class _Recorder:
    """Looks, and keeps what it saw."""

    def __init__(self, look: second_look.LookAgain | None) -> None:
        assert look is not None  # the demo has one
        self._look = look
        self.forget()

    def forget(self) -> None:
        self.boxes = np.empty((0, 4), np.float32)
        self.embeddings = np.empty((0, 0), np.float32)

    def __call__(
        self, image: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        self.boxes, self.embeddings = boxes_xyxy, self._look(image, boxes_xyxy)
        return self.embeddings


class _Wanted(NamedTuple):
    """What is looked for, and what counts.

    Attributes:
        kind: the name of it.
        alike: names of what is neither right nor wrong.
        smallest_px: as in `held_out.json`; smaller ones are neither right nor wrong.
        precision: at which recall is told.
    """

    kind: str
    alike: Sequence[str]
    smallest_px: float
    precision: float

    def ignored(self, one: Looked) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return which of what is there counts somehow, and what of that is ignored."""
        names = np.array([self.kind, *self.alike])
        rows = np.flatnonzero(np.isin(one.names, names))
        is_other = [
            one.names[row] != self.kind or not _is_large(one.boxes[row], self.smallest_px)
            for row in rows
        ]
        return rows, np.array(is_other, bool)


def _proposed(looked: Sequence[Looked], wanted: _Wanted) -> dict[str, Any]:
    """Return how many things of a kind there are, and what share is looked at twice."""
    count = found = 0
    for one in looked:
        rows, is_ignored = wanted.ignored(one)
        overlaps = box_overlaps(one.things.boxes_xyxy, one.boxes[rows[~is_ignored]])
        count += overlaps.shape[1]
        found += int((overlaps.max(axis=0, initial=0.0) >= _FOUND).sum())
    return {"things": count, "looked_at": round(found / max(1, count), 4)}


def _draws(
    looked: Sequence[Looked],
    shown: NDArray[np.float32],
    count: int,
    wanted: _Wanted,
    likeness: second_look.Likeness,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the mean of some draws of so many examples."""
    figures = []
    for _ in range(_DRAWS):
        drawn = shown[rng.choice(len(shown), count, replace=False)]
        embedding = Examples(tuple(drawn)).embedding(None)
        assert embedding is not None  # there is an example
        classes = second_look.ExampleClasses(0, {0: embedding}, {}, likeness)
        tally = ClassTally()
        for one in looked:
            _match(one, classes, wanted, tally)
        figures.append(_figures(tally, wanted.precision))
    names = ("recall", "default_recall", "default_precision")
    return {name: _mean(some) for name, some in zip(names, zip(*figures, strict=True), strict=True)}


def _match(
    one: Looked, classes: second_look.ExampleClasses, wanted: _Wanted, tally: ClassTally
) -> None:
    size = one.things.width, one.things.height
    found = second_look.judge(
        np.empty((size[1], size[0], 0), np.uint8),
        Detections.none(*size),
        one.things,
        classes,
        lambda *_: one.embeddings,
        _LOW,
    )
    rows, is_ignored = wanted.ignored(one)
    overlaps = box_overlaps(found.boxes_xyxy, one.boxes[rows])
    match(overlaps, found.scores, is_ignored, tally, _FOUND)


def _figures(tally: ClassTally, precision: float) -> tuple[float, float, float]:
    """Return the recall at a precision; recall and precision at the default confidence."""
    order = np.argsort(-np.array(tally.scores), kind="stable")
    right = np.cumsum(np.array(tally.hits, float)[order])
    is_precise = right >= precision * np.arange(1, len(right) + 1)
    best = float(right[is_precise].max(initial=0.0))
    at_default = np.array(tally.scores) > _CONFIDENCE
    hits = float(np.array(tally.hits, float)[at_default].sum())
    things = max(1, tally.things)
    return best / things, hits / things, hits / max(1, int(at_default.sum()))


def _mean(numbers: Sequence[float]) -> float:
    return round(float(np.mean(numbers)), 4)


def _is_large(box: NDArray[np.float32], smallest_px: float) -> bool:
    """Return whether a box [px of the picture] is no smaller in the detector's input."""
    gain = min(INPUT_WIDTH / Lens().width, INPUT_HEIGHT / Lens().height)
    return bool((box[2:] - box[:2]).max() * gain >= smallest_px)
