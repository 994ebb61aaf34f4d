"""What a model's inputs, outputs and metadata say about how to use it.

The layouts are those of Ultralytics exports, of `core.objectness` and of `core.queries`. Of
Ultralytics': `detections` below is the output of rank 3, `prototypes` the one of rank 4; nm is the
number of mask coefficients, 0 in a model that gives boxes only, nc of classes.

    raw           (1, 4 + nc + nm, anchors)  cx, cy, w, h; class scores; mask coefficients
    end to end    (1, rows, 6 + nm)          x1, y1, x2, y2, score, class, mask coefficients
    embedded NMS  (1, rows, 6 + nm)          the same; unused rows are zero

Boxes are pixels of the letterboxed input; scores are probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from semantic_detection_pkg.detector.core.class_names import (
    fit_names,
    literal,
    metadata_names,
    stand_ins,
)
from semantic_detection_pkg.detector.core.objectness import anchor_count
from semantic_detection_pkg.detector.core.preprocessing import (
    RF_DETR,
    RT_DETR,
    ULTRALYTICS,
    YOLOX,
    Preprocessing,
)
from semantic_detection_pkg.errors import ModelError

# A raw head has more anchors than this, a row layout fewer rows (300 by default).
_MOST_ROWS = 1000
_MOST_NUMBERS = 500_000_000  # of an input: 2 GB
_COARSEST_STRIDE = 32  # [px of the input]; a raw head has an anchor for each such cell, and others
_BOX = 4
_BOX_SCORE_CLASS = 6
_WANTED = "export a -seg or a detect model"
# Ultralytics' names of the tasks that find no upright boxes.
_OTHER_TASKS = {
    "obb": "oriented boxes (obb)",
    "pose": "keypoints (pose)",
    "classify": "classification (classify)",
}
FLOATS = ("float32", "float16")
PROMPT_WEIGHTS, PROMPT_BIASES = "cls_w", "cls_b"


class Layout(Enum):
    """How the detections are laid out in the output; the values are for messages."""

    RAW = "raw"
    END_TO_END = "end-to-end rows"
    EMBEDDED_NMS = "rows after embedded NMS"
    YOLOX = "YOLOX"
    YOLOV5 = "YOLOv5"
    QUERIES = "queries (DETR)"


WITH_OBJECTNESS = (Layout.YOLOX, Layout.YOLOV5)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as in the file.
        shape: lengths; None where it is dynamic.
        dtype: NumPy's name of the element type, "float32" say.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        lengths = "x".join("?" if length is None else str(length) for length in self.shape)
        return f"{self.name} {self.dtype} {lengths}"


@dataclass(frozen=True)
class PromptInputs:
    """Inputs `cls_w` (levels, capacity, channels) and `cls_b` (levels, capacity) of a model."""

    levels: int
    capacity: int
    channels: int
    dtype: str


@dataclass(frozen=True)
class ModelInfo:
    """How to use a model.

    Attributes:
        name: of the file, for messages.
        layout: of the detections.
        width, height: of the input picture [px].
        image_input: name of the picture's input, (1, 3, height, width).
        image_dtype: "float32" or "float16".
        detections_output: name.
        prototypes_output: name; None: the model gives boxes only.
        mask_channels: nm.
        class_names: (nc) baked classes, "" where one is unused; with `prompts` the export's
            default words, may be empty.
        prompts: inputs that hold the classes; None: they are baked.
        batch: pictures of one inference, >= 1; None: as many as are given.
        preprocessing: what the picture's numbers are.
        boxes_output: name, where boxes are apart from the scores.
    """

    name: str
    layout: Layout
    width: int
    height: int
    image_input: str
    image_dtype: str
    detections_output: str
    prototypes_output: str | None
    mask_channels: int
    class_names: tuple[str, ...]
    prompts: PromptInputs | None = None
    batch: int | None = 1
    preprocessing: Preprocessing = ULTRALYTICS
    boxes_output: str | None = None

    @property
    def has_masks(self) -> bool:
        """False: the box is all that is known of a thing's shape."""
        return self.prototypes_output is not None

    @property
    def has_names(self) -> bool:
        """False: the classes have numbers, as nobody has named them."""
        return self.prompts is not None or self.class_names != stand_ins(len(self.class_names))

    @property
    def class_count(self) -> int:
        """Classes that the output tells apart."""
        return self.prompts.capacity if self.prompts else len(self.class_names)


