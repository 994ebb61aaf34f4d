"""What a search of a photograph found, missed and took for something, drawn into the photograph."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulation_pkg.core.photo.labels import Labels
from simulation_pkg.harness.photo_scan import GROUPS, PhotoScore

# Blue, green, red; as on the page: findings green. What was missed is red.
_GREEN, _RED, _MAGENTA, _YELLOW, _GREY = (
    (80, 200, 80),
    (60, 60, 230),
    (230, 60, 230),
    (60, 220, 240),
    (128, 128, 128),
)
_OF_KIND = {"found": _GREEN, "twice": _YELLOW, "false": _MAGENTA, "ignored": _GREY}
_ENLARGED = 2  # the drawing: boxes of 15 px would hide what they are about


def draw_score(image: NDArray[np.uint8], labels: Labels, score: PhotoScore) -> NDArray[np.uint8]:
    """Return the photograph, twice as large, with all that the score is about.

    Labels are boxes: green where found, red where missed, grey where nothing was labelled. Findings
    are crosses: green, yellow for one found before, magenta for false ones.

    Args:
        image: (h, w, 3) uint8, BGR; stays as it is.
    """
    height, width = image.shape[:2]
    drawn = cv2.resize(image, (width * _ENLARGED, height * _ENLARGED))
    found = {mark.thing for mark in score.marks}
    wanted = frozenset[str]().union(*GROUPS.values())
    boxes = [(box, _GREY) for box in labels.ignored]
    boxes += [
        (one.box_xyxy, _GREEN if index in found else _RED)
        for index, one in enumerate(labels.things)
        if one.class_name in wanted
    ]
    for box, colour in boxes:
        x0, y0, x1, y1 = (round(_ENLARGED * edge) for edge in box)
        cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, 1)
    for mark in score.marks:
        x, y = (round(_ENLARGED * place) for place in mark.point)
        cv2.drawMarker(drawn, (x, y), _OF_KIND[mark.kind], cv2.MARKER_CROSS, 18, 2)
        if mark.kind != "found":
            where = (x + 8, y - 8)
            cv2.putText(drawn, mark.class_name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 3)
            cv2.putText(
                drawn, mark.class_name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, _OF_KIND[mark.kind], 1
            )
    return np.asarray(drawn, np.uint8)
