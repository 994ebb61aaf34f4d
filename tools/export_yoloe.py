#!/usr/bin/env python3
"""Exports a YOLOE-seg checkpoint as ONNX, with classes as inputs or baked in, and checks it.

With its text encoder (`mobileclip_blt.ts`, `mobileclip2_b.ts`) the detector later takes any word.

    python3 -m venv .export && .export/bin/pip install -r requirements/export.in
    .export/bin/python tools/export_yoloe.py \\
        yoloe-26s-seg.pt --words person tent backpack --out models

Needs Ultralytics (AGPL-3.0), on a workstation: never on the robot. See docs/models.md.
"""

from __future__ import annotations

import own_sources  # noqa: F401 - before what it makes importable

# isort: split

import argparse
import copy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from model_export.example_network import KINDS, write_example_network
from model_export.onnx_file import annotate, export_onnx
from model_export.parity import Difference, compare, worst
from model_export.text_export import (
    TextCheck,
    TextSide,
    check_text,
    read_text_side,
    write_text_side,
)
from model_export.text_files import encoder_path
from model_export.words import (
    CHECKPOINT,
    EXAMPLE_ENCODER,
    TEXT_ENCODER,
    Prompts,
    check_checkpoint,
    checkpoint_name,
    make_prompts,
    read_prompts,
    read_vocabulary,
    write_vocabulary,
)
from model_export.yoloe import RuntimeVocabulary, embed_words, head_of, load_yoloe, prepare
from numpy.typing import NDArray
from ultralytics import YOLOE, __version__

from semantic_detection_pkg.detector.core.model_layout import Layout, PromptInputs
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX, WordEmbeddings
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError

