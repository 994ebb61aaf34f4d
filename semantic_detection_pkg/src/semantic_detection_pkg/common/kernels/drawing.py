"""Detections over a picture: tinted masks, outlines, boxes and labels."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.looks import Look

_FRACTION_BITS = 4  # of a pixel, in OpenCV's fixed-point coordinates
_TINT = 0.4
_TEXT_COLOUR = (255, 255, 255)
_LOOK_COLOUR = (215, 200, 120)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Strokes and text that are right for this height are scaled to the picture's.
_REFERENCE_HEIGHT_PX = 720


def draw_objects(
    image: NDArray[np.uint8],
    boxes_xyxy: NDArray[np.float32],
    colour_ids: NDArray[np.integer],
    labels: Sequence[str],
    masks: Iterable[Sequence[NDArray[np.float32]]],
) -> None:
    """Draw n objects into a picture, the first on top.

    Args:
        image: (h, w, 3) uint8, BGR, written in place.
        boxes_xyxy: (n, 4) [px].
        colour_ids: (n,) objects with the same number have the same colour.
        labels: (n) texts above the boxes; OpenCV's fonts show ASCII only.
        masks: (n) rings (k, 2) [px] of each object, maybe none; filled even-odd.
    """
    scale = max(0.5, image.shape[0] / _REFERENCE_HEIGHT_PX)
    colours = [colour_of(number) for number in colour_ids.tolist()]
    for rings, colour in reversed(list(zip(masks, colours, strict=True))):
        if rings:
            _draw_mask(image, rings, colour, round(scale))
    # Boxes and labels after all masks, so that none is tinted.
    for box, label, colour in reversed(
        list(zip(boxes_xyxy.tolist(), labels, colours, strict=True))
    ):
        _draw_box(image, box, label, colour, scale)


def draw_looks(image: NDArray[np.uint8], looks: Sequence[Look], scale: float) -> None:
    """Draw the outlines of tiles, and how finely each was looked at.

    Args:
        image: (h, w, 3) uint8, BGR, written in place.
        looks: bounds [px] of a picture that `image` shows `scale` times as large.
    """
    text_scale = 0.5 * max(0.5, image.shape[0] / _REFERENCE_HEIGHT_PX)
    for look in looks:
        low = (round(look.x0 * scale), round(look.y0 * scale))
        high = (round(look.x1 * scale) - 1, round(look.y1 * scale) - 1)
        cv2.rectangle(image, low, high, _LOOK_COLOUR, 1)
        place = (low[0] + 4, high[1] - 4)
        text = f"{look.gain:.1f}x"
        cv2.putText(image, text, place, _FONT, text_scale, _LOOK_COLOUR, 1, cv2.LINE_AA)


def colour_of(number: int) -> tuple[int, int, int]:
    """Return a bright B, G, R colour for a class; the golden ratio keeps hues apart."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.85, 0.95)
    return round(255 * blue), round(255 * green), round(255 * red)


def _draw_mask(
    image: NDArray[np.uint8],
    rings: Sequence[NDArray[np.float32]],
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    points = np.concatenate(rings)
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(points.min(axis=0)), 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)) + 1, 0, (width, height)).astype(int)
    region = image[top:bottom, left:right]
    if not region.size:
        return
    # OpenCV counts from the centre of the first pixel.
    origin = np.array((left + 0.5, top + 0.5), np.float32)
    fixed = [np.round((ring - origin) * 2**_FRACTION_BITS).astype(np.int32) for ring in rings]
    tinted = region.copy()
    cv2.fillPoly(tinted, fixed, colour, shift=_FRACTION_BITS)
    region[:] = cv2.addWeighted(tinted, _TINT, region, 1 - _TINT, 0)
    outlined = np.ascontiguousarray(region)
    cv2.polylines(outlined, fixed, True, colour, max(1, thickness), cv2.LINE_AA, _FRACTION_BITS)
    region[:] = outlined


def _draw_box(
    image: NDArray[np.uint8],
    box: Sequence[float],
    label: str,
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    left, top, right, bottom = (round(edge) for edge in box)
    thickness = max(1, round(1.5 * scale))
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, thickness)
    text = label.encode("ascii", "replace").decode()
    (width, height), below = cv2.getTextSize(text, _FONT, 0.5 * scale, thickness)
    baseline = max(top - below, height + below)
    left = max(0, min(left, image.shape[1] - width))
    cv2.rectangle(
        image, (left, baseline - height - below), (left + width, baseline + below), colour, -1
    )
    cv2.putText(
        image, text, (left, baseline), _FONT, 0.5 * scale, _TEXT_COLOUR, thickness, cv2.LINE_AA
    )
