"""The model's input tensor: room for one picture or several, written straight from a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import ModelInfo
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer

#: Pictures of one batch at most where the model takes any number.
_LARGEST_BATCH = 16


class InputSlots:
    """Writes parts of pictures into the slots of a batch. Belongs to one thread."""

    def __init__(
        self, info: ModelInfo, allocate: Callable[[tuple[int, ...], str], NDArray[Any]]
    ) -> None:
        """Args: allocate: memory for a shape and a type (see `backends.protocol`)."""
        self._info = info
        self._allocate = allocate
        self._letterboxer = Letterboxer()
        # Where the numbers are not the letterboxer's own they pass through here.
        self._plain = np.empty((3, info.height, info.width), np.float32)
        self._plain_for: Letterbox | None = None
        mean, std = (
            np.array(values, np.float32).reshape(3, 1, 1)
            for values in (info.preprocessing.mean, info.preprocessing.std)
        )
        self._gain, self._offset = info.preprocessing.white / std, -mean / std
        self._tensor = self._room(info.batch or 1)
        # What is written into each slot; no one else writes there.
        self._padded_for: list[Letterbox | None] = [None] * len(self._tensor)

    def _room(self, count: int) -> NDArray[Any]:
        return self._allocate(
            (count, 3, self._info.height, self._info.width), self._info.image_dtype
        )

    def reserve(self, count: int) -> int:
        """Make room for pictures that shall be inferred at once.

        Returns:
            How many can be, >= 1: what the model's batch axis allows.
        """
        if self._info.batch is not None:
            return self._info.batch
        count = min(count, _LARGEST_BATCH)
        if count > len(self._tensor):
            self._tensor = self._room(count)
            self._padded_for = [None] * count
        return count

    def write(self, slot: int, part: NDArray[np.uint8]) -> Letterbox:
        """Fit a picture, or a part of one as a view without a copy, into a slot.

        Args:
            slot: 0.. below what `reserve` returned.
            part: (h, w, 3) uint8, BGR, any strides.

        Returns:
            Where the part lies in the input.
        """
        wanted, info = self._info.preprocessing, self._info
        letterbox = Letterbox(part.shape[1], part.shape[0], info.width, info.height, wanted.fit)
        is_plain = wanted.is_plain
        self._letterboxer.write(
            part,
            self._tensor[slot] if is_plain else self._plain,
            (letterbox.content_width, letterbox.content_height),
            (letterbox.left, letterbox.top),
            is_padded=letterbox == (self._padded_for[slot] if is_plain else self._plain_for),
        )
        if is_plain:
            self._padded_for[slot] = letterbox
            return letterbox
        self._plain_for = letterbox
        planes = self._plain[::-1] if wanted.is_bgr else self._plain
        target = self._tensor[slot]
        np.multiply(planes, self._gain, out=target, casting="same_kind")
        np.add(target, self._offset, out=target, casting="same_kind")
        return letterbox

    def inputs(self, count: int) -> Mapping[str, NDArray[Any]]:
        """Return the model's input with the first `count` slots; all, where the batch is fixed."""
        used = len(self._tensor) if self._info.batch is not None else count
        return {self._info.image_input: self._tensor[:used]}
