"""Visual prompts of the real architectures with random weights, exported, run without PyTorch.

Needs what `requirements/export.in` names, as `test_export_yoloe.py`.
"""

import dataclasses
import logging
from collections import Counter

import example_networks
import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip(
    "torch",
    reason="PyTorch is missing: 2 GB, so only the environment of requirements/export.in has it",
)
pytest.importorskip(
    "ultralytics",
    reason="Ultralytics is missing: AGPL, so only the environment of requirements/export.in has it",
)

import export_yoloe
import torch
from model_export.example_network import ExampleNetwork, example_path
from model_export.onnx_file import OPSET
from model_export.words import make_prompts, write_prompts
from model_export.yoloe import load_yoloe
from torch import nn
from ultralytics.data.augment import LoadVisualPrompt
from ultralytics.nn.modules.block import SAVPE

from semantic_detection_pkg.detector.backends.loading import load_detector

_log = logging.getLogger(__name__)
SIZE = (128, 160)  # height, width
BOXES = ((16.0, 24.0, 80.0, 104.0), (90.0, 5.0, 101.0, 30.0))

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def picture() -> np.ndarray:
    """Noise at two scales, BGR, of the input's own size: nothing is resized."""
    random = np.random.default_rng(4)
    cells = (SIZE[0] // 16, SIZE[1] // 16, 3)
    coarse = np.kron(random.integers(0, 160, cells), np.ones((16, 16, 1), int))
    return (coarse + random.integers(0, 90, (*SIZE, 3))).astype(np.uint8)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255


def export(tmp_path, checkpoint: str, kind: str):
    prompts = make_prompts(["person"], np.ones((1, 512)), checkpoint)
    write_prompts(tmp_path / "words.npz", prompts)
    arguments = [f"{checkpoint}-seg.yaml", "--embeddings", str(tmp_path / "words.npz")]
    arguments += ["--size", *map(str, SIZE), "--max-words", "4", "--examples", kind]
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / kind)]) == 0
    return tmp_path / kind / f"{checkpoint}-seg.onnx"


def check_form(path) -> None:
    """Sizes and opset that the detector reads; as many layers as the small network of CI has."""
    network = onnx.load(str(path), load_external_data=False)
    shapes = {
        value.name: [length.dim_value for length in value.type.tensor_type.shape.dim]
        for value in (*network.graph.input, *network.graph.output)
    }
    rows, columns = SIZE[0] // 8, SIZE[1] // 8
    assert shapes == {
        "images": [1, 3, *SIZE], "masks": [1, 1, rows, columns], "embeddings": [1, 1, 512]
    }  # fmt: skip
    assert [(one.domain, one.version) for one in network.opset_import] == [("", OPSET)]
    savpe = Counter(node.op_type for node in network.graph.node if "/savpe/" in node.name)
    yoloe = example_networks.small_yoloe()
    small = Counter(node.op_type for node in example_networks.savpe_model(yoloe).graph.node)
    small["Conv"] -= len(yoloe.backbone)
    small["Sigmoid"] -= len(yoloe.backbone)
    for kind in ("Conv", "Sigmoid", "Resize", "Concat", "Softmax", "Not", "ReduceL2", "MatMul"):
        assert savpe[kind] == small[kind], kind


@pytest.mark.parametrize("checkpoint", ["yoloe-11s", "yoloe-26s"])
def test_examples_are_what_ultralytics_makes_of_them(tmp_path, checkpoint):
    """Embeddings by `get_visual_pe` within cosine 0.9999, scores by `set_classes` within 1e-4."""
    path = export(tmp_path, checkpoint, "savpe")
    check_form(example_path(path))
    yoloe = load_yoloe(f"{checkpoint}-seg.yaml", 0)
    image = picture()
    names = [f"thing {number}" for number in range(len(BOXES))]
    visual = LoadVisualPrompt().get_visuals(
        np.arange(len(BOXES)), SIZE, bboxes=np.array(BOXES, np.float32)
    )[None]
    theirs = yoloe.model.get_visual_pe(as_tensor(image), visual)[0].numpy()
    with load_detector(path, threads=1) as detector:
        ours = [detector.embed_example(n, image, b) for n, b in zip(names, BOXES, strict=True)]
        cosines = np.sum(np.stack(ours) * theirs, axis=1)
        _log.info("%s: cosines %s", checkpoint, cosines)
        assert cosines.min() >= 0.9999
        assert theirs[0] @ theirs[1] < 0.9999  # they differ
        for name, embedding in zip(names, ours, strict=True):
            detector.pipeline.add_example(name, embedding)
        detector.set_vocabulary(names)
        inputs = detector.pipeline._vocabulary.inputs
        outputs = detector.backend.infer({"images": as_tensor(image).numpy(), **inputs})
    prompts = make_prompts(names, theirs, checkpoint)
    wanted = export_yoloe.reference_model(yoloe, prompts, SIZE, False)(as_tensor(image).numpy())
    scores = slice(4, 4 + len(names))
    difference = np.abs(outputs["output0"][0, scores] - wanted[0][0, scores]).max()
    _log.info("%s: scores differ by %g", checkpoint, difference)
    assert difference <= 1e-4
    assert np.ptp(wanted[0][0, scores]) > 0.01


