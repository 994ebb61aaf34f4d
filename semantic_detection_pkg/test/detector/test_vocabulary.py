"""Words to class columns, and words to inputs of a model whose classes are an input."""

import numpy as np
import pytest

from semantic_detection_pkg.detector.core.model_layout import PromptInputs
from semantic_detection_pkg.detector.core.vocabulary import ClassNames, WordEmbeddings
from semantic_detection_pkg.errors import ConfigurationError

KNOWN = ("person", "tent", "dining table", "Tent")
LEVELS, CAPACITY, CHANNELS, DIMENSIONS = 3, 5, 4, 6
SLOTS = PromptInputs(LEVELS, CAPACITY, CHANNELS, "float32")


def side_file(words: tuple[str, ...] = KNOWN) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(len(words), DIMENSIONS)).astype(np.float32)
    return {
        "names": np.array(words),
        "embeddings": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "fold_w": random.normal(size=(LEVELS, DIMENSIONS, CHANNELS)).astype(np.float32),
        "fold_b": random.normal(size=(LEVELS, DIMENSIONS)).astype(np.float32),
        "gain": np.array([1.0, 2.0, 0.5], np.float32),
        "bias": np.array([-1.0, 0.0, 1.0], np.float32),
    }


@pytest.mark.parametrize(
    ("words", "names", "columns"),
    [
        ([], KNOWN, [0, 1, 2, 3]),
        (["tent"], ("tent",), [1]),
        (["Tent"], ("Tent",), [3]),  # the exact word wins
        (["PERSON", " dining table "], ("person", "dining table"), [0, 2]),
        (["hiker=person"], ("hiker",), [0]),
        (["hiker = Person", "person"], ("hiker", "person"), [0, 0]),
    ],
)
def test_words_become_columns(words, names, columns):
    vocabulary = ClassNames(KNOWN).choose(words)

    assert vocabulary.names == names
    assert vocabulary.columns.tolist() == columns
    assert vocabulary.inputs == {}


@pytest.mark.parametrize("table", [ClassNames(KNOWN), WordEmbeddings(side_file(), SLOTS)])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["yeti"], "'yeti' is unknown; known: person, tent, dining table, Tent"),
        (["hiker=yeti"], "'yeti' is unknown"),
        (["tent", "tent"], "'tent' is given twice"),
        (["person", "PERSON"], "'person' is given twice"),
        (["=person"], "'=person' is not a word"),
        ([""], "'' is not a word"),
    ],
)
def test_words_that_mean_nothing_are_refused(table, words, message):
    with pytest.raises(ConfigurationError, match=message):
        table.choose(words)


def test_folding_equals_the_score_formula():
    """sigmoid's argument from folded inputs equals gain * t . (W f + b) + bias at any features."""
    arrays = side_file()
    features = np.random.default_rng(4).normal(size=CHANNELS).astype(np.float32)

    vocabulary = WordEmbeddings(arrays, SLOTS).choose(["tent", "hiker=person"])

    for level in range(LEVELS):
        for row, known in enumerate((1, 0)):
            projected = arrays["fold_w"][level] @ features + arrays["fold_b"][level]
            similarity = arrays["embeddings"][known] @ projected
            wanted = arrays["gain"][level] * similarity + arrays["bias"][level]
            have = (
                vocabulary.inputs["cls_w"][level, row] @ features
                + vocabulary.inputs["cls_b"][level, row]
            )
            assert have == pytest.approx(wanted, abs=1e-5)


def test_rows_without_a_word_score_nothing():
    vocabulary = WordEmbeddings(side_file(), SLOTS).choose(["tent"])

    assert vocabulary.columns.tolist() == [0]
    assert vocabulary.inputs["cls_w"].shape == (LEVELS, CAPACITY, CHANNELS)
    assert not vocabulary.inputs["cls_w"][:, 1:].any()
    assert (vocabulary.inputs["cls_b"][:, 1:] == -30).all()


def test_inputs_have_the_type_that_the_model_wants():
    slots = PromptInputs(LEVELS, CAPACITY, CHANNELS, "float16")

    inputs = WordEmbeddings(side_file(), slots).choose([]).inputs

    assert inputs["cls_w"].dtype == inputs["cls_b"].dtype == np.float16


def test_of_more_words_than_the_model_takes_the_first_are_taken():
    words = tuple(f"w{i}" for i in range(CAPACITY + 2))
    table = WordEmbeddings(side_file(words), SLOTS)

    assert table.choose(words[:CAPACITY]).dropped == ()
    vocabulary = table.choose(words)
    assert (vocabulary.names, vocabulary.dropped) == (words[:CAPACITY], words[CAPACITY:])
    # A word that needs several places is taken whole or not at all.
    grouped = table.choose(["w0", "w1", "w2", "rest=w3|w4|w5", "w6"])
    assert (grouped.names, grouped.dropped) == (("w0", "w1", "w2"), ("rest", "w6"))


def test_several_meanings_of_a_word_are_columns_of_one_label():
    table = WordEmbeddings(side_file(), SLOTS)

    vocabulary = table.choose(["tent", "creature=person|Tent"])

    assert vocabulary.names == ("tent", "creature")
    assert vocabulary.columns.tolist() == [0, 1, 2]
    assert vocabulary.labels.tolist() == [0, 1, 1]
    alone = table.choose(["tent", "person", "Tent"])
    np.testing.assert_array_equal(vocabulary.inputs["cls_w"], alone.inputs["cls_w"])
    baked = ClassNames(KNOWN).choose(["tent", "creature=person|Tent"])
    assert (baked.columns.tolist(), baked.labels.tolist()) == ([1, 0, 3], [0, 1, 1])


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(5, np.float32), r"\(6,\) of length 1 is needed"),
        (np.ones(6, np.float32), "of length 2.449"),
        (np.full(6, np.nan, np.float32), "of length nan"),
        (np.zeros(6, np.float32), "of length 0"),
    ],
)
def test_embeddings_that_are_none_are_not_learnt(vector, message):
    table = WordEmbeddings(side_file(), SLOTS)
    with pytest.raises(ConfigurationError, match=message):
        table.learn({"yeti": vector})
    with pytest.raises(ConfigurationError, match="'yeti' is unknown"):
        table.choose(["yeti"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold_w": None}, "array 'fold_w' is missing; needed: names, embeddings"),
        ({"fold_w": np.zeros((2, 6, 4), np.float32)}, r"fold_w is float32 \(2, 6, 4\)"),
        ({"fold_b": np.zeros((3, 5), np.float32)}, r"it must be float32 \(3, 6\)"),
        ({"gain": np.zeros(3, np.int64)}, "gain is int64"),
        ({"gain": np.array([1, 0, 1], np.float32)}, "gain must be > 0"),
        ({"bias": np.array([0, np.nan, 0], np.float32)}, "bias holds NaN"),
        ({"embeddings": np.ones((4, 6), np.float32)}, "'person' has length 2.449"),
        ({"embeddings": np.ones((3, 6), np.float32)}, r"embeddings is float32 \(3, 6\)"),
        ({"names": np.array(["a", "b", "a", "c"])}, "none empty or twice"),
        ({"names": np.array([b"a", b"b", b"c", b"d"])}, "all texts"),
        ({"names": np.arange(4)}, "all texts"),
        ({"names": np.array(["a", "b", "\ud800", "d"])}, "all texts"),
    ],
)
def test_side_files_that_do_not_fit_are_refused(change, message):
    arrays = {k: v for k, v in (side_file() | change).items() if v is not None}

    with pytest.raises(ConfigurationError, match=message):
        WordEmbeddings(arrays, SLOTS)
