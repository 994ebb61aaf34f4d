"""JSON of strangers is read whole, whichever way half a character comes in."""

from __future__ import annotations

import json

import pytest

from semantic_detection_pkg.common.core.foreign_text import read_json

WHOLE = {"name": "Zelt \N{TENT}", "list": ["a", 1, None, {"x": "é"}]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_what_is_whole_is_as_json_says(encoding: str, is_ascii: bool) -> None:
    text = json.dumps(WHOLE, ensure_ascii=is_ascii)  # \ud83c\udfd5 or the character itself
    assert read_json(text) == WHOLE
    assert read_json(text.encode(encoding)) == WHOLE


@pytest.mark.parametrize(
    "half", [r"\ud83d", r"\uD83D", r"\udfff", r"\uDC00", r"\ude00\ud83d", "\udcfc"]
)
def test_halves_are_replaced_in_values_and_in_names(half: str) -> None:
    left = "\ufffd" * (2 if len(half) > 6 else 1)
    body = '{"a": ["xHALFy"], "nHALF": "é"}'.replace("HALF", half)
    whole = {"a": [f"x{left}y"], f"n{left}": "é"}
    assert read_json(body) == whole
    assert read_json(body.encode("utf-8", "surrogatepass")) == whole


def test_a_spelled_backslash_is_no_half() -> None:
    assert read_json(r'["\\ud83d"]') == [r"\ud83d"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfa", b"[" * 100_000, "[" * 100_000])
def test_what_is_none_is_a_value_error(body: bytes | str) -> None:
    with pytest.raises(ValueError):
        read_json(body)
