"""How well kinds are found that no training saw, by one example and by three, in unseen worlds.

What counts is fixed in `held_out.json`. Each class by example is asked for in three ways: alone, so
that nothing takes a wrong box from it; *strict*, with what is alike as an error; and beside the six
words, which take what they know better.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from demo_training.kind_samples import kind_views
from demo_training.kinds import HELD_OUT, HELD_OUT_KINDS
from demo_training.metrics import ClassTally, box_overlaps, match
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH, MIN_VISIBLE
from demo_training.views import SWEEP
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core.decode import Decoder
from semantic_detection_pkg.detector.core.input_slots import InputSlots
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX, WordEmbeddings
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.core.world.truth import Seen, View

_CONFIDENCE = 0.25  # the detector node's default
_LOW_CONFIDENCE = 0.02
_EXAMPLE_SHOTS, _TEST_SHOTS = (0, 10, 10), (3, 8, 16)  # sweeps, approaches, close-ups of a world
_PER_KIND = 2  # things of a kind and a world that are pointed at
_WHOLE = 0.95
_FOUND_IOU, _TOUCHED_IOU = 0.5, 0.15
_ITSELF = "itself"
_MOST_TOLD = 6
_COUNTS = (1, 3)
_DRAWS = 10


Found = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Boxes (n, 4) [px of the picture] and their scores (n)."""


@dataclasses.dataclass
class Tallies:
    """What was found of one class by example, counted in three ways.

    Attributes:
        alone, strict, beside: see the module.
        lies_on: score of each box, and what it lies on.
    """

    alone: ClassTally = dataclasses.field(default_factory=ClassTally)
    strict: ClassTally = dataclasses.field(default_factory=ClassTally)
    beside: ClassTally = dataclasses.field(default_factory=ClassTally)
    lies_on: list[tuple[float, str]] = dataclasses.field(default_factory=list)


class Drawn(NamedTuple):
    """One class by example: of a kind, by so many examples, the draw's number."""

    kind: str
    shown: int
    draw: int


def evaluate_examples(model: Path, kinds: Sequence[str] = HELD_OUT_KINDS) -> dict[str, Any]:
    """Judge the example network of a model that has its vocabulary beside it."""
    rules = HELD_OUT["rules"]
    with load_detector(model, threads=1) as detector:
        shown = _examples(detector, _seeds(rules["example_seeds"]), kinds)
        asked = [
            Drawn(kind, count, draw)
            for kind in kinds
            for count in _COUNTS
            for draw in range(_DRAWS)
        ]
        tallies = {one: Tallies() for one in asked}
        looker = _Looker(model, detector, shown, asked)
        pictures = 0
        for seed in _seeds(rules["test_seeds"]):
            for _, view, names in kind_views(seed, _TEST_SHOTS, _PER_KIND):
                pictures += 1
                for one, is_beside, found in looker.look(view.image):
                    own = tallies[one]
                    if is_beside:
                        _count(one.kind, rules["alike"], found, (view, names), own.beside)
                        continue
                    _count(one.kind, rules["alike"], found, (view, names), own.alone)
                    _count(one.kind, {}, found, (view, names), own.strict)
                    own.lies_on += _lies_on(one.kind, found, (view, names))
            print(f"examples: world {seed}", end="\r", flush=True)
    print()
    return {
        "seeds": rules["test_seeds"],
        "pictures": pictures,
        "draws": _DRAWS,
        "wanted": {key: rules["wanted"][key] for key in ("one_recall", "three_recall")},
        "precision": rules["wanted"]["precision"],
        "by_count": {str(count): _report(count, kinds, tallies) for count in _COUNTS},
    }


def _seeds(ends: Sequence[int]) -> range:
    return range(ends[0], ends[1] + 1)