def test_features_in_the_box_are_what_the_class_looks_for(tmp_path):
    """Where a checkpoint has no visual prompts: most like the example is what the box shows."""
    path = export(tmp_path, "yoloe-11s", "features")
    yoloe = load_yoloe("yoloe-11s-seg.yaml", 0)
    image, box = picture(), BOXES[0]
    network = ExampleNetwork(yoloe, "features").eval()
    with load_detector(path, threads=1) as detector:
        ours = detector.embed_example("thing", image, box)
        detector.pipeline.add_example("thing", ours)
        detector.set_vocabulary(["thing"])
        # Scores of random weights are all 1: the same, but for where they saturate.
        inputs = dict(detector.pipeline._vocabulary.inputs)
        inputs = {"cls_w": 0.01 * inputs["cls_w"], "cls_b": 0 * inputs["cls_b"]}
        outputs = detector.backend.infer({"images": as_tensor(image).numpy(), **inputs})
    visual = LoadVisualPrompt().get_visuals(
        np.zeros(1, int), SIZE, bboxes=np.array([box], np.float32)
    )[None]
    with torch.no_grad():
        theirs = network(as_tensor(image), visual.float())[0, 0].numpy()
    assert ours @ theirs >= 0.9999
    rows, columns = SIZE[0] // 8, SIZE[1] // 8
    finest = outputs["output0"][0, 4, : rows * columns].reshape(rows, columns)
    inside = np.zeros((rows, columns), bool)
    inside[3:13, 2:10] = True
    assert finest[inside].mean() > finest[~inside].mean()


def test_the_small_network_of_ci_is_ultralytics_savpe():
    """With the weights of their module, batch normalisation folded, for masks at all borders."""
    small = example_networks.small_yoloe()
    levels = [len(bias) for _, bias in small.backbone[-3:]]
    savpe = SAVPE(levels, len(small.savpe.places[0][1]), example_networks.SIZE)
    draw_numbers(savpe)
    small = dataclasses.replace(small, savpe=weights_of(savpe))
    session = onnxruntime.InferenceSession(
        example_networks.savpe_model(small).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows, columns = example_networks.ROWS, example_networks.COLUMNS
    random = np.random.default_rng(3)
    images = random.random((1, 3, example_networks.HEIGHT, example_networks.WIDTH), np.float32)
    features, value = [], torch.from_numpy(images)
    for weights, bias in small.backbone:
        kernel = torch.from_numpy(weights), torch.from_numpy(bias)
        value = nn.functional.silu(nn.functional.conv2d(value, *kernel, stride=2, padding=1))
        features.append(value)
    for top, left, height, width in ((0, 0, 2, 3), (6, 9, 2, 3), (2, 4, 4, 1), (0, 0, 8, 12)):
        masks = np.zeros((1, 1, rows, columns), np.float32)
        masks[..., top : top + height, left : left + width] = 1
        with torch.no_grad():
            theirs = savpe(features[-3:], torch.from_numpy(masks)).numpy()
        (ours,) = session.run(None, {"images": images, "masks": masks})
        _log.info("small network: differs by %g", np.abs(ours - theirs).max())
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def draw_numbers(network: nn.Module) -> None:
    """Draw weights, and statistics for batch normalisation, under which all parts count."""
    torch.manual_seed(3)
    with torch.no_grad():
        for module in network.eval().modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 2.4 / np.sqrt(module.weight[0].numel()))
                if module.bias is not None:
                    nn.init.normal_(module.bias, 0, 0.2)
            if isinstance(module, nn.BatchNorm2d):
                for values, low, high in (
                    (module.weight, 0.75, 1.25), (module.bias, -0.3, 0.3),
                    (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5),
                ):  # fmt: skip
                    values.uniform_(low, high)


def weights_of(savpe: SAVPE) -> example_networks.SavpeWeights:
    def folded(layer):
        convolution = nn.utils.fuse_conv_bn_eval(layer.conv, layer.bn)
        return kernel(convolution)

    def kernel(convolution):
        return convolution.weight.detach().numpy(), convolution.bias.detach().numpy()

    return example_networks.SavpeWeights(
        content=tuple((folded(branch[0]), folded(branch[1])) for branch in savpe.cv1),
        embedding=kernel(savpe.cv3),
        places=tuple(folded(branch[0]) for branch in savpe.cv2),
        activation=kernel(savpe.cv4),
        mask=kernel(savpe.cv5),
        mixing=(folded(savpe.cv6[0]), kernel(savpe.cv6[1])),
    )
