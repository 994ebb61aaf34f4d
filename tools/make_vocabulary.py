#!/usr/bin/env python3
"""Teaches a model with run-time classes new words: adds their vectors to its vocabulary.

    python tools/make_vocabulary.py models/yoloe-26s-seg.engine --embeddings words.npz
    python tools/make_vocabulary.py models/yoloe-26s-seg.onnx --words "life jacket" rope \\
        --checkpoint yoloe-26s-seg.pt --save words.npz
    python tools/make_vocabulary.py models/yoloe-26s-seg.engine --list

--words needs what requirements/export.in names, and the checkpoint's text encoder; --embeddings
and --list need neither, and run on the robot. A running detector knows the new words when it is
configured again. See docs/models.md.
"""

from __future__ import annotations

import own_sources  # noqa: F401 - before what it makes importable

# isort: split

import argparse
import sys
from pathlib import Path

from model_export.words import (
    CHECKPOINT,
    Prompts,
    add_words,
    checkpoint_name,
    make_prompts,
    read_prompts,
    read_vocabulary,
    write_prompts,
    write_vocabulary,
)

from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError

_EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        if options.list:
            print(_listed(vocabulary_path(options.model)))
        else:
            print(add(options))
    except SemanticDetectionError as error:
        print(f"make_vocabulary: {error}", file=sys.stderr)
        return _EXIT_USAGE
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model, or its vocabulary file")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--words", nargs="+", metavar="WORD", help="by the encoder of --checkpoint")
    what.add_argument("--embeddings", type=Path, metavar="NPZ", help="a prompt file with vectors")
    what.add_argument("--list", action="store_true", help="only say what the model knows")
    parser.add_argument("--checkpoint", help="that the model was exported from, for --words")
    parser.add_argument(
        "--save", type=Path, metavar="NPZ", help="the vectors as a prompt file, too"
    )
    options = parser.parse_args(arguments)
    if options.words and not options.checkpoint:
        parser.error("--words needs --checkpoint")
    return options


def vocabulary_path(model: Path) -> Path:
    """The vocabulary of a model; itself if it is one."""
    if model.name.endswith(SIDE_FILE_SUFFIX):
        return model
    return model.with_name(model.stem + SIDE_FILE_SUFFIX)


def add(options: argparse.Namespace) -> str:
    """Add the words; says what the model knows then.

    Raises:
        ConfigurationError: files or words are no good, or of another checkpoint.
    """
    path = vocabulary_path(options.model)
    arrays = read_vocabulary(path)
    prompts = read_prompts(options.embeddings) if options.embeddings else _embed(options)
    longer = add_words(arrays, prompts)
    if options.save:
        write_prompts(options.save, prompts)
    write_vocabulary(path, longer)
    return _listed(path)


def _embed(options: argparse.Namespace) -> Prompts:
    try:
        from model_export.yoloe import embed_words, load_yoloe
    except ImportError as error:
        raise ConfigurationError(
            f"--words needs what requirements/export.in names ({error}); give a prompt file "
            "(--embeddings) instead"
        ) from error
    vectors = embed_words(load_yoloe(options.checkpoint), options.words)
    return make_prompts(options.words, vectors, checkpoint_name(options.checkpoint))


def _listed(path: Path) -> str:
    arrays = read_vocabulary(path)
    names = ", ".join(str(name) for name in arrays["names"])
    return f"{path}: {arrays.get(CHECKPOINT, 'unknown checkpoint')}: {names}"


if __name__ == "__main__":
    sys.exit(main())
