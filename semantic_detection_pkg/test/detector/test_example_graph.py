"""Classes by example through a network of YOLOE's architecture, against plain NumPy.

The same with the real ones needs PyTorch: `test_export_examples.py`.
"""

import dataclasses
import json

import cv2
import example_networks
import numpy as np
import onnx
import pytest
from example_networks import COLUMNS, GROUPS, HEIGHT, ROWS, SIZE, WIDTH, WORDS
from model_export.text_files import write_network
from scipy.special import expit

from semantic_detection_pkg.cli import detect
from semantic_detection_pkg.detector.backends.example_encoder import ExampleEncoder
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.errors import ConfigurationError

YOLOE = example_networks.small_yoloe()
LARGE, OWN = (300, 220), (WIDTH, HEIGHT)  # pictures [px], width first
# Picture, box [px], what is looked at [px], and the mask's columns and rows by hand: places from
# ceil(edge / 8) on, of nothing that is hit the nearest one. What is looked at has the input's size,
# so that nothing is resized.
BOXES = {
    "inside": (OWN, (17, 9, 60, 41), (0, 0), (3, 7), (2, 5)),
    "on the grid": (OWN, (16, 8, 64, 40), (0, 0), (2, 7), (1, 4)),
    "top left corner": (OWN, (0, 0, 20, 12), (0, 0), (0, 2), (0, 1)),
    "bottom right corner": (OWN, (77, 50, 96, 64), (0, 0), (10, 11), (7, 7)),
    "over all edges": (OWN, (-30, -5, 200, 99), (0, 0), (0, 11), (0, 7)),
    "over the right edge": (OWN, (90, -9, 140, 9), (0, 0), (11, 11), (0, 1)),
    "between two columns": (OWN, (33, 20, 36, 60), (0, 0), (4, 4), (3, 7)),
    "in one place": (OWN, (50, 34, 51, 35), (0, 0), (6, 6), (4, 4)),
    "in a large picture": (LARGE, (100, 100, 118, 120), (61, 78), (5, 7), (3, 5)),
    "in its corner": (LARGE, (290, 200, 300, 220), (204, 156), (11, 11), (6, 7)),
}


