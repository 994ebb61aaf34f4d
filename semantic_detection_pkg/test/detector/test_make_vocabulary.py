"""tools/make_vocabulary.py: new words for a model, by the command line."""

import sys

import make_vocabulary
import numpy as np
import pytest
import tiny_models
from model_export.words import make_prompts, write_prompts

from semantic_detection_pkg.detector.backends.loading import load_detector

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}


@pytest.fixture
def model(tmp_path):
    path = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    arrays = tiny_models.prompt_side_file(WORDS)
    np.savez(tmp_path / "colours.vocabulary.npz", **arrays, model=np.array("yoloe-11s"))
    return path


@pytest.fixture
def blue(tmp_path):
    path = tmp_path / "blue.npz"
    write_prompts(path, make_prompts(["blue"], np.array([[0, 0, 2.0]]), "yoloe-11s"))
    return path


def test_a_word_is_added_and_found(model, blue, capsys, colour_picture):
    assert make_vocabulary.main([str(model), "--embeddings", str(blue)]) == 0
    said = capsys.readouterr().out.strip()
    assert said.endswith("colours.vocabulary.npz: yoloe-11s: red, green, blue")

    with load_detector(model, words=["blue"]) as detector:
        found = detector.pipeline.process(colour_picture).detections
    assert len(found) == 1


@pytest.mark.parametrize("name", ["colours.onnx", "colours.engine", "colours.vocabulary.npz"])
def test_the_vocabulary_is_found_by_any_of_its_names(model, capsys, name):
    assert make_vocabulary.main([str(model.with_name(name)), "--list"]) == 0
    assert capsys.readouterr().out.strip().endswith("yoloe-11s: red, green")


def test_words_of_another_checkpoint_change_nothing(model, tmp_path, capsys):
    path = tmp_path / "blue26.npz"
    write_prompts(path, make_prompts(["blue"], np.array([[0, 0, 1.0]]), "yoloe-26s"))
    before = model.with_name("colours.vocabulary.npz").read_bytes()
    assert make_vocabulary.main([str(model), "--embeddings", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("make_vocabulary: embeddings were made with 'yoloe-26s' (text encoder")
    assert said.count("\n") == 1
    assert model.with_name("colours.vocabulary.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.onnx", "--list"], "none.vocabulary.npz: no such file or directory"),
        (["{model}", "--embeddings", "none.npz"], "none.npz: no such file or directory"),
        (["{model}", "--embeddings", "{vocabulary}"], "holds bias, embeddings, fold_b, "),
    ],
)
def test_missing_and_other_files(model, capsys, arguments, message):
    names = {"{model}": str(model), "{vocabulary}": str(model.with_name("colours.vocabulary.npz"))}
    assert make_vocabulary.main([names.get(text, text) for text in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_words_without_pytorch_are_refused_with_the_remedy(model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "model_export.yoloe", raising=False)
    arguments = [str(model), "--words", "blue", "--checkpoint", "yoloe-11s-seg.pt"]
    assert make_vocabulary.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("make_vocabulary: --words needs what requirements/export.in names")
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--words", "a"], [], ["--list", "--embeddings", "a.npz"]])
def test_options_that_do_not_go_together(model, arguments):
    with pytest.raises(SystemExit) as left:
        make_vocabulary.main([str(model), *arguments])
    assert left.value.code == 2
