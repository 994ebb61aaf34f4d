"""The text beside each detection: the number of its track, its word, its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView


@dataclass(frozen=True)
class TrackMark:
    """What identifies a track in a picture."""

    id: int
    class_name: str
    yaw_rad: float
    pitch_rad: float


def labels_of(
    detections: Detections,
    vocabulary: Sequence[str],
    tracks: Sequence[TrackMark] = (),
    view: CameraView | None = None,
) -> tuple[str, ...]:
    """Return one label for each detection, "#7 person 0.91" where its track is known.

    A track belongs to the best detection of its class whose box holds the track's bearing.

    Args:
        vocabulary: words that class_ids index.
        tracks: as they are about the time of the frame.
        view: where the camera looked at the frame; None: no track can be placed.
    """
    names = [vocabulary[class_id] for class_id in detections.class_ids]
    ids: dict[int, int] = {}
    if view is not None and tracks and len(detections):
        points = view.project([(track.yaw_rad, track.pitch_rad) for track in tracks])
        low, high = np.split(detections.boxes_xyxy, 2, axis=1)
        for track, point in zip(tracks, points, strict=True):
            holds = ((low <= point) & (point <= high)).all(axis=1)
            is_its = [
                bool(inside) and name == track.class_name
                for inside, name in zip(holds, names, strict=True)
            ]
            free = [index for index, its in enumerate(is_its) if its and index not in ids]
            if free:
                ids[free[0]] = track.id  # sorted by falling score
    return tuple(
        (f"#{ids[index]} " if index in ids else "") + f"{name} {score:.2f}"
        for index, (name, score) in enumerate(zip(names, detections.scores, strict=True))
    )
