"""Words that were pasted: what nobody sees in them makes no other word."""

import pytest

from semantic_detection_pkg.detector.core.prompts import as_prompt, wanted_words
from semantic_detection_pkg.detector.core.word_table import find_known, finder
from semantic_detection_pkg.errors import ConfigurationError

KNOWN = finder(["tent", "life jacket"])


def read(*words):
    return wanted_words(words, lambda text: find_known(KNOWN, text))


@pytest.mark.parametrize(
    "text",
    [
        "tent\u200b",
        "\ufefftent",
        "\u200eTent\u200f",
        "te\u00adnt",
        "\u202atent\u202c",
        "\u2068tent\u2069",
    ],
)
def test_what_is_not_seen_makes_no_other_word(text):
    (word,) = read(text)
    assert (word.name, word.meanings) == ("tent", ("tent",))
    assert as_prompt(text) == "tent"
    (word,) = read(f"shelter={text}|life\u2060 jacket")
    assert (word.name, word.meanings) == ("shelter", ("tent", "life jacket"))
    with pytest.raises(ConfigurationError, match="'tent' is given twice"):
        read("tent", text)


def test_a_word_of_what_is_not_seen_is_none():
    with pytest.raises(ConfigurationError, match="is not a word"):
        read("\u200b\u202e")


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f692"]
)
def test_joiners_that_spell_a_word_stay(text):
    assert as_prompt(text) == text
