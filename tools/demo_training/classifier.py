"""The demo classifier: MobileNetV3-small (Howard et al. 2019, table 2) with half the channels.

It tells each thing from its decoy on a close crop: two labels for each class word.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from demo_training.samples import Samples
from demo_training.train_detector import recolour
from simulation_pkg.core.world.things import CLASS_NAMES, DECOY_NAMES

LABELS = tuple(name for word in CLASS_NAMES for name in (word, DECOY_NAMES[word]))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, RGB, as torchvision expects
_WIDTH = 0.5
# kernel, expanded channels, channels, squeeze-and-excite, hard-swish, stride
_BLOCKS = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)
_PEAK_RATE = 2e-3
_BATCH = 32
_SHIFT_PX = 8


def _narrow(channels: int) -> int:
    """Channels at this width: a multiple of 8, never less than 90 % of what was asked."""
    wanted = channels * _WIDTH
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.05),
    ]


class SqueezeExcite(nn.Module):
    """Scales each channel by what the whole picture says about it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(8, channels // 4 // 8 * 8)
        self.squeeze = nn.Conv2d(channels, inner, 1)
        self.excite = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = functional.relu(self.squeeze(x.mean((2, 3), keepdim=True)))
        return x * functional.hardsigmoid(self.excite(pooled))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, squeeze-and-excite, project."""

    def __init__(self, inputs: int, row: tuple[int, int, int, bool, bool, int]) -> None:
        super().__init__()
        kernel, expanded, outputs, has_excite, is_swish, stride = row
        expanded, outputs = _narrow(expanded), _narrow(outputs)
        activation = nn.Hardswish if is_swish else nn.ReLU
        layers: list[nn.Module] = []
        if expanded != inputs:
            layers += [*_unit(inputs, expanded, 1), activation()]
        layers += [*_unit(expanded, expanded, kernel, stride, expanded), activation()]
        if has_excite:
            layers.append(SqueezeExcite(expanded))
        layers += _unit(expanded, outputs, 1)
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.is_residual else y


class Classifier(nn.Module):
    """(B, 3, CROP_SIZE, CROP_SIZE) normalised RGB to (B, len(LABELS)) logits."""

    def __init__(self) -> None:
        super().__init__()
        first = _narrow(16)
        layers = [*_unit(3, first, 3, 2), nn.Hardswish()]
        inputs = first
        for row in _BLOCKS:
            layers.append(InvertedResidual(inputs, row))
            inputs = _narrow(row[2])
        last = _narrow(576)
        layers += [*_unit(inputs, last, 1), nn.Hardswish()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(last, 256), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(256, len(LABELS))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def normalise(crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, h, w, 3) RGB 0..1 to the network's input (n, 3, h, w)."""
    scaled = (crops - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def train_classifier(samples: Samples, epochs: int, seed: int) -> Classifier:
    """The network after `epochs` passes over the crops of the samples."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Classifier().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=0.02)
    per_epoch = len(samples.crops) // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _PEAK_RATE, total_steps=epochs * per_epoch, pct_start=0.1
    )
    began = time.monotonic()
    for epoch in range(epochs):
        network.train()
        order = rng.permutation(len(samples.crops))
        right = 0
        for start in range(0, per_epoch * _BATCH, _BATCH):
            chosen = order[start : start + _BATCH]
            labels = torch.from_numpy(samples.crop_labels[chosen])
            inputs = torch.from_numpy(normalise(_varied(samples.crops[chosen], rng)))
            logits = network(inputs.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, labels, label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == labels).sum())
        share = right / (per_epoch * _BATCH)
        seconds = time.monotonic() - began
        print(f"epoch {epoch + 1}/{epochs}  right {share:.3f}  {seconds:.0f} s", flush=True)
    return network.eval()


def _varied(crops: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mirrored, shifted and recoloured crops, RGB 0..1."""
    varied = np.empty(crops.shape, np.float32)
    for row, crop in enumerate(crops):
        padded = np.pad(crop, ((_SHIFT_PX, _SHIFT_PX), (_SHIFT_PX, _SHIFT_PX), (0, 0)), "edge")
        y, x = rng.integers(0, 2 * _SHIFT_PX + 1, 2)
        cut = padded[y : y + crop.shape[0], x : x + crop.shape[1]]
        cut = cut[:, ::-1] if rng.random() < 0.5 else cut
        varied[row] = recolour(cut.astype(np.float32) / 255.0, rng)
    return varied