def _examples(
    detector: LoadedDetector, seeds: Iterable[int], kinds: Sequence[str]
) -> dict[Drawn, list[NDArray[np.float32]]]:
    """Return embeddings of things drawn at random from approaches and close-ups."""
    found: dict[str, list[tuple[NDArray[np.uint8], tuple[float, ...]]]] = {k: [] for k in kinds}
    for seed in seeds:
        for shot, view, names in kind_views(seed, _EXAMPLE_SHOTS, _PER_KIND):
            assert shot.level != SWEEP
            for seen in view.truth.objects:
                is_large = _longest_px(seen, view) >= HELD_OUT["rules"]["smallest_px"]
                if names[seen.id] in found and seen.visible >= _WHOLE and is_large:
                    found[names[seen.id]].append((view.image, seen.box_xyxy))
    rng = np.random.default_rng(52)
    drawn = {}
    for kind, places in found.items():
        for count in _COUNTS:
            for draw in range(_DRAWS):
                chosen = [places[int(i)] for i in rng.choice(len(places), count, replace=False)]
                drawn[Drawn(kind, count, draw)] = [
                    detector.embed_example(kind, image, box) for image, box in chosen
                ]
    return drawn


class _Looker:
    """Looks for many classes by example in a picture, for each as if it was alone."""

    def __init__(
        self,
        model: Path,
        detector: LoadedDetector,
        shown: dict[Drawn, list[NDArray[np.float32]]],
        asked: Sequence[Drawn],
    ) -> None:
        self._backend, info = detector.backend, detector.pipeline.info
        assert info.prompts is not None
        self._slots, self._decoder = InputSlots(info, self._backend.allocate), Decoder(info)
        self._settings = DetectorSettings(confidence_threshold=_LOW_CONFIDENCE)
        with np.load(model.with_name(model.stem + SIDE_FILE_SUFFIX)) as arrays:
            table = WordEmbeddings(dict(arrays), info.prompts)
        names = {one: f"{one.kind} {one.shown} {one.draw}" for one in asked}
        for one, name in names.items():
            for embedding in shown[one]:
                table.show(name, embedding, is_negative=False)
        room = info.prompts.capacity - len(CLASS_NAMES)
        rounds = [asked[start : start + room] for start in range(0, len(asked), room)]
        self._rounds = [
            (round_, table.choose([*CLASS_NAMES, *(names[one] for one in round_)]))
            for round_ in rounds
        ]

    def look(self, image: NDArray[np.uint8]) -> Iterable[tuple[Drawn, bool, Found]]:
        """Return what is found of each class alone, and (True) beside the words."""
        count = self._slots.reserve(1)
        letterbox = self._slots.write(0, image)
        for round_, vocabulary in self._rounds:
            outputs = self._backend.infer({**self._slots.inputs(count), **vocabulary.inputs})
            words = list(range(len(CLASS_NAMES)))
            for column, one in enumerate(round_, start=len(words)):
                for columns in ([column], [*words, column]):
                    chosen = dataclasses.replace(
                        vocabulary,
                        names=(*CLASS_NAMES, one.kind)[-len(columns) :],
                        columns=np.array(columns),
                        labels=None,
                    )
                    kept = self._decoder.candidates(outputs, chosen, self._settings)
                    is_own = kept.labels == len(columns) - 1
                    boxes = letterbox.boxes_to_source(kept.boxes_xyxy)[is_own]
                    yield one, len(columns) > 1, (boxes, kept.scores[is_own])


def _count(
    kind: str,
    alike: dict[str, list[str]],
    found: Found,
    true: tuple[View, dict[int, str]],
    tally: ClassTally,
) -> None:
    (boxes, scores), (view, names) = found, true
    like = alike.get(kind, [])
    own = [seen for seen in view.truth.objects if names[seen.id] in (kind, *like)]
    smallest = HELD_OUT["rules"]["smallest_px"]
    ignored = np.array(
        [
            names[seen.id] != kind
            or seen.visible < MIN_VISIBLE
            or _longest_px(seen, view) < smallest
            for seen in own
        ],
        bool,
    )
    size = (view.truth.width, view.truth.height) * 2
    corners = np.clip(np.array([seen.box_xyxy for seen in own]).reshape(-1, 4), 0, size)
    match(box_overlaps(boxes, corners), scores, ignored, tally)


