"""Visual prompts of the real architectures with random weights, exported, run without PyTorch.

Needs what `requirements/export.in` names, as `test_export_yoloe.py`.
"""

import logging

import numpy as np
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
from model_export.example_network import ExampleNetwork
from model_export.words import make_prompts, write_prompts
from model_export.yoloe import load_yoloe
from ultralytics.data.augment import LoadVisualPrompt

from semantic_detection_pkg.detector.backends.loading import load_detector

_log = logging.getLogger(__name__)
SIZE = (128, 128)
BOXES = ((16.0, 24.0, 80.0, 104.0), (90.0, 5.0, 101.0, 30.0))

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def picture() -> np.ndarray:
    """Noise at two scales, BGR, of the input's own size: nothing is resized."""
    random = np.random.default_rng(4)
    coarse = np.kron(random.integers(0, 160, (8, 8, 3)), np.ones((16, 16, 1), int))
    return (coarse + random.integers(0, 90, (*SIZE, 3))).astype(np.uint8)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255


def export(tmp_path, checkpoint: str, kind: str):
    prompts = make_prompts(["person"], np.ones((1, 512)), checkpoint)
    write_prompts(tmp_path / "words.npz", prompts)
    arguments = [f"{checkpoint}-seg.yaml", "--embeddings", str(tmp_path / "words.npz")]
    arguments += ["--size", str(SIZE[0]), "--max-words", "4", "--examples", kind]
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / kind)]) == 0
    return tmp_path / kind / f"{checkpoint}-seg.onnx"


@pytest.mark.parametrize("checkpoint", ["yoloe-11s", "yoloe-26s"])
def test_examples_are_what_ultralytics_makes_of_them(tmp_path, checkpoint):
    """Embeddings by `get_visual_pe` within cosine 0.9999, scores by `set_classes` within 1e-4."""
    path = export(tmp_path, checkpoint, "savpe")
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
    finest = outputs["output0"][0, 4, : 16 * 16].reshape(16, 16)  # stride 8
    inside = np.zeros((16, 16), bool)
    inside[3:13, 2:10] = True
    assert finest[inside].mean() > finest[~inside].mean()
