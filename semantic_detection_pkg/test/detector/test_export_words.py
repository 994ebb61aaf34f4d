"""Words as vectors and the comparison of two exports: the parts without PyTorch."""

import numpy as np
import pytest
from model_export.parity import compare, worst
from model_export.words import (
    add_words,
    check_checkpoint,
    checkpoint_name,
    make_prompts,
    read_prompts,
    read_vocabulary,
    write_prompts,
    write_vocabulary,
)

from semantic_detection_pkg.detector.core.model_layout import Layout, PromptInputs
from semantic_detection_pkg.detector.core.vocabulary import WordEmbeddings
from semantic_detection_pkg.errors import ConfigurationError

RANDOM = np.random.default_rng(3)
VECTORS = RANDOM.normal(size=(2, 6)).astype(np.float32)


def vocabulary(checkpoint: str = "yoloe-11s") -> dict[str, np.ndarray]:
    prompts = make_prompts(["person", "tent"], VECTORS, checkpoint)
    return {
        "names": np.array(prompts.names),
        "embeddings": prompts.embeddings,
        "fold_w": RANDOM.normal(size=(3, 6, 4)).astype(np.float32),
        "fold_b": np.zeros((3, 6), np.float32),
        "gain": np.ones(3, np.float32),
        "bias": np.zeros(3, np.float32),
        "model": np.array(checkpoint),
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("yoloe-11s-seg.pt", "yoloe-11s"),
        ("/models/yoloe-26s-seg.yaml", "yoloe-26s"),
        ("mine.pt", "mine"),
    ],
)
def test_names_of_checkpoints(path, name):
    assert checkpoint_name(path) == name


def test_prompt_files_are_those_of_ultralytics_and_come_back_with_length_1(tmp_path):
    path = tmp_path / "words.npz"
    np.savez_compressed(
        path,
        embeddings=3 * VECTORS[None],
        names=np.array([" person ", "tent"]),
        model=np.array("yoloe-11s"),
    )
    prompts = read_prompts(path)
    assert prompts.names == ("person", "tent")
    assert prompts.checkpoint == "yoloe-11s"
    np.testing.assert_allclose(np.linalg.norm(prompts.embeddings, axis=1), 1.0, rtol=1e-6)

    write_prompts(path, prompts)
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"embeddings", "names", "model"}
        assert (file["embeddings"].shape, file["embeddings"].dtype) == ((1, 2, 6), np.float32)
        assert (file["model"].shape, str(file["model"])) == ((), "yoloe-11s")


GOOD = {"embeddings": VECTORS[None], "names": np.array(["a", "b"]), "model": np.array("yoloe-11s")}
BAD_PROMPTS = {
    "one array": ({"embeddings": VECTORS}, "holds embeddings; a prompt file holds"),
    "no batch": (GOOD | {"embeddings": VECTORS}, r"embeddings \(2, 6\), names"),
    "model is a list": (GOOD | {"model": np.array(["x"])}, r"model \(1,\); must be"),
    "one name too few": (GOOD | {"names": np.array(["a"])}, r"\(2, 6\) must be \(1, D\)"),
    "a word twice": (GOOD | {"names": np.array(["a", "a"])}, "none empty or twice"),
    "a blank word": (GOOD | {"names": np.array(["a", " "])}, "none empty or twice"),
    "no word": (GOOD | {"names": np.array([], "U1"), "embeddings": VECTORS[None, :0]}, "none: at"),
    "zeros": (GOOD | {"embeddings": np.zeros((1, 2, 6))}, "a vector of length 0"),
    "NaN": (GOOD | {"embeddings": np.full((1, 2, 6), np.nan)}, "NaN, infinity"),
    "pickled": (GOOD | {"names": np.array([{}, {}])}, "without pickled objects"),
}


@pytest.mark.parametrize("case", BAD_PROMPTS)
def test_prompt_files_that_hold_something_else_are_refused(tmp_path, case):
    arrays, message = BAD_PROMPTS[case]
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(ConfigurationError, match=message) as raised:
        read_prompts(path)
    assert "bad.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_rubbish_and_missing_files(tmp_path):
    path = tmp_path / "rubbish.npz"
    path.write_bytes(b"PK\x03\x04 rubbish")
    for read in (read_prompts, read_vocabulary):
        with pytest.raises(ConfigurationError, match=r"is not a \.npz file"):
            read(path)
        with pytest.raises(ConfigurationError, match="no such file or directory"):
            read(tmp_path / "none.npz")


