"""The network of a second look, on the CPU: `<model>.example.onnx` beside a model that needs one.

    crops       float32  (n, 3, S, S)  cuts, RGB 0..1, grey beyond the picture's edge
    embeddings  float32  (n, D)        of length 1

Its metadata say `crop_margin`, the side of a cut in longest sides of the box, 0.5..4.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.side_network import SideNetwork
from semantic_detection_pkg.detector.core.example_view import box_inside
from semantic_detection_pkg.detector.kernels.crops import crop_square
from semantic_detection_pkg.errors import ConfigurationError, FrameError

if TYPE_CHECKING:
    import onnxruntime


class LookSource:
    """Gives embeddings of what boxes show; stays open from its first use on. From any thread.

    Attributes:
        refusal: why it gives none, for people; "": it does.
    """

    def __init__(self, graph: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the network beside a model, and see whether it opens.

        Args:
            graph: its file, which exists.
            arrays: of the model's vocabulary.
        """
        self._network = SideNetwork(graph, "example network", ("crops",))
        self.refusal = self._network.mismatch(str(arrays.get("example_encoder", "")))
        self._checkpoint = str(arrays.get("model", ""))
        self._lock = threading.Lock()
        self._opened: tuple[onnxruntime.InferenceSession, int, float] | None = None
        # Every frame will need it where examples of before are known: with weights that are gone
        # no frame would give anything, words neither. Not kept open: often nothing is shown.
        try:
            self._open()
        except ConfigurationError as error:
            self.refusal = str(error)

    def embed(self, image: NDArray[np.uint8], box_xyxy: Sequence[float]) -> NDArray[np.float32]:
        """Return the embedding (D), of length 1, of what a box [px] of a BGR picture shows.

        Raises:
            FrameError: the box has no area, or is outside.
            ConfigurationError: the network is not the model's, or its files are no good.
        """
        box = box_inside(box_xyxy, (image.shape[1], image.shape[0]))
        return self._embed(image, np.array([box], np.float32))[0]

    def look(
        self, image: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """See `second_look.LookAgain`.

        Raises:
            FrameError: the network is not the model's, or failed.
        """
        try:
            return self._embed(image, boxes_xyxy)
        except ConfigurationError as error:
            raise FrameError(str(error)) from None

    def _embed(
        self, image: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
        session, side_px, margin = self._opened
        crops = np.empty((len(boxes_xyxy), 3, side_px, side_px), np.float32)
        for crop, (x0, y0, x1, y1) in zip(crops, boxes_xyxy.tolist(), strict=True):
            square = crop_square(image, (x0, y0, x1, y1), margin, side_px)
            np.divide(square[..., ::-1].transpose(2, 0, 1), 255.0, out=crop, casting="unsafe")
        return self._network.run(session, {"crops": crops})

    def _open(self) -> tuple[onnxruntime.InferenceSession, int, float]:
        """Return the network, the side of its cuts [px] and their margin."""
        if self.refusal:
            raise ConfigurationError(self.refusal)
        session = self._network.open(self._checkpoint)
        metadata = session.get_modelmeta().custom_metadata_map
        (crops,) = session.get_inputs()
        try:
            side_px, margin = int(crops.shape[-1]), float(metadata["crop_margin"])
        except (IndexError, KeyError, TypeError, ValueError):
            side_px, margin = 0, 0.0
        if list(crops.shape[1:]) != [3, side_px, side_px] or not 0.5 <= margin <= 4.0:
            raise self._network.refusal(
                f"crops {crops.shape} of margin {metadata.get('crop_margin')!r}: "
                "(n, 3, side, side) with a side in pixels and 0.5..4 are needed"
            )
        return session, side_px, margin
