"""Eyes for the stub: what the simulated world's picture shows, told by a small classifier.

It sees what the service is sent and nothing else: the pixels of the crop. The classifier is the
demo's (`models/demo/demo_classifier.onnx`), so a verdict of the stub is not independent of the
classifier tier's; it shows the way of a question, not the worth of a third opinion.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vlm_bridge_pkg.core.questions import CLASS_TEMPLATES
from vlm_bridge_pkg.errors import ConfigurationError
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.stub.answers import Said

_UNSURE = 0.2  # a probability of "yes" this near to a half is no answer
_QUESTIONS = tuple(
    (
        re.compile(re.escape(template.text).replace(r"\{class_name\}", '"(.+?)"')),
        template.is_negated,
    )
    for template in CLASS_TEMPLATES
)


class WorldEyes:
    """Answers questions for a class by what the picture shows."""

    def __init__(self, model: Path) -> None:
        """Load a classifier with the metadata `names`, `mean` and `std`.

        Raises:
            ConfigurationError: the file is none.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # errors come back as exceptions
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
            about = self._session.get_modelmeta().custom_metadata_map
            self._labels = tuple(ast.literal_eval(about["names"]).values())
            self._mean, self._std = (
                np.array(ast.literal_eval(about[key]), np.float32) for key in ("mean", "std")
            )
        except Exception as error:  # onnxruntime has no exception of its own to name
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"look-with: {model}: no classifier: {reason}") from None
        self._input = self._session.get_inputs()[0]

    def answer(self, request: ChatRequest) -> Said:
        """Answer the request's question by what its picture shows."""
        asked = _read_question(request.prompt)
        if asked is None or request.picture is None:
            return Said("unsure\nonly questions for a class, with a picture, are understood")
        class_name, is_negated = asked
        seen = self._look(request.picture.data)
        if seen is None:
            return Said("unsure\nthe picture cannot be unpacked")
        best = max(seen, key=seen.__getitem__)
        p_there = seen.get(class_name, 0.0)
        p_yes = 1.0 - p_there if is_negated else p_there
        word = "unsure" if abs(p_yes - 0.5) < _UNSURE else "yes" if p_yes > 0.5 else "no"
        return Said(f"{word}\nit looks like a {best} ({seen[best]:.2f})", p_yes)

    def _look(self, file: bytes) -> dict[str, float] | None:
        """Return the probability of each label; None: it is no picture."""
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return None
        height, width = self._input.shape[2:]
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        pixels = (small[:, :, ::-1] / np.float32(255.0) - self._mean) / self._std
        tensor = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
        logits: NDArray[np.float32] = self._session.run(None, {self._input.name: tensor})[0][0]
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        return dict(zip(self._labels, shares.tolist(), strict=True))


def _read_question(prompt: str) -> tuple[str, bool] | None:
    """Return the class asked for and whether "yes" means that it is absent."""
    for pattern, is_negated in _QUESTIONS:
        if match := pattern.search(prompt):
            return match[1], is_negated
    return None
