"""Models in ONNX Runtime, on the CPU or on what its providers offer."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.protocol import EngineOptions, InferenceBackend
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.core.settings import Device
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError

_log = logging.getLogger(__name__)
# ONNX Runtime's names of element types that models here may have; others keep their own name,
# which no layout accepts.
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
_LONGEST_REASON = 1000  # letters; what matters is often at the end
_EXTERNAL_DATA = re.compile(
    r"(?:cannot get file size: .*?\[|[Ee]xternal data (?:file|path)[^'\"/]*['\"]?)([^\]'\"]+)"
)
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_LOG_FATAL_ONLY = 4  # its errors arrive as exceptions; printed they would come twice


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return what is set of ONNX Runtime; the rest, measured in `bench/speed.py`, is best as it is.

    Args:
        threads: within one operator, >= 0; 0: one for each core.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _LOG_FATAL_ONLY
    # Spinning workers win a millisecond and cost a core between frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The pattern's one block is had beside the arena that the first inference made, not in it.
    options.enable_mem_pattern = False
    return options


class OnnxBackend:
    """An `InferenceBackend` over an ONNX Runtime session."""

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        providers: Sequence[str] = (CPU,),
    ) -> None:
        """Load `path`.

        Args:
            path: an ONNX file.
            threads: within one operator, >= 0; 0: one for each core.
            providers: of ONNX Runtime, in order of preference.

        Raises:
            ConfigurationError: this ONNX Runtime lacks one of the providers.
            ModelError: the file is not an ONNX model that it can run.
        """
        available = onnxruntime.get_available_providers()
        for provider in providers:
            if provider not in available:
                raise ConfigurationError(
                    f"ONNX Runtime provider {provider!r} is not in this installation; "
                    f"available: {', '.join(available)}"
                )
        try:
            session = onnxruntime.InferenceSession(
                str(path), sess_options=session_options(threads), providers=list(providers)
            )
        except Exception as error:  # its classes have no common base but Exception
            raise ModelError(f"model {path}: {explain(error)}") from error
        self._session: onnxruntime.InferenceSession | None = session
        self.name = path.name
        self.notice = ""
        self.device = f"{providers[0]}, {threads or 'all'} threads"
        self.inputs = tuple(_spec(value) for value in session.get_inputs())
        self.outputs = tuple(_spec(value) for value in session.get_outputs())
        self.metadata: Mapping[str, Any] = dict(session.get_modelmeta().custom_metadata_map)
        self._output_names = [spec.name for spec in self.outputs]

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """See `InferenceBackend`."""
        return np.zeros(shape, dtype)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """See `InferenceBackend`."""
        if self._session is None:
            raise FrameError(f"{self.name}: the model is closed")
        try:
            values = self._session.run(self._output_names, dict(inputs))
        except Exception as error:  # as above
            raise FrameError(f"{self.name}: inference failed: {one_line(error)}") from error
        return dict(zip(self._output_names, values, strict=True))

    def close(self) -> None:
        """See `InferenceBackend`."""
        self._session = None


class BoundOnnxBackend(OnnxBackend):
    """An `InferenceBackend` that allocates each tensor once, on the device.

    By itself ONNX Runtime would allocate inputs and outputs on the GPU at every call. Tensors of
    no fixed shape are left to it.
    """

    def __init__(self, path: Path, threads: int, provider: str, device: str) -> None:
        """Load `path`.

        Args:
            provider: of ONNX Runtime; what it cannot compute, the CPU does.
            device: where its tensors are: "cuda" or "cpu".

        Raises:
            ConfigurationError: this ONNX Runtime lacks the provider.
            ModelError: the file is no good, or the provider does not start.
        """
        super().__init__(path, threads, tuple(dict.fromkeys((provider, CPU))))
        assert self._session is not None
        started = self._session.get_providers()
        if provider not in started:
            self.close()
            raise ModelError(f"{self.name}: {provider} did not start ({', '.join(started)} did)")
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._binding: Any = None
        specs = (*self.inputs, *self.outputs)
        if any(None in spec.shape for spec in specs):
            return
        self._binding = self._session.io_binding()
        for spec in specs:
            value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                spec.shape, np.dtype(spec.dtype), device, 0
            )
            if spec in self.inputs:
                self._inputs[spec.name] = value
                self._binding.bind_ortvalue_input(spec.name, value)
            else:
                self._outputs[spec.name] = value
                self._binding.bind_ortvalue_output(spec.name, value)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """See `InferenceBackend`."""
        if self._session is None or self._binding is None:
            return super().infer(inputs)
        if inputs.keys() != self._inputs.keys():
            given, needed = (", ".join(sorted(names)) for names in (inputs, self._inputs))
            raise FrameError(f"{self.name}: inputs {given} are given, {needed} are needed")
        for spec in self.inputs:
            value = inputs[spec.name]
            if (value.shape, value.dtype.name) != (spec.shape, spec.dtype):
                raise FrameError(
                    f"{self.name}: input {spec.name} {value.dtype} {value.shape} must be {spec}"
                )
        try:
            for name, value in inputs.items():
                self._inputs[name].update_inplace(np.ascontiguousarray(value))
            self._session.run_with_iobinding(self._binding)
            return {name: value.numpy() for name, value in self._outputs.items()}
        except Exception as error:  # its classes have no common base but Exception
            raise FrameError(f"{self.name}: inference failed: {one_line(error)}") from error

    def close(self) -> None:
        """See `InferenceBackend`."""
        self._binding = None  # before the session that it is of
        self._inputs, self._outputs = {}, {}
        super().close()


def open_model(path: Path, options: EngineOptions) -> InferenceBackend:
    """Open a model on the CPU, or as the options want it on a GPU.

    Raises:
        ModelError: it is not an ONNX model that ONNX Runtime can run.
    """
    if options.device is Device.CUDA:
        return _open_on_cuda(path, options.threads)
    return OnnxBackend(path, options.threads)


def lack_of_cuda() -> str:
    """Return why ONNX Runtime cannot start CUDA here, as far as is told at once; "" for nothing."""
    if CUDA not in onnxruntime.get_available_providers():
        return f"this ONNX Runtime, {onnxruntime.__version__}, has no CUDA: install onnxruntime-gpu"
    return ""


def _open_on_cuda(path: Path, threads: int) -> InferenceBackend:
    """Open a model on the GPU; where that cannot be, on the CPU, with a warning that says why.

    Raises:
        ModelError: it does not load on the CPU either.
    """
    why = lack_of_cuda()
    if not why:
        try:
            return BoundOnnxBackend(path, threads, CUDA, "cuda")
        except ModelError as error:
            why = str(error)
        except Exception as error:  # memory of the GPU, allocated when tensors are bound
            why = one_line(error)
    backend = OnnxBackend(path, threads)
    backend.notice = f"{backend.name}: computes on the CPU, not on the GPU: {why}"
    _log.warning("%s", backend.notice)
    return backend


def _spec(value: Any) -> TensorSpec:
    shape = tuple(length if isinstance(length, int) else None for length in value.shape)
    return TensorSpec(value.name, shape, _DTYPES.get(value.type, value.type))


def explain(error: Exception) -> str:
    """Return why a model does not load, and what to do, for the reasons that people meet."""
    reason = one_line(error)
    version = f"this ONNX Runtime, {onnxruntime.__version__},"
    if found := re.search(r"IR version: (\d+), max supported IR version: (\d+)", reason):
        return (
            f"is of ONNX IR version {found[1]}, {version} reads up to {found[2]}; install a newer "
            "onnxruntime, or export it with an older onnx package or a lower opset"
        )
    if found := re.search(r"Opset (\d+) is under .* domain (\S+) is till opset (\d+)", reason):
        return (
            f"is of opset {found[1]} ({found[2]}), {version} knows up to {found[3]}; install a "
            f"newer onnxruntime, or export it with opset={found[3]}"
        )
    if found := _EXTERNAL_DATA.search(reason):
        return (
            f"keeps its weights in a file of their own, {Path(found[1]).name!r}, which is not "
            "beside it; copy both into one folder"
        )
    if found := re.search(r"implementation for (\w+)\(\d+\) node", reason):
        return (
            f"needs the operator {found[1]}, which {version} cannot compute on this processor in "
            "the form that the model has it; export it as float32, without INT8"
        )
    if type(error).__name__ in ("InvalidProtobuf", "NoSuchFile") or "ModelProto" in reason:
        return "is not an ONNX file, or a damaged one; download or copy it again"
    return f"ONNX Runtime cannot load it: {reason}"


def one_line(error: Exception) -> str:
    """Return what ONNX Runtime says on one line, without its error number, paths and code."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    text = re.sub(r"/\S+\.(?:cc|h|hpp):\d+ [^)]*(?:\([^)]*)*\) (?:const )?", "", text)
    half = _LONGEST_REASON // 2
    return text if len(text) <= 2 * half else f"{text[:half]} ... {text[-half:]}"
