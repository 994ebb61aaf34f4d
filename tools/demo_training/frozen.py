"""The trained detector as it is: features and boxes, read out of its ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from demo_training.network import STRIDES, Backbone
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH

_UNIT = "leave/leave.2/Relu_output_0"
#: Tensors of the graph that the open branch reads, with their channels and strides.
TENSORS = {
    "stem": ("/backbone/stem/stem.1/stem.1.2/Relu_output_0", 32, 4),
    "level3": (f"/backbone/merge3/{_UNIT}", Backbone.channels[0], 8),
    "level4": (f"/backbone/join4/{_UNIT}", Backbone.channels[1], 16),
    "level5": (f"/backbone/join5/{_UNIT}", Backbone.channels[2], 32),
}
_BOXES_OUTPUT = "output0"


class Seen(NamedTuple):
    """What the detector makes of a picture.

    Attributes:
        features: (C, h, w) float32 by the names of `TENSORS`.
        boxes: (A, 4) float32 x0 y0 x1 y1 [px of the input].
    """

    features: dict[str, NDArray[np.float32]]
    boxes: NDArray[np.float32]


class FrozenDetector:
    """A detector whose weights nobody changes any more."""

    def __init__(self, path: Path) -> None:
        """Args: path: of the model."""
        shown = onnx.load(str(path))
        for name, _, _ in TENSORS.values():
            shown.graph.output.append(helper.make_empty_tensor_value_info(name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(shown.SerializeToString(), options)
        sizes = {value.name: value.shape for value in self._session.get_inputs()}
        self._classes = {name: np.zeros(sizes[name], np.float32) for name in ("cls_w", "cls_b")}

    def look(self, image: NDArray[np.uint8]) -> Seen:
        """Args: image: (h, w, 3) RGB, of the input's size."""
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        names = [name for name, _, _ in TENSORS.values()]
        found, *tensors = self._session.run(
            [_BOXES_OUTPUT, *names], {"images": tensor, **self._classes}
        )
        centre, size = found[0, :2].T, found[0, 2:4].T
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        return Seen({key: one[0] for key, one in zip(TENSORS, tensors, strict=True)}, boxes)


def anchors() -> NDArray[np.float32]:
    """Return (A, 3): x, y [px] of the middle, and level."""
    found = []
    for level, stride in enumerate(STRIDES):
        y, x = np.mgrid[: INPUT_HEIGHT // stride, : INPUT_WIDTH // stride]
        middles = np.stack([(x + 0.5) * stride, (y + 0.5) * stride], -1).reshape(-1, 2)
        found.append(np.column_stack([middles, np.full(len(middles), level)]))
    return np.concatenate(found).astype(np.float32)
