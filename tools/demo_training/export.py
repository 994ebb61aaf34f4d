"""Writes the demo models as ONNX files with metadata, and the detector's vocabulary beside them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch

from demo_training.classifier import LABELS, MEAN, STD, Classifier
from demo_training.files import CLASSIFIER_FILE, DETECTOR_FILE
from demo_training.network import CLASS_CHANNELS, STRIDES, Detector, ExportedDetector
from demo_training.samples import CROP_MARGIN, CROP_SIZE, INPUT_HEIGHT, INPUT_WIDTH
from demo_training.train_detector import word_embeddings
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from simulation_pkg.core.world.things import CLASS_NAMES, DECOY_NAMES

MAX_WORDS = 16
_OPSET = 17
_COMMON = {
    "author": "semantic detection maintainers",
    "license": "Apache-2.0",
    "version": "1",
    "batch": "1",
    "channels": "3",
}


def export_detector(network: Detector, folder: Path) -> Path:
    """Write the detector and its vocabulary; returns the model's path."""
    path = folder / DETECTOR_FILE
    inputs = (
        torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH),
        torch.zeros(len(STRIDES), MAX_WORDS, CLASS_CHANNELS),
        torch.zeros(len(STRIDES), MAX_WORDS),
    )
    names = (["images", "cls_w", "cls_b"], ["output0", "output1"])
    graph = ExportedDetector(network, INPUT_HEIGHT, INPUT_WIDTH).eval()
    _export(graph, inputs, names, path)
    _annotate(
        path,
        {
            "description": "Demo detector of the simulated world, classes as inputs",
            "task": "segment",
            "stride": str(max(STRIDES)),
            "imgsz": str([INPUT_HEIGHT, INPUT_WIDTH]),
            "names": str(dict(enumerate(CLASS_NAMES))),
            "args": str({"nms": False, "half": False, "dynamic": False}),
            "end2end": "False",
        },
    )
    np.savez(path.with_name(path.stem + SIDE_FILE_SUFFIX), **fold_arrays(network))
    return path


def fold_arrays(network: Detector) -> dict[str, np.ndarray]:
    """The side file's arrays (see `semantic_detection_pkg.detector.core.vocabulary`)."""
    weights, biases, gains, offsets = [], [], [], []
    for head in network.heads:
        scale = head.norm.weight / torch.sqrt(head.norm.running_var + head.norm.eps)
        weights.append((scale[:, None] * head.project.weight[:, :, 0, 0]).detach().numpy())
        centred = head.project.bias - head.norm.running_mean
        biases.append((scale * centred + head.norm.bias).detach().numpy())
        gains.append(head.log_gain.exp().item())
        offsets.append(head.bias.item())
    return {
        "names": np.array(CLASS_NAMES),
        "embeddings": word_embeddings(),
        "fold_w": np.stack(weights).astype(np.float32),
        "fold_b": np.stack(biases).astype(np.float32),
        "gain": np.array(gains, np.float32),
        "bias": np.array(offsets, np.float32),
    }


def export_classifier(network: Classifier, folder: Path) -> Path:
    """Write the classifier; returns its path."""
    path = folder / CLASSIFIER_FILE
    inputs = (torch.zeros(1, 3, CROP_SIZE, CROP_SIZE),)
    _export(network.eval(), inputs, (["input"], ["logits"]), path)
    looks_like = {label: word for word in CLASS_NAMES for label in (word, DECOY_NAMES[word])}
    _annotate(
        path,
        {
            "description": "Demo classifier: things of the simulated world and their decoys",
            "task": "classify",
            "imgsz": str([CROP_SIZE, CROP_SIZE]),
            "names": str(dict(enumerate(LABELS))),
            "looks_like": str(looks_like),
            "mean": str(list(MEAN)),
            "std": str(list(STD)),
            "crop_margin": str(CROP_MARGIN),
        },
    )
    return path


def _export(
    network: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    names: tuple[list[str], list[str]],
    path: Path,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The tracer warns that shapes become constants: they are meant to.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            inputs,
            str(path),
            input_names=names[0],
            output_names=names[1],
            opset_version=_OPSET,
            dynamo=False,
        )


def _annotate(path: Path, metadata: Mapping[str, str]) -> None:
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {**_COMMON, **metadata})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
