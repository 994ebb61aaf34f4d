"""`TensorRtBackend`: one loaded plan. One runner for TensorRT 10.3 to 11."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.trt.api import Engine, ExecutionContext, Runtime
from semantic_detection_pkg.detector.backends.trt.buffers import TensorBuffer, allocate_tensor
from semantic_detection_pkg.detector.backends.trt.cuda import CudaError
from semantic_detection_pkg.detector.backends.trt.engine import describe, deserialize, is_open
from semantic_detection_pkg.detector.backends.trt.families import title
from semantic_detection_pkg.detector.backends.trt.graph import GraphedWork
from semantic_detection_pkg.detector.backends.trt.manifest import (
    check_file,
    check_machine,
    check_tensors,
    manifest_path,
    read_manifest,
)
from semantic_detection_pkg.detector.backends.trt.plan import check_library, read_plan
from semantic_detection_pkg.detector.backends.trt.platform import Platform
from semantic_detection_pkg.detector.core.settings import Buffers
from semantic_detection_pkg.errors import FrameError, ModelError


@dataclass(frozen=True)
class StageTimesMs:
    """What the GPU spent on one inference [ms], each >= 0; copies are 0 with mapped buffers."""

    upload: float
    compute: float
    download: float


class TensorRtBackend:
    """An `InferenceBackend` over a TensorRT plan.

    Nothing is computed before the first `infer`, so a plan may be loaded while somebody else has
    the GPU. Only the computing is in the CUDA graph, not the copies: so the stages can be timed.
    """

    def __init__(self, path: Path, platform: Platform, buffers: Buffers = Buffers.AUTO) -> None:
        """Load a plan; its manifest beside it is checked where there is one.

        Raises:
            ConfigurationError: the manifest cannot be read.
            ModelError: the plan cannot be used here.
        """
        plan = read_plan(path)
        manifest = read_manifest(manifest_path(path))
        if manifest is not None:
            check_file(manifest, plan)
        check_library(plan, platform.tensorrt)
        if manifest is not None:
            check_machine(manifest, plan.name, platform.device)
        self.name = plan.name
        self.metadata: Mapping[str, Any] = plan.metadata or (manifest.metadata if manifest else {})
        self._cuda = platform.cuda
        is_mapped = buffers is Buffers.MAPPED or (
            buffers is Buffers.AUTO and platform.device.is_integrated
        )
        kind = Buffers.MAPPED if is_mapped else Buffers.PINNED
        self.device = f"{platform.device.name}, {title(platform.tensorrt)}, {kind.value} buffers"
        self._is_closed = self._is_lost = False
        self._resources = ExitStack()
        self._runtime: Runtime | None = None
        self._engine: Engine | None = None
        self._context: ExecutionContext | None = None
        self._events: list[Any] = []
        self._input_buffers: dict[str, TensorBuffer] = {}
        self._given_out: set[str] = set()
        self._output_buffers: dict[str, TensorBuffer] = {}
        try:
            self._runtime, self._engine = deserialize(platform.tensorrt, plan)
            self.inputs, self.outputs = describe(platform.tensorrt, self._engine, plan.name)
            if manifest is not None:
                check_tensors(manifest, plan.name, self.inputs, self.outputs)
            self._prepare(is_mapped)
        except BaseException as error:
            self.close()
            if isinstance(error, CudaError):
                raise ModelError(
                    f"{self.name}: cannot be set up on {platform.device}: {error}; free memory on "
                    "the GPU and try again"
                ) from None
            raise

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `InferenceBackend`: the memory of an input of this form, given out once."""
        for name, buffer in self._input_buffers.items():
            is_fit = buffer.host.shape == shape and buffer.host.dtype == np.dtype(dtype)
            if is_fit and name not in self._given_out:
                self._given_out.add(name)
                return buffer.host
        return np.zeros(shape, dtype)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """See `InferenceBackend`."""
        if self._is_closed:
            raise FrameError(f"{self.name}: the model is closed")
        if inputs.keys() != self._input_buffers.keys():
            raise FrameError(
                f"{self.name}: inputs {', '.join(sorted(inputs))} are given, "
                f"{', '.join(sorted(self._input_buffers))} are needed"
            )
        if self._is_lost:
            raise FrameError(f"{self.name}: the GPU failed before; restart this process")
        for name, buffer in self._input_buffers.items():
            buffer.fill(self.name, inputs[name])
        try:
            self._run()
        except CudaError as error:
            self._recover(error)
            raise FrameError(f"{self.name}: inference failed: {error}") from None
        return {name: buffer.host for name, buffer in self._output_buffers.items()}

    @property
    def is_graph_used(self) -> bool:
        """Whether the engine runs as a CUDA graph by now."""
        return self._graph.is_recorded

    def stage_times(self) -> StageTimesMs:
        """Return where the time of the last inference went.

        Raises:
            FrameError: nothing was inferred yet.
        """
        if self._is_closed:
            raise FrameError(f"{self.name}: the model is closed")
        runtime = self._cuda.runtime
        try:
            spans = [
                float(self._cuda.call(runtime.cudaEventElapsedTime, start, end))
                for start, end in zip(self._events, self._events[1:], strict=False)
            ]
        except CudaError as error:
            raise FrameError(f"{self.name}: no times: {error}") from None
        return StageTimesMs(*spans)

    def close(self) -> None:
        """See `InferenceBackend`. Arrays given out keep their memory as long as they live."""
        self._is_closed = True
        self._input_buffers, self._output_buffers = {}, {}
        self._resources.close()  # the graph first: it uses the context
        self._events = []
        self._context = None  # before its engine, and that before its runtime
        self._engine = None
        self._runtime = None

    def _prepare(self, is_mapped: bool) -> None:
        """Prepare context, stream, events and the memory of all tensors.

        TensorRT's objects are in no local variable: an error would keep them beyond `close`.
        """
        cuda, resources = self._cuda, self._resources
        self._context = self._engine.create_execution_context() if self._engine else None
        if self._context is None:
            raise CudaError("create_execution_context: no context")
        for spec in self.inputs:
            shape = tuple(length or 0 for length in spec.shape)
            is_set = self._engine is not None and is_open(self._engine.get_tensor_shape(spec.name))
            if is_set and not self._context.set_input_shape(spec.name, shape):
                raise CudaError(f"set_input_shape: {spec} refused")
        self._stream = cuda.stream(resources)
        self._events = [cuda.event(resources, is_waited_for=index == 3) for index in range(4)]
        for specs, buffers in (
            (self.inputs, self._input_buffers),
            (self.outputs, self._output_buffers),
        ):
            for spec in specs:
                buffer = allocate_tensor(cuda, resources, spec, is_mapped)
                if not self._context.set_tensor_address(spec.name, buffer.device_address):
                    raise CudaError(f"set_tensor_address: {spec.name} refused")
                buffers[spec.name] = buffer
        self._graph = GraphedWork(cuda, resources, self._stream, self._compute)

    def _run(self) -> None:
        """Upload, compute, download; an event between each two; wait for the last one."""
        self._mark(0)
        for buffer in self._input_buffers.values():
            buffer.upload(self._cuda, self._stream)
        self._mark(1)
        self._graph.enqueue()
        self._mark(2)
        for buffer in self._output_buffers.values():
            buffer.download(self._cuda, self._stream)
        self._mark(3)
        self._cuda.call(self._cuda.runtime.cudaEventSynchronize, self._events[3])

    def _compute(self) -> None:
        if self._context is None or not self._context.execute_async_v3(int(self._stream)):
            raise CudaError("execute_async_v3: refused")

    def _mark(self, index: int) -> None:
        self._cuda.call(self._cuda.runtime.cudaEventRecord, self._events[index], self._stream)

    def _recover(self, error: CudaError) -> None:
        """Wait for what was enqueued before the failure: it still uses the buffers."""
        self._is_lost = error.is_fatal
        try:
            self._cuda.call(self._cuda.runtime.cudaStreamSynchronize, self._stream)
        except CudaError as second:
            self._is_lost = self._is_lost or second.is_fatal
