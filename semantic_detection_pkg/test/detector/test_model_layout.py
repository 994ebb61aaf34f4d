"""How a model is used: by its metadata, otherwise by its shapes; what fits neither is refused."""

import pytest

from semantic_detection_pkg.detector.core.model_layout import Layout, TensorSpec, inspect_model
from semantic_detection_pkg.errors import ModelError

IMAGE = TensorSpec("images", (1, 3, 640, 640), "float32")
PROTOTYPES = TensorSpec("output1", (1, 32, 160, 160), "float32")


def detections(*shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("output0", shape, dtype)


def names(count: int) -> dict[str, str]:
    return {"names": repr({i: f"n{i}" for i in range(count)})}


@pytest.mark.parametrize(
    ("shape", "metadata", "layout"),
    [
        ((1, 116, 8400), {"end2end": "False", "args": "{'nms': None}"}, Layout.RAW),
        ((1, 116, 8400), {"end2end": "False"}, Layout.RAW),
        ((1, 300, 38), {"end2end": "True", "args": "{'nms': False}"}, Layout.END_TO_END),
        ((1, 300, 38), {"end2end": "True"}, Layout.END_TO_END),
        # For nms=True the exporter writes end2end False.
        ((1, 300, 38), {"end2end": "False", "args": "{'nms': True}"}, Layout.EMBEDDED_NMS),
        ((1, None, 38), {"args": "{'nms': True}"}, Layout.EMBEDDED_NMS),
        # JSON types, as in the header of an engine.
        ((1, 300, 38), {"end2end": True, "args": {"nms": False}}, Layout.END_TO_END),
        # No flags: by shape.
        ((1, 116, 8400), {}, Layout.RAW),
        ((1, 40, 2100), {}, Layout.RAW),
        ((1, 300, 38), {}, Layout.END_TO_END),
        ((1, 1000, 38), {}, Layout.END_TO_END),
        # More channels than anchors: a large vocabulary at 320.
        ((1, 4621, 2100), {}, Layout.RAW),
        # 38 anchors, but the metadata say raw.
        ((1, 300, 38), {"end2end": "False"}, Layout.RAW),
    ],
)
def test_layout(shape, metadata, layout):
    is_raw = layout is Layout.RAW
    info = inspect_model(
        "m.onnx",
        [IMAGE],
        [detections(*shape), PROTOTYPES],
        metadata | names(shape[1] - 36 if is_raw else 80),
    )

    assert info.layout is layout
    assert (info.width, info.height, info.mask_channels) == (640, 640, 32)


@pytest.mark.parametrize(
    ("shape", "metadata", "layout"),
    [
        ((1, 84, 8400), {"end2end": "False", "args": "{'nms': None}"}, Layout.RAW),
        # Exporters up to 8.3 say nothing about the head; up to 8.2 nothing at all.
        ((1, 84, 8400), {"args": "{'nms': False}"}, Layout.RAW),
        ((1, 300, 6), {"args": "{'nms': False}"}, Layout.END_TO_END),
        ((1, 84, 8400), {}, Layout.RAW),
        ((1, 6, 8400), {}, Layout.RAW),
        ((1, 300, 6), {}, Layout.END_TO_END),
        ((1, None, 6), {}, Layout.END_TO_END),
        ((None, 300, 6), {"end2end": "True", "args": "{'nms': False}"}, Layout.END_TO_END),
        ((1, 300, 6), {"end2end": "False", "args": "{'nms': True}"}, Layout.EMBEDDED_NMS),
        ((1, 300, 6), {"end2end": True, "args": {"nms": None}}, Layout.END_TO_END),
    ],
)
@pytest.mark.parametrize("task", [{}, {"task": "detect"}])
def test_layouts_of_models_without_masks(shape, metadata, layout, task):
    classes = shape[1] - 4 if layout is Layout.RAW else 80

    info = inspect_model("m.onnx", [IMAGE], [detections(*shape)], metadata | task | names(classes))

    assert (info.layout, info.has_masks, info.mask_channels) == (layout, False, 0)
    assert len(info.class_names) == info.class_count == classes


def test_outputs_are_told_by_rank_not_by_order():
    info = inspect_model("m", [IMAGE], [PROTOTYPES, detections(1, 40, 8400)], {})

    assert (info.detections_output, info.prototypes_output) == ("output0", "output1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{0: 'person', 1: 'tent'}", ("person", "tent")),
        ("{1: 'tent', 0: 'person'}", ("person", "tent")),
        ("['person', 'tent']", ("person", "tent")),
        ({"0": "person", "1": "tent"}, ("person", "tent")),  # an engine's JSON header
        (None, ("class_0", "class_1")),
    ],
)
def test_class_names(value, expected):
    metadata = {} if value is None else {"names": value}

    info = inspect_model("m", [IMAGE], [detections(1, 38, 8400), PROTOTYPES], metadata)

    assert info.class_names == expected