Picture = NDArray[np.float32]
_EXIT_USAGE = 2
_LARGEST_SIDE, _LARGEST_BATCH = 4096, 64
_TRACED_BATCH = 2  # of a model for any number: with one, a shape of 1 might become a constant


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        path = export(options)
        print(f"{path}: exported, now compared with the checkpoint ...", flush=True)
        difference, text = _check(options, path), _check_text(options, path)
    except SemanticDetectionError as error:
        print(f"export_yoloe: {error}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"{path}: {difference}")
    if text is not None:
        print("\n".join(f"{encoder_path(path)}: {line}" for line in text.lines))
    elif options.classes == "runtime":
        print(f"{path}: no text encoder is here (--text-encoder): words are its vocabulary's")
    if not difference.is_within_limits:
        print(f"export_yoloe: {path}: is not what the checkpoint computes", file=sys.stderr)
        return 1
    if text is not None and not text.is_good:
        print(f"export_yoloe: {encoder_path(path)}: is not what PyTorch computes", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "checkpoint", help="yoloe-11s-seg.pt, yoloe-26s-seg.pt, ...; a .yaml: random"
    )
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument("--words", nargs="+", metavar="WORD", help="by the checkpoint's own encoder")
    words.add_argument("--embeddings", type=Path, metavar="NPZ", help="a prompt file with vectors")
    parser.add_argument("--classes", choices=("runtime", "baked"), default="runtime")
    parser.add_argument(
        "--head", choices=("raw", "end2end"), default="raw", help="end2end: 26 only"
    )
    parser.add_argument("--max-words", type=int, default=32, help="at run time (N_max)")
    parser.add_argument(
        "--size",
        type=int,
        nargs="+",
        default=[640],
        metavar="PX",
        help="HEIGHT WIDTH of the picture, or one side for both; multiples of 32",
    )
    parser.add_argument(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="pictures of one inference, for tiles; 0: any number",
    )
    text = parser.add_argument_group("text encoder", "for new words while the detector runs")
    text.add_argument(
        "--text-encoder",
        metavar="FILE",
        help="TorchScript or weights; left out: Ultralytics' file where it is here; 'none'; "
        "'random': random weights",
    )
    text.add_argument("--merges", type=Path, metavar="GZ", help="CLIP's bpe_simple_vocab_16e6.txt")
    text.add_argument(
        "--text-int8", action="store_true", help="a quarter of the size; how near is printed"
    )
    parser.add_argument(
        "--examples",
        choices=KINDS,
        default=KINDS[0],
        help="network for classes by example, of classes at run time: the checkpoint's own, or for "
        "one that was trained without it",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder")
    parser.add_argument("--seed", type=int, default=0, help="of random weights and test pictures")
    options = parser.parse_args(arguments)
    if len(options.size) > 2:
        parser.error(f"--size {' '.join(map(str, options.size))}: HEIGHT WIDTH, or one side")
    if any(not 32 <= side <= _LARGEST_SIDE or side % 32 for side in options.size):
        sides = " ".join(map(str, options.size))
        parser.error(f"--size {sides}: multiples of 32, at most {_LARGEST_SIDE}, are needed")
    options.size = (options.size[0], options.size[-1])
    if not 0 <= options.batch <= _LARGEST_BATCH:
        parser.error(f"--batch {options.batch}: 0 (any number) to {_LARGEST_BATCH} are allowed")
    if options.batch == 0 and options.head == "end2end" and options.classes == "baked":
        parser.error("--batch 0: not with --head end2end and baked classes; give a number")
    if not 1 <= options.max_words <= 1000:
        parser.error(f"--max-words {options.max_words}: 1 to 1000 are allowed")
    return options


def export(options: argparse.Namespace) -> Path:
    """Write the model, and for run-time classes its vocabulary. Returns the model's path.

    Raises:
        ConfigurationError: checkpoint, words or options do not fit.
    """
    yoloe = load_yoloe(options.checkpoint, options.seed)
    side = _text_side(options, yoloe)
    prompts = _prompts(options, yoloe, side)
    path = options.out / f"{Path(options.checkpoint).stem}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    if options.classes == "baked":
        return _export_baked(options, yoloe, prompts, path)
    return _export_runtime(options, yoloe, prompts, path, side)


def _text_side(options: argparse.Namespace, yoloe: YOLOE) -> TextSide | None:
    if options.classes == "baked" and not options.text_encoder or options.text_encoder == "none":
        return None
    encoder, merges = options.text_encoder, options.merges
    return read_text_side(options.checkpoint, yoloe, encoder, merges, options.seed)


def _prompts(options: argparse.Namespace, yoloe: YOLOE, side: TextSide | None) -> Prompts:
    name = checkpoint_name(options.checkpoint)
    if options.words and options.text_encoder and side is not None:
        return make_prompts(options.words, side.embed(yoloe, options.words), name)
    if options.words:
        return make_prompts(options.words, embed_words(yoloe, options.words), name)
    prompts = read_prompts(options.embeddings)
    check_checkpoint(name, prompts.checkpoint)
    size = head_of(yoloe.model).embed
    if prompts.embeddings.shape[1] != size:
        raise ConfigurationError(
            f"{options.embeddings}: vectors have {prompts.embeddings.shape[1]} numbers, "
            f"{name} needs {size}"
        )
    return prompts


def _export_runtime(
    options: argparse.Namespace,
    yoloe: YOLOE,
    prompts: Prompts,
    path: Path,
    side: TextSide | None,
) -> Path:
    if len(prompts.names) > options.max_words:
        raise ConfigurationError(f"{len(prompts.names)} words; --max-words is {options.max_words}")
    size = options.size
    is_end_to_end = options.head == "end2end"
    beside = {}  # hashes of the networks beside it; written before the head is taken apart
    if options.examples != "none":
        hash_of = write_example_network(yoloe, options.examples, size, path, options.checkpoint)
        beside[EXAMPLE_ENCODER] = np.array(hash_of)
    if side is not None:
        hash_of = write_text_side(side, yoloe, path, options.text_int8)
        beside[TEXT_ENCODER] = np.array(hash_of)
    network = RuntimeVocabulary(yoloe.model, options.max_words, size, is_end_to_end).eval()
    inputs = (
        torch.zeros(options.batch or _TRACED_BATCH, 3, *size),
        torch.zeros(network.prompt_shape),
        torch.zeros(network.prompt_shape[:2]),
    )
    metadata = {
        "description": f"{Path(options.checkpoint).stem} with its classes as inputs",
        "author": "exported from an Ultralytics checkpoint",
        "version": __version__,
        "license": "AGPL-3.0 (Ultralytics)",
        "task": "segment",
        "stride": int(max(yoloe.model.stride)),
        "batch": options.batch or 1,
        "channels": 3,
        "imgsz": list(size),
        "names": dict(enumerate(prompts.names)),
        "args": {"nms": False if is_end_to_end else None, "dynamic": False, "half": False},
        "end2end": is_end_to_end,
        "prompt_model": repr(prompts.checkpoint),
    }
    names = (("images", "cls_w", "cls_b"), ("output0", "output1"))
    open_axes = ("images", *names[1]) if options.batch == 0 else ()
    export_onnx(network, inputs, names, path, metadata, open_axes)
    write_vocabulary(
        vocabulary_path(path),
        {
            "names": np.array(prompts.names),
            "embeddings": prompts.embeddings,
            **network.fold,
            CHECKPOINT: np.array(prompts.checkpoint),
            **beside,
        },
    )
    return path


def _export_baked(options: argparse.Namespace, yoloe: YOLOE, prompts: Prompts, path: Path) -> Path:
    yoloe.model.set_classes(list(prompts.names), torch.from_numpy(prompts.embeddings)[None])
    nms = False if options.head == "end2end" else None
    written = yoloe.export(
        format="onnx",
        imgsz=list(options.size),
        batch=options.batch or 1,
        dynamic=options.batch == 0,
        nms=nms,
        agnostic_nms=True,
        simplify=False,
        device="cpu",
    )
    shutil.move(written, path)
    annotate(path, {"prompt_model": repr(prompts.checkpoint)})
    return path


def vocabulary_path(model: Path) -> Path:
    """Where the vocabulary of a model is."""
    return model.with_name(model.stem + SIDE_FILE_SUFFIX)


def _check(options: argparse.Namespace, path: Path) -> Difference:
    """The export in ONNX Runtime against the checkpoint in PyTorch, on pictures of noise."""
    yoloe = load_yoloe(options.checkpoint, options.seed)
    prompts = _prompts(options, yoloe, _text_side(options, yoloe))
    inputs = {}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    if options.classes == "runtime":
        inputs = vocabulary_inputs(session, vocabulary_path(path), prompts.names)
    reference = reference_model(yoloe, prompts, options.size, options.head == "end2end")
    layout = Layout.END_TO_END if options.head == "end2end" else Layout.RAW
    differences = []
    noise = pictures(options.size, options.seed)
    count = options.batch or len(noise)
    for first in range(0, len(noise), count):
        # As many as the model takes; each one is another picture than its neighbours.
        batch = [noise[(first + slot) % len(noise)] for slot in range(count)]
        ours = session.run(["output0", "output1"], {"images": np.concatenate(batch), **inputs})
        for slot, picture in enumerate(batch):
            of_one = tuple(output[slot : slot + 1] for output in ours)
            differences.append(compare(layout, of_one, reference(picture), len(prompts.names)))
    return worst(differences)


def _check_text(options: argparse.Namespace, path: Path) -> TextCheck | None:
    """Compare the encoder's embeddings with PyTorch's; None: no encoder."""
    if options.classes == "baked":
        return None
    yoloe = load_yoloe(options.checkpoint, options.seed)
    side = _text_side(options, yoloe)
    return None if side is None else check_text(side, yoloe, path, options.text_int8)


def vocabulary_inputs(
    session: onnxruntime.InferenceSession, vocabulary: Path, words: tuple[str, ...]
) -> dict[str, Picture]:
    """cls_w and cls_b for these words, computed as the detector does it."""
    levels, capacity, channels = next(
        value.shape for value in session.get_inputs() if value.name == "cls_w"
    )
    slots = PromptInputs(levels, capacity, channels, "float32")
    table = WordEmbeddings(read_vocabulary(vocabulary), slots)
    return dict(table.choose(words).inputs)


def reference_model(
    yoloe: YOLOE, prompts: Prompts, size: tuple[int, int], is_end_to_end: bool
) -> Callable[[Picture], tuple[Picture, Picture]]:
    """A function from a picture to (output0, output1) by the checkpoint as it is, not exported."""
    model = copy.deepcopy(yoloe.model)
    model.set_classes(list(prompts.names), torch.from_numpy(prompts.embeddings)[None])
    prepare(model, size, is_end_to_end)

    def run(picture: Picture) -> tuple[Picture, Picture]:
        with torch.no_grad():
            (detections, prototypes), _ = model(torch.from_numpy(picture))
        return detections.numpy(), prototypes.numpy()

    return run


def pictures(size: tuple[int, int], seed: int) -> list[Picture]:
    """Noise at several scales, (1, 3, height, width), 0..1."""
    random = np.random.default_rng(seed)
    found = []
    for cell in (32, 8, 1):
        coarse = random.random((1, 3, *(side // cell for side in size)), np.float32)
        found.append(np.kron(coarse, np.ones((1, 1, cell, cell), np.float32)))
    return found


if __name__ == "__main__":
    sys.exit(main())
