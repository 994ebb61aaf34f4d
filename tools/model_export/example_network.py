"""YOLOE's visual prompts as a network of their own: a picture and a mask to an embedding.

`savpe` is what the checkpoint trained for it (spatial-aware visual prompt embedding). `features` is
for checkpoints that did not: the mean, inside the mask, of what the head compares with words, each
place of length 1, each level alike. Needs Ultralytics.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from ultralytics import YOLOE

from model_export.onnx_file import export_onnx
from model_export.text_files import write_network
from model_export.words import checkpoint_name
from model_export.yoloe import head_of
from semantic_detection_pkg.detector.backends.example_encoder import SUFFIX

KINDS = ("savpe", "features", "none")
MASK_STRIDE = 8  # of Ultralytics' LoadVisualPrompt


def example_path(model: Path) -> Path:
    """Return where the example network of a model is."""
    return model.with_name(model.stem + SUFFIX)


def write_example_network(
    yoloe: YOLOE, kind: str, size: tuple[int, int], model: Path, checkpoint: str
) -> str:
    """Write the network beside a model; returns the hash that its vocabulary names.

    Args:
        yoloe: is left as it is; its head is not fused.
        kind: "savpe" or "features".
        size: height, width [px] of its pictures.
        model: path of the detector's model.
        checkpoint: path of the checkpoint.
    """
    network = ExampleNetwork(yoloe, kind).eval()
    inputs = (
        torch.rand(1, 3, *size),
        torch.ones(1, 1, *(side // MASK_STRIDE for side in size)),
    )
    metadata = {
        "description": "visual prompts of YOLOE",
        "license": "AGPL-3.0 (Ultralytics)",
        "prompt_model": repr(checkpoint_name(checkpoint)),
        "kind": kind,
    }
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "example.onnx"
        export_onnx(network, inputs, (("images", "masks"), ("embeddings",)), whole, {})
        return write_network(example_path(model), onnx.load(str(whole)), metadata)


class ExampleNetwork(nn.Module):
    """From pictures (1, 3, H, W) and masks (1, 1, H/8, W/8) to embeddings (1, 1, D)."""

    def __init__(self, yoloe: YOLOE, kind: str) -> None:
        super().__init__()
        self.model = copy.deepcopy(yoloe.model)
        self.model.end2end = False  # the head that keeps all levels' features
        self.model.fuse(verbose=False)
        self.kind = kind

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return the embeddings, each of length 1."""
        if self.kind == "savpe":
            return self.model.predict(images, vpe=masks, return_vpe=True)
        head = head_of(self.model)
        levels = []
        for level, features in enumerate(self._neck(images)):
            compared = head.cv4[level].norm(head.cv3[level](features))
            unit = nn.functional.normalize(compared, dim=1)
            inside = nn.functional.avg_pool2d(masks, 2**level)
            weight = inside.sum(dim=(2, 3)) + 1e-6
            levels.append((unit * inside).sum(dim=(2, 3)) / weight)
        return nn.functional.normalize(sum(levels), dim=-1)[:, None]

    def _neck(self, images: Tensor) -> list[Tensor]:
        """Return the features that the head gets, one for each level."""
        outputs: list[Tensor] = []
        value: Tensor | list[Tensor] = images
        for layer in self.model.model[:-1]:
            if layer.f != -1:
                places = [layer.f] if isinstance(layer.f, int) else layer.f
                taken = [value if place == -1 else outputs[place] for place in places]
                value = taken[0] if isinstance(layer.f, int) else taken
            value = layer(value)
            outputs.append(value)
        return [outputs[place] for place in head_of(self.model).f]