def inspect_model(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    metadata: Mapping[str, Any],
    class_names: Sequence[str] = (),
) -> ModelInfo:
    """Decide how to use a model.

    Args:
        name: of the file, for messages.
        inputs, outputs: as the engine reports them.
        metadata: of the file: texts as in ONNX (Python literals), or values as in an engine's
            JSON header; may be empty.
        class_names: those of a side file; they win over the metadata's.

    Raises:
        ModelError: it is not a model of a known layout, or the names do not fit.
    """
    image, prompts = _find_inputs(name, inputs)
    width, height = _input_size(name, image, metadata)
    _check_task(name, metadata)
    detections, prototypes = _find_outputs(name, outputs, metadata)
    mask_channels = _mask_channels(name, prototypes)
    boxes = _find_boxes(outputs)
    layout = Layout.QUERIES if boxes else None
    if boxes is None and prototypes is None:
        layout = _query_layout(name, detections, metadata)
        layout = layout or _objectness_layout(detections, width, height, metadata)
    layout = layout or _decide_layout(name, detections, mask_channels, metadata)
    slots = _class_slots(name, layout, detections, mask_channels, boxes is not None)
    if prototypes is None and layout is Layout.RAW:
        _check_anchors(name, detections, width, height)
    return ModelInfo(
        name=name,
        layout=layout,
        width=width,
        height=height,
        image_input=image.name,
        image_dtype=image.dtype,
        detections_output=detections.name,
        prototypes_output=prototypes.name if prototypes else None,
        mask_channels=mask_channels,
        class_names=_class_names(name, class_names, metadata, slots, prompts),
        prompts=prompts,
        batch=_batch(name, image, *outputs),
        preprocessing=_preprocessing(layout, boxes),
        boxes_output=boxes.name if boxes else None,
    )


def _batch(name: str, image: TensorSpec, *outputs: TensorSpec) -> int | None:
    """Return the length of the batch axis, which inputs and outputs must agree about."""
    lengths = {spec.shape[0] for spec in (image, *outputs)} - {None}
    if len(lengths) > 1 or 0 in lengths:
        raise ModelError(
            f"{name}: batches of {_listed((image, *outputs))} differ or are 0: they must be equal"
        )
    return next(iter(lengths), None)


def _find_inputs(name: str, inputs: Sequence[TensorSpec]) -> tuple[TensorSpec, PromptInputs | None]:
    by_name = {spec.name: spec for spec in inputs}
    weights, biases = by_name.pop(PROMPT_WEIGHTS, None), by_name.pop(PROMPT_BIASES, None)
    if len(by_name) != 1 or (weights is None) != (biases is None):
        raise ModelError(
            f"{name}: inputs are {_listed(inputs)}; allowed: one picture, and {PROMPT_WEIGHTS} "
            f"with {PROMPT_BIASES} where classes are an input"
        )
    image = next(iter(by_name.values()))
    _check_type(name, image)
    if len(image.shape) != 4 or 0 in image.shape or image.shape[1] not in (3, None):
        raise ModelError(f"{name}: input {image} must be BATCHx3xHEIGHTxWIDTH")
    if weights is None or biases is None:
        return image, None
    _check_type(name, weights)
    levels, capacity, width = weights.shape if len(weights.shape) == 3 else (None, None, None)
    if levels is None or capacity is None or width is None or biases.shape != (levels, capacity):
        raise ModelError(
            f"{name}: inputs {weights} and {biases} must be LEVELSxN_MAXxCHANNELS and LEVELSxN_MAX"
        )
    return image, PromptInputs(levels, capacity, width, weights.dtype)


