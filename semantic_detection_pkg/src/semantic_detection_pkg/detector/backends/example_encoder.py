"""From a box in a picture to an embedding, on the CPU: `<model>.example.onnx` beside a model.

    images      float32  (1, 3, H, W)      as the model's own
    masks       float32  (1, 1, H/8, W/8)  1 where the example is
    embeddings  float32  (1, 1, D)         of the kind of the words'

Inside is the model's backbone with YOLOE's SAVPE behind it, or with the mean of the head's features
inside the mask (metadata `kind`: savpe, features).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.backends.side_network import SideNetwork
from semantic_detection_pkg.detector.core.example_view import example_view
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer
from semantic_detection_pkg.errors import ConfigurationError

SUFFIX = ".example.onnx"


class ExampleEncoder:
    """An example network's files."""

    def __init__(self, graph: Path, graph_sha256: str = "") -> None:
        """Take the network of a model.

        Args:
            graph: path of the graph, which is read later.
            graph_sha256: what the model's vocabulary names; "": nothing.

        Raises:
            ConfigurationError: it is another graph.
        """
        self._network = SideNetwork(graph, "example network", ("images", "masks"))
        if mismatch := self._network.mismatch(graph_sha256):
            raise ConfigurationError(mismatch)

    def embed(
        self, image: NDArray[np.uint8], box_xyxy: Sequence[float], checkpoint: str
    ) -> NDArray[np.float32]:
        """Return the embedding (D), of length 1, of what a box shows.

        Args:
            image: (h, w, 3) uint8, BGR.
            box_xyxy: [px of the picture].
            checkpoint: that the model's vocabulary is of; "": it does not say.

        Raises:
            FrameError: the box has no area, or is outside.
            ConfigurationError: see `SideNetwork.open`; or its pictures are of no fixed size.
        """
        session = self._network.open(checkpoint)
        shapes = {value.name: value.shape for value in session.get_inputs()}
        height, width = self._size("images", shapes["images"], "1x3xHEIGHTxWIDTH")
        rows, columns = self._size("masks", shapes["masks"], "1x1xROWSxCOLUMNS")
        view = example_view(box_xyxy, (image.shape[1], image.shape[0]), (width, height))
        region, letterbox = view.region, view.letterbox
        tensor = np.empty((1, 3, height, width), np.float32)
        Letterboxer().write(
            image[region.y0 : region.y1, region.x0 : region.x1],
            tensor[0],
            (letterbox.content_width, letterbox.content_height),
            (letterbox.left, letterbox.top),
        )
        inputs = {"images": tensor, "masks": view.mask(rows, columns)}
        embedding = self._network.run(session, inputs).reshape(-1)
        length = float(np.linalg.norm(embedding))
        if length == 0.0:
            raise self._network.refusal("says nothing of this example")
        return np.asarray(embedding / length, np.float32)

    def _size(self, name: str, shape: Sequence[Any], wanted: str) -> tuple[int, int]:
        """Return the last two lengths of an input; an open one is no number."""
        lengths = [length if isinstance(length, int) else None for length in shape]
        if len(lengths) == 4 and lengths[2] and lengths[3]:
            return lengths[2], lengths[3]
        told = "x".join(str(length or "?") for length in lengths)
        raise self._network.refusal(
            f"its input {name} is {told}; {wanted} of fixed lengths is needed; export it anew with "
            "tools/export_yoloe.py"
        )
