"""A branch for examples in the demo's detector: its words stay to the last bit, examples score.

Needs PyTorch, as the training does (`requirements/train.in`).
"""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip(
    "torch", reason="PyTorch is missing: 2 GB, so only who trains the demo's models has it"
)

import torch
from demo_training.bare_graph import without_branch
from demo_training.examples_export import export_examples
from demo_training.frozen import TENSORS, FrozenDetector
from demo_training.open_branch import OpenBranch, class_embeddings
from demo_training.train_open import box_mask

from semantic_detection_pkg.detector.backends.curve_file import curve_path
from semantic_detection_pkg.detector.backends.file_hash import sha256_of
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.onnx import open_model
from semantic_detection_pkg.detector.backends.protocol import EngineOptions
from semantic_detection_pkg.detector.backends.variants import fast_path
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from simulation_pkg.core.world.things import CLASS_NAMES

MODELS = Path(__file__).parents[3] / "models" / "demo"
HEIGHT, WIDTH = 384, 640
BOX = (200.0, 100.0, 280.0, 180.0)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (2, HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    return list(coarse.repeat(16, axis=1).repeat(16, axis=2))


@pytest.fixture(scope="module")
def branch():
    torch.manual_seed(0)
    made = OpenBranch().eval()
    with np.load(MODELS / "demo_detector.vocabulary.npz") as arrays:
        made.bias.copy_(torch.from_numpy(arrays["bias"]))
    return made


@pytest.fixture(scope="module")
def exported(branch, pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for path in MODELS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    export_examples(branch, folder, pictures)
    return folder / "demo_detector.onnx"


def test_words_score_as_before_and_curves_still_hold(exported, pictures, tmp_path):
    """The comparison inside would refuse; here through the product, with its words."""
    low = DetectorSettings(confidence_threshold=1e-4)
    for path in (exported, fast_path(exported)):
        with (
            load_detector(MODELS / path.name, settings=low, words_dir=str(tmp_path / "old")) as old,
            load_detector(path, settings=low, words_dir=str(tmp_path / "new")) as new,
        ):
            for words in (CLASS_NAMES, ("hiker", "red jeep")):
                assert old.set_vocabulary(words) == new.set_vocabulary(words)
                one, other = (d.pipeline.process(pictures[0]).detections for d in (old, new))
                assert len(one) > 5
                np.testing.assert_array_equal(one.scores, other.scores)
                np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
        assert json.loads(curve_path(path).read_text())["model"]["sha256"] == sha256_of(path)


def test_a_branch_is_taken_out_again(exported):
    bare, before = without_branch(onnx.load(exported)), onnx.load(MODELS / exported.name)
    assert {node.name for node in bare.graph.node} == {node.name for node in before.graph.node}
    assert list(bare.graph.initializer) == list(before.graph.initializer)
    assert list(bare.graph.input) == list(before.graph.input)


def test_examples_score_as_in_training(exported, branch, pictures):
    """One example, and the mean of two, in the product's way against the branch's own."""
    boxes = [BOX, (400.0, 200.0, 520.0, 330.0)]
    bgr = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
    seen = [FrozenDetector(MODELS / exported.name).look(picture) for picture in pictures]
    with torch.no_grad():
        mixed = [
            branch.mix({name: torch.from_numpy(one.features[name])[None] for name in TENSORS})
            for one in seen
        ]
        vectors = torch.cat(
            [
                branch.pool(levels, torch.from_numpy(box_mask(np.array(box), WIDTH))[None, None])[0]
                for levels, box in zip(mixed, boxes, strict=True)
            ]
        )
        asked = class_embeddings(vectors, torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
        parts = []
        for level, one in enumerate(branch.describe(mixed[1])):
            constant = branch.against_constant()[level] * asked[:, -1:]
            parts.append(asked[:, :-1] @ one[0].flatten(1) + constant + branch.bias[level])
        wanted = torch.cat(parts, dim=1).sigmoid().numpy()
    with load_detector(exported, threads=1) as detector:
        pipeline = detector.pipeline
        shown = [detector.embed_example("a", *one) for one in zip(bgr, boxes, strict=True)]
        for embedding, vector in zip(shown, vectors, strict=True):
            own = embedding[-1 - len(vector) : -1]
            assert own @ vector.numpy() / np.linalg.norm(own) > 0.9999
            assert not embedding[: -1 - len(vector)].any()
        pipeline.add_example("a", shown[0])
        pipeline.add_example("b", shown[0])
        pipeline.add_example("b", shown[1])
        pipeline.set_vocabulary(["a", "b"])
        inputs = dict(pipeline._vocabulary.inputs)
    tensor = np.ascontiguousarray(pictures[1].transpose(2, 0, 1)[None], np.float32) / 255
    backend = open_model(exported, EngineOptions(threads=1))
    found = backend.infer({"images": tensor, **inputs})["output0"][0, 4:6].copy()
    backend.close()
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_a_branch_of_another_head_is_refused(pictures, tmp_path):
    for path in MODELS.glob("demo_detector.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    with pytest.raises(ValueError, match="trained for another head"):
        export_examples(OpenBranch().eval(), tmp_path, pictures)
