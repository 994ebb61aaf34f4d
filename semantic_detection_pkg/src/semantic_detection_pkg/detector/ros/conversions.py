"""What the detector found, as a message."""

from __future__ import annotations

from std_msgs.msg import Header

from interfaces_pkg.msg import Detections as DetectionsMessage
from semantic_detection_pkg.common.ros.conversions import to_array
from semantic_detection_pkg.detector.core.pipeline import DetectionResult


def to_detections(result: DetectionResult, model: str, header: Header) -> DetectionsMessage:
    """What the detector found in one frame as a message.

    Args:
        model: name of the model that decided.
        header: that of the frame.
    """
    detections, elapsed_ms = result.detections, result.elapsed_ms
    return DetectionsMessage(
        header=header,
        image_width=detections.width,
        image_height=detections.height,
        model=model,
        vocabulary=list(result.vocabulary),
        class_ids=to_array("H", detections.class_ids),
        scores=to_array("f", detections.scores),
        boxes_xyxy=to_array("f", detections.boxes_xyxy),
        ring_counts=to_array("I", detections.masks.ring_counts),
        ring_sizes=to_array("I", detections.masks.ring_sizes),
        points_xy=to_array("f", detections.masks.points),
        preprocess_ms=elapsed_ms.preprocess,
        inference_ms=elapsed_ms.inference,
        postprocess_ms=elapsed_ms.postprocess,
    )
