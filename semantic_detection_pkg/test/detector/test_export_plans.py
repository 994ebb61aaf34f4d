"""Exports of the real architectures, with random weights, become plans of NVIDIA's own builder.

Needs what `requirements/export.in` and `requirements/tensorrt.in` name, as `test_export_yoloe.py`.
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
pytest.importorskip(
    "tensorrt_rtx_bindings",
    reason="tensorrt-rtx-cu13-bindings is missing: requirements/tensorrt.in, x86-64 only",
    exc_type=ImportError,
)

import export_yoloe
import tensorrt_rtx_bindings as rtx
from model_export.builder import Recipe, build_plan
from model_export.words import make_prompts, write_prompts

from semantic_detection_pkg.detector.backends.onnx import OnnxBackend
from semantic_detection_pkg.detector.backends.trt.families import RTX
from semantic_detection_pkg.detector.backends.trt.plan import family_of_plan

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(900),
]
SIZE = 640
WORDS = tuple(f"word {number}" for number in range(32))
MODELS = [
    ("yoloe-11s", "raw", "runtime", 1),
    ("yoloe-11s", "raw", "baked", 1),
    ("yoloe-26s", "raw", "runtime", 1),
    ("yoloe-26s", "end2end", "runtime", 1),
    ("yoloe-26s", "raw", "runtime", 0),
]


@pytest.mark.parametrize(("checkpoint", "head", "classes", "batch"), MODELS)
def test_an_export_becomes_a_plan(
    tmp_path, monkeypatch, capsys, record_property, checkpoint, head, classes, batch
):
    monkeypatch.chdir(tmp_path)  # Ultralytics writes beside the architecture's name
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    prompts = make_prompts(
        WORDS, np.random.default_rng(5).normal(size=(len(WORDS), 512)), checkpoint
    )
    write_prompts(tmp_path / "words.npz", prompts)
    arguments = [f"{checkpoint}-seg.yaml", "--embeddings", str(tmp_path / "words.npz")]
    arguments += ["--head", head, "--classes", classes, "--size", str(SIZE)]
    arguments += ["--batch", str(batch), "--out", str(tmp_path / "out")]
    assert export_yoloe.main(arguments) == 0, capsys.readouterr()

    path = tmp_path / "out" / f"{checkpoint}-seg.onnx"
    model = OnnxBackend(path, threads=1)
    sizes = []
    for precision in ("fp32", "fp16"):
        recipe = Recipe(precision, 1024, tmp_path / "timing.cache", batch=batch or 3)
        built = build_plan(rtx, path.read_bytes(), path, recipe)
        assert family_of_plan(built.content) is RTX
        assert [spec.name for spec in built.inputs] == [spec.name for spec in model.inputs]
        assert {spec.name for spec in built.outputs} == {spec.name for spec in model.outputs}
        assert built.outputs[0].shape[0] == (batch or 3)
        sizes.append(len(built.content) / 1e6)
    record_property("plan_mb", sizes)
    assert sizes[1] < 0.75 * sizes[0]
