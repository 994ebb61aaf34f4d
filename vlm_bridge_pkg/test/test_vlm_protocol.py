"""Requests, replies and pictures as bytes; and what docs/vlm_protocol.md says of them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlm_bridge_pkg.core.questions import ANSWER_SCHEMA
from vlm_bridge_pkg.errors import ConfigurationError, ServiceError
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.protocol import limits
from vlm_bridge_pkg.protocol.pictures import read_picture, read_uri
from vlm_bridge_pkg.protocol.refusal import STATUS, RequestRefused
from vlm_bridge_pkg.protocol.replies import (
    END_OF_STREAM,
    StreamReader,
    Token,
    chunk,
    completion,
    read_completion,
)
from vlm_bridge_pkg.protocol.requests import FIELDS, SCHEMA_FIELD, ChatRequest, read_request

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "vlm_protocol.md"


def encoded(kind: str, width: int = 64, height: int = 48) -> bytes:
    image = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    return cv2.imencode(kind, image)[1].tobytes()


@pytest.mark.parametrize(("kind", "media"), [(".jpg", "image/jpeg"), (".png", "image/png")])
def test_pictures_and_their_sizes(kind: str, media: str) -> None:
    picture = read_picture(encoded(kind))
    assert (picture.media_type, picture.width, picture.height) == (media, 64, 48)
    assert read_uri(picture.to_uri()) == picture


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_that_is_cut_off_is_none(kind: str) -> None:
    whole = encoded(kind)
    for length in range(0, len(whole) - 2, 7):
        with pytest.raises(RequestRefused) as error:
            read_picture(whole[:length])
        assert error.value.code == "bad_picture"


def test_pictures_have_limits() -> None:
    with pytest.raises(RequestRefused, match="5000 x 10, allowed are sides of 1..4096"):
        read_picture(encoded(".png", 5000, 10))
    with pytest.raises(RequestRefused, match="bytes, allowed are 2097152"):
        read_picture(encoded(".jpg") + bytes(limits.MAX_PICTURE_BYTES))
    with pytest.raises(RequestRefused) as error:
        read_uri("data:image/png;base64," + "A" * (limits.MAX_PICTURE_BYTES * 2))
    assert error.value.code == "too_large"


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_a_picture_or_refused(data: bytes, head: bytes) -> None:
    code, width = "", 1
    try:
        width = read_picture(head + data).width
    except RequestRefused as refusal:
        code = refusal.code
    assert code in ("", "bad_picture")
    assert 0 < width <= limits.MAX_PICTURE_SIDE_PX


def test_a_request_survives_the_wire() -> None:
    request = ChatRequest(
        "Is it there?", read_picture(encoded(".jpg")), "Be brief.", 7, 0.5, True, True, "vila"
    )
    assert read_request(request.to_json()) == request
    bound = replace(request, schema=ANSWER_SCHEMA)
    assert read_request(bound.to_json(), has_schemas=True) == bound
    with pytest.raises(RequestRefused, match="field 'response_format' is unknown") as error:
        read_request(bound.to_json())
    assert error.value.code == "unknown_field"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from((*FIELDS, SCHEMA_FIELD)), json_values))
def test_any_json_is_a_request_or_refused(document: dict[str, object]) -> None:
    with pytest.raises(RequestRefused) as error:
        read_request(json.dumps(document).encode(), has_schemas=True)
    assert error.value.code in STATUS
    assert "\n" not in str(error.value)


@given(st.lists(st.fixed_dictionaries({"role": json_values, "content": json_values}), min_size=1))
def test_messages_of_any_role_and_content_are_refused(messages: list[object]) -> None:
    """A role that is a list or a mapping ended the connection without an answer."""
    with pytest.raises(RequestRefused) as error:
        read_request(json.dumps({"messages": messages}).encode())
    assert error.value.code in ("bad_request", "bad_picture")


@given(json_values.filter(lambda value: value is not None))
def test_any_value_of_a_field_is_in_its_range_or_refused(value: object) -> None:
    body = {"messages": [{"role": "user", "content": "?"}]}
    for name in ("temperature", "max_tokens", "stream", "logprobs"):
        try:
            request = read_request(json.dumps({**body, name: value}).encode())
        except RequestRefused:
            continue
        assert 0 <= request.temperature <= 2
        assert 1 <= request.max_tokens <= limits.MAX_TOKENS
        kind = bool if name in ("stream", "logprobs") else (int, float)
        assert isinstance(value, kind)
        assert isinstance(value, bool) == (kind is bool)


@given(st.lists(st.text(max_size=10), max_size=8), st.integers(1, 9))
def test_an_answer_survives_the_wire_in_any_pieces(words: list[str], size: int) -> None:
    tokens = [Token(word) for word in words]
    data = b"".join(chunk(token, "m", False, 1) for token in tokens)
    data += chunk(None, "m", True, 1) + END_OF_STREAM
    reader = StreamReader()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    reply = reader.reply()
    assert (reply.text, reply.model, reply.is_cut) == ("".join(words), "m", True)
    assert read_completion(completion(tokens, "m", True, 1)) == reply


def test_probabilities_survive_the_wire() -> None:
    token = Token("yes", {"yes": math.log(0.75), "no": math.log(0.25)})
    reply = read_completion(completion([token, Token("!", {"!": -0.1})], "m", False, 1))
    assert reply.logprobs == (("yes", token.logprobs), ("!", {"!": -0.1}))
    assert reply.first_logprobs == token.logprobs


def streamed(data: bytes) -> str:
    reader = StreamReader()
    reader.feed(data)
    return reader.reply().text


@given(st.binary(max_size=300).filter(lambda data: b"[DONE]" not in data))
def test_any_bytes_are_an_answer_or_an_error(data: bytes) -> None:
    with pytest.raises(ServiceError) as error:
        streamed(b"data: " + data + b"\n")
    assert error.value.cause in ("unreadable", "cut_off")
    with pytest.raises(ServiceError):
        read_completion(data)


def test_an_answer_has_a_limit() -> None:
    with pytest.raises(ServiceError, match="over 262144 bytes") as error:
        streamed(b": comment\n" * limits.MAX_REPLY_BYTES)
    assert error.value.cause == "unreadable", "the advice for what is too large is about questions"


@pytest.mark.parametrize(("width", "height"), [(1000, 500), (100, 50), (384, 384), (3, 4000)])
def test_the_crop_is_square_and_undistorted(width: int, height: int) -> None:
    image = np.full((height, width, 3), (0, 0, 255), np.uint8)
    picture = fit_square(cv2.imencode(".jpg", image)[1].tobytes(), 384)
    assert (picture.width, picture.height) == (384, 384)
    seen = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR).astype(int)
    red = (seen[..., 2] > 180) & (seen[..., 1] < 60)
    scale = min(1.0, 384 / max(width, height))
    wanted = max(1, width * scale) * max(1, height * scale)
    if min(width, height) * scale > 8:
        assert red.sum() == pytest.approx(wanted, rel=0.1)


def test_a_crop_that_is_no_picture() -> None:
    for data in (b"", b"hello", encoded(".jpg")[:-40]):
        with pytest.raises(ConfigurationError, match="crop: "):
            fit_square(data, 384)


def test_the_document_has_every_number_and_code() -> None:
    text = DOCUMENT.read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE))
    numbers = {
        name: str(int(value))
        for name, value in vars(limits).items()
        if isinstance(value, int | float)
    }
    assert rows == {**{code: str(status) for code, status in STATUS.items()}, **numbers}
    for name in (*FIELDS, SCHEMA_FIELD, limits.CHAT_PATH, limits.HEALTH_PATH, limits.EPOCH_HEADER):
        assert f"`{name}`" in text
