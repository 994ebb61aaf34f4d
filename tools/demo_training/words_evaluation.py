"""How well words are found that the text side never saw, against known ones, in unseen worlds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from demo_training.files import DETECTOR_FILE
from demo_training.metrics import ClassTally, box_overlaps, match
from demo_training.samples import MIN_VISIBLE, make_renderer
from demo_training.text_side import held_out
from demo_training.views import shots
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.core.world.truth import View

_CONFIDENCE = 0.25  # the detector node's default
_LOW_CONFIDENCE = 0.2
_SAME_PRECISION = 0.01
_SHOTS_PER_WORLD = (3, 2, 8)  # sweeps, approaches, close-ups


class Operating(NamedTuple):
    """Recall and precision of a word from a confidence on."""

    recall: float
    precision: float


def evaluate_words(folder: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Judge the text side beside a model; seeds: of worlds that nothing was trained on."""
    fixed = held_out()
    settings = DetectorSettings(confidence_threshold=_LOW_CONFIDENCE)
    with load_detector(folder / DETECTOR_FILE, settings=settings, threads=1) as detector:
        known = [
            (word, name)
            for name, words in fixed["words"].items()
            for word in words
            if _is_known(detector, word)
        ]
        refused = [word for word in fixed["strangers"] if not _is_known(detector, word)]
        asked = [(name, name) for name in CLASS_NAMES] + known
        tallies = {word: ClassTally() for word, _ in asked}
        rounds = _rounds(asked)
        pictures = 0
        for seed in seeds:
            renderer, world = make_renderer(seed, Lens()), build_world(WorldLayout(seed))
            for shot in shots(world, Lens(), *_SHOTS_PER_WORLD):
                pictures += 1
                view = renderer.render(shot.pose, shot.time_s, shot.seed)
                for round_ in rounds:
                    _look(detector, round_, view, tallies)
    classes = {
        name: _class_report(name, fixed["words"][name], dict(known), tallies)
        for name in CLASS_NAMES
    }
    shares = [share for row in classes.values() for share in row["shares"].values()]
    return {
        "seeds": [min(seeds), max(seeds)],
        "pictures": pictures,
        "classes": classes,
        "share": round(float(np.mean(shares)), 4),
        "wanted_share": fixed["rules"]["wanted"]["word_recall_share"],
        "understood": [len(known), sum(len(words) for words in fixed["words"].values())],
        "strangers_refused": [len(refused), len(fixed["strangers"])],
        "strangers_taken": sorted(set(fixed["strangers"]) - set(refused)),
    }


def _rounds(asked: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return what to ask for together: two words for one thing would take it from each other."""
    by_class: dict[str, list[tuple[str, str]]] = {}
    for pair in asked:
        by_class.setdefault(pair[1], []).append(pair)
    together = itertools.zip_longest(*by_class.values())
    return [[pair for pair in one if pair is not None] for one in together]


def _is_known(detector: LoadedDetector, word: str) -> bool:
    try:
        detector.set_vocabulary([word])
    except ConfigurationError:
        return False
    return True


def _look(
    detector: LoadedDetector,
    asked: Sequence[tuple[str, str]],
    view: View,
    tallies: Mapping[str, ClassTally],
) -> None:
    """Look for some words in a picture; decoys are neither right nor wrong."""
    detector.set_vocabulary([word for word, _ in asked])
    found = detector.pipeline.process(view.image).detections
    objects = view.truth.objects
    boxes = np.array([seen.box_xyxy for seen in objects]).reshape(-1, 4)
    boxes = np.clip(boxes, 0, (view.truth.width, view.truth.height) * 2)
    for number, (word, name) in enumerate(asked):
        rows = np.nonzero(found.class_ids == number)[0]
        own = np.array([i for i, seen in enumerate(objects) if seen.class_name == name], int)
        ignored = np.array(
            [objects[i].is_decoy or objects[i].visible < MIN_VISIBLE for i in own], bool
        )
        overlaps = box_overlaps(found.boxes_xyxy[rows], boxes[own])
        match(overlaps, found.scores[rows], ignored, tallies[word])


def _class_report(
    name: str, words: Sequence[str], known: Mapping[str, str], tallies: Mapping[str, ClassTally]
) -> dict[str, Any]:
    """Recall of each word at the known word's precision; 0 for a word that is refused."""
    itself = _at(tallies[name], _CONFIDENCE)
    at_default = {word: _at(tallies[word], _CONFIDENCE) for word in words if word in known}
    recalls = {
        word: _recall_at(tallies[word], itself.precision) if word in known else 0.0
        for word in words
    }
    return {
        "recall": round(itself.recall, 4),
        "precision": round(itself.precision, 4),
        "things": tallies[name].things,
        "shares": {word: round(one / itself.recall, 4) for word, one in recalls.items()},
        "at_default": {
            word: {"recall": round(here.recall, 4), "precision": round(here.precision, 4)}
            for word, here in at_default.items()
        },
        "refused": [word for word in words if word not in known],
    }


def _at(tally: ClassTally, confidence: float) -> Operating:
    hits = np.array(tally.hits, bool)[np.array(tally.scores) >= confidence]
    right = int(hits.sum())
    return Operating(right / max(1, tally.things), right / max(1, len(hits)))


def _recall_at(tally: ClassTally, precision: float) -> float:
    """Return the recall at the default confidence, or at what more of it the precision takes."""
    levels: NDArray[np.float64] = np.unique([_CONFIDENCE, *tally.scores])
    for level in levels[levels >= _CONFIDENCE]:
        here = _at(tally, float(level))
        if here.precision >= precision - _SAME_PRECISION:
            return here.recall
    return 0.0