def test_a_side_file_wins_over_the_metadata():
    outputs = [detections(1, 38, 8400), PROTOTYPES]

    info = inspect_model("m", [IMAGE], outputs, names(2), ("hiker", "hut"))

    assert info.class_names == ("hiker", "hut")


@pytest.mark.parametrize("imgsz", ["[320, 640]", [320, 640]])
def test_a_dynamic_input_takes_its_size_from_the_metadata(imgsz):
    image = TensorSpec("images", (None, 3, None, None), "float16")

    info = inspect_model("m", [image], [detections(1, 38, None), PROTOTYPES], {"imgsz": imgsz})

    assert (info.height, info.width, info.image_dtype) == (320, 640, "float16")


def prompts(weights: tuple, biases: tuple, dtype: str = "float32") -> list[TensorSpec]:
    return [TensorSpec("cls_w", weights, dtype), IMAGE, TensorSpec("cls_b", biases, dtype)]


def test_classes_as_an_input():
    info = inspect_model(
        "m", prompts((3, 32, 128), (3, 32)), [detections(1, 68, 8400), PROTOTYPES], names(2)
    )

    assert info.prompts is not None
    assert (info.prompts.levels, info.prompts.capacity, info.prompts.channels) == (3, 32, 128)
    assert info.image_input == "images"
    assert info.class_names == ("n0", "n1")


@pytest.mark.parametrize(
    ("lengths", "batch"),
    [
        ((1, 1, 1), 1),
        ((None, None, None), None),
        ((8, 8, 8), 8),
        ((None, 1, 1), 1),
        ((4, None, 4), 4),
    ],
)
def test_how_many_pictures_one_inference_takes(lengths, batch):
    first, second, third = lengths

    info = inspect_model(
        "m",
        [TensorSpec("images", (first, 3, 640, 640), "float32")],
        [detections(second, 38, 8400), TensorSpec("output1", (third, 32, 160, 160), "float32")],
        {},
    )

    assert info.batch == batch


RAW = detections(1, 38, 8400)