def picture(size=OWN, seed=4) -> np.ndarray:
    """Noise at two scales, BGR, width first."""
    random = np.random.default_rng(seed)
    width, height = size
    cells = random.integers(0, 200, (-(-height // 16), -(-width // 16), 3))
    coarse = np.kron(cells, np.ones((16, 16, 1), int))[:height, :width]
    return (coarse + random.integers(0, 55, (height, width, 3))).astype(np.uint8)


def convolved(value, kernel, stride=1) -> np.ndarray:
    """(C, H, W) in double precision, one place of the kernel at a time."""
    weights, bias = (array.astype(np.float64) for array in kernel)
    side = weights.shape[2]
    height, width = value.shape[1] // stride, value.shape[2] // stride
    padded = np.pad(value, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    found = np.zeros((len(bias), height, width)) + bias[:, None, None]
    for row in range(side):
        for column in range(side):
            rows = slice(row, row + stride * height, stride)
            columns = slice(column, column + stride * width, stride)
            part = padded[:, rows, columns]
            found += np.tensordot(weights[:, :, row, column], part, 1)
    return found


def silu(value) -> np.ndarray:
    return value * expit(value)


def levels_of(seen) -> list[np.ndarray]:
    """Features of a picture of the input's size, BGR."""
    value, found = seen[:, :, ::-1].transpose(2, 0, 1) / 255.0, []
    for kernel in YOLOE.backbone:
        value = silu(convolved(value, kernel, stride=2))
        found.append(value)
    return found[-3:]


def on_the_finest(values) -> np.ndarray:
    """All levels' channels over each other, coarse places as often as fine ones lie in them."""
    return np.concatenate(
        [one.repeat(2**level, 1).repeat(2**level, 2) for level, one in enumerate(values)]
    )


def by_savpe(seen, mask, weights=YOLOE.savpe) -> np.ndarray:
    """What the paper says: each group of channels is averaged over the mask by its own weights."""
    levels = levels_of(seen)
    content = [
        silu(convolved(silu(convolved(one, first)), second))
        for one, (first, second) in zip(levels, weights.content, strict=True)
    ]
    values = convolved(on_the_finest(content), weights.embedding)
    places = [silu(convolved(one, k)) for one, k in zip(levels, weights.places, strict=True)]
    activation = convolved(on_the_finest(places), weights.activation)
    both = np.concatenate((activation, convolved(mask[None].astype(float), weights.mask)))
    scores = convolved(silu(convolved(both, weights.mixing[0])), weights.mixing[1])
    parts = []
    for group, channels in enumerate(np.split(values, GROUPS)):
        shares = np.exp(scores[group][mask] - scores[group][mask].max())
        parts.append(channels[:, mask] @ shares / shares.sum())
    return unit(np.concatenate(parts))


def compared_with_words(seen) -> list[np.ndarray]:
    """What the head compares with words, (D, h, w) of each level."""
    return [
        convolved(silu(convolved(one, kernel)), (fold_w[:, :, None, None], fold_b))
        for one, kernel, fold_w, fold_b in zip(
            levels_of(seen), YOLOE.classes, YOLOE.fold["fold_w"], YOLOE.fold["fold_b"], strict=True
        )
    ]


def by_features(seen, mask) -> np.ndarray:
    """The mean of the directions inside the mask, each level alike."""
    total = np.zeros(SIZE)
    for level, compared in enumerate(compared_with_words(seen)):
        step = 2**level
        weights = mask.reshape(ROWS // step, step, COLUMNS // step, step).mean(axis=(1, 3))
        directions = compared / np.linalg.norm(compared, axis=0)
        total += (directions * weights).sum(axis=(1, 2)) / weights.sum()
    return unit(total)


def unit(vector) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def seen_and_mask(case, image) -> tuple[np.ndarray, np.ndarray]:
    _, _, (x, y), (first, last), (top, bottom) = BOXES[case]
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[top : bottom + 1, first : last + 1] = True
    return image[y : y + HEIGHT, x : x + WIDTH], mask


def scores_of(seen, embeddings) -> np.ndarray:
    """(words, anchors) of a picture of the input's size, as the contrastive head scores it."""
    found = []
    for compared, gain, bias in zip(
        compared_with_words(seen), YOLOE.fold["gain"], YOLOE.fold["bias"], strict=True
    ):
        similarity = np.tensordot(embeddings, compared, 1).reshape(len(embeddings), -1)
        found.append(expit(gain * similarity + bias))
    return np.concatenate(found, axis=1)


def word_embedding(model, row) -> np.ndarray:
    with np.load(model.with_name("small.vocabulary.npz")) as file:
        return file["embeddings"][row]


@pytest.fixture
def model(tmp_path):
    return example_networks.write_model(tmp_path, YOLOE)


@pytest.mark.parametrize(("kind", "reference"), [("savpe", by_savpe), ("features", by_features)])
def test_examples_are_what_the_architecture_says(tmp_path, kind, reference):
    """Boxes inside, at all borders and beyond them, in pictures of the input's size and larger."""
    model = example_networks.write_model(tmp_path, YOLOE, kind)
    encoder = ExampleEncoder(model.with_name("small.example.onnx"))
    wanted = {}
    for case, (size, box, *_) in BOXES.items():
        image = picture(size)
        wanted[case] = reference(*seen_and_mask(case, image))
        ours = encoder.embed(image, box, example_networks.CHECKPOINT)
        assert ours @ wanted[case] >= 0.9999, case
        np.testing.assert_allclose(ours, wanted[case], atol=1e-5, err_msg=case)
    alike = np.stack(list(wanted.values())) @ np.stack(list(wanted.values())).T
    assert np.triu(alike, 1).max() < 0.999  # the boxes differ


def test_a_picture_that_is_made_smaller_is_seen_with_its_bars(model):
    """Each pixel twice in both directions: halved it is what it was, whatever averages."""
    own = picture((WIDTH, 48))
    seen = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
    seen[8:56] = own
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[2:7, 2:8] = True  # of 10, 13, 60, 53 px in the input
    encoder = ExampleEncoder(model.with_name("small.example.onnx"))
    ours = encoder.embed(own.repeat(2, 0).repeat(2, 1), (20, 10, 120, 90), "")
    np.testing.assert_allclose(ours, by_savpe(seen, mask), atol=1e-5)


def _nothing(kernel):
    return tuple(np.zeros_like(array) for array in kernel)


def _turned(kernel):
    return tuple(array.reshape(GROUPS, -1, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)
                 for array in kernel)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"mask": _nothing(YOLOE.savpe.mask)},
        {"activation": _nothing(YOLOE.savpe.activation)},
        {"mixing": (YOLOE.savpe.mixing[0], _nothing(YOLOE.savpe.mixing[1]))},  # a plain mean
        {"embedding": _turned(YOLOE.savpe.embedding)},  # channels dealt to groups in turn
        {"content": YOLOE.savpe.content[:2] + (tuple(map(_nothing, YOLOE.savpe.content[2])),)},
        {"places": (*YOLOE.savpe.places[:2], _nothing(YOLOE.savpe.places[2]))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_the_architecture_is_seen_by_the_comparison(change):
    image = picture()
    seen, mask = seen_and_mask("inside", image)
    weights = dataclasses.replace(YOLOE.savpe, **change)
    assert by_savpe(seen, mask) @ by_savpe(seen, mask, weights) < 0.999


def shown(detector, name, case, seed, *, is_negative=False) -> np.ndarray:
    """Show an example to a detector; returns what NumPy says of it."""
    size, box, *_ = BOXES[case]
    image = picture(size, seed)
    embedding = detector.embed_example(name, image, box)
    detector.pipeline.add_example(name, embedding, is_negative=is_negative)
    return by_savpe(*seen_and_mask(case, image))


def lowered(positive, negative) -> np.ndarray:
    """`core.examples`: no similarity to the negative is left, that to the class is as it was."""
    beyond = unit(negative - (negative @ positive) * positive)
    return positive - min(negative @ positive / (negative @ beyond), 2.0) * beyond


def test_scores_of_classes_by_example_are_what_the_architecture_says(model):
    """Through the detector: one example, several averaged, one with a negative, and a word."""
    with load_detector(model, words=[WORDS[0]], threads=1) as detector:
        boot = shown(detector, "boot", "in its corner", 1)
        several = [shown(detector, "box", *one) for one in (("inside", 2), ("top left corner", 3))]
        wood = shown(detector, "wood", "in a large picture", 5)
        negative = shown(detector, "wood", "between two columns", 6, is_negative=True)
        assert detector.pipeline.vocabulary == (WORDS[0], "boot", "box", "wood")
        seen = picture(seed=9)
        tensor = np.ascontiguousarray(seen[:, :, ::-1].transpose(2, 0, 1)[None] / 255, np.float32)
        inputs = detector.pipeline._vocabulary.inputs
        scores = detector.backend.infer({"images": tensor, **inputs})["output0"][0, 4:].copy()
    word = word_embedding(model, 0)
    classes = np.stack((word, boot, unit(np.mean(several, axis=0)), lowered(wood, negative)))
    wanted = scores_of(seen, classes)
    np.testing.assert_allclose(scores, wanted, atol=1e-4)
    assert np.ptp(wanted, axis=1).min() > 0.3
    simpler = scores_of(seen, np.stack((several[0], wood)))  # neither averaged nor lowered
    assert np.abs(wanted[2:] - simpler).max(axis=1).min() > 0.1


def test_detect_finds_what_the_examples_score(model, tmp_path, capsys):
    """`detect --example`, from files to boxes and scores: two examples and what it is not."""
    shown_at = {"inside": 2, "in a large picture": 3, "bottom right corner": 6}
    examples, embeddings = [], []
    for case, seed in shown_at.items():
        size, box, *_ = BOXES[case]
        image, path = picture(size, seed), tmp_path / f"{case.replace(' ', '_')}.png"
        cv2.imwrite(str(path), image)
        sign = "!=" if case == "bottom right corner" else "="
        examples += ["--example", f"{path}:{','.join(map(str, box))}{sign}boot"]
        embeddings.append(by_savpe(*seen_and_mask(case, image)))
    seen = picture(seed=9)
    cv2.imwrite(str(tmp_path / "seen.png"), seen)
    boot = lowered(unit(embeddings[0] + embeddings[1]), embeddings[2])
    word, wanted = scores_of(seen, np.stack((word_embedding(model, 1), boot)))
    wanted[word > wanted] = 0.0  # a place is of the class that scores best there
    places = np.argsort(-wanted)
    limit = wanted[places[19:21]].mean()
    arguments = ["--model", str(model), "--json", "--conf", str(limit), "--words", WORDS[1]]

    assert detect.main([*arguments, *examples, str(tmp_path / "seen.png")]) == 0

    captured = capsys.readouterr()
    assert captured.err == ""
    found = {
        tuple(one["box_xyxy"]): one["score"]
        for one in json.loads(captured.out)["detections"]
        if one["class_name"] == "boot"
    }
    boxes = example_networks.anchor_boxes()
    corners = np.concatenate((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2), 1)
    best = {tuple(corners[place].tolist()): wanted[place] for place in places[:20]}
    assert found == pytest.approx(best, abs=1e-4)


def test_the_network_has_the_form_of_an_export():
    network = example_networks.savpe_model(YOLOE)
    onnx.checker.check_model(network, full_check=True)
    shapes = {
        value.name: [length.dim_value for length in value.type.tensor_type.shape.dim]
        for value in (*network.graph.input, *network.graph.output)
    }
    assert shapes == {
        "images": [1, 3, HEIGHT, WIDTH],
        "masks": [1, 1, HEIGHT // 8, WIDTH // 8],
        "embeddings": [1, 1, SIZE],
    }


def _of_opset(network, number):
    network.opset_import[0].version = number
    return network


def _with_open_picture(network):
    for axis, name in ((2, "height"), (3, "width")):
        network.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    return network


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: _of_opset(example_networks.savpe_model(YOLOE), 99), "is of opset 99"),
        (lambda: example_networks.savpe_model(YOLOE, (16, 24)), "example network small.example"),
        (
            lambda: example_networks.savpe_model(YOLOE, ("rows", "columns")),
            "its input masks is 1x1x?x?; 1x1xROWSxCOLUMNS of fixed lengths is needed; export it",
        ),
        (
            lambda: _with_open_picture(example_networks.savpe_model(YOLOE)),
            "its input images is 1x3x?x?; 1x3xHEIGHTxWIDTH of fixed lengths is needed; export it",
        ),
    ],
    ids=["opset", "mask of a quarter", "open mask", "open picture"],
)
def test_networks_that_do_not_fit_are_refused_by_one_line(tmp_path, capsys, network, message):
    model = example_networks.write_model(tmp_path, YOLOE)
    with np.load(model.with_name("small.vocabulary.npz")) as file:
        arrays = {name: file[name] for name in file.files if name != "example_encoder"}
    np.savez(model.with_name("small.vocabulary.npz"), **arrays)
    write_network(tmp_path / "small.example.onnx", network(), {})
    path = tmp_path / "seen.png"
    cv2.imwrite(str(path), picture())
    with load_detector(model) as detector, pytest.raises(ConfigurationError) as refused:
        detector.embed_example("boot", picture(), (8, 8, 24, 24))
    assert message in str(refused.value)
    arguments = ["--model", str(model), str(path), "--example", f"{path}:8,8,24,24=boot"]
    assert detect.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
