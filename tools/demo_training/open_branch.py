"""The demo's open branch: what a thing looks like, beside the frozen detector's six words.

It reads tensors of the frozen network and describes each anchor by `SIZE` numbers g. A class by
example has a vector t of length 1, made by the same branch from what is inside a mask, and the
logit `t . g + offset_l` at an anchor of level l. The numbers of words and of examples lie side by
side in the embedding: words have zeros here, examples there, so what is said of words stays.

An embedding is (words' numbers, SIZE numbers, one that is always the same): the last one carries
the offset, as the head's own bias is that of the words.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo_training.frozen import TENSORS
from demo_training.network import STRIDES, ConvUnit

SIZE = 32
CONSTANT = 0.1  # the always equal number of an example's embedding of length 1
SHARE = (1.0 - CONSTANT**2) ** 0.5
_FINE, _COARSE, _MIXED, _HIDDEN = 32, 64, 48, 96
_MOST_SALIENT = 6.0
_EPS = 1e-6


class _Spread(nn.Sequential):
    """What is around each place, within 5x5 of them: cheap, as channels mix apart from places."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            ConvUnit(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class OpenBranch(nn.Module):
    """Describes anchors, and examples.

    What kind a thing is of is said by features of its own, made from the frozen network's first
    ones: the later ones know the six words, and little of anything else. They say where a thing is.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = {name: count for name, (_, count, _) in TENSORS.items()}
        self.fine3 = ConvUnit(channels["stem"], _FINE, 3, 2)
        self.fine4 = nn.Sequential(ConvUnit(_FINE, _COARSE, 3, 2), _Spread(_COARSE))
        self.fine5 = nn.Sequential(ConvUnit(_COARSE, _COARSE, 3, 2), _Spread(_COARSE))
        self.merged4 = ConvUnit(2 * _COARSE, _FINE, 1)
        inputs = (
            2 * _FINE + channels["level3"],
            _COARSE + _FINE + channels["level4"],
            _COARSE + channels["level5"],
        )
        self.mixed = nn.ModuleList(ConvUnit(count, _MIXED, 1) for count in inputs)
        self.described = nn.ModuleList(nn.Conv2d(_MIXED, SIZE, 1) for _ in STRIDES)
        self.offsets = nn.Parameter(torch.full((len(STRIDES),), -5.0))
        self.register_buffer("bias", torch.zeros(len(STRIDES)))  # of the head, for any class
        self.shown = nn.ModuleList(nn.Conv2d(_MIXED, _HIDDEN + 1, 1) for _ in STRIDES)
        self.vector = nn.Sequential(
            nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, SIZE)
        )

    def mix(self, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        """Return (B, _MIXED, h, w) of each level, from tensors by the names of `TENSORS`."""
        fine3 = self.fine3(tensors["stem"])
        fine4 = self.fine4(fine3)
        fine5 = self.fine5(fine4)
        merged4 = self.merged4(torch.cat([fine4, _double(fine5)], dim=1))
        inputs = (
            [fine3, _double(merged4), tensors["level3"]],
            [fine4, merged4, tensors["level4"]],
            [fine5, tensors["level5"]],
        )
        return [
            layer(torch.cat(parts, dim=1)) for layer, parts in zip(self.mixed, inputs, strict=True)
        ]

    def describe(self, mixed: list[Tensor]) -> list[Tensor]:
        """Return g, (B, SIZE, h, w) of each level."""
        return [layer(one) for layer, one in zip(self.described, mixed, strict=True)]

    def pool(self, mixed: list[Tensor], masks: Tensor) -> Tensor:
        """Return t, (B, n, SIZE) of length 1, of what masks (B, n, H/8, W/8) show."""
        total = weight = masks.new_zeros(1)
        for level, (layer, one) in enumerate(zip(self.shown, mixed, strict=True)):
            shown = layer(one)
            inside = masks if level == 0 else functional.avg_pool2d(masks, 2**level)
            # Every level has one voice: a large thing has hundreds of fine anchors, few coarse.
            share = inside / inside.sum(dim=(2, 3), keepdim=True).clamp(min=_EPS)
            saliency = shown[:, _HIDDEN:].clamp(-_MOST_SALIENT, _MOST_SALIENT).exp() * share
            values = shown[:, :_HIDDEN].flatten(2).transpose(1, 2)
            total = total + torch.matmul(saliency.flatten(2), values)
            weight = weight + saliency.sum(dim=(2, 3))[..., None]
        return functional.normalize(self.vector(total / weight.clamp(min=_EPS)), dim=2)

    def against_constant(self) -> Tensor:
        """Return what meets the always equal number of an embedding, (L): with the head's bias it
        makes the offset of one example."""
        return (self.offsets - self.bias) / CONSTANT


def class_embeddings(vectors: Tensor, mixture: Tensor) -> Tensor:
    """Return (K, SIZE + 1) of K classes, each the mean of some of n examples (n, SIZE).

    As in `detector.core.examples`, the mean of embeddings goes to length 1 as a whole: where
    examples differ, both parts grow.

    Args:
        vectors: of length 1.
        mixture: (K, n) shares of the examples.
    """
    means = functional.pad(SHARE * (mixture @ vectors), (0, 1), value=CONSTANT)
    return functional.normalize(means, dim=1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
