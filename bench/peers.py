"""What people run today, for comparison: the steps of Ultralytics 8.4 with OpenCV and NumPy.

Written from the description of its behaviour, not from its code. OpenCV uses one thread, as the
kernels do; so one core is compared with one core.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.letterbox import Letterbox

cv2.setNumThreads(1)
_PADDING = (114, 114, 114)
_CLASS_OFFSET_PX = 7680.0


def preprocess(image: NDArray[np.uint8], box: Letterbox) -> NDArray[np.float32]:
    """Resize, pad, BGR to RGB, HWC to CHW, contiguous, float, divide by 255."""
    size = (box.content_width, box.content_height)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    right = box.width - box.content_width - box.left
    below = box.height - box.content_height - box.top
    padded = cv2.copyMakeBorder(
        resized, box.top, below, box.left, right, cv2.BORDER_CONSTANT, value=_PADDING
    )
    batch = np.stack([padded])[..., ::-1].transpose(0, 3, 1, 2)
    tensor = np.ascontiguousarray(batch).astype(np.float32)
    tensor /= 255
    return tensor


def suppress(
    head: NDArray[np.float32], channels: int, confidence: float, iou: float, most: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes (k, 4) and mask coefficients (k, channels) of a raw head after suppression.

    All anchors become rows, those above the threshold are copied, and OpenCV's suppression runs on
    boxes moved apart by their class.
    """
    rows = head.T
    scores = rows[:, 4 : rows.shape[1] - channels]
    rows = rows[scores.max(axis=1) > confidence]
    scores = rows[:, 4 : rows.shape[1] - channels]
    labels = scores.argmax(axis=1)
    best = scores.max(axis=1)
    boxes = np.concatenate((rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2), axis=1)
    moved = boxes + labels[:, None] * _CLASS_OFFSET_PX
    moved[:, 2:] -= moved[:, :2]
    kept = np.array(cv2.dnn.NMSBoxes(moved, best, confidence, iou, top_k=30_000), np.intp)[:most]
    return boxes[kept], rows[kept, rows.shape[1] - channels :]


def process_mask_native(
    prototypes: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    boxes_xyxy: NDArray[np.float32],
    box: Letterbox,
) -> NDArray[np.bool_]:
    """Masks (n, height, width) of the picture: matrix product, cut off the padding, enlarge, crop.

    Args:
        prototypes: (channels, h, w).
        coefficients: (n, channels).
        boxes_xyxy: (n, 4) pixels of the picture.
        box: whose padding is whole prototypes.
    """
    channels, rows, columns = prototypes.shape
    sums = (coefficients @ prototypes.reshape(channels, -1)).reshape(-1, rows, columns)
    left, right = (x * columns // box.width for x in (box.left, box.left + box.content_width))
    top, bottom = (y * rows // box.height for y in (box.top, box.top + box.content_height))
    masks = np.empty((len(sums), box.source_height, box.source_width), bool)
    size = (box.source_width, box.source_height)
    for mask, one, (x1, y1, x2, y2) in zip(
        masks, sums, np.ceil(boxes_xyxy).astype(int), strict=True
    ):
        native = cv2.resize(one[top:bottom, left:right], size, interpolation=cv2.INTER_LINEAR)
        native[:y1] = native[y2:] = 0
        native[:, :x1] = native[:, x2:] = 0
        np.greater(native, 0, out=mask)
    return masks
