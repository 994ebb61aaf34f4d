"""A machine with a GPU that is not there: fake CUDA, fake TensorRT, plans for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fake_cuda import FakeCuda
from fake_tensorrt import FakeTensorRt, as_module, fake_plan

from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.backends.trt.cuda import Cuda
from semantic_detection_pkg.detector.backends.trt.platform import Platform, find_device
from semantic_detection_pkg.detector.core.model_layout import TensorSpec

PICTURE = TensorSpec("images", (1, 3, 4, 4), "float32")
WEIGHTS = TensorSpec("cls_w", (2, 5), "float32")
SUM = TensorSpec("sum", (2, 5), "float32")
TWICE = TensorSpec("twice", (1, 3, 4, 4), "float16")


def arithmetic(inputs):
    """What the engine of `arithmetic_plan` computes."""
    return {
        "sum": inputs["cls_w"] + inputs["images"].sum(),
        "twice": (2 * inputs["images"]).astype(np.float16),
    }


def arithmetic_plan(**options) -> bytes:
    return fake_plan([PICTURE, WEIGHTS], [TWICE, SUM], **options)


@dataclass(frozen=True)
class FakeMachine:
    """The fakes, and what the product sees of them."""

    cuda: FakeCuda
    tensorrt: FakeTensorRt

    @property
    def platform(self) -> Platform:
        cuda = Cuda(self.cuda)
        return Platform(cuda, as_module(self.tensorrt), find_device(cuda))


def fake_machine(
    compute=arithmetic, *, is_integrated: bool = True, version: str = "10.3.0"
) -> FakeMachine:
    cuda = FakeCuda(is_integrated=is_integrated)
    return FakeMachine(cuda, FakeTensorRt(cuda, compute, version))


def onnx_as_plan(onnx: Path, plan: Path) -> FakeMachine:
    """Write a plan with an ONNX model's tensors; the machine computes what the model does."""
    model = OnnxBackend(onnx, threads=1)
    plan.write_bytes(fake_plan(_fixed(model.inputs), _fixed(model.outputs)))
    return fake_machine(model.infer)


def _fixed(specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    assert all(None not in spec.shape for spec in specs)
    return list(specs)
