"""Eyes for the stub: what the simulated world's picture shows, told by colours and a classifier.

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

from vlm_bridge_pkg.core.questions import CLASS_TEMPLATES, WHAT_TEMPLATE
from vlm_bridge_pkg.errors import ConfigurationError
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.stub.answers import Said

_UNSURE = 0.2  # a probability of "yes" this near to a half is no answer
#: What "what is it?" is answered with yes, of the classifier's labels. Bare ground and plants,
#: which it was not trained on, are a footpath to it.
_PEOPLES = frozenset(("person", "scarecrow", "tent", "vehicle", "container", "boat", "smoke"))
_SURE = 0.8  # probability from which a label is believed of what may be none of them
#: Hues [degrees / 2], saturation and value 0..255 that ground, plants and water never have.
_BRIGHT = ((0, 150, 90), (180, 255, 255))
_GREENS = ((25, 0, 0), (88, 255, 255))
_BRIGHT_SHARE = 0.06  # of the middle of the picture
_WHAT = re.compile(re.escape(WHAT_TEMPLATE.text).replace(r"\{class_name\}", '"(.+?)"'))
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
        what, asked = _WHAT.search(request.prompt), _read_question(request.prompt)
        if request.picture is None or (asked is None and what is None):
            return Said("unsure\nonly questions for what a picture shows, with it, are understood")
        image = cv2.imdecode(np.frombuffer(request.picture.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            return Said("unsure\nthe picture cannot be unpacked")
        seen = self._look(image)
        best = max(seen, key=seen.__getitem__)
        if asked is None:
            return _say_what(image, best, seen[best])
        class_name, is_negated = asked
        p_there = seen.get(class_name, 0.0)
        p_yes = 1.0 - p_there if is_negated else p_there
        word = "unsure" if abs(p_yes - 0.5) < _UNSURE else "yes" if p_yes > 0.5 else "no"
        return Said(f"{word}\nit looks like a {best} ({seen[best]:.2f})", p_yes)

    def _look(self, image: NDArray[np.uint8]) -> dict[str, float]:
        """Return the probability of each label, of a BGR picture."""
        height, width = self._input.shape[2:]
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        pixels = (small[:, :, ::-1] / np.float32(255.0) - self._mean) / self._std
        tensor = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)
        logits: NDArray[np.float32] = self._session.run(None, {self._input.name: tensor})[0][0]
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        return dict(zip(self._labels, shares.tolist(), strict=True))


def _say_what(image: NDArray[np.uint8], best: str, share: float) -> Said:
    """Answer "what is it?": by a colour that nature has not in this world, else by the label."""
    rows, columns = image.shape[0] // 4, image.shape[1] // 4
    middle = image[rows : 3 * rows, columns : 3 * columns]
    hsv = cv2.cvtColor(np.ascontiguousarray(middle), cv2.COLOR_BGR2HSV)
    is_bright = (cv2.inRange(hsv, *_BRIGHT) > 0) & (cv2.inRange(hsv, *_GREENS) == 0)
    bright = float(is_bright.mean())
    if bright >= _BRIGHT_SHARE:
        return Said("yes\nsomething of a colour that people give to things", 0.9)
    if share < _SURE:
        return Said("unsure\nit has no colour and no form that tells what it is")
    is_yes = best in _PEOPLES
    text = f"{'yes' if is_yes else 'no'}\nit looks like a {best} ({share:.2f})"
    return Said(text, share if is_yes else 1.0 - share)


def _read_question(prompt: str) -> tuple[str, bool] | None:
    """Return the class asked for and whether "yes" means that it is absent."""
    for pattern, is_negated in _QUESTIONS:
        if match := pattern.search(prompt):
            return match[1], is_negated
    return None
