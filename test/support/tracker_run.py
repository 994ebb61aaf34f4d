"""A tracker that is fed by hand: things at bearings, seen by a camera, at ten frames a second."""

import math

import numpy as np

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker, TrackerSettings

WORDS = ["person", "tent", "footpath"]
STEP_NS = 100_000_000


WIDE = math.radians(62)


def view_at(yaw=0.0, pitch=0.4, hfov=WIDE) -> CameraView:
    return CameraView(yaw, pitch, 0.0, hfov, 1280, 720)


def found(view: CameraView, *things, scores=None) -> Detections:
    """Return detections of (class id, yaw, pitch, width, height), cut off by the picture."""
    kept, boxes = [], []
    for thing in things:
        box = view.boxes_of([thing[1:3]], [thing[3:5]])[0]
        box = np.clip(box, 0, [view.width, view.height] * 2)
        if np.isfinite(box).all() and (box[2:] - box[:2] > 2).all():
            kept.append(thing[0])
            boxes.append(box)
    scores = [0.8] * len(kept) if scores is None else scores
    return Detections(view.width, view.height, kept, scores, np.array(boxes).reshape(-1, 4))


class Run:
    """Feeds a tracker at 10 Hz."""

    def __init__(self, **changes):
        self.tracker = Tracker(TrackerSettings(**changes))
        self.stamp_ns = 1_700_000_000_123_456_789

    def frame(self, view, *things, **kwargs):
        self.stamp_ns += STEP_NS
        return self.tracker.update(self.stamp_ns, view, found(view, *things, **kwargs), WORDS)


PERSON = (0, 0.1, 0.4, 0.02, 0.04)
