"""Trains the demo detector on rendered samples: one thread of control, seeded."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from demo_training.losses import Targets, detection_loss
from demo_training.network import EMBEDDING_SIZE, STRIDES, Detector, anchor_points
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH, MIN_VISIBLE, Samples
from simulation_pkg.core.world.things import CLASS_NAMES

WINDOW_WIDTH = 384  # [px] of the pictures that the network sees in training
_WARM_UP_STEPS = 100
_PEAK_RATE = 2e-3
_AVERAGE_DECAY = 0.998
_FALL_SHARE = 0.35


def word_embeddings(seed: int = 4) -> NDArray[np.float32]:
    """(K, EMBEDDING_SIZE) orthonormal vectors, one for each class word.

    They stand for the text encoder of an open-vocabulary model: fixed before the training.
    """
    rng = np.random.default_rng(seed)
    square, _ = np.linalg.qr(rng.standard_normal((EMBEDDING_SIZE, EMBEDDING_SIZE)))
    return np.ascontiguousarray(square[: len(CLASS_NAMES)], np.float32)


def train_detector(
    samples: Samples, steps: int, batch_size: int, seed: int, checkpoint: Path
) -> Detector:
    """The network after `steps` batches, its weights averaged over the last of them.

    checkpoint: file that gets the averaged weights now and then, so that a look is possible.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = Detector().to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network).eval()
    embeddings = torch.from_numpy(word_embeddings())
    anchors = torch.cat(
        [anchor_points(INPUT_HEIGHT // s, WINDOW_WIDTH // s, s) for s in STRIDES], dim=1
    ).T
    optimizer = torch.optim.AdamW(_groups(network), lr=_PEAK_RATE, betas=(0.9, 0.99))
    batches = _batches(samples, batch_size, seed)
    began = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_RATE * _rate(step, steps)
        images, targets = next(batches)
        network.train()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(images.contiguous(memory_format=torch.channels_last), embeddings)
        loss, parts = detection_loss(outputs, anchors, targets, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        _average(averaged, network, min(_AVERAGE_DECAY, (1 + step) / (10 + step)))
        if step % 200 == 199 or step == steps - 1:
            torch.save(averaged.state_dict(), checkpoint)
        if step % 25 == 0 or step == steps - 1:
            told = "  ".join(f"{name} {value:.3f}" for name, value in parts.items())
            print(f"step {step}/{steps}  {told}  {time.monotonic() - began:.0f} s", flush=True)
    return averaged


def _rate(step: int, steps: int) -> float:
    """Share of the peak rate: warm-up, constant, linear fall over the last part of the steps."""
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    fall = min(1.0, (steps - step) / (_FALL_SHARE * steps))
    return warm_up * max(fall, 0.01)


def _groups(network: nn.Module) -> list[dict[str, object]]:
    """Weight decay for convolutions only."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    current = network.state_dict()
    for name, value in averaged.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(current[name], 1.0 - decay)
        else:
            value.copy_(current[name])


def _batches(samples: Samples, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Targets]]:
    """Endless shuffled batches, mirrored and recoloured at random."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(samples))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            yield _batch(samples, order[start : start + batch_size], rng)


def _batch(
    samples: Samples, indexes: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Tensor, Targets]:
    """Windows of the pictures at these indexes."""
    parts = [_window(samples, int(index), rng) for index in indexes]
    most = max(1, *(len(part.classes) for part in parts))
    boxes = np.zeros((len(parts), most, 4), np.float32)
    classes = np.zeros((len(parts), most), np.int64)
    is_real = np.zeros((len(parts), most), bool)
    for row, part in enumerate(parts):
        count = len(part.classes)
        boxes[row, :count], classes[row, :count], is_real[row, :count] = part.boxes, part.classes, 1
    pictures = torch.from_numpy(np.stack([part.image for part in parts])).permute(0, 3, 1, 2)
    masks = np.stack([part.masks for part in parts])
    targets = Targets(*(torch.from_numpy(a) for a in (boxes, classes, is_real, masks)))
    return pictures, targets


class _Window(NamedTuple):
    """Part of a picture with its labels; fields as in `Samples`, the image float32 0..1."""

    image: NDArray[np.float32]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    masks: NDArray[np.uint8]


def _window(samples: Samples, index: int, rng: np.random.Generator) -> _Window:
    """A window WINDOW_WIDTH wide around one of a picture's things, mirrored at random.

    Most of a close-up is empty ground: a window costs less and teaches as much.
    """
    own = samples.objects(index)
    boxes, classes = samples.boxes[own].copy(), samples.classes[own]
    middle = INPUT_WIDTH / 2
    if len(boxes):
        chosen = boxes[int(rng.integers(len(boxes)))]
        middle = (chosen[0] + chosen[2]) / 2
    start = middle - WINDOW_WIDTH / 2 + rng.uniform(-0.2, 0.2) * WINDOW_WIDTH
    left = int(np.clip(start, 0, INPUT_WIDTH - WINDOW_WIDTH)) // 8 * 8
    image = samples.images[index][:, left : left + WINDOW_WIDTH].astype(np.float32) / 255.0
    masks = samples.masks[index][:, left // 4 : (left + WINDOW_WIDTH) // 4]
    widths = boxes[:, 2] - boxes[:, 0]
    boxes[:, 0::2] = np.clip(boxes[:, 0::2] - left, 0, WINDOW_WIDTH)
    kept_width = boxes[:, 2] - boxes[:, 0]
    is_kept = (kept_width >= 3.0) & (kept_width >= MIN_VISIBLE * widths)
    # The masks' numbers follow the boxes that are left.
    numbers = np.zeros(256, np.uint8)
    numbers[1 + np.nonzero(is_kept)[0]] = 1 + np.arange(is_kept.sum())
    masks, boxes = numbers[masks], boxes[is_kept]
    image = recolour(image, rng)
    if rng.random() < 0.5:
        image, masks = image[:, ::-1], masks[:, ::-1]
        boxes[:, 0::2] = WINDOW_WIDTH - boxes[:, 2::-2]
    return _Window(image, boxes, classes[is_kept], np.ascontiguousarray(masks))


def recolour(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another brightness, contrast, saturation and white balance. RGB 0..1."""
    grey = image.mean(axis=2, keepdims=True)
    saturation, contrast = rng.uniform(0.7, 1.3), rng.uniform(0.8, 1.2)
    balance = rng.uniform(0.93, 1.07, 3).astype(np.float32)
    mixed = (grey + (image - grey) * np.float32(saturation)) * balance
    shifted = (mixed - 0.45) * np.float32(contrast) + np.float32(0.45 + rng.uniform(-0.08, 0.08))
    return np.clip(shifted, 0.0, 1.0)
