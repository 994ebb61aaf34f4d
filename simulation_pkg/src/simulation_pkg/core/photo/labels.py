"""What is truly in a photograph: labels of VisDrone, YOLO and COCO. Only the texts, no files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]

#: VisDrone2019-DET: "0 ignored regions, 1 pedestrian, ..., 11 others"; the last two are no truth.
_VISDRONE = (
    "",
    "person",
    "person",
    "bicycle",
    "car",
    "van",
    "truck",
    "tricycle",
    "awning-tricycle",
    "bus",
    "motor",
    "",
)
_VISDRONE_FIELDS = 8
_YOLO_BEYOND = 3.0
_MOST_NAMES = 65_536


@dataclass(frozen=True)
class Label:
    """One thing in a photograph.

    Attributes:
        class_name: as the labels name it; VisDrone's pedestrians and people are persons.
        box_xyxy: [px] of the photograph.
    """

    class_name: str
    box_xyxy: Box


@dataclass(frozen=True)
class Labels:
    """All labels of a photograph.

    Attributes:
        ignored: regions in which nothing was labelled: nothing found there is false.
    """

    things: tuple[Label, ...] = ()
    ignored: tuple[Box, ...] = ()

    def within(self, area: Box) -> Labels:
        """Return what of them lies in an area [px], each box cut at its edges."""
        things = (Label(one.class_name, _common(one.box_xyxy, area)) for one in self.things)
        ignored = (_common(box, area) for box in self.ignored)
        return Labels(
            tuple(one for one in things if _is_area(one.box_xyxy)),
            tuple(box for box in ignored if _is_area(box)),
        )


def _common(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _is_area(box: Box) -> bool:
    return box[0] < box[2] and box[1] < box[3]


class LabelError(ValueError):
    """Say which line or entry of labels is none."""


def read_visdrone(text: str) -> Labels:
    """Read lines of x, y, width, height, score, class, truncation, occlusion.

    Raises:
        LabelError: a line is none of these.
    """
    things, ignored = [], []
    for number, line in enumerate(text.splitlines(), 1):
        fields = [field.strip() for field in line.strip().strip(",").split(",")]
        if fields == [""]:
            continue
        try:
            if len(fields) != _VISDRONE_FIELDS:
                raise ValueError
            x, y, width, height, score, kind = (int(field) for field in fields[:6])
            name = _VISDRONE[kind] if kind >= 0 else _VISDRONE[len(_VISDRONE)]
            box = _box(x, y, width, height)
        except (ValueError, IndexError, OverflowError):
            raise LabelError(
                f"line {number} {line[:60]!r}: x,y,width,height,score,class,truncation,occlusion "
                "of VisDrone are needed"
            ) from None
        if box is None:
            continue
        if score == 0 or not name:
            ignored.append(box)
        else:
            things.append(Label(name, box))
    return Labels(tuple(things), tuple(ignored))


def read_yolo(text: str, names: Sequence[str], size: tuple[int, int]) -> Labels:
    """Read lines of class, x, y, width, height (0..1, of the middle), or of class and a polygon.

    Args:
        names: of the classes; those that have none are "class 3".
        size: width and height of the photograph [px].

    Raises:
        LabelError: a line is none of these.
    """
    things = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            kind = int(fields[0])
            values = [float(field) for field in fields[1:]]
            # A little beyond the edges is usual; more are pixels.
            is_good = kind >= 0 and all(abs(value) <= _YOLO_BEYOND for value in values)
            if not is_good or len(values) < 4 or len(values) % 2:
                raise ValueError
        except ValueError:
            raise LabelError(
                f"line {number} {line[:60]!r}: class x y width height of YOLO, 0..1, are needed"
            ) from None
        if len(values) == 4:
            x, y, width, height = values
            x, y = x - width / 2.0, y - height / 2.0
        else:
            xs, ys = values[0::2], values[1::2]
            x, y, width, height = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
        box = _box(x * size[0], y * size[1], width * size[0], height * size[1])
        if box is not None:
            name = names[kind] if kind < len(names) else f"class {kind}"
            things.append(Label(name, box))
    return Labels(tuple(things))


def read_coco(document: Any, file_name: str) -> Labels | None:
    """Read what COCO's JSON says of one photograph; None where it does not know it.

    Raises:
        LabelError: it is not COCO's.
    """
    try:
        names = {int(one["id"]): str(one["name"]) for one in document["categories"]}
        images = [one for one in document["images"] if _last(one["file_name"]) == file_name]
        if not images:
            return None
        number, annotations = images[0]["id"], list(document["annotations"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LabelError(
            f"images, categories and annotations of COCO are needed: {type(error).__name__} {error}"
        ) from None
    things, ignored = [], []
    for place, one in enumerate(annotations):
        try:
            if one["image_id"] != number:
                continue
            x, y, width, height = one["bbox"]
            box, is_crowd = _box(x, y, width, height), one.get("iscrowd")
            name = "" if is_crowd else names[int(one["category_id"])]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise LabelError(
                f"annotation {place} {str(one)[:80]}: image_id, category_id of one of the "
                "categories and bbox [x, y, width, height] of COCO are needed"
            ) from None
        if box is not None and is_crowd:
            ignored.append(box)
        elif box is not None:
            things.append(Label(name, box))
    return Labels(tuple(things), tuple(ignored))


def is_visdrone(text: str) -> bool:
    """Return whether a text file of labels is VisDrone's rather than YOLO's."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "," in first


def names_of(document: Any) -> tuple[str, ...]:
    """Return class names by id: of data.yaml, or lines of classes.txt; none where it has none.

    Raises:
        LabelError: they are neither a list nor a table from ids.
    """
    names = document.get("names", ()) if isinstance(document, Mapping) else document
    if isinstance(names, Mapping):
        try:
            by_id = {int(key): str(name) for key, name in names.items()}
        except (TypeError, ValueError, OverflowError):
            by_id = {-1: ""}
        if not all(0 <= key < _MOST_NAMES for key in by_id):
            raise LabelError(f"names need ids 0..{_MOST_NAMES - 1}")
        return tuple(by_id.get(key, f"class {key}") for key in range(max(by_id, default=-1) + 1))
    if not isinstance(names, (list, tuple)):
        raise LabelError("names as a list, or a table from ids to names, are needed")
    return tuple(str(name).strip() for name in names)


def _last(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _box(x: float, y: float, width: float, height: float) -> Box | None:
    """Return a box, None where it is empty; ValueError or OverflowError where it is no number."""
    edges = (float(x), float(y), float(x) + float(width), float(y) + float(height))
    if not all(math.isfinite(edge) for edge in edges):
        raise ValueError
    return edges if width > 0 and height > 0 else None
