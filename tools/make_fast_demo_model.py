#!/usr/bin/env python3
"""Makes the demo detector's fast variant: the same network and weights on a smaller picture.

    python tools/make_fast_demo_model.py models/demo/demo_detector.onnx

`demo_detector.fast.onnx` is written beside it, always with the same bytes. The network is a
convolution throughout; what depends on the size of its input are the anchors, constants of the
graph, and the shapes. No PyTorch is needed. Measure its curve anew then:
`python tools/measure_detector models/demo/demo_detector.fast.onnx --worlds 41001-41024`.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

_STRIDES = (8, 16, 32)
_PROTOTYPE_STRIDE = 4
_SIZE = (288, 480)


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the demo detector's fast variant.")
    parser.add_argument("model", type=Path, help="demo_detector.onnx")
    parser.add_argument(
        "--size", type=int, nargs=2, default=_SIZE, metavar=("HEIGHT", "WIDTH"), help="[px]"
    )
    options = parser.parse_args()
    path = options.model.with_name(f"{options.model.stem}.fast{options.model.suffix}")
    try:
        made = resized(onnx.load(options.model), *options.size)
    except (ValueError, OSError) as error:
        print(f"{options.model}: {error}", file=sys.stderr)
        return 2
    path.write_bytes(made.SerializeToString(deterministic=True))
    print(path)
    return 0


def resized(model: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """Return the detector for pictures of another size [px].

    Raises:
        ValueError: the size is no multiple of the largest stride, or the graph is another one.
    """
    if min(height, width) <= 0 or height % _STRIDES[-1] or width % _STRIDES[-1]:
        raise ValueError(f"size {height} {width} must be multiples of {_STRIDES[-1]}")
    entries = {entry.key: entry for entry in model.metadata_props}
    if "imgsz" not in entries:
        raise ValueError("is not the demo's detector: its metadata has no imgsz")
    before = ast.literal_eval(entries["imgsz"].value)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    replaced = 0
    for stride in _STRIDES:
        old, new = _anchors(before[0], before[1], stride), _anchors(height, width, stride)
        for node in made.graph.node:
            if node.op_type != "Constant":
                continue
            value = numpy_helper.to_array(node.attribute[0].t)
            if value.shape == old.shape and np.array_equal(value, old):
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(new))
                replaced += 1
    if replaced != 2 * len(_STRIDES):  # for the near and the far corner of each level
        raise ValueError(f"is not the demo's detector: {replaced} constants are anchors")
    anchors = sum(height // stride * (width // stride) for stride in _STRIDES)
    ends = {"images": (height, width), "output0": (None, anchors)}
    ends["output1"] = height // _PROTOTYPE_STRIDE, width // _PROTOTYPE_STRIDE
    for end in (*made.graph.input, *made.graph.output):
        for axis, length in zip((-2, -1), ends.get(end.name, ()), strict=False):
            if length is not None:
                end.type.tensor_type.shape.dim[axis].dim_value = length
    del made.graph.value_info[:]  # shapes of before
    for entry in made.metadata_props:
        if entry.key == "imgsz":
            entry.value = str([height, width])
    onnx.checker.check_model(made, full_check=True)
    return made


def _anchors(height: int, width: int, stride: int) -> np.ndarray:
    """Return the middles (1, 2, n) of a level's cells, x and y [px], row by row."""
    y, x = np.meshgrid(np.arange(height // stride), np.arange(width // stride), indexing="ij")
    return ((np.stack([x, y]).reshape(1, 2, -1) + 0.5) * stride).astype(np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
