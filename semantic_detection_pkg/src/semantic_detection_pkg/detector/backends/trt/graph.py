"""Work on a stream that is recorded once as a CUDA graph and replayed in one launch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from semantic_detection_pkg.detector.backends.trt.cuda import Cuda, CudaError

_log = logging.getLogger(__name__)


class GraphedWork:
    """Runs `work` as it is first, because TensorRT allocates then; records it the second time.

    What cannot be recorded goes on as it is. Addresses in the work must stay as they are.
    """

    def __init__(
        self, cuda: Cuda, resources: ExitStack, stream: Any, work: Callable[[], None]
    ) -> None:
        """Begin without a graph; `resources` gives it back."""
        self._cuda = cuda
        self._stream = stream
        self._work = work
        self._has_run = False
        self._is_refused = False
        self._graph: Any = None
        resources.callback(self._close)

    @property
    def is_recorded(self) -> bool:
        """Whether it is replayed from now on."""
        return self._graph is not None

    def enqueue(self) -> None:
        """Put the work on the stream.

        Raises:
            CudaError: it failed.
        """
        if self._has_run and self._graph is None and not self._is_refused:
            self._record()
        if self._graph is None:
            self._work()
            self._has_run = True
        else:
            self._cuda.call(self._cuda.runtime.cudaGraphLaunch, self._graph, self._stream)

    def _record(self) -> None:
        try:
            self._graph = self._capture()
        except CudaError as error:
            if error.is_fatal:
                raise
            self._is_refused = True
            # Its text only: the error holds frames, and those what should be freed.
            _log.warning("no CUDA graph, goes on without: %s", str(error))

    def _capture(self) -> Any:
        runtime, call = self._cuda.runtime, self._cuda.call
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        call(runtime.cudaStreamBeginCapture, self._stream, mode)
        try:
            self._work()
        except CudaError:
            self._abandon()
            raise
        graph = call(runtime.cudaStreamEndCapture, self._stream)
        try:
            return call(runtime.cudaGraphInstantiate, graph, 0)
        finally:
            self._cuda.free(runtime.cudaGraphDestroy, graph)

    def _abandon(self) -> None:
        """End a capture in which something failed; the stream is of use again after it."""
        runtime = self._cuda.runtime
        try:
            graph = self._cuda.call(runtime.cudaStreamEndCapture, self._stream)
        except CudaError:
            return  # as it should: the capture is invalid, there is no graph
        if graph is not None:
            self._cuda.free(runtime.cudaGraphDestroy, graph)

    def _close(self) -> None:
        graph, self._graph = self._graph, None
        if graph is not None:
            self._cuda.free(self._cuda.runtime.cudaGraphExecDestroy, graph)