def _lies_on(kind: str, found: Found, true: tuple[View, dict[int, str]]) -> list[tuple[float, str]]:
    """Return the score of each box and what it lies on: itself, a poor box of it, another kind."""
    (boxes, scores), (view, names) = found, true
    kinds = [names[seen.id] for seen in view.truth.objects]
    corners = np.array([seen.box_xyxy for seen in view.truth.objects]).reshape(-1, 4)
    overlaps = box_overlaps(boxes, corners)
    is_own = np.array([one == kind for one in kinds], bool)
    labels = []
    for row in overlaps:
        own = row[is_own].max(initial=0.0)
        best = int(row.argmax()) if row.size else -1
        if own >= _FOUND_IOU:
            labels.append(_ITSELF)
        elif own >= _TOUCHED_IOU:
            labels.append("poor box of it")
        elif best >= 0 and row[best] >= _TOUCHED_IOU:
            labels.append(kinds[best])
        else:
            labels.append("ground")
    return list(zip(scores.tolist(), labels, strict=True))


def _best_lie_on(all_of: Sequence[Tallies]) -> dict[str, float]:
    """Return on what the best boxes lie, as many of each draw as there are things: shares."""
    counts: Counter[str] = Counter()
    for tallies in all_of:
        best = sorted(tallies.lies_on, reverse=True)[: tallies.alone.things]
        counts.update(label for _, label in best)
    total = max(1, sum(counts.values()))
    return {label: round(count / total, 3) for label, count in counts.most_common(_MOST_TOLD)}


def _longest_px(seen: Seen, view: View) -> float:
    """Return the longer side in the detector's input [px]."""
    gain = min(INPUT_WIDTH / view.truth.width, INPUT_HEIGHT / view.truth.height)
    x0, y0, x1, y1 = seen.box_xyxy
    return gain * max(x1 - x0, y1 - y0)


def _report(count: int, kinds: Sequence[str], tallies: dict[Drawn, Tallies]) -> dict[str, Any]:
    precision = HELD_OUT["rules"]["wanted"]["precision"]
    rows: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        own = [of for one, of in tallies.items() if (one.kind, one.shown) == (kind, count)]
        recalls = {
            way: [_recall_at(getattr(of, way), precision) for of in own]
            for way in ("alone", "strict", "beside")
        }
        default = [_at(of.alone, _CONFIDENCE) for of in own]
        precisions = [there for _, there in default if not math.isnan(there)]
        rows[kind] = {
            "things": own[0].alone.things,
            "recall": round(float(np.mean(recalls["alone"])), 4),
            "recall_strict": round(float(np.mean(recalls["strict"])), 4),
            "recall_beside_words": round(float(np.mean(recalls["beside"])), 4),
            "worst_draw": round(float(np.min(recalls["alone"])), 4),
            "ap50": round(float(np.mean([of.alone.average_precision() for of in own])), 4),
            "default_recall": round(float(np.mean([there for there, _ in default])), 4),
            "default_precision": round(float(np.mean(precisions)), 4) if precisions else None,
            "best_lie_on": _best_lie_on(own),
        }
    means = {
        key: round(float(np.mean([row[key] for row in rows.values()])), 4)
        for key in ("recall", "recall_strict", "recall_beside_words", "ap50", "default_recall")
    }
    return {"mean": means, "kinds": rows}


def _recall_at(tally: ClassTally, precision: float) -> float:
    """Return the greatest recall at a confidence from which on the precision is reached."""
    hits = np.array(tally.hits, float)[np.argsort(-np.array(tally.scores), kind="stable")]
    found = np.cumsum(hits)
    is_reached = found / np.arange(1, len(hits) + 1) >= precision
    return float(found[is_reached].max(initial=0.0)) / max(1, tally.things)


def _at(tally: ClassTally, confidence: float) -> tuple[float, float]:
    """Return recall and precision; NaN for the precision of nothing."""
    hits = np.array(tally.hits, bool)[np.array(tally.scores) > confidence]
    right = int(hits.sum())
    return right / max(1, tally.things), right / len(hits) if len(hits) else math.nan
