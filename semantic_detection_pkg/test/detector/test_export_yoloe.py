"""Exports of the real YOLOE architectures, with random weights: baked and run-time classes agree.

Needs what `requirements/export.in` names (PyTorch, Ultralytics): in an environment of its own,

    PYTHONPATH=semantic_detection_pkg/src:tools .export/bin/python -m pytest \\
        semantic_detection_pkg/test/test_export_yoloe.py
"""

import logging
import sys
from types import SimpleNamespace

import numpy as np
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
from model_export.parity import BOX_LIMIT_PX, SCORE_LIMIT, compare, worst
from model_export.words import make_prompts, write_prompts

from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.model_layout import Layout
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings

_log = logging.getLogger(__name__)

SIZE = (128, 128)
MAX_WORDS = 8
WORDS = ("person", "tent", "backpack", "dog", "smoke", "footpath", "vehicle", "boat")
MODELS = [("yoloe-11s", "raw"), ("yoloe-26s", "raw"), ("yoloe-26s", "end2end")]

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(600),
]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # Ultralytics writes beside the architecture's name
    logging.getLogger("ultralytics").setLevel(logging.ERROR)


def prompts(checkpoint: str):
    vectors = np.random.default_rng(5).normal(size=(MAX_WORDS, 512))
    return make_prompts(WORDS, vectors, checkpoint)


def options(tmp_path, checkpoint: str, head: str, classes: str, count: int) -> SimpleNamespace:
    everything = prompts(checkpoint)
    file = tmp_path / f"{checkpoint}_{count}.npz"
    chosen = make_prompts(everything.names[:count], everything.embeddings[:count], checkpoint)
    write_prompts(file, chosen)
    return SimpleNamespace(
        checkpoint=f"{checkpoint}-seg.yaml",
        words=None,
        embeddings=file,
        text_encoder=None,
        examples="none",
        merges=None,
        text_int8=False,
        classes=classes,
        head=head,
        max_words=MAX_WORDS,
        size=SIZE,
        batch=1,
        out=tmp_path / f"{classes}_{count}",
        seed=3,
    )


def run(path, inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [
        tuple(session.run(["output0", "output1"], {"images": picture, **inputs(session)}))
        for picture in export_yoloe.pictures(SIZE, 11)
    ]


@pytest.mark.parametrize(("checkpoint", "head"), MODELS)
def test_words_at_run_time_are_as_good_as_baked_ones(tmp_path, checkpoint, head):
    layout = Layout.RAW if head == "raw" else Layout.END_TO_END
    path = export_yoloe.export(options(tmp_path, checkpoint, head, "runtime", MAX_WORDS))
    vocabulary = export_yoloe.vocabulary_path(path)

    spreads = []
    for count in (1, 2, 5, MAX_WORDS):
        baked = export_yoloe.export(options(tmp_path, checkpoint, head, "baked", count))
        theirs = run(baked, lambda _: {})
        ours = run(
            path,
            lambda session, count=count: export_yoloe.vocabulary_inputs(
                session, vocabulary, WORDS[:count]
            ),
        )
        pairs = zip(ours, theirs, strict=True)
        difference = worst([compare(layout, one, other, count) for one, other in pairs])
        _log.info("%s %s, %d words: %s", checkpoint, head, count, difference)
        assert difference.box_px <= BOX_LIMIT_PX
        assert difference.score <= SCORE_LIMIT
        scores = [one[0][0, :, 4] if head == "end2end" else one[0][0, 4] for one in theirs]
        spreads.append(float(np.ptp(np.concatenate(scores))))
    # The comparison means something: scores differ from each other.
    assert min(spreads) > 0.1


def test_the_detector_runs_the_export_and_changes_its_words(tmp_path):
    path = export_yoloe.export(options(tmp_path, "yoloe-26s", "raw", "runtime", 3))
    picture = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    with load_detector(path, threads=1) as detector:
        assert detector.pipeline.vocabulary == WORDS[:3]
        assert detector.pipeline.info.layout is Layout.RAW
        detector.pipeline.set_vocabulary(["tent"])
        result = detector.pipeline.process(picture)
    assert result.vocabulary == ("tent",)


@pytest.mark.parametrize("classes", ["runtime", "baked"])
@pytest.mark.parametrize("batch", [3, 0])
def test_rectangles_and_batches(tmp_path, capsys, classes, batch):
    """The tool compares each picture of a batch with the checkpoint; the detector uses them all."""
    wanted = options(tmp_path, "yoloe-11s", "raw", classes, 2)
    arguments = ["yoloe-11s-seg.yaml", "--embeddings", str(wanted.embeddings)]
    arguments += ["--classes", classes, "--size", "96", "160", "--batch", str(batch)]
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / "out")]) == 0, capsys.readouterr()

    tiling = TileSettings("tiles", tile_px=160, tile_overlap=0.1)
    picture = np.random.default_rng(0).integers(0, 255, (190, 310, 3), np.uint8)
    settings = DetectorSettings(confidence_threshold=0.001)
    with load_detector(
        tmp_path / "out" / "yoloe-11s-seg.onnx", threads=1, settings=settings, tiling=tiling
    ) as detector:
        info = detector.pipeline.info
        assert (info.width, info.height, info.batch) == (160, 96, batch or None)
        together = detector.pipeline.process(picture)
    assert len(together.looks) > 3
    # One after the other the same comes out.
    arguments[-1] = "1"
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / "one")]) == 0
    with load_detector(
        tmp_path / "one" / "yoloe-11s-seg.onnx", threads=1, settings=settings, tiling=tiling
    ) as detector:
        alone = detector.pipeline.process(picture)
    np.testing.assert_allclose(alone.detections.scores, together.detections.scores, atol=1e-4)


