"""The last step of each export: metadata, in the form that Ultralytics gives its own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch

OPSET = 17
_NEWEST_IR = 10  # what ONNX Runtime and TensorRT of the supported versions read


def export_onnx(
    network: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    names: tuple[Sequence[str], Sequence[str]],
    path: Path,
    metadata: Mapping[str, Any],
    open_batch: Sequence[str] = (),
) -> None:
    """Trace a network and write it.

    Args:
        inputs: examples; their shapes become constants, but for `open_batch`.
        names: of inputs and outputs.
        metadata: written as texts of Python literals.
        open_batch: inputs and outputs whose first axis may be of any length.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns that shapes become constants: they are meant to.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            inputs,
            str(path),
            input_names=list(names[0]),
            output_names=list(names[1]),
            opset_version=OPSET,
            dynamic_axes={name: {0: "batch"} for name in open_batch} or None,
            dynamo=False,
        )
    annotate(path, metadata)


def annotate(path: Path, metadata: Mapping[str, Any]) -> None:
    """Add metadata to an ONNX file, and check it."""
    model = onnx.load(str(path))
    known = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, known | {key: str(value) for key, value in metadata.items()})
    model.ir_version = min(model.ir_version, _NEWEST_IR)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