def _input_size(name: str, image: TensorSpec, metadata: Mapping[str, Any]) -> tuple[int, int]:
    height, width = image.shape[2:]
    if height is None or width is None:
        size = literal(name, metadata, "imgsz")
        sizes = [size, size] if isinstance(size, int) else size
        if not (
            isinstance(sizes, (list, tuple))
            and len(sizes) == 2
            and all(isinstance(length, int) and length > 0 for length in sizes)
        ):
            raise ModelError(
                f"{name}: input {image} is of any size and metadata imgsz is {size!r}; one of them "
                "must give height and width"
            )
        height, width = sizes
    if (image.shape[0] or 1) * 3 * height * width > _MOST_NUMBERS:
        raise ModelError(
            f"{name}: input {image} of {width}x{height} px: at most {_MOST_NUMBERS:,} numbers are "
            "allowed"
        )
    return int(width), int(height)


def _check_task(name: str, metadata: Mapping[str, Any]) -> None:
    task = str(metadata.get("task", ""))
    task = "pose" if "kpt_shape" in metadata else task
    if task not in ("", "segment", "detect"):
        raise ModelError(f"{name}: is for {_OTHER_TASKS.get(task, task)}; {_WANTED}")


def _find_outputs(
    name: str, outputs: Sequence[TensorSpec], metadata: Mapping[str, Any]
) -> tuple[TensorSpec, TensorSpec | None]:
    """Find the detections, and prototypes where the model gives masks."""
    for spec in outputs:
        _check_type(name, spec)
    if _find_boxes(outputs) is not None:
        return next(spec for spec in outputs if spec.shape[2] != _BOX), None
    # By rank, because engines keep no order of outputs.
    by_rank = {len(spec.shape): spec for spec in outputs}
    is_segment = metadata.get("task") == "segment"
    if len(outputs) == 1 and set(by_rank) == {2}:
        raise ModelError(
            f"{name}: its one output {outputs[0]} is that of a classification model; {_WANTED}"
        )
    if len(outputs) == len(by_rank) and set(by_rank) in ({3, 4}, set() if is_segment else {3}):
        return by_rank[3], by_rank.get(4)
    raise ModelError(
        f"{name}: outputs are {_listed(outputs)}; a segmentation model has two, detections of "
        f"rank 3 and mask prototypes of rank 4, a detect model the detections alone; {_WANTED}"
    )


def _mask_channels(name: str, prototypes: TensorSpec | None) -> int:
    if prototypes is None:
        return 0
    channels = prototypes.shape[1]
    if channels is None or channels < 1:
        raise ModelError(f"{name}: output {prototypes} must be 1xCHANNELSxHEIGHTxWIDTH")
    return channels


def _decide_layout(
    name: str, detections: TensorSpec, mask_channels: int, metadata: Mapping[str, Any]
) -> Layout:
    """Decide by the export's flags where they are there, otherwise by shape."""
    rows, columns = detections.shape[1:]
    row_length = _BOX_SCORE_CLASS + mask_channels
    flags = literal(name, metadata, "args")
    has_nms = isinstance(flags, Mapping) and flags.get("nms") is True
    is_end_to_end = literal(name, metadata, "end2end")
    if has_nms or is_end_to_end is True:
        if columns not in (row_length, None):
            raise ModelError(
                f"{name}: metadata says rows, but output {detections} has {columns} columns where "
                f"{row_length} are needed (box, score, class, {mask_channels} mask coefficients)"
            )
        return Layout.EMBEDDED_NMS if has_nms else Layout.END_TO_END
    # Exporters before 8.4 write `args`, but not whether the head is end to end.
    # Not by which side is longer: a large vocabulary has more channels than a small input anchors.
    is_rows = columns == row_length and (rows is None or rows <= _MOST_ROWS)
    return Layout.END_TO_END if is_rows and is_end_to_end is not False else Layout.RAW


