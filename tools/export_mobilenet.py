#!/usr/bin/env python3
"""Exports a MobileNetV3 classifier of torchvision as ONNX, for the closer look, and checks it.

    python3 -m venv .export && .export/bin/pip install -r requirements/export.in
    .export/bin/python tools/export_mobilenet.py \\
        small --weights footpaths.pt --names footpaths.txt --out models

--weights is a state dict (torch.save(model.state_dict(), ...)), or a checkpoint that holds one
under "state_dict" or "model"; --names has one label on each line, in the order of the outputs.
Without both, torchvision's own weights of ImageNet are downloaded. See docs/models.md.
"""

from __future__ import annotations

import own_sources  # noqa: F401 - before what it makes importable

# isort: split

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from model_export.onnx_file import export_onnx
from torch import nn

from semantic_detection_pkg.detector.backends.names_file import read_names
from semantic_detection_pkg.errors import ConfigurationError, ModelError, SemanticDetectionError

# What torchvision's weights were trained with: of each channel, R, G, B, of pixels 0..1.
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_PROBABILITY_LIMIT = 1e-5
_EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        path, difference = export(options)
    except SemanticDetectionError as error:
        print(f"export_mobilenet: {error}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"{path}: probabilities within {difference:.2g} (limit {_PROBABILITY_LIMIT:g})")
    if difference > _PROBABILITY_LIMIT:
        print(f"export_mobilenet: {path}: is not what PyTorch computes", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=("small", "large"))
    parser.add_argument("--weights", type=Path, metavar="PT")
    parser.add_argument("--names", type=Path, metavar="TXT")
    parser.add_argument("--size", type=int, default=224, help="side of the crop [px]")
    parser.add_argument(
        "--crop-margin",
        type=float,
        default=1.25,
        help="side of the crop, in longest sides of a box",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder")
    options = parser.parse_args(arguments)
    if (options.weights is None) != (options.names is None):
        parser.error("--weights and --names belong together")
    if not 32 <= options.size <= 1024:
        parser.error(f"--size {options.size}: 32 to 1024 are allowed")
    if not 0.5 <= options.crop_margin <= 4.0:
        parser.error(f"--crop-margin {options.crop_margin}: 0.5 to 4 are allowed")
    return options


def export(options: argparse.Namespace) -> tuple[Path, float]:
    """Write the model. Returns its path and the largest difference of a probability.

    Raises:
        ConfigurationError: torchvision or the names are no good.
        ModelError: the weights are.
    """
    network, names = _network(options)
    path: Path = options.out / f"mobilenetv3_{options.variant}.onnx"
    shape = (1, 3, options.size, options.size)
    metadata = {
        "description": f"MobileNetV3 {options.variant}",
        "task": "classify",
        "imgsz": list(shape[2:]),
        "names": dict(enumerate(names)),
        "mean": list(_MEAN),
        "std": list(_STD),
        "crop_margin": options.crop_margin,
        "batch": 1,
        "channels": 3,
    }
    export_onnx(network, (torch.zeros(shape),), (("input",), ("logits",)), path, metadata)
    return path, _difference(network, path, shape)


def _network(options: argparse.Namespace) -> tuple[nn.Module, tuple[str, ...]]:
    try:
        from torchvision import models
    except (ImportError, RuntimeError) as error:
        raise ConfigurationError(
            f"torchvision cannot be imported ({' '.join(str(error).split())}); install the build "
            "that belongs to this PyTorch"
        ) from error
    make = getattr(models, f"mobilenet_v3_{options.variant}")
    if options.weights is None:
        weights = models.get_model_weights(make).DEFAULT
        return make(weights=weights).eval(), tuple(weights.meta["categories"])
    names = tuple(filter(None, read_names(options.names)))
    network = make(num_classes=len(names))
    state = _state(options.weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1:2] or [str(error)]
        raise ModelError(
            f"weights {options.weights}: do not fit mobilenet_v3_{options.variant} with "
            f"{len(names)} labels: {' '.join(first[0].split())[:200]}"
        ) from error
    return network.eval(), names


def _state(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"weights {path}: {(error.strerror or str(error)).lower()}") from error
    except Exception as error:  # pickle's and PyTorch's, without a common base
        raise ModelError(f"weights {path}: is no file of PyTorch with weights only") from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"weights {path}: holds {type(content).__name__}, not a state dict")
    return content


def _difference(network: nn.Module, path: Path, shape: tuple[int, ...]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with torch.no_grad():
        theirs = network(torch.from_numpy(picture)).softmax(1).numpy()
    (logits,) = session.run(["logits"], {"input": picture})
    ours = torch.from_numpy(logits).softmax(1).numpy()
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    sys.exit(main())
