"""From the model's outputs to the best candidates, for every layout, and on to their masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import MaskRings
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.core.model_layout import WITH_OBJECTNESS, Layout, ModelInfo
from semantic_detection_pkg.detector.core.objectness import ObjectnessHead, anchor_count
from semantic_detection_pkg.detector.core.queries import QueryHead
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.word_table import Vocabulary
from semantic_detection_pkg.detector.kernels.candidates import CandidateSelector, Kept, Suppression
from semantic_detection_pkg.detector.kernels.masks import MaskTracer
from semantic_detection_pkg.detector.kernels.twins.nms import suppress
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
        self._queries = QueryHead(info.width, info.height)
        self._objectness: ObjectnessHead | None = None
        if info.layout in WITH_OBJECTNESS:
            is_in_cells = info.layout is Layout.YOLOX
            self._objectness = ObjectnessHead(info.width, info.height, is_in_cells)

    def candidates(
        self,
        outputs: Mapping[str, NDArray[Any]],
        vocabulary: Vocabulary,
        settings: DetectorSettings,
        slot: int = 0,
    ) -> Kept:
        """Return candidates of the wanted classes after thresholds and suppression.

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
        columns = vocabulary.columns
        if self._objectness is not None:
            head = self._objectness.as_raw(head)
        if info.layout is Layout.QUERIES:
            boxes = outputs[info.boxes_output][slot] if info.boxes_output else None
            head = self._queries.as_raw(head, boxes)
        if info.layout in (Layout.RAW, Layout.QUERIES, *WITH_OBJECTNESS):
            found = self._selector.from_raw(head, columns, info.mask_channels, confidence, rule)
        else:
            found = self._selector.from_rows(head, columns, info.class_count, confidence, rule)
        found = _upright(found)
        return found if vocabulary.labels is None else _by_name(found, vocabulary.labels, rule)

    def masks(
        self,
        candidates: Kept,
        outputs: Mapping[str, NDArray[Any]],
        boxes_xyxy: NDArray[np.float32],
        letterbox: Letterbox,
        tolerance_px: float,
        slot: int = 0,
    ) -> MaskRings:
        """Return the masks of candidates in the picture; boxes, where the model has no masks.

        Args:
            candidates: k of them.
            outputs: that they were found in.
            boxes_xyxy: (k, 4) their boxes in the picture [px], cut at its edges.
            letterbox: of the picture.
            tolerance_px: see `DetectorSettings.polygon_tolerance_px`.
            slot: which picture of the batch.
        """
        if self._info.prototypes_output is None:
            return box_masks(boxes_xyxy)
        prototypes = outputs[self._info.prototypes_output][slot]
        columns, rows = letterbox.prototype_axes(prototypes.shape[2], prototypes.shape[1])
        return MaskRings(
            *self._tracer.polygons(
                prototypes, candidates.coefficients, boxes_xyxy, columns, rows, tolerance_px
            )
        )


def _upright(found: Kept) -> Kept:
    """Return the candidates whose boxes end where they begin or later; others are no boxes."""
    is_box = (found.boxes_xyxy[:, :2] <= found.boxes_xyxy[:, 2:]).all(1)
    if is_box.all():
        return found
    wrong = len(is_box) - int(np.count_nonzero(is_box))
    return Kept(
        found.boxes_xyxy[is_box],
        found.scores[is_box],
        found.labels[is_box],
        found.coefficients[is_box],
        found.rejected + wrong,
    )


def _by_name(found: Kept, labels: NDArray[np.intp], rule: Suppression) -> Kept:
    """Return the candidates with names for columns: two of one name find the same things once."""
    names = labels[found.labels]
    kept = np.arange(len(names))
    if rule.iou is not None:
        kept = suppress(
            found.boxes_xyxy,
            found.scores,
            None if rule.is_agnostic else names,
            rule.iou,
            rule.most,
        )
    return Kept(
        found.boxes_xyxy[kept],
        found.scores[kept],
        names[kept],
        found.coefficients[kept],
        found.rejected,
    )


def box_masks(boxes_xyxy: NDArray[np.float32]) -> MaskRings:
    """Return (n, 4) boxes as masks; none for an empty box."""
    is_shown = (boxes_xyxy[:, :2] < boxes_xyxy[:, 2:]).all(1)
    corners = boxes_xyxy[is_shown][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    rings = is_shown.astype(np.uint32)
    return MaskRings(corners, np.full(rings.sum(), 4, np.uint32), rings)


def _suppression(layout: Layout, settings: DetectorSettings) -> Suppression:
    most = settings.max_detections
    if settings.agnostic_nms:
        return Suppression(settings.iou_threshold, most, is_agnostic=True)
    if layout in (Layout.RAW, *WITH_OBJECTNESS):
        return Suppression(settings.iou_threshold, most)
    if layout is Layout.END_TO_END:
        return Suppression(_SAME_BOX_IOU, most, is_agnostic=True)
    return Suppression(None, most)


def _check_shapes(outputs: Mapping[str, NDArray[Any]], info: ModelInfo, slot: int) -> NDArray[Any]:
    """Return the detections of one picture of the batch."""
    head = outputs[info.detections_output]
    if info.layout in WITH_OBJECTNESS:
        per_cell = 3 if info.layout is Layout.YOLOV5 else 1
        anchors = per_cell * anchor_count(info.width, info.height)
        is_right = head.ndim == 3 and head.shape[1:] == (anchors, 5 + info.class_count)
    elif info.layout is Layout.QUERIES:
        columns = info.class_count + (0 if info.boxes_output else 4)
        is_right = head.ndim == 3 and head.shape[2] == columns
    elif info.layout is not Layout.RAW:
        is_right = head.ndim == 3 and head.shape[2] == 6 + info.mask_channels
    else:
        channels = 4 + info.class_count + info.mask_channels
        is_right = head.ndim == 3 and head.shape[1] == channels
    shapes = [head.shape]
    if info.prototypes_output is not None:
        prototypes = outputs[info.prototypes_output]
        shapes.append(prototypes.shape)
        is_right &= prototypes.ndim == 4 and prototypes.shape[1] == info.mask_channels
    if info.boxes_output is not None:
        shapes.append(outputs[info.boxes_output].shape)
        is_right &= shapes[-1][1:] == (head.shape[1], 4)
    if not is_right or any(slot >= shape[0] for shape in shapes):
        raise FrameError(
            f"{info.name}: outputs {' and '.join(map(str, shapes))} do not fit the layout "
            f"'{info.layout.value}' with {info.mask_channels} mask coefficients"
        )
    return head[slot]
