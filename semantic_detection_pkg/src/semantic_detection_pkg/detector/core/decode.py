"""From the model's outputs to the best candidates, for every layout, and on to their masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import MaskRings
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.vocabulary import Vocabulary
from semantic_detection_pkg.detector.kernels.candidates import CandidateSelector, Kept, Suppression
from semantic_detection_pkg.detector.kernels.masks import MaskTracer
from semantic_detection_pkg.errors import FrameError

# An end-to-end head returns one anchor once for each class that scores high. Such rows share their
# box up to rounding; neighbouring anchors of one object come close to it.
_SAME_BOX_IOU = 0.9


class Decoder:
    """Reads the outputs of one model; keeps the buffers for it. Belongs to one thread."""

    def __init__(self, info: ModelInfo) -> None:
        """Args: info: how to read the outputs."""
        self._info = info
        self._selector = CandidateSelector()
        self._tracer = MaskTracer()

    def candidates(
        self,
        outputs: Mapping[str, NDArray[Any]],
        vocabulary: Vocabulary,
        settings: DetectorSettings,
        slot: int = 0,
    ) -> Kept:
        """Candidates of the wanted classes after thresholds and suppression.

        Args:
            outputs: of the model, by name.
            vocabulary: the classes wanted, which the labels index; others neither appear nor
                compete.
            settings: thresholds.
            slot: which picture of the batch.

        Raises:
            FrameError: an output does not have the shape that the model's layout says.
        """
        info, confidence = self._info, settings.confidence_threshold
        head = _check_shapes(outputs, info, slot)
        rule = _suppression(info.layout, settings)
        if info.layout is Layout.RAW:
            channels = info.mask_channels
            return self._selector.from_raw(head, vocabulary.columns, channels, confidence, rule)
        classes = info.class_count
        return self._selector.from_rows(head, vocabulary.columns, classes, confidence, rule)

    def masks(
        self,
        candidates: Kept,
        outputs: Mapping[str, NDArray[Any]],
        boxes_xyxy: NDArray[np.float32],
        letterbox: Letterbox,
        tolerance_px: float,
        slot: int = 0,
    ) -> MaskRings:
        """Masks of candidates in the picture.

        Args:
            candidates: k of them.
            outputs: that they were found in.
            boxes_xyxy: (k, 4) their boxes in the picture [px], cut at its edges.
            letterbox: of the picture.
            tolerance_px: see `DetectorSettings.polygon_tolerance_px`.
            slot: which picture of the batch.
        """
        prototypes = outputs[self._info.prototypes_output][slot]
        columns, rows = letterbox.prototype_axes(prototypes.shape[2], prototypes.shape[1])
        return MaskRings(
            *self._tracer.polygons(
                prototypes, candidates.coefficients, boxes_xyxy, columns, rows, tolerance_px
            )
        )


def _suppression(layout: Layout, settings: DetectorSettings) -> Suppression:
    most = settings.max_detections
    if settings.agnostic_nms:
        return Suppression(settings.iou_threshold, most, is_agnostic=True)
    if layout is Layout.RAW:
        return Suppression(settings.iou_threshold, most)
    if layout is Layout.END_TO_END:
        return Suppression(_SAME_BOX_IOU, most, is_agnostic=True)
    return Suppression(None, most)


def _check_shapes(outputs: Mapping[str, NDArray[Any]], info: ModelInfo, slot: int) -> NDArray[Any]:
    """The detections of one picture of the batch."""
    head = outputs[info.detections_output]
    prototypes = outputs[info.prototypes_output]
    if info.layout is not Layout.RAW:
        is_right = head.ndim == 3 and head.shape[2] == 6 + info.mask_channels
    else:
        channels = 4 + info.class_count + info.mask_channels
        is_right = head.ndim == 3 and head.shape[1] == channels
    is_right = is_right and slot < min(len(head), len(prototypes))
    if not is_right or prototypes.ndim != 4 or prototypes.shape[1] != info.mask_channels:
        raise FrameError(
            f"{info.name}: outputs {head.shape} and {prototypes.shape} do not fit the layout "
            f"'{info.layout.value}' with {info.mask_channels} mask coefficients"
        )
    return head[slot]
