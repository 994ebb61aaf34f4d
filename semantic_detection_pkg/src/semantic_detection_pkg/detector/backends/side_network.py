"""A second network beside a model, used now and then: mapped, not read, closed after each use.

`<model>.<kind>.onnx` is the graph, its metadata have the hash of the weights, which lie in
`<model>.<kind>.onnx.data`. ONNX Runtime maps them: while nothing is computed they take no memory,
and what they took is the page cache's. The model's vocabulary names the hash of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.errors import ConfigurationError

if TYPE_CHECKING:
    import onnxruntime

DATA_SUFFIX = ".data"  # behind the graph's name
COPY_AGAIN = "copy all files of one export (tools/export_yoloe.py) beside the model again"
_LOG_FATAL_ONLY = 4


class SideNetwork:
    """The files of one network. The weights are verified once, when they are first needed."""

    def __init__(self, graph: Path, title: str, inputs: Sequence[str]) -> None:
        """Take the path of a graph; nothing is read.

        Args:
            title: of its kind, for messages: "text encoder".
            inputs: names that it must have.
        """
        self.name = graph.name
        self._title = title
        self._graph = graph
        self._data = graph.with_name(graph.name + DATA_SUFFIX)
        self._inputs = tuple(inputs)
        self._is_verified = False

    def open(self, checkpoint: str) -> onnxruntime.InferenceSession:
        """Open it on the CPU, for one thread.

        Args:
            checkpoint: that the model's vocabulary is of; "": it does not say.

        Raises:
            ConfigurationError: a file is missing, damaged, or of another checkpoint.
        """
        # Not above: a detector on TensorRT has no use for ONNX Runtime until then.
        import onnxruntime

        from semantic_detection_pkg.detector.backends.onnx import CPU, explain

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the other cores are the detector's
        options.log_severity_level = _LOG_FATAL_ONLY
        # It would copy all weights into another order: memory, and 0.2 s during which no other
        # thread of Python runs.
        options.add_session_config_entry("session.disable_prepacking", "1")
        try:
            session = onnxruntime.InferenceSession(
                str(self._graph), sess_options=options, providers=[CPU]
            )
        except Exception as error:  # its classes have no common base but Exception
            raise self.refusal(explain(error)) from None
        names = tuple(sorted(value.name for value in session.get_inputs()))
        if names != tuple(sorted(self._inputs)) or len(session.get_outputs()) != 1:
            raise self.refusal(f"its inputs are {', '.join(names)}; it is no {self._title}")
        metadata = session.get_modelmeta().custom_metadata_map
        own = str(metadata.get("prompt_model", "")).strip("'\"")
        if checkpoint and own and own != checkpoint:
            raise self.refusal(f"is of {own!r}, the model is of {checkpoint!r}; {COPY_AGAIN}")
        self._verify(metadata)
        return session

    def _verify(self, metadata: Mapping[str, str]) -> None:
        if self._is_verified:
            return
        try:
            have = sha256_of(self._data)
        except OSError as error:
            raise self.refusal(f"{self._data.name}: {reason_of(error)}; {COPY_AGAIN}") from None
        wanted = metadata.get("weights_sha256", "")
        if have != wanted:
            raise self.refusal(
                f"SHA-256 of {self._data.name} is {have[:12]}..., its graph was written with "
                f"{wanted[:12]}...; {COPY_AGAIN}"
            )
        self._is_verified = True

    def run(
        self, session: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[Any]]
    ) -> NDArray[np.float32]:
        """Return its output.

        Raises:
            ConfigurationError: it failed, or said NaN or infinity.
        """
        try:
            (output,) = session.run(None, dict(inputs))
        except Exception as error:  # as above
            from semantic_detection_pkg.detector.backends.onnx import one_line

            raise self.refusal(f"failed: {one_line(error)}") from None
        if not np.isfinite(output).all():
            raise self.refusal("its output is not finite")
        return np.asarray(output, np.float32)

    def refusal(self, reason: str) -> ConfigurationError:
        """Return what to raise."""
        return ConfigurationError(f"{self._title} {self.name}: {reason}")

    def mismatch(self, wanted: str) -> str:
        """Return why it is not the network of a model's vocabulary; "" where it is.

        Args:
            wanted: SHA-256 of the graph that the vocabulary names; "": none, as it was exported
                before, and the names of the checkpoints are compared later.
        """
        if not wanted:
            return ""
        try:
            have = sha256_of(self._graph)
        except OSError as error:
            return str(self.refusal(reason_of(error)))
        if have == wanted:
            return ""
        return str(
            self.refusal(
                f"its SHA-256 is {have[:12]}..., the model's vocabulary was exported with "
                f"{wanted[:12]}...: it is of another checkpoint or export; {COPY_AGAIN}"
            )
        )


def reason_of(error: Exception) -> str:
    """Return why a file cannot be read, in a few words."""
    return str(getattr(error, "strerror", "") or error).lower()