@pytest.mark.parametrize(
    ("inputs", "outputs", "metadata", "message"),
    [
        ([IMAGE], [RAW], {"task": "segment"}, "two, detections of rank 3 and mask prototypes"),
        ([IMAGE], [detections(1, 1000)], {}, "is that of a classification model; export a -seg or"),
        ([IMAGE], [RAW], {"task": "obb"}, r"is for oriented boxes \(obb\); export a -seg or a det"),
        ([IMAGE], [RAW], {"task": "pose"}, r"is for keypoints \(pose\); export a -seg or a detect"),
        ([IMAGE], [RAW], {"kpt_shape": "[17, 3]"}, r"is for keypoints \(pose\)"),
        ([IMAGE], [RAW], {"task": "classify"}, r"is for classification \(classify\); export"),
        ([IMAGE], [RAW], {"task": "semantic"}, "is for semantic; export a -seg or a detect model"),
        # Rows of oriented boxes and of keypoints, without any metadata.
        ([IMAGE], [detections(1, 300, 7)], {}, "neither rows of 6 .* nor 400 or more anchors"),
        ([IMAGE], [detections(1, 300, 57)], {}, "keypoints.*; export a -seg or a detect model"),
        ([IMAGE], [detections(1, 300, 7)], {"end2end": "True"}, "7 columns where 6 are needed"),
        (
            [IMAGE],
            [detections(1, 85, 8400)],
            {"task": "detect"} | names(80),
            "80 class names for 8",
        ),
        ([IMAGE], [RAW, PROTOTYPES, PROTOTYPES], {}, "outputs are output0 float32 1x38x8400"),
        ([IMAGE], [RAW, RAW], {}, "rank 4"),
        ([IMAGE], [], {}, "outputs are none"),
        ([], [RAW, PROTOTYPES], {}, "inputs are none"),
        ([IMAGE, TensorSpec("mask", (1,), "float32")], [RAW, PROTOTYPES], {}, "mask float32 1"),
        ([IMAGE, TensorSpec("cls_w", (3, 8, 16), "float32")], [RAW, PROTOTYPES], {}, "cls_b"),
        (
            [TensorSpec("images", (1, 3, 640, 640), "tensor(uint8)")],
            [RAW, PROTOTYPES],
            {},
            r"images tensor\(uint8\) 1x3x640x640 must be one of float32, float16",
        ),
        (
            [TensorSpec("images", (1, 1, 640, 640), "float32")],
            [RAW, PROTOTYPES],
            {},
            "1x1x640x640 must be BATCHx3xHEIGHTxWIDTH",
        ),
        (
            [TensorSpec("images", (8, 3, 640, 640), "float32")],
            [RAW, PROTOTYPES],
            {},
            "batches of images float32 8x3x640x640, output0 float32 1x38x8400, .* differ",
        ),
        ([TensorSpec("x", (1, 1000), "float32")], [RAW, PROTOTYPES], {}, "x float32 1x1000 must"),
        (
            [TensorSpec("images", (1, 3, None, None), "float32")],
            [RAW, PROTOTYPES],
            {},
            "imgsz is None",
        ),
        (
            [TensorSpec("images", (1, 3, None, None), "float32")],
            [RAW, PROTOTYPES],
            {"imgsz": "[0, 640]"},
            r"imgsz is \[0, 640\]",
        ),
        ([IMAGE], [detections(4, 38, 8400), PROTOTYPES], {}, "batches of .* must be equal"),
        ([IMAGE], [RAW, TensorSpec("p", (1, None, 4, 4), "float32")], {}, "CHANNELS"),
        ([IMAGE], [detections(1, 36, 8400), PROTOTYPES], {}, "no room for a class, at least 37"),
        ([IMAGE], [RAW, PROTOTYPES], names(3), "3 class names for 2 classes"),
        ([IMAGE], [detections(1, 300, 38), PROTOTYPES], {}, "one name on each line"),
        ([IMAGE], [RAW, PROTOTYPES], {"names": "{0: 'a', 2: 'b'}"}, "from 0, 1, 2"),
        ([IMAGE], [RAW, PROTOTYPES], {"names": "__import__('os')"}, "not a Python literal"),
        ([IMAGE], [RAW, PROTOTYPES], {"names": "{0: 'a'"}, "metadata names is"),
        ([IMAGE], [RAW, PROTOTYPES], {"end2end": "True"}, "8400 columns where 38"),
        (
            prompts((3, 8, 16), (3, 9)),
            [detections(1, 44, 8400), PROTOTYPES],
            {},
            "LEVELSxN_MAXxCHANNELS and LEVELSxN_MAX",
        ),
        (
            prompts((3, None, 16), (3, None)),
            [detections(1, 44, 8400), PROTOTYPES],
            {},
            "LEVELSxN_MAXxCHANNELS",
        ),
        (
            prompts((3, 8, 16), (3, 8)),
            [detections(1, 45, 8400), PROTOTYPES],
            {},
            "output has 9 classes, cls_w 8",
        ),
    ],
)
def test_other_models_are_refused_in_one_line(inputs, outputs, metadata, message):
    with pytest.raises(ModelError, match=message) as raised:
        inspect_model("m.onnx", inputs, outputs, metadata)

    assert str(raised.value).startswith("m.onnx: ")
    assert "\n" not in str(raised.value)
