"""What every inference engine speaks: `InferenceBackend`, one loaded model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.core.settings import Buffers, Device


@dataclass(frozen=True)
class EngineOptions:
    """How a model is run; an engine ignores what is not for it.

    Attributes:
        threads: CPU threads of one inference, >= 0; 0: the engine decides.
        buffers: memory between CPU and GPU.
        device: what computes.
    """

    threads: int = 0
    buffers: Buffers = Buffers.AUTO
    device: Device = Device.CPU


def notice_of(backend: InferenceBackend) -> str:
    """Return what an engine does not do as it was asked, "computes on the CPU" say; "": nothing.

    Engines of other packages need not have a `notice`.
    """
    return str(getattr(backend, "notice", ""))


class InferenceBackend(Protocol):
    """A loaded model. Loading is construction: it raises ModelError if the file is no good.

    Attributes:
        name: of the model file, without folders.
        device: what computes, for messages: "CPU, 2 threads" say.
        inputs, outputs: of the model.
        metadata: of the file; may be empty.

    An engine that does not do as it was asked says so as `notice`, see `notice_of`.
    """

    name: str
    device: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, Any]

    def allocate(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Return zeroed memory that `infer` reads without a copy: pinned where there is a GPU."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Compute all outputs, by name; they stay valid until the next call.

        Raises:
            FrameError: it failed on these inputs; the next ones may work.
        """

    def close(self) -> None:
        """Free the model and its memory; may be called again."""
