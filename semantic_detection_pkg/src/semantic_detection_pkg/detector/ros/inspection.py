"""The detector's second service: a closer look at a part of a frame that it has just seen."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from interfaces_pkg.msg import Inspection
from interfaces_pkg.srv import InspectFrame
from ros_support_pkg.edge import serve
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.common.ros import conversions
from semantic_detection_pkg.detector.classifier import Classifier, load_classifier
from semantic_detection_pkg.detector.kernels.crops import Box, crop_for_eyes
from semantic_detection_pkg.errors import FrameError


class FrameInspector:
    """Keeps the last frames and answers `detector/inspect` about them.

    It answers only while it is open, because its classifier computes where the detector does. It
    belongs to the thread of the node's executor.
    """

    def __init__(self, node: Node, frames_kept: int) -> None:
        """Make the service; `frames_kept` is how many frames are held, >= 1."""
        self._frames: OrderedDict[int, tuple[NDArray[np.uint8], str]] = OrderedDict()
        self._frames_kept = frames_kept
        self._classifier: Classifier | None = None
        self._is_open = False
        serve(node, InspectFrame, "detector/inspect", self._answer)

    def load(self, model: str, *, engine: str, threads: int, device: str = "cpu") -> None:
        """Load the classifier; an empty path is none, then only pictures are given.

        Raises:
            ModelError: the file is missing, no good, or no classifier.
        """
        self.unload()
        if model:
            self._classifier = load_classifier(model, engine=engine, threads=threads, device=device)

    @property
    def fallback(self) -> str:
        """What the classifier's engine does not do as it was asked; "" if there is nothing."""
        return str(getattr(self._classifier, "notice", ""))

    @property
    def summary(self) -> str:
        """Which classifier this is, and for which words; "" without one."""
        if self._classifier is None:
            return ""
        return str(getattr(self._classifier, "summary", f"classifier {self._classifier.name}"))

    def has_no_word_of(self, vocabulary: Sequence[str]) -> bool:
        """Return whether there is a classifier, and it knows none of the words searched for."""
        words: Sequence[str] = getattr(self._classifier, "words", ())  # a plug-in's may not tell
        return bool(words) and not set(words) & set(vocabulary)

    def unload(self) -> None:
        """Free the classifier and the frames."""
        self.close()
        if self._classifier is not None:
            self._classifier.close()
            self._classifier = None

    def open(self) -> None:
        """Answer from now on."""
        self._is_open = True

    def close(self) -> None:
        """Refuse from now on, and let the frames go."""
        self._is_open = False
        self._frames.clear()

    def keep(self, stamp_ns: int, image: NDArray[np.uint8], frame_id: str) -> None:
        """Hold a BGR frame by reference: give a copy of what will be overwritten."""
        self._frames[stamp_ns] = (image, frame_id)
        while len(self._frames) > self._frames_kept:
            self._frames.popitem(last=False)

    def frame(self, stamp_ns: int) -> NDArray[np.uint8]:
        """Return a frame that is held, BGR.

        Raises:
            FrameError: it is not.
        """
        return self._kept(stamp_ns)[0]

    def _kept(self, stamp_ns: int) -> tuple[NDArray[np.uint8], str]:
        kept = self._frames.get(stamp_ns)
        if kept is None:
            held = f"{min(self._frames)} to {max(self._frames)}" if self._frames else "none"
            raise FrameError(f"frame {stamp_ns} ns is not held; held are {held}")
        return kept

    def _answer(
        self, request: InspectFrame.Request, response: InspectFrame.Response
    ) -> InspectFrame.Response:
        try:
            response.inspection = self._inspect(request)
            response.success = True
        except FrameError as error:
            response.message = str(error)
        return response

    def _inspect(self, request: InspectFrame.Request) -> Inspection:
        if not self._is_open:
            raise FrameError("the detector is not active, so the GPU may not be used")
        stamp_ns = from_time(request.frame)
        image, frame_id = self._kept(stamp_ns)
        box = _checked(request.box_xyxy, image)
        inspection = Inspection(
            frame=request.frame,
            box_xyxy=list(box),
            crop=conversions.to_compressed_image(crop_for_eyes(image, box), stamp_ns, frame_id),
        )
        if self._classifier is not None:
            said = self._classifier.classify(image, box)
            inspection.model = self._classifier.name
            inspection.labels = list(said.labels)
            inspection.probabilities = list(said.probabilities)
        return inspection


def _checked(box_xyxy: NDArray[np.float32], image: NDArray[np.uint8]) -> Box:
    x_min, y_min, x_max, y_max = (float(value) for value in box_xyxy)
    height, width = image.shape[:2]
    is_inside = x_min < width and y_min < height and x_max > 0.0 and y_max > 0.0
    is_finite = all(math.isfinite(value) for value in (x_min, y_min, x_max, y_max))
    if not (is_finite and x_min < x_max and y_min < y_max and is_inside):
        raise FrameError(
            f"box {x_min:g}, {y_min:g}, {x_max:g}, {y_max:g} px: a box that shows part of the "
            f"picture of {width}x{height} px is needed"
        )
    return x_min, y_min, x_max, y_max