def test_words_are_added_and_replaced_and_the_detector_takes_them(tmp_path):
    path = tmp_path / "m.vocabulary.npz"
    write_vocabulary(path, vocabulary())
    more = make_prompts(["tent", "dog"], RANDOM.normal(size=(2, 6)), "yoloe-11s")
    write_vocabulary(path, add_words(read_vocabulary(path), more))

    arrays = read_vocabulary(path)
    assert [str(name) for name in arrays["names"]] == ["person", "tent", "dog"]
    np.testing.assert_array_equal(arrays["embeddings"][1:], more.embeddings)
    table = WordEmbeddings(arrays, PromptInputs(3, 5, 4, "float32"))
    assert table.choose(["dog"]).names == ("dog",)
    assert [file.name for file in tmp_path.iterdir()] == ["m.vocabulary.npz"]


WRONG_CHECKPOINT = {
    "another family": (
        "yoloe-11s",
        "yoloe-26s",
        r"'yoloe-26s' \(text encoder mobileclip2:b\), the model is 'yoloe-11s' \(text encoder mob",
    ),
    "another size": ("yoloe-11s", "yoloe-11m", "they mean nothing to it"),
    "of nobody knows": ("mine", "yours", "made with 'yours', the model is 'mine': they mean"),
    "nothing said": ("", "yoloe-11s", "does not say which checkpoint it is of; export it anew"),
}


@pytest.mark.parametrize("case", WRONG_CHECKPOINT)
def test_vectors_of_another_checkpoint_are_refused(case):
    model, prompts, message = WRONG_CHECKPOINT[case]
    with pytest.raises(ConfigurationError, match=message):
        check_checkpoint(model, prompts)
    with pytest.raises(ConfigurationError, match=message):
        add_words(vocabulary(model), make_prompts(["x"], VECTORS[:1], prompts))
    check_checkpoint("yoloe-11s", "yoloe-11s")


def test_vectors_of_another_length_are_refused():
    with pytest.raises(ConfigurationError, match="embeddings have 5 numbers, the model's have 6"):
        add_words(vocabulary(), make_prompts(["x"], VECTORS[:1, :5], "yoloe-11s"))


def raw(classes: int, anchors: int = 7) -> np.ndarray:
    return RANDOM.random((1, 4 + classes + 3, anchors)).astype(np.float32)


PROTOTYPES = RANDOM.random((1, 3, 4, 4)).astype(np.float32)


def test_differences_of_raw_outputs():
    theirs = raw(2)
    ours = np.concatenate((theirs[:, :6], np.zeros((1, 3, 7), np.float32), theirs[:, 6:]), axis=1)
    same = compare(Layout.RAW, (ours, PROTOTYPES), (theirs, PROTOTYPES), 2)
    assert (same.box_px, same.score, same.coefficients, same.prototypes) == (0, 0, 0, 0)
    assert same.is_within_limits

    ours[0, 1, 3] += 0.5
    ours[0, 5, 0] += 0.25
    ours[0, -1, 6] += 2.0
    apart = compare(Layout.RAW, (ours, PROTOTYPES + 1), (theirs, PROTOTYPES), 2)
    assert (apart.box_px, apart.score, apart.coefficients) == pytest.approx((0.5, 0.25, 2.0))
    assert apart.prototypes == pytest.approx(1.0)
    assert not apart.is_within_limits
    assert worst([same, apart]) == apart


def test_differences_of_rows_do_not_depend_on_their_order():
    rows = RANDOM.random((1, 20, 6 + 3)).astype(np.float32)
    rows[0, :, 4] = np.linspace(0.9, 0.1, 20)
    rows[0, :, 5] = np.arange(20) % 3
    shuffled = rows[:, RANDOM.permutation(20)]
    same = compare(Layout.END_TO_END, (shuffled, PROTOTYPES), (rows, PROTOTYPES), 3)
    assert (same.box_px, same.score, same.coefficients) == (0, 0, 0)

    moved = rows.copy()
    moved[0, 2, 0] += 1e-2
    moved[0, 2, 4] += 1e-4
    apart = compare(Layout.END_TO_END, (moved, PROTOTYPES), (rows, PROTOTYPES), 3)
    assert apart.box_px == pytest.approx(1e-2, rel=1e-3)
    assert apart.score == pytest.approx(1e-4, rel=1e-2)

    relabelled = rows.copy()
    relabelled[0, :, 5] = 2
    gone = compare(Layout.END_TO_END, (relabelled, PROTOTYPES), (rows, PROTOTYPES), 3)
    assert gone.box_px == float("inf")
