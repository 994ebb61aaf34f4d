"""From the model's outputs to the best candidates, for every layout, and on to their masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.core.detections import MaskRings
from semantic_detection_pkg.core.letterbox import Letterbox
from semantic_detection_pkg.core.model_layout import Layout, ModelInfo
from semantic_detection_pkg.core.settings import DetectorSettings
from semantic_detection_pkg.core.vocabulary import Vocabulary
from semantic_detection_pkg.errors import FrameError
from semantic_detection_pkg.kernels.filtering import Kept, filter_raw, filter_rows
from semantic_detection_pkg.kernels.masks import mask_polygons
from semantic_detection_pkg.kernels.nms import suppress

# Only the best so many go into suppression, as in Ultralytics' non_max_suppression.
_MOST_CANDIDATES = 30_000
# An end-to-end head returns one anchor once for each class that scores high. Such rows share their
# box up to rounding; neighbouring anchors of one object come close to it.
_SAME_BOX_IOU = 0.9


@dataclass(frozen=True, eq=False)
class Candidates:
    """k detections before their masks are known, sorted by falling score.

    Attributes:
        boxes_xyxy: (k, 4) float32, pixels of the letterboxed input.
        scores: (k,) float32.
        class_ids: (k,) index into the vocabulary.
        coefficients: (k, nm) float32 mask coefficients.
        rejected: candidates dropped because the model said NaN, infinity or an unknown class.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.intp]
    coefficients: NDArray[np.float32]
    rejected: int


def decode(
    outputs: Mapping[str, NDArray[Any]],
    info: ModelInfo,
    vocabulary: Vocabulary,
    settings: DetectorSettings,
) -> Candidates:
    """Candidates of the wanted classes after thresholds and suppression.

    Args:
        outputs: of the model, by name.
        info: how to read them.
        vocabulary: the classes wanted; others neither appear nor compete.
        settings: thresholds.

    Raises:
        FrameError: an output does not have the shape that the model's layout says.
    """
    head = _check_shapes(outputs, info)
    if info.layout is Layout.RAW:
        kept = filter_raw(head, vocabulary.columns, info.mask_channels, settings.confidence)
    else:
        kept = filter_rows(head, vocabulary.columns, info.class_count, settings.confidence)
    chosen = _choose(kept, info.layout, settings)
    return Candidates(
        kept.boxes_xyxy[chosen],
        kept.scores[chosen],
        kept.labels[chosen],
        kept.coefficients[chosen],
        kept.rejected,
    )


def find_masks(
    candidates: Candidates,
    prototypes: NDArray[np.floating],
    boxes_xyxy: NDArray[np.float32],
    letterbox: Letterbox,
    tolerance_px: float,
) -> MaskRings:
    """Masks of candidates in the picture.

    Args:
        candidates: k of them.
        prototypes: (nm, mh, mw).
        boxes_xyxy: (k, 4) their boxes in the picture [px], cut at its edges.
        letterbox: of the picture.
        tolerance_px: see `DetectorSettings.polygon_tolerance_px`.
    """
    columns, rows = letterbox.prototype_positions(prototypes.shape[2], prototypes.shape[1])
    return MaskRings(
        *mask_polygons(prototypes, candidates.coefficients, boxes_xyxy, columns, rows, tolerance_px)
    )


def _choose(kept: Kept, layout: Layout, settings: DetectorSettings) -> NDArray[np.intp]:
    """Positions of the candidates that stay, by falling score."""
    by_score = np.argsort(-kept.scores, kind="stable")[:_MOST_CANDIDATES]
    boxes, scores = kept.boxes_xyxy[by_score], kept.scores[by_score]
    most = settings.max_detections
    if settings.is_class_agnostic:
        return by_score[suppress(boxes, scores, None, settings.iou, most)]
    if layout is Layout.RAW:
        return by_score[suppress(boxes, scores, kept.labels[by_score], settings.iou, most)]
    if layout is Layout.END_TO_END:
        return by_score[suppress(boxes, scores, None, _SAME_BOX_IOU, most)]
    return by_score[:most]


def _check_shapes(outputs: Mapping[str, NDArray[Any]], info: ModelInfo) -> NDArray[Any]:
    """The detections without the batch axis."""
    head = outputs[info.detections_output]
    prototypes = outputs[info.prototypes_output]
    if info.layout is not Layout.RAW:
        is_right = head.ndim == 3 and head.shape[2] == 6 + info.mask_channels
    else:
        channels = 4 + info.class_count + info.mask_channels
        is_right = head.ndim == 3 and head.shape[1] == channels
    if not is_right or prototypes.ndim != 4 or prototypes.shape[1] != info.mask_channels:
        raise FrameError(
            f"{info.name}: outputs {head.shape} and {prototypes.shape} do not fit the layout "
            f"'{info.layout.value}' with {info.mask_channels} mask coefficients"
        )
    return head[0]
