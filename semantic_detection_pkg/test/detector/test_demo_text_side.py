"""The demo's text side: WordNet's files, heads of phrases, what is near none of the six."""

import numpy as np
import onnxruntime
import pytest
from demo_training.text_side import held_out, lexicon, text_graph, tokenizer_json, train_words
from demo_training.wordnet import WordNet
from tokenizers import Tokenizer

from simulation_pkg.core.world.things import CLASS_NAMES

LICENCE = "  1 This software and database is being provided to you\n"
NOUNS = (
    "00000001 03 n 01 entity 0 000 | that which is\n",
    "00000002 18 n 01 person 0 001 @ 00000001 n 0000 | a human being\n",
    "00000003 18 n 02 hiker 0 tramper 0 001 @ 00000002 n 0000 | who walks\n",
    "00000004 20 n 01 climber 0 001 @ 00000001 n 0000 | a vine\n",
    "00000005 18 n 01 climber 0 001 @ 00000002 n 0000 | who climbs\n",
    "00000006 18 n 01 Climber 0 001 @i 00000002 n 0000 | a name\n",
    "00000007 09 n 01 climber 0 001 @ 00000001 n 0000 | what no camera sees\n",
)
SENSES = (
    "climb%2:38:00:: 00000009 1 4\n"
    "climber%1:09:00:: 00000007 1 50\n"
    "climber%1:18:00:: 00000005 2 2\n"
    "climber%1:18:01:: 00000006 4 9\n"
    "climber%1:20:00:: 00000004 3 0\n"
    "hiker%1:18:00:: 00000003 1 0\n"
)


@pytest.fixture
def wordnet(tmp_path) -> WordNet:
    (tmp_path / "data.noun").write_text(LICENCE + "".join(NOUNS))
    (tmp_path / "index.sense").write_text(SENSES)
    return WordNet(tmp_path)


def test_senses_that_a_camera_sees_by_their_uses(wordnet):
    assert list(wordnet.words()) == ["climber", "hiker"]
    assert wordnet.features("hiker") == {1: 1.0, 2: 1.0, 3: 1.0}
    # Two of the four: 2 uses and the first place, none and the second.
    shares = {sense.synset: sense.share for sense in wordnet.senses("climber")}
    assert shares == pytest.approx({5: 3.0 / 3.5, 4: 0.5 / 3.5})
    assert wordnet.features("climber")[1] == pytest.approx(1.0)
    assert wordnet.senses("elk") == []


def shares(name: str) -> np.ndarray:
    return np.eye(len(CLASS_NAMES), dtype=np.float32)[CLASS_NAMES.index(name)]


@pytest.fixture(scope="module")
def meaning():
    """What a phrase means to an encoder of a few words; "": nothing."""
    known = {
        "hiker": shares("person"), "woman": shares("person"), "party": shares("person"),
        "ferry": shares("boat"), "bus": shares("vehicle"), "smoke": shares("smoke"),
        "fire engine": shares("vehicle"), "pup tent": shares("tent"), "tent": shares("tent"),
    }  # fmt: skip
    words = lexicon(known)
    assert "pup tent" not in words  # its last word says it
    tokenizer = Tokenizer.from_str(tokenizer_json(list(words)))
    named = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0][:6]
    graph = text_graph(list(words.values()), named.astype(np.float32))
    session = onnxruntime.InferenceSession(graph.SerializeToString())

    def of(phrase: str) -> str:
        tokens = np.zeros((2, 12), np.int64)  # beside another one, and padded
        for row, ids in enumerate((tokenizer.encode(phrase).ids, tokenizer.encode("bus").ids)):
            tokens[row, : len(ids)] = ids
        said, other = session.run(None, {"tokens": tokens})[0]
        assert np.linalg.norm(other) == pytest.approx(1.0, abs=1e-4)
        if not said.any():
            return ""
        assert np.linalg.norm(said) == pytest.approx(1.0, abs=1e-4)
        return CLASS_NAMES[int((named @ said).argmax())]

    return of


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("hiker", "person"),
        ("lost hikers", "person"),
        ("two women", "person"),
        ("hiker with a blue tent", "person"),
        ("ferries", "boat"),
        ("yellow buses", "vehicle"),
        ("red fire engine", "vehicle"),
        ("fire engines", "vehicle"),
        ("column of smoke", "smoke"),
        ("party of the hikers", "person"),
        ("pup tent", "tent"),
        ("tent peg", ""),
        ("smoke alarm", ""),
        ("hiker's boot", ""),
        ("engine", ""),
        ("banana", ""),
        ("", ""),
        ("?!", ""),
    ],
)
def test_of_a_phrase_its_head_counts(meaning, phrase, name):
    assert meaning(phrase) == name


def test_held_out_words_are_in_no_training():
    fixed, trained = held_out(), train_words()
    trained_on = {word for words in trained.values() for word in words}
    judged = {word for words in fixed["words"].values() for word in words}
    assert not trained_on & (judged | set(fixed["strangers"]))
    assert set(fixed["words"]) == set(CLASS_NAMES)