def _find_boxes(outputs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return the boxes of a head that gives them apart from the scores of its queries."""
    if len(outputs) != 2 or any(len(spec.shape) != 3 for spec in outputs):
        return None
    boxes = [spec for spec in outputs if spec.shape[2] == _BOX]
    is_same = outputs[0].shape[1] == outputs[1].shape[1]
    return boxes[0] if len(boxes) == 1 and is_same else None


def _query_layout(name: str, detections: TensorSpec, metadata: Mapping[str, Any]) -> Layout | None:
    """Return Ultralytics' RT-DETR: few rows with a score for each class of the metadata."""
    rows, columns = detections.shape[1:]
    classes = len(metadata_names(name, metadata))
    is_query = classes and columns == _BOX + classes and rows is not None and rows <= _MOST_ROWS
    is_raw = rows == _BOX + classes or literal(name, metadata, "end2end") is True
    return Layout.QUERIES if is_query and not is_raw and metadata.get("task") == "detect" else None


def _preprocessing(layout: Layout, boxes: TensorSpec | None) -> Preprocessing:
    if layout is Layout.QUERIES:
        return RF_DETR if boxes is not None and boxes.name == "dets" else RT_DETR
    return YOLOX if layout is Layout.YOLOX else ULTRALYTICS


def _objectness_layout(
    detections: TensorSpec, width: int, height: int, metadata: Mapping[str, Any]
) -> Layout | None:
    """Decide by shape; Ultralytics' own exports, which name their task, have no objectness."""
    rows, columns = detections.shape[1:]
    if "task" in metadata or rows is None or columns is None or columns <= _BOX + 1:
        return None
    anchors = anchor_count(width, height)
    if columns in (anchors, 3 * anchors):
        return None  # raw, with as many channels as anchors
    return {anchors: Layout.YOLOX, 3 * anchors: Layout.YOLOV5}.get(rows)


def _check_anchors(name: str, detections: TensorSpec, width: int, height: int) -> None:
    """Check that there are as many as a raw head has: rows of other things pass for channels."""
    anchors = detections.shape[2]
    fewest = (width // _COARSEST_STRIDE) * (height // _COARSEST_STRIDE)
    if anchors is not None and anchors < fewest:
        raise ModelError(
            f"{name}: output {detections} is neither rows of {_BOX_SCORE_CLASS} (box, score, "
            f"class) nor {fewest} or more anchors (oriented boxes? keypoints?); {_WANTED}"
        )


def _class_slots(
    name: str, layout: Layout, detections: TensorSpec, mask_channels: int, are_boxes_apart: bool
) -> int | None:
    """Return how many classes the output has room for; None if its shape does not tell."""
    channels = detections.shape[1]
    if layout in WITH_OBJECTNESS:
        columns = detections.shape[2]
        return None if columns is None else columns - _BOX - 1
    if layout is Layout.QUERIES:
        columns = detections.shape[2]
        return None if columns is None else columns - (0 if are_boxes_apart else _BOX)
    if layout is not Layout.RAW or channels is None:
        return None
    slots = channels - _BOX - mask_channels
    if slots < 1:
        raise ModelError(
            f"{name}: output {detections} has {channels} channels; box and {mask_channels} mask "
            f"coefficients leave no room for a class, at least {_BOX + mask_channels + 1} needed"
        )
    return slots


def _class_names(
    name: str,
    given: Sequence[str],
    metadata: Mapping[str, Any],
    slots: int | None,
    prompts: PromptInputs | None,
) -> tuple[str, ...]:
    """Return the names of the side file, else of the metadata, else numbers."""
    own = metadata_names(name, metadata)
    if prompts is None:
        return fit_names(name, given, own, slots)
    if slots not in (prompts.capacity, None):
        raise ModelError(
            f"{name}: output has {slots} classes, {PROMPT_WEIGHTS} {prompts.capacity}: they "
            "must be equal"
        )
    return tuple(given) or own


def _check_type(name: str, spec: TensorSpec) -> None:
    if spec.dtype not in FLOATS:
        raise ModelError(f"{name}: {spec} must be one of {', '.join(FLOATS)}")


def _listed(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(str(spec) for spec in specs) or "none"
