"""What was found in one picture: a validated struct of arrays, and ways to pick from it.

Coordinates are pixels of the full picture, x right, y down; the centre of the top left pixel is
(0.5, 0.5). Decoding, drawing and message conversion live elsewhere and import this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class MaskRings:
    """The masks of n detections as polygons: a mask is the even-odd fill of its rings.

    Attributes:
        points: (p, 2) float32 x, y [px], ring after ring.
        ring_sizes: (r,) uint32 points of each ring, >= 3; a ring closes without repeating its
            first point.
        ring_counts: (n,) uint32 rings of each detection; 0 where it has no mask.
    """

    points: NDArray[np.float32]
    ring_sizes: NDArray[np.uint32]
    ring_counts: NDArray[np.uint32]

    def __post_init__(self) -> None:
        points = _frozen(self, "points", np.float32, (-1, 2))
        ring_sizes = _frozen(self, "ring_sizes", np.uint32, (-1,))
        ring_counts = _frozen(self, "ring_counts", np.uint32, (-1,))
        if int(ring_counts.sum()) != len(ring_sizes):
            raise ValueError(
                f"masks: ring_counts add up to {ring_counts.sum()}, ring_sizes has "
                f"{len(ring_sizes)} entries: they must be equal"
            )
        if int(ring_sizes.sum()) != len(points):
            raise ValueError(
                f"masks: ring_sizes add up to {ring_sizes.sum()}, there are {len(points)} "
                "points: they must be equal"
            )
        if len(ring_sizes) and ring_sizes.min() < 3:
            raise ValueError(f"masks: a ring of {ring_sizes.min()} points; at least 3 are needed")
        if not np.isfinite(points).all():
            raise ValueError("masks: points must be finite")

    def __len__(self) -> int:
        return len(self.ring_counts)

    @classmethod
    def none(cls, count: int) -> MaskRings:
        """Return `count` detections without masks."""
        return cls(np.empty((0, 2)), np.empty(0), np.zeros(count))  # type: ignore[arg-type]

    @classmethod
    def from_rings(cls, rings: Sequence[Sequence[ArrayLike]]) -> MaskRings:
        """Return the masks of one list of (k, 2) rings for each detection."""
        flat = [np.asarray(ring, np.float32) for mask in rings for ring in mask]
        return cls(
            np.concatenate(flat) if flat else np.empty((0, 2), np.float32),
            np.array([len(ring) for ring in flat], np.uint32),
            np.array([len(mask) for mask in rings], np.uint32),
        )

    def rings(self, index: int) -> list[NDArray[np.float32]]:
        """Return the (k, 2) rings of one detection, as views."""
        return self._split()[index]

    def __iter__(self) -> Iterator[list[NDArray[np.float32]]]:
        return iter(self._split())

    def take(self, indices: NDArray[np.intp]) -> MaskRings:
        """Return the masks of the detections at `indices`, in that order."""
        split = self._split()
        return MaskRings.from_rings([split[i] for i in indices])

    def _split(self) -> list[list[NDArray[np.float32]]]:
        # Slices: np.split takes five times as long.
        ring_ends = np.cumsum(self.ring_sizes, dtype=np.intp).tolist()
        ring_starts = [0, *ring_ends[:-1]]
        rings = [self.points[start:end] for start, end in zip(ring_starts, ring_ends, strict=False)]
        mask_ends = np.cumsum(self.ring_counts, dtype=np.intp).tolist()
        return [
            rings[end - count : end]
            for end, count in zip(mask_ends, self.ring_counts.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Detections:
    """n detections in one picture, element i of every array belonging to detection i.

    Arrays are converted to the stated type and made read-only.

    Attributes:
        width: columns of the picture [px], >= 1.
        height: rows of the picture [px], >= 1.
        class_ids: (n,) uint16 index into the vocabulary in force.
        scores: (n,) float32, 0..1.
        boxes_xyxy: (n, 4) float32 x_min, y_min, x_max, y_max [px], x_min <= x_max, y_min <= y_max.
        masks: polygons of each detection; left out: none.

    Raises:
        ValueError: on construction, if lengths differ or a value is out of its range.
    """

    width: int
    height: int
    class_ids: NDArray[np.uint16]
    scores: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    masks: MaskRings = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"detections: picture {self.width}x{self.height} must be at least 1x1")
        class_ids = _frozen(self, "class_ids", np.uint16, (-1,))
        scores = _frozen(self, "scores", np.float32, (-1,))
        boxes = _frozen(self, "boxes_xyxy", np.float32, (-1, 4))
        if self.masks is None:
            object.__setattr__(self, "masks", MaskRings.none(len(class_ids)))
        lengths = {len(class_ids), len(scores), len(boxes), len(self.masks)}
        if len(lengths) != 1:
            raise ValueError(
                f"detections: {len(class_ids)} class_ids, {len(scores)} scores, {len(boxes)} boxes "
                f"and {len(self.masks)} masks: there must be as many of each"
            )
        # NaN compares false, so each check also refuses it.
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ValueError("detections: scores must lie in 0..1")
        if not (boxes[:, :2] <= boxes[:, 2:]).all() or not np.isfinite(boxes).all():
            raise ValueError("detections: boxes must be finite with x_min <= x_max, y_min <= y_max")

    def __len__(self) -> int:
        return len(self.class_ids)

    @classmethod
    def none(cls, width: int, height: int) -> Detections:
        """Return what is found in a picture of this size that shows nothing."""
        return cls(width, height, np.empty(0), np.empty(0), np.empty((0, 4)))  # type: ignore[arg-type]

    def take(self, indices: ArrayLike) -> Detections:
        """Return the detections at `indices` (n integers), or where they (n bools) are true."""
        chosen = np.arange(len(self))[np.asarray(indices)]
        return Detections(
            self.width,
            self.height,
            self.class_ids[chosen],
            self.scores[chosen],
            self.boxes_xyxy[chosen],
            self.masks.take(chosen),
        )

    def joined(self, other: Detections) -> Detections:
        """Return these and others in the same picture, by falling score."""
        if not len(other):
            return self
        one, two = self.masks, other.masks
        return Detections(
            self.width,
            self.height,
            np.concatenate((self.class_ids, other.class_ids)),
            np.concatenate((self.scores, other.scores)),
            np.concatenate((self.boxes_xyxy, other.boxes_xyxy)),
            MaskRings(
                np.concatenate((one.points, two.points)),
                np.concatenate((one.ring_sizes, two.ring_sizes)),
                np.concatenate((one.ring_counts, two.ring_counts)),
            ),
        ).sorted_by_score()

    def sorted_by_score(self) -> Detections:
        """Return the detections by falling score; equal scores keep their order."""
        return self.take(np.argsort(-self.scores, kind="stable"))

    def to_json(self, vocabulary: Sequence[str]) -> list[dict[str, Any]]:
        """Return one plain dictionary for each detection; coordinates rounded to 1/1000 px.

        Args:
            vocabulary: class names that class_ids index.
        """
        return [
            {
                "class_name": vocabulary[class_id],
                "class_id": int(class_id),
                "score": round(float(score), 5),
                "box_xyxy": _rounded(box),
                "polygons": [_rounded(ring) for ring in rings],
            }
            for class_id, score, box, rings in zip(
                self.class_ids, self.scores, self.boxes_xyxy, self.masks, strict=True
            )
        ]


def _rounded(values: NDArray[np.float32]) -> list[Any]:
    # In double precision: a rounded float32 prints all its digits.
    return np.round(values.astype(np.float64), 3).tolist()


def _frozen(owner: object, name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
    """Convert attribute `name` to a read-only array of this type; -1 in `shape` is any length."""
    value: NDArray[Any] = np.ascontiguousarray(getattr(owner, name), dtype=dtype)
    if value.size == 0:
        value = value.reshape([0 if length == -1 else length for length in shape])
    is_right = value.ndim == len(shape) and all(
        want in (-1, have) for want, have in zip(shape, value.shape, strict=True)
    )
    if not is_right:
        wanted = tuple("n" if length == -1 else length for length in shape)
        raise ValueError(f"{type(owner).__name__}: {name} {value.shape} must be {wanted}")
    value = value.view()
    value.flags.writeable = False
    object.__setattr__(owner, name, value)
    return value
