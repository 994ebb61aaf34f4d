"""Mask descriptors: how an object's mask fills its box, and the course of a path.

Supporting numbers for people and models; no decision rests on them. The fill ratio is what
scikit-image's `regionprops` calls extent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.evidence import PathCourse
from semantic_detection_pkg.scan.core.paths.geometry import PathTrace, trace_path

_LEAST_PX = 1e-6


@dataclass(frozen=True)
class MaskDescriptors:
    """The descriptors of one mask.

    Attributes:
        fill_ratio: 0..1, area of the mask over that of its box.
        aspect_ratio: height of the box over its width.
        path: its course; None: no path was asked for, or it has none.
    """

    fill_ratio: float
    aspect_ratio: float
    path: PathTrace | None = None

    @property
    def summary(self) -> str:
        """Return the descriptors in words, for a tier's reason."""
        told = (
            f"mask fills {self.fill_ratio:.2f} of a box "
            f"{self.aspect_ratio:.1f} times as tall as wide"
        )
        if self.path is None:
            return told
        path = self.path
        return (
            f"{told}, {math.degrees(path.length_rad):.1f} deg long, "
            f"{len(path.ends) + len(path.exits)} ends, straightness {path.straightness:.2f}"
        )

    def to_path_course(self) -> PathCourse | None:
        """Return the course as far as one picture shows it; None without a path."""
        if self.path is None:
            return None
        path = self.path
        return PathCourse(
            ends=path.ends,
            branches=path.branches,
            length_rad=path.length_rad,
            width_rad=path.width_rad,
            straightness=path.straightness,
            is_followed=False,
        )


def describe_mask(
    picture: Detections, index: int, view: CameraView, is_path: bool
) -> MaskDescriptors | None:
    """Return the descriptors of one detection's mask; None where it has no mask.

    Args:
        is_path: trace its course, too.
    """
    rings = picture.masks.rings(index)
    if not rings:
        return None
    x0, y0, x1, y1 = (float(value) for value in picture.boxes_xyxy[index])
    width, height = max(x1 - x0, _LEAST_PX), max(y1 - y0, _LEAST_PX)
    # Holes run the other way round, so their area is negative.
    area = abs(sum(_signed_area(ring[:, 0].tolist(), ring[:, 1].tolist()) for ring in rings))
    path = trace_path(rings, view) if is_path else None
    return MaskDescriptors(min(area / (width * height), 1.0), height / width, path)


def _signed_area(xs: list[float], ys: list[float]) -> float:
    """Return the signed area of a closed ring (shoelace formula)."""
    following = zip([*xs[1:], xs[0]], [*ys[1:], ys[0]], strict=True)
    return 0.5 * sum(
        x * next_y - next_x * y for x, y, (next_x, next_y) in zip(xs, ys, following, strict=True)
    )
