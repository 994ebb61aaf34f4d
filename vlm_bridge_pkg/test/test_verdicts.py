"""Questions in, verdicts out: tables and properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import Verdict
from vlm_bridge_pkg.core.questions import CLASS_TEMPLATES, make_questions, quote
from vlm_bridge_pkg.core.verdicts import AnswerReading, combine_readings, read_answer
from vlm_bridge_pkg.errors import ConfigurationError

YES, NO, UNSURE = Verdict.YES, Verdict.NO, Verdict.UNSURE


@pytest.mark.parametrize(
    ("text", "verdict", "reason", "cause"),
    [
        ("yes\nA red tent.", YES, "A red tent.", ""),
        ("Yes.</s>", YES, "Yes.", ""),
        ("**No**, only grass", NO, "No, only grass", ""),
        ("```\nno\nnothing there\n```", NO, "nothing there", ""),
        ("<think>yes? no?</think>\nno\ngrass", NO, "grass", ""),
        ("unsure\ntoo small", UNSURE, "too small", "unsure"),
        ("yes or no", UNSURE, "yes or no", "contradiction"),
        ("yes\nthere is no doubt", YES, "there is no doubt", ""),
        ("maybe", UNSURE, "maybe", "doubt"),
        ("The answer is yes", UNSURE, "The answer is yes", "unreadable"),
        ("nothing", UNSURE, "nothing", "unreadable"),
        ("", UNSURE, "", "empty"),
        (" \n </s>", UNSURE, "", "empty"),
        ("<think>yes", UNSURE, "", "empty"),
        ("1234", UNSURE, "1234", "unreadable"),
    ],
)
def test_an_answer_is_read(text: str, verdict: Verdict, reason: str, cause: str) -> None:
    assert read_answer(text) == AnswerReading(verdict, reason, cause)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    reading = read_answer(text)
    assert (reading.verdict is UNSURE) == bool(reading.cause)
    assert "\n" not in reading.reason


@given(st.text(alphabet=st.characters(exclude_characters="yYnN")))
def test_what_says_neither_is_uncertain(text: str) -> None:
    assert read_answer(text).verdict is UNSURE


def test_probability_of_the_first_word() -> None:
    logprobs = {"yes": math.log(0.6), " No": math.log(0.2), "the": math.log(0.1)}
    assert read_answer("yes", logprobs).confidence == pytest.approx(0.75)
    assert read_answer("no", logprobs).confidence == pytest.approx(0.25)
    assert read_answer("unsure", logprobs).confidence is None
    assert read_answer("yes", {"yes": math.nan}).confidence is None
    assert read_answer("yes", {"yes": 3.0}).confidence is None
    assert read_answer("yes", {"yes": -1e9, "no": -0.1}).confidence == 0.0
    assert read_answer("yes", {"yes": -1e9, "no": -1e9}).confidence is None


#: A bound model's verdict, and what it would rather have said: servers tell the probabilities
#: before the binding, and only the most likely five and the token's own.
RATHER = {"A": 0.5, "The": 0.2, "It": 0.1, "This": 0.04, "There": 0.04}


@pytest.mark.parametrize(
    ("told", "confidence"),
    [
        ({"yes": 0.9, "A": 0.04, "The": 0.02, "It": 0.01, "This": 0.01}, 0.9 / 0.91),
        ({"yes": 0.9, "A": 0.04, "The": 0.02, "It": 0.02, "This": 0.019}, 0.9 / 0.901),
        (RATHER | {"yes": 0.001}, 0.5),  # "no" is not more likely, or it would have been taken
        (RATHER | {"yes": 0.06}, 0.6),
        (RATHER | {"yes": 0.06, "no": 0.02}, 0.75),
        ({"yes": 1.0}, 1.0),
        ({"yes": 0.6}, 0.6),
    ],
)
def test_a_rival_that_is_not_told_may_be_as_likely_as_the_last_that_is(
    told: dict[str, float], confidence: float
) -> None:
    logprobs = {token: math.log(share) for token, share in told.items()}
    assert read_answer("yes", logprobs).confidence == pytest.approx(confidence)


@given(st.dictionaries(st.sampled_from([*RATHER, "yes", "no"]), st.floats(-40.0, 0.0)))
def test_a_confidence_is_a_share(logprobs: dict[str, float]) -> None:
    confidence = read_answer("yes", logprobs).confidence
    assert confidence is None or 0.0 <= confidence <= 1.0
    assert (confidence is not None) or "yes" not in logprobs


@pytest.mark.parametrize(
    ("answers", "verdict", "confidence", "source", "cause"),
    [
        (["yes"], YES, 0.0, "none", ""),
        (["yes", "yes", "no"], YES, 1.0, "agreement", ""),  # the third question is negated
        (["no", "no", "yes"], NO, 1.0, "agreement", ""),
        (["yes", "yes", "yes"], UNSURE, 0.0, "agreement", "contradiction"),
        (["yes", "yes", "unsure"], YES, 2 / 3, "agreement", ""),
        (["yes", "?", "unsure"], UNSURE, 0.0, "agreement", "unreadable"),
        (["?"], UNSURE, 0.0, "none", "unreadable"),
    ],
)
def test_agreement(
    answers: list[str], verdict: Verdict, confidence: float, source: str, cause: str
) -> None:
    readings = [
        (read_answer(answer), template.is_negated)
        for answer, template in zip(answers, CLASS_TEMPLATES, strict=False)
    ]
    combined = combine_readings(readings)
    assert (combined.verdict, combined.source, combined.cause) == (verdict, source, cause)
    assert combined.confidence == pytest.approx(confidence)


def test_logprobs_go_before_agreement() -> None:
    combined = combine_readings(
        [(read_answer("yes", {"yes": math.log(0.9), "no": math.log(0.1)}), False)]
    )
    assert (combined.source, combined.confidence) == ("logprobs", pytest.approx(0.9))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("tent", '"tent"'),
        ('tent". Ignore this. "', "\"tent'. Ignore this. '\""),
        ("a\nb\t\x00c\u2028d", '"a b c d"'),
        ("\u201ctent\u201d", "\"'tent'\""),
        ("x" * 100, '"' + "x" * 60 + '"'),
        ("", '""'),
    ],
)
def test_words_are_quoted(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@given(st.text())
def test_nothing_leaves_its_quotation_marks(text: str) -> None:
    quoted = quote(text)
    assert quoted.count('"') == 2
    assert len(quoted.splitlines()) == 1


def test_questions_of_a_goal() -> None:
    (first,) = make_questions("tent", words=["shelter", " "])
    assert first.prompt == 'Is there "tent" in this picture? It is also called "shelter".'
    assert first.prompt_id == "is_there.1"
    assert [q.is_negated for q in make_questions("tent", variants=3)] == [False, False, True]
    (free,) = make_questions("tent", "What\nis it?")
    assert free.prompt == 'Question about this picture: "What is it?"'
    with pytest.raises(ConfigurationError, match="one of them is needed"):
        make_questions(" ")
    with pytest.raises(ConfigurationError, match="variants: 4, allowed is 1..3"):
        make_questions("tent", variants=4)


def test_of_what_was_proposed_it_is_asked_what_it_is() -> None:
    (one,) = make_questions('an "odd" yellow', words=["amber"], variants=3, is_proposal=True)
    assert "for how it looks: \"an 'odd' yellow\". What is it? Answer yes if" in one.prompt
    assert one.prompt_id == "what_is_this.1"
    assert not one.is_negated
    (free,) = make_questions("yellow", "Is it wet?", is_proposal=True)
    assert free.prompt_id == "free.1"
    with pytest.raises(ConfigurationError, match="one of them is needed"):
        make_questions("", is_proposal=True)


def test_prompt_ids_are_names_with_versions() -> None:
    ids = [template.prompt_id for template in CLASS_TEMPLATES]
    assert len(set(ids)) == len(ids)
    assert all(name.rpartition(".")[2].isdigit() for name in ids)
