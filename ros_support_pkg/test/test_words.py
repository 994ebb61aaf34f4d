"""Enumerations are the constants of the messages, by name and value."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from interfaces_pkg import msg, srv
from ros_support_pkg.core import words
from ros_support_pkg.core.words import FIELDS, Level, LinkState, Verdict, names_of, read

TYPES: dict[str, Any] = {**vars(msg), "SetFocus_Request": srv.SetFocus.Request}


@pytest.mark.parametrize(("type_name", "field"), FIELDS)
def test_an_enumeration_has_the_names_and_values_of_the_message(type_name: str, field: str) -> None:
    enumeration: Any = FIELDS[type_name, field]
    wanted = {member.value: member.name for member in enumeration}
    assert names_of(TYPES[type_name], field) == wanted


def test_every_set_of_constants_has_its_enumeration() -> None:
    found = set()
    for type_name, kind in TYPES.items():
        if isinstance(kind, type):
            names = [name for name, value in vars(kind).items() if isinstance(value, int)]
            found |= {(type_name, name.split("_")[0].lower()) for name in names if name[0] != "_"}
    assert found == set(FIELDS)


def test_a_number_is_read_by_its_name() -> None:
    assert (
        read(msg.GimbalState(link=msg.GimbalState.LINK_STALE), "link", LinkState.DOWN)
        is LinkState.STALE
    )
    assert read(msg.GimbalState(link=99), "link", LinkState.DOWN) is LinkState.DOWN


class OlderAnswer:
    """An answer as recordings had it when 0 was "uncertain"."""

    VERDICT_UNCERTAIN, VERDICT_YES, VERDICT_NO = 0, 1, 2

    def __init__(self, verdict: int) -> None:
        self.verdict = verdict


def test_an_older_recording_means_what_it_meant() -> None:
    meant = [read(OlderAnswer(number), "verdict", Verdict.NOT_RUN) for number in range(4)]
    assert meant == [Verdict.UNSURE, Verdict.YES, Verdict.NO, Verdict.NOT_RUN]


def test_words_and_texts() -> None:
    assert (Verdict.NOT_RUN.word, Verdict.NOT_RUN.text) == ("not_run", "not run")
    assert Level.SWEEP.text == "level 1: sweep"
    assert set(words.TEXTS) <= {one for kind in FIELDS.values() for one in members(kind)}


def members(kind: Any) -> list[Enum]:
    return list(kind)


def test_the_opposite_question_has_the_opposite_verdict() -> None:
    assert [one.negated() for one in Verdict] == [
        Verdict.NOT_RUN,
        Verdict.NO,
        Verdict.YES,
        Verdict.UNSURE,
    ]
