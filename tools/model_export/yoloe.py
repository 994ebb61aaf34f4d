"""YOLOE with its classes as inputs. Needs Ultralytics (AGPL-3.0): for tools only.

The head of YOLOE scores features z of a level against the embedding t of a word:

    logit = exp(scale) * normalise(t) . BN(conv(z)) + bias      (conv is 1x1: C -> D channels)

Everything but z is known outside of the graph, so the graph that is exported is

    logit = cls_w[n] . z + cls_b[n]

and what is needed to compute cls_w, cls_b of any word is written beside it: conv with BN folded
in, exp(scale), bias, for each level. See `semantic_detection_pkg.detector.core.vocabulary`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# It would ask the network for updates and missing packages.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

from ultralytics import YOLOE
from ultralytics.nn.modules import C2f
from ultralytics.nn.modules.head import YOLOEDetect, YOLOESegment

from model_export.words import checkpoint_name
from semantic_detection_pkg.errors import ConfigurationError

_MOST_ROWS = 300
_NOISE_SIDE = 256  # [px]


def load_yoloe(checkpoint: str, seed: int = 0) -> YOLOE:
    """Load a checkpoint; for a .yaml: the architecture with random weights.

    Args:
        checkpoint: "yoloe-11s-seg.pt", "yoloe-26s-seg.yaml", or a path to one.
        seed: of the random weights.

    Raises:
        ConfigurationError: it is no YOLOE for segmentation with prompts.
    """
    try:
        torch.manual_seed(seed)
        yoloe = YOLOE(checkpoint)
    except Exception as error:  # Ultralytics raises what it likes
        raise ConfigurationError(
            f"checkpoint {checkpoint}: {' '.join(str(error).split())[:300]}"
        ) from error
    head = head_of(yoloe.model)
    if not isinstance(head, YOLOESegment) or hasattr(head, "lrpc") or head.is_fused:
        raise ConfigurationError(
            f"checkpoint {checkpoint}: is no YOLOE-seg model with text prompts (the prompt-free "
            "ones, -pf, are not)"
        )
    if Path(checkpoint).suffix in (".yaml", ".yml"):
        _randomise(yoloe.model, seed)
    yoloe.model.eval().float().requires_grad_(False)
    return yoloe


def head_of(model: nn.Module) -> YOLOEDetect:
    """The last layer."""
    return model.model[-1]


def embed_words(yoloe: YOLOE, words: list[str]) -> NDArray[np.float32]:
    """(K, D) embeddings of words by the model's own text encoder.

    Raises:
        ConfigurationError: the encoder, or its tokenizer, is not there.
    """
    try:
        embeddings = yoloe.model.get_text_pe(words)
    except (Exception, SystemExit) as error:  # as above
        raise ConfigurationError(
            f"words need the text encoder {yoloe.model.text_model!r}, which Ultralytics downloads, "
            "and the package clip for its tokenizer; or give a prompt file (--embeddings): "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    return embeddings[0].detach().cpu().numpy().astype(np.float32)


class RuntimeVocabulary(nn.Module):
    """The graph whose classes are inputs.

    `fold` holds the arrays fold_w, fold_b, gain, bias of the vocabulary file.
    """

    def __init__(
        self, model: nn.Module, capacity: int, size: tuple[int, int], is_end_to_end: bool
    ) -> None:
        """Takes the model over: it is no longer of use otherwise.

        Args:
            capacity: N_max, words at most.
            size: height, width [px] of the picture.
            is_end_to_end: with the head that needs no NMS.
        """
        super().__init__()
        self.model = prepare(model, size, is_end_to_end)
        head = head_of(model)
        names = [f"{'one2one_' if is_end_to_end else ''}{name}" for name in ("cv3", "cv4")]
        classes, contrasts = (getattr(head, name) for name in names)
        self.fold = _fold(classes, contrasts)
        for branch in classes:
            branch[-1] = nn.Identity()
        self.slots = nn.ModuleList(_Slot() for _ in classes)
        setattr(head, names[1], self.slots)
        # Only its length is looked at: so many classes the head counts.
        model.pe = torch.zeros(1, capacity, head.embed)
        head.export, head.format = True, "onnx"
        for module in model.modules():
            if isinstance(module, C2f):
                module.forward = module.forward_split  # fewer nodes in the graph
        self.prompt_shape = (len(classes), capacity, self.fold["fold_w"].shape[2])

    def forward(self, images: Tensor, cls_w: Tensor, cls_b: Tensor) -> tuple[Tensor, Tensor]:
        """(output0, output1) of the export, for cls_w (L, N_max, C), cls_b (L, N_max)."""
        for level, slot in enumerate(self.slots):
            slot.weights, slot.biases = cls_w[level], cls_b[level]
        return self.model(images)


class _Slot(nn.Module):
    """In place of a contrastive head: its weights are given for each picture."""

    weights: Tensor
    biases: Tensor

    def forward(self, features: Tensor, _: Tensor) -> Tensor:
        return self.weights @ features.flatten(2) + self.biases[:, None]


def prepare(model: nn.Module, size: tuple[int, int], is_end_to_end: bool) -> nn.Module:
    """Choose the head's branch and what it puts out; fold batch normalisation elsewhere.

    Raises:
        ConfigurationError: the model has no end-to-end head.
    """
    head = head_of(model)
    if is_end_to_end and getattr(head, "one2one_cv2", None) is None:
        raise ConfigurationError(
            f"{checkpoint_name(model.yaml['yaml_file'])} has no end-to-end head; choose the raw one"
        )
    model.end2end = is_end_to_end
    head.max_det = min(
        _MOST_ROWS, sum((size[0] // int(s)) * (size[1] // int(s)) for s in head.stride)
    )
    # One row for each anchor: overlapping words would double things.
    head.agnostic_nms = True
    head.shape = None
    return model.fuse(verbose=False)


def _fold(classes: nn.ModuleList, contrasts: nn.ModuleList) -> dict[str, NDArray[np.float32]]:
    """Arrays fold_w (L, D, C), fold_b (L, D), gain (L,), bias (L,)."""
    weights, biases, gains, offsets = [], [], [], []
    for branch, contrast in zip(classes, contrasts, strict=True):
        conv, norm = branch[-1], contrast.norm
        # In double precision: this is done once.
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weights.append(scale[:, None] * conv.weight[:, :, 0, 0].double())
        biases.append(
            scale * (conv.bias.double() - norm.running_mean.double()) + norm.bias.double()
        )
        gains.append(contrast.logit_scale.double().exp().reshape(()))
        offsets.append(contrast.bias.double().reshape(()))
    arrays: dict[str, Any] = {"fold_w": weights, "fold_b": biases, "gain": gains, "bias": offsets}
    return {
        name: torch.stack(values).detach().numpy().astype(np.float32)
        for name, values in arrays.items()
    }


def _randomise(model: nn.Module, seed: int) -> None:
    """Numbers under which something can be told apart.

    In a fresh network every picture looks the same: the signal dies on its way, scores are near 0
    and batch normalisation does nothing. So normalisation is fitted to pictures of noise (at
    the scales that the check uses), then its parameters and the head's are drawn.
    """
    random = torch.Generator().manual_seed(seed)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.rand(like.shape, generator=random) * (high - low) + low

    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order would be another model
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0  # the statistics of this one batch
        noise = [
            nn.functional.interpolate(torch.rand(2, 3, side, side, generator=random), _NOISE_SIDE)
            for side in (_NOISE_SIDE // 32, _NOISE_SIDE // 8, _NOISE_SIDE)
        ]
        model.train()(torch.cat(noise))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.weight.copy_(uniform(norm.weight, 0.75, 1.05))
            norm.bias.copy_(uniform(norm.bias, -0.1, 0.1))
        head = head_of(model)
        for name in ("cv4", "one2one_cv4"):
            for contrast in getattr(head, name, None) or ():
                contrast.logit_scale.copy_(uniform(contrast.logit_scale, 1.2, 1.8))
                contrast.bias.copy_(uniform(contrast.bias, -3.0, -1.0))
        inner = head.reprta.m  # its last weights begin as zeros: it would do nothing
        inner.w3.weight.copy_(uniform(inner.w3.weight, -0.1, 0.1))
        inner.w3.bias.copy_(uniform(inner.w3.bias, -0.05, 0.05))
    torch.set_num_threads(threads)
