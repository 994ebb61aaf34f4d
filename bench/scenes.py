"""Outputs of a segmentation model that sees a given number of objects, made up but lifelike.

Each object is an ellipse with an uneven edge, found by a handful of neighbouring anchors, as
networks do; the other anchors have low scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.core.letterbox import Letterbox

CLASSES = 80
MASKS = 32
INPUT_PX = 640
ANCHORS = 8400
_GRID = INPUT_PX // 4
_ANCHORS_OF_ONE = 8


@dataclass(frozen=True, eq=False)
class Scene:
    """What a model says of one picture.

    Attributes:
        box: of the picture in the input.
        head: (4 + 80 + 32, 8400) raw detections.
        rows: (300, 6 + 32) the same objects, end to end.
        prototypes: (32, 160, 160).
    """

    box: Letterbox
    head: NDArray[np.float32]
    rows: NDArray[np.float32]
    prototypes: NDArray[np.float32]


def scene(count: int, width: int = 1920, height: int = 1080, seed: int = 0) -> Scene:
    """`count` objects, 1..300, of 2 to 15 % of the picture's width."""
    random = np.random.default_rng(seed)
    box = Letterbox(width, height, INPUT_PX, INPUT_PX)
    noise = random.normal(size=(MASKS, _GRID, _GRID)).astype(np.float32)
    prototypes = np.stack([cv2.GaussianBlur(plane, (0, 0), 3.0) * 5 for plane in noise])
    prototypes[0] = 1.0
    sizes = random.uniform(0.02, 0.15, (count, 2)) * INPUT_PX
    content = np.array((box.content_width, box.content_height))
    centres = random.uniform(sizes / 2, content - sizes / 2) + (box.left, box.top)
    coefficients = np.array(
        [
            _fit(prototypes, centre / 4, size / 8)
            for centre, size in zip(centres, sizes, strict=True)
        ]
    )
    labels = random.integers(0, CLASSES, count)
    scores = random.uniform(0.4, 0.95, count)

    head = np.zeros((4 + CLASSES + MASKS, ANCHORS), np.float32)
    head[:2] = random.uniform(0, INPUT_PX, (2, ANCHORS))
    head[2:4] = random.uniform(8, 200, (2, ANCHORS))
    head[4 : 4 + CLASSES] = random.uniform(0, 0.05, (CLASSES, ANCHORS))
    head[4 + CLASSES :] = random.normal(size=(MASKS, ANCHORS))
    places = random.choice(ANCHORS, (count, _ANCHORS_OF_ONE), replace=False)
    for i, anchors in enumerate(places):
        shaken = random.normal(scale=0.01, size=(4, _ANCHORS_OF_ONE)) * sizes[i].mean()
        shaken[:, 0] = 0
        head[:4, anchors] = np.concatenate((centres[i], sizes[i]))[:, None] + shaken
        head[4 + labels[i], anchors] = scores[i] * np.linspace(1, 0.7, _ANCHORS_OF_ONE)
        head[4 + CLASSES :, anchors] = coefficients[i][:, None]

    rows = np.zeros((300, 6 + MASKS), np.float32)
    by_score = np.argsort(-scores)
    rows[:count, :4] = np.concatenate((centres - sizes / 2, centres + sizes / 2), axis=1)[by_score]
    rows[:count, 4], rows[:count, 5] = scores[by_score], labels[by_score]
    rows[:count, 6:] = coefficients[by_score]
    return Scene(box, head, rows, prototypes)


def _fit(
    prototypes: NDArray[np.float32], centre: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Coefficients whose sum is positive in about an ellipse, on the grid of the prototypes."""
    low = np.maximum(np.floor(centre - half - 2), 0).astype(int)
    high = np.minimum(np.ceil(centre + half + 3), _GRID).astype(int)
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    radius = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
    window = prototypes[:, low[1] : high[1], low[0] : high[0]].reshape(len(prototypes), -1)
    wanted = 4 * np.clip(1 - radius, -0.5, 0.5).ravel()
    # A little damping, so that few prototypes of a small window do not get huge weights.
    damped = window @ window.T + 0.1 * np.eye(len(prototypes))
    return np.linalg.solve(damped, window @ wanted).astype(np.float32)
