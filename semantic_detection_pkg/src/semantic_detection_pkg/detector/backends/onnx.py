"""Models in ONNX Runtime, on the CPU or on what its providers offer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.protocol import EngineOptions, InferenceBackend
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.errors import ConfigurationError, FrameError, ModelError

# ONNX Runtime's names of element types that models here may have; others keep their own name,
# which no layout accepts.
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}
_LONGEST_REASON = 1000  # letters; what matters is often at the end
_EXTERNAL_DATA = re.compile(
    r"(?:cannot get file size: .*?\[|[Ee]xternal data (?:file|path)[^'\"/]*['\"]?)([^\]'\"]+)"
)
_LOG_FATAL_ONLY = 4  # its errors arrive as exceptions; printed they would come twice


class OnnxBackend:
    """An `InferenceBackend` over an ONNX Runtime session."""

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        providers: Sequence[str] = ("CPUExecutionProvider",),
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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _LOG_FATAL_ONLY
        # Spinning workers win a millisecond and cost a core between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=list(providers)
            )
        except Exception as error:  # its classes have no common base but Exception
            raise ModelError(f"model {path}: {explain(error)}") from error
        self._session: onnxruntime.InferenceSession | None = session
        self.name = path.name
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
            raise FrameError(f"{self.name}: inference failed: {_reason(error)}") from error
        return dict(zip(self._output_names, values, strict=True))

    def close(self) -> None:
        """See `InferenceBackend`."""
        self._session = None


def open_model(path: Path, options: EngineOptions) -> InferenceBackend:
    """Open a model on the CPU."""
    return OnnxBackend(path, options.threads)


def _spec(value: Any) -> TensorSpec:
    shape = tuple(length if isinstance(length, int) else None for length in value.shape)
    return TensorSpec(value.name, shape, _DTYPES.get(value.type, value.type))


def explain(error: Exception) -> str:
    """Why a model does not load, and what to do, for the reasons that people meet."""
    reason = _reason(error)
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


def _reason(error: Exception) -> str:
    """What ONNX Runtime says, on one line, without its error number, our path and its own code."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    text = re.sub(r"/\S+\.(?:cc|h|hpp):\d+ [^)]*(?:\([^)]*)*\) (?:const )?", "", text)
    half = _LONGEST_REASON // 2
    return text if len(text) <= 2 * half else f"{text[:half]} ... {text[-half:]}"
