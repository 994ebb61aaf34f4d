"""What the training of the open branch needs of each picture, looked at once and kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from demo_training.frozen import TENSORS, FrozenDetector, anchors
from demo_training.kind_samples import Labelled
from demo_training.metrics import box_overlaps
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH

_TOP_ANCHORS = 10
_LEAST_IOU = 0.3


class Picture(NamedTuple):
    """One picture; A anchors, n things.

    Attributes:
        owner: (A) int16 the thing that an anchor's box shows, -1: none.
        quality: (A) float32 overlap of the two boxes.
        boxes: (n, 4) x0 y0 x1 y1 [px of the input].
        kinds: of the things.
    """

    owner: NDArray[np.int16]
    quality: NDArray[np.float32]
    boxes: NDArray[np.float32]
    kinds: tuple[str, ...]


class Features:
    """Tensors of the frozen detector of many pictures, in files that are mapped."""

    def __init__(self, folder: Path, count: int) -> None:
        """Args: folder: for the files. count: of pictures."""
        folder.mkdir(parents=True, exist_ok=True)
        self.arrays = {}
        for name, (_, channels, stride) in TENSORS.items():
            path = folder / f"{name}.npy"
            shape = (count, channels, INPUT_HEIGHT // stride, INPUT_WIDTH // stride)
            self.arrays[name] = np.lib.format.open_memmap(path, "w+", np.float16, shape)

    def write(self, index: int, tensors: dict[str, NDArray[np.float32]]) -> None:
        """Keep those of a picture."""
        for name, tensor in tensors.items():
            self.arrays[name][index] = tensor

    def window(self, index: int, left: int, width: int) -> dict[str, NDArray[np.float16]]:
        """Return those of a picture's columns; left, width: multiples of 32 [px]."""
        return {
            name: self.arrays[name][index][:, :, left // stride : (left + width) // stride]
            for name, (_, _, stride) in TENSORS.items()
        }


def look_at(
    detector: FrozenDetector, shown: Sequence[Labelled], folder: Path
) -> tuple[list[Picture], Features]:
    """Look at every picture once."""
    features, places = Features(folder, len(shown)), anchors()
    pictures = []
    for index, one in enumerate(shown):
        seen = detector.look(one.image)
        features.write(index, seen.features)
        pictures.append(prepare(seen.boxes, one, places))
    return pictures, features


def prepare(found: NDArray[np.float32], shown: Labelled, places: NDArray[np.float32]) -> Picture:
    """Say which anchors show which thing.

    Args:
        found: (A, 4) boxes of the anchors.
        shown: the picture.
        places: see `anchors`.
    """
    boxes = shown.boxes
    x, y = places[:, 0], places[:, 1]
    is_inside = (x > boxes[:, :1]) & (x < boxes[:, 2:3]) & (y > boxes[:, 1:2]) & (y < boxes[:, 3:])
    overlap = box_overlaps(boxes, found)
    wanted = np.where(is_inside & (overlap >= _LEAST_IOU), overlap, 0.0)
    if len(boxes) == 0:
        wanted = np.zeros((1, len(found)))
    least = np.sort(wanted, axis=1)[:, -_TOP_ANCHORS][:, None]
    wanted = np.where(wanted >= np.maximum(least, 1e-6), wanted, 0.0)
    quality = wanted.max(axis=0)
    owner = np.where(quality > 0.0, wanted.argmax(axis=0), -1)
    return Picture(owner.astype(np.int16), quality.astype(np.float32), boxes, shown.kinds)