@pytest.mark.parametrize(
    ("option", "values", "reason"),
    [
        ("--size", ["100"], "multiples of 32, at most 4096, are needed"),
        ("--size", ["96", "100"], "multiples of 32"),
        ("--size", ["96", "96", "96"], "HEIGHT WIDTH, or one side"),
        ("--size", ["0"], "multiples of 32"),
        ("--batch", ["-1"], "0 (any number) to 64 are allowed"),
        ("--batch", ["65"], "0 (any number) to 64"),
    ],
)
def test_sizes_and_batches_that_are_none_are_refused(capsys, option, values, reason):
    with pytest.raises(SystemExit):
        export_yoloe.main(["yoloe-11s-seg.yaml", "--embeddings", "x.npz", option, *values])
    assert reason in capsys.readouterr().err


def test_the_whole_tool(tmp_path, monkeypatch, capsys):
    wanted = options(tmp_path, "yoloe-26s", "end2end", "runtime", 4)
    arguments = ["yoloe-26s-seg.yaml", "--embeddings", str(wanted.embeddings), "--head", "end2end"]
    arguments += ["--size", str(SIZE[0]), "--out", str(tmp_path / "out")]
    assert export_yoloe.main(arguments) == 0
    assert "yoloe-26s-seg.onnx: box " in capsys.readouterr().out

    from model_export import parity

    monkeypatch.setattr(parity, "BOX_LIMIT_PX", -1.0)
    assert export_yoloe.main(arguments) == 1
    assert "is not what the checkpoint computes" in capsys.readouterr().err


REFUSALS = {
    "another checkpoint": (
        ["yoloe-11s-seg.yaml", "--embeddings", "{yoloe-26s}"],
        "embeddings were made with 'yoloe-26s' (text encoder mobileclip2:b), the model is "
        "'yoloe-11s' (text encoder mobileclip:blt)",
    ),
    "no end-to-end head": (
        ["yoloe-11s-seg.yaml", "--embeddings", "{yoloe-11s}", "--head", "end2end"],
        "yoloe-11s has no end-to-end head; choose the raw one",
    ),
    "too many words": (
        ["yoloe-11s-seg.yaml", "--embeddings", "{yoloe-11s}", "--max-words", "3"],
        "8 words; --max-words is 3",
    ),
    "no checkpoint": (
        ["no-such-yoloe-seg.pt", "--embeddings", "{yoloe-11s}"],
        "checkpoint no-such-yoloe-seg.pt: ",
    ),
    "not YOLOE": (
        ["yolo11n-seg.yaml", "--embeddings", "{yoloe-11s}"],
        "checkpoint yolo11n-seg.yaml: ",
    ),
    "no encoder": (
        ["yoloe-11s-seg.yaml", "--words", "person"],
        "words need the text encoder 'mobileclip:blt'",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, capsys, monkeypatch, case):
    arguments, message = REFUSALS[case]
    files = {}
    for checkpoint in ("yoloe-11s", "yoloe-26s"):
        files[f"{{{checkpoint}}}"] = str(tmp_path / f"{checkpoint}.npz")
        write_prompts(tmp_path / f"{checkpoint}.npz", prompts(checkpoint))
    monkeypatch.setitem(sys.modules, "clip", None)  # as if its tokenizer were not installed
    arguments = [files.get(word, word) for word in arguments]
    assert export_yoloe.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("export_yoloe: ")
    assert message in said
    assert "\n" not in said
