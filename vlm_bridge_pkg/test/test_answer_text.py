"""Answers as models write them, with what each may count for.

The forms are those that users of VILA, LLaVA, Qwen-VL, Gemma, Phi, InternVL, gpt-oss and DeepSeek
report: bare words, refusals, hedges, markdown, JSON, thinking aloud, other languages.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ros_support_pkg.core.words import Verdict
from vlm_bridge_pkg.core.answer_text import read_verdict
from vlm_bridge_pkg.core.questions import make_questions
from vlm_bridge_pkg.core.verdicts import read_answer
from vlm_bridge_pkg.protocol.limits import MAX_REPLY_BYTES

YES, NO, UNSURE = Verdict.YES, Verdict.NO, Verdict.UNSURE

ANSWERS = [
    # Plain verdicts.
    ("yes", YES, ""),
    ("No", NO, ""),
    ("no.", NO, ""),
    ("NO!", NO, ""),
    ("Yes.</s>", YES, ""),
    ("yes\nA red tent stands between two trees.", YES, ""),
    ("no\nOnly grass and rocks are visible.", NO, ""),
    ("No, only grass.", NO, ""),
    ("No \u2014 it is a rock.", NO, ""),
    ("No: this is a bush.", NO, ""),
    ("No. The object is a collapsed tarp.", NO, ""),
    ("No, there is no tent in this image.", NO, ""),
    ("No, there are no people in the picture, only trees.", NO, ""),
    ("No, this picture shows a boat.", NO, ""),
    ("No, there is grass but no person.", NO, ""),
    ("Yes, there is a person wearing a red jacket.", YES, ""),
    ("Yes there is a tent.", YES, ""),
    ("Yes, no doubt: a tent.", YES, ""),
    ("yes\nThere are no trees around the tent.", YES, ""),
    ("Answer: no\nReason: a rock.", NO, ""),
    ("**Answer:** Yes", YES, ""),
    ("1. Yes\n2. It is a tent.", YES, ""),
    ("**No**\n\nThe picture shows a footpath.", NO, ""),
    ("```\nno\nnothing there\n```", NO, ""),
    ("> yes", YES, ""),
    ("<answer>no</answer>", NO, ""),
    # JSON.
    ('{"answer": "no", "reason": "only grass"}', NO, ""),
    ('```json\n{"answer": "Yes", "reason": "a tent"}\n```', YES, ""),
    ('{"verdict": "unsure"}', UNSURE, "unsure"),
    ('{"present": false, "reason": "a rock"}', NO, ""),
    ('{"present": true}', YES, ""),
    ('{"answer": "no", "reason": "no image was provided"}', UNSURE, "no_picture"),
    ('{"answer": "No idea"}', UNSURE, "unreadable"),
    ('{"score": 0.4}', UNSURE, "unreadable"),
    ('{"answer": "no", "reason": "I cannot tell"}', UNSURE, "refusal"),
    # Thinking aloud.
    ("<think>Is it a tent? no... yes?</think>\nno\nIt is a rock.", NO, ""),
    ("<thinking>No picture?</thinking>yes", YES, ""),
    ("[THINK]no[/THINK]Yes.", YES, ""),
    ("<think>no, because", UNSURE, "empty"),
    (
        "<|channel|>analysis<|message|>no tent?<|end|><|channel|>final<|message|>yes\nA tent.",
        YES,
        "",
    ),
    # No picture, none that it can see.
    ("No image was provided, so I am unable to tell.", UNSURE, "no_picture"),
    ("No picture is attached.", UNSURE, "no_picture"),
    ("No, I don't see an image in our conversation.", UNSURE, "no_picture"),
    ("No. The image was not uploaded.", UNSURE, "no_picture"),
    ("No, the picture is completely black.", UNSURE, "no_picture"),
    ("no\nThere is no image attached to this message.", UNSURE, "no_picture"),
    ("No, the image failed to load.", UNSURE, "no_picture"),
    ("Yes, please upload the image and I will look.", UNSURE, "no_picture"),
    # Idioms with "no".
    ("No idea.", UNSURE, "unreadable"),
    ("No clue", UNSURE, "unreadable"),
    ("No doubt, that is a tent.", UNSURE, "unreadable"),
    ("No way to tell from here.", UNSURE, "doubt"),
    ("No problem! I can help with that.", UNSURE, "unreadable"),
    ("No-one knows", UNSURE, "unreadable"),
    ("No tent is visible.", UNSURE, "unreadable"),
    ("Not sure.", UNSURE, "doubt"),
    ("None", UNSURE, "unreadable"),
    ("Nope", UNSURE, "unreadable"),
    # Refusals.
    ("I'm sorry, but I cannot assist with that.", UNSURE, "refusal"),
    ("No, I'm sorry, I can't identify people.", UNSURE, "refusal"),
    ("No. As an AI language model I do not have eyes.", UNSURE, "refusal"),
    ("No, I am unable to determine that.", UNSURE, "refusal"),
    ("no\nThis cannot be determined from the crop.", UNSURE, "refusal"),
    # Hedges.
    ("No, but I'm not sure.", UNSURE, "doubt"),
    ("No, it is too blurry to be a tent.", UNSURE, "doubt"),
    ("No, probably a rock.", UNSURE, "doubt"),
    ("Yes, it might be a tent.", UNSURE, "doubt"),
    ("no\nIt is hard to tell.", UNSURE, "doubt"),
    ("unsure\ntoo small", UNSURE, "unsure"),
    ("Uncertain.", UNSURE, "unsure"),
    ("maybe", UNSURE, "doubt"),
    # Both at once.
    ("yes or no", UNSURE, "contradiction"),
    ("yes and no", UNSURE, "contradiction"),
    ("No, yes.", UNSURE, "contradiction"),
    ("No, however there is a person lying behind the rock.", UNSURE, "contradiction"),
    # Reasons that carry no "no", in all the words that models find for them.
    ("No. This model does not support images.", UNSURE, "refusal"),
    ("No, I'm a text-only model.", UNSURE, "refusal"),
    ("No, for privacy reasons.", UNSURE, "refusal"),
    ("No, thank you.", UNSURE, "refusal"),
    ("No. Please provide the picture.", UNSURE, "no_picture"),
    ("No, nothing was attached.", UNSURE, "no_picture"),
    ("No, I did not receive anything.", UNSURE, "no_picture"),
    ("No. The input is blank.", UNSURE, "no_picture"),
    ("No, the crop is all black.", UNSURE, "no_picture"),
    ("No. Error: failed to decode it", UNSURE, "no_picture"),
    ("No, the link is broken", UNSURE, "no_picture"),
    ("No; I would need a higher-resolution crop.", UNSURE, "doubt"),
    ("No, insufficient information.", UNSURE, "doubt"),
    ("No. Not enough detail.", UNSURE, "doubt"),
    ("No, everything is overexposed.", UNSURE, "no_picture"),
    ("No, image quality is poor.", UNSURE, "doubt"),
    ("No (low confidence)", UNSURE, "doubt"),
    ("No. 50% chance", UNSURE, "unreadable"),
    ("No, it has a 50 % chance.", UNSURE, "doubt"),
    ("No, I'm guessing", UNSURE, "doubt"),
    ("no?", UNSURE, "doubt"),
    ("No, what is that?", UNSURE, "doubt"),
    ("No. 1: a person lies at the left.", UNSURE, "unreadable"),
    ("No.1 is a person", UNSURE, "unreadable"),
    ("No, unless it is a camouflaged person.", UNSURE, "contradiction"),
    ("No, definitely a tent", UNSURE, "contradiction"),
    ("No\n\nYes", UNSURE, "contradiction"),
    ('{"answer": "no", "reason": "nothing was uploaded"}', UNSURE, "no_picture"),
    ("No, image.", UNSURE, "no_picture"),
    ("No, [image]", UNSURE, "no_picture"),
    ("No. <image>", UNSURE, "no_picture"),
    ("No, nothing was given to me.", UNSURE, "no_picture"),
    ("No, there is nothing to look at here", UNSURE, "no_picture"),
    ("No, the content is missing.", UNSURE, "no_picture"),
    ("No: pixel data missing", UNSURE, "no_picture"),
    ("No, the data was not transmitted.", UNSURE, "no_picture"),
    ("No, the picture has not come through.", UNSURE, "no_picture"),
    ("No, the lens is covered.", UNSURE, "no_picture"),
    ("No. The view is blocked.", UNSURE, "no_picture"),
    ("No, I only see static.", UNSURE, "no_picture"),
    ("No, noise hides everything.", UNSURE, "no_picture"),
    ("No, I don't have eyes.", UNSURE, "refusal"),
    ("No, I do not have the ability to view it.", UNSURE, "refusal"),
    ("No, that is beyond my capabilities.", UNSURE, "refusal"),
    ("No, I'm a text model", UNSURE, "refusal"),
    ("No. I am only an assistant.", UNSURE, "refusal"),
    ("No, error 404", UNSURE, "unreadable"),
    ("No. HTTP 500", UNSURE, "unreadable"),
    ("No, please try again later.", UNSURE, "unreadable"),
    ("No, the request timed out.", UNSURE, "unreadable"),
    ("No, context length exceeded.", UNSURE, "unreadable"),
    ("No: out of memory", UNSURE, "unreadable"),
    ('{"answer": "no", "reason": "service unavailable"}', UNSURE, "unreadable"),
    # And such as do.
    ("No, there isn't.", NO, ""),
    ("No, I see only rocks.", NO, ""),
    ("No, I don't see a tent.", NO, ""),
    ("No, the object does not look like a tent.", NO, ""),
    ("no\nThe picture is mostly grass", NO, ""),
    ("No. The area is dark green forest.", NO, ""),
    ("No, it is a white rock.", NO, ""),
    ("No. A black tarp lies on the grass.", NO, ""),
    ("No, the field is empty.", NO, ""),
    ("No, nothing is there.", NO, ""),
    ("No, the lens of the tower is no person.", NO, ""),
    ("No, a rock covered with moss.", NO, ""),
    ("No, this is a view of a lake.", NO, ""),
    ("No, there is nothing but sand.", UNSURE, "contradiction"),
    ("no...", NO, ""),
    # Nothing that can be read.
    ("", UNSURE, "empty"),
    (" \n </s>", UNSURE, "empty"),
    ("1234", UNSURE, "unreadable"),
    ("The answer is yes", UNSURE, "unreadable"),
    ("A tent.", UNSURE, "unreadable"),
    # Other languages: German, French, Spanish, Portuguese, Italian, Chinese, Russian, Japanese.
    ("Nein.", UNSURE, "other_language"),
    ("Ja, das ist ein Zelt.", UNSURE, "other_language"),
    ("Non, il n'y a pas de tente.", UNSURE, "other_language"),
    ("Oui.", UNSURE, "other_language"),
    ("No, no hay ninguna tienda.", UNSURE, "other_language"),
    ("No. En la imagen se ve una roca.", UNSURE, "other_language"),
    ("N\u00e3o.", UNSURE, "other_language"),
    ("No, non vedo nessuna tenda.", UNSURE, "other_language"),
    ("No, solo erba.", UNSURE, "other_language"),
    ("No. S\u00f3lo piedras.", UNSURE, "other_language"),
    ("No. Solo hierba.", UNSURE, "other_language"),
    ("No, hierba y rocas.", UNSURE, "other_language"),
    ("No, nada.", UNSURE, "other_language"),
    ("No, pero una persona.", UNSURE, "other_language"),
    ("No, niente.", UNSURE, "other_language"),
    ("No, rocce e erba.", UNSURE, "other_language"),
    ("No, nom\u00e9s roques.", UNSURE, "other_language"),
    ("\u6ca1\u6709\u3002", UNSURE, "other_language"),
    ("\u041d\u0435\u0442.", UNSURE, "other_language"),
    ("\u3044\u3044\u3048", UNSURE, "other_language"),
]


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(ANSWERS) >= 60
    assert len({text for text, _, _ in ANSWERS}) == len(ANSWERS)


@pytest.mark.parametrize(("text", "verdict", "cause"), ANSWERS)
def test_an_answer_counts_for_what_it_says(text: str, verdict: Verdict, cause: str) -> None:
    found, _, why = read_verdict(text)
    assert (found, why) == (verdict, cause)


#: Asked for a person, also called hiker.
THERE = [
    ("No, one person is lying at the left.", True),
    ("No: a person.", True),
    ("No! There's a hiker on the path.", True),
    ("no\nTwo persons stand by the rock.", True),
    ('{"answer": "no", "reason": "A Person in red, not a tent"}', True),
    ("No, it is a rock and a person.", True),
    ("No.", False),
    ("No, it is a rock.", False),
    ("No, there is no person.", False),
    ("No, I don't see a person.", False),
    ("No, it is a rock, not a person.", False),
    ("No, a rock that looks like a person.", False),
    ("No, it is a person-shaped rock.", False),
    ("No, smaller than a person.", False),
    ("No, nobody personal.", False),
    ("No, neither a hiker nor a person is there.", False),
]


@pytest.mark.parametrize(("text", "is_there"), THERE)
def test_a_no_that_names_what_it_denies_is_a_contradiction(text: str, is_there: bool) -> None:
    reading = read_answer(text, names=("person", "hiker"))
    expected = (UNSURE, "contradiction") if is_there else (NO, "")
    assert (reading.verdict, reading.cause) == expected
    assert read_answer(text).verdict is NO, "without knowing what was asked for"


def test_a_question_says_what_its_no_denies() -> None:
    there, shown, absent = make_questions("person", words=["hiker", " "], variants=3)
    assert there.names == shown.names == ("person", "hiker")
    assert absent.names == (), "there it means that somebody is there"
    (free,) = make_questions("person", "Is the path free of persons?")
    (proposed,) = make_questions("red spot", is_proposal=True)
    assert (free.names, proposed.names) == ((), ())


REPEATED = ("no image ", "image is ", "the lens is ", "I see the ", "<think>", "{", "<|channel|>")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", REPEATED)
@pytest.mark.parametrize("begin", ["No, ", "Yes, ", ""])
def test_a_model_that_repeats_itself_holds_nobody_up(begin: str, what: str) -> None:
    """As long as an answer may be. Small models do; 3,600 characters once took 40 s."""
    verdict, _, cause = read_verdict((begin + what * MAX_REPLY_BYTES)[:MAX_REPLY_BYTES])
    assert (verdict is UNSURE) == bool(cause)


def test_a_long_reason_is_none() -> None:
    assert read_verdict("No, " + "only grass. " * 100)[0] is NO
    assert read_verdict("No, " + "only grass. " * 1000)[::2] == (UNSURE, "unreadable")


@pytest.mark.long
@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    verdict, reason, cause = read_verdict(text)
    assert (verdict is UNSURE) == bool(cause)
    assert "\n" not in reason


@given(st.sampled_from(["image", "idea", "doubt", "way", "person", "tent", "answer"]), st.text())
def test_no_before_a_word_is_never_a_no(word: str, rest: str) -> None:
    assert read_verdict(f"No {word}{rest}")[0] is not NO
