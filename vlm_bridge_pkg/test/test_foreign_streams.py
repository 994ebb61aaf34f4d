"""Streams as other OpenAI-like servers send them."""

from __future__ import annotations

import json

import pytest

from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.replies import Reply, StreamReader


def event(text: str | None = None, *, finish: str | None = None, index: int = 0, **more) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "m", "choices": [choice], **more}).encode() + b"\n\n"


WHOLE = {
    "model": "m",
    "choices": [{"message": {"content": "no\ngrass"}, "finish_reason": "stop"}],
}
STREAMS = {
    "error is null": event("no", error=None) + event("\ngrass", error=None) + b"data: [DONE]\n\n",
    "a whole body although a stream was asked for": json.dumps(WHOLE).encode(),
    "a whole body, pretty": json.dumps(WHOLE, indent=2).encode() + b"\n",
    "a whole body with error null": json.dumps({**WHOLE, "error": None}).encode(),
    "the last line has no end": event("no\ngrass") + b"data: [DONE]",
    "stop without DONE": event("no") + event("\ngrass", finish="stop"),
    "stop without DONE, without the end of the line": event("no\ngrass", finish="stop").rstrip(),
    "CRLF": event("no\ngrass").replace(b"\n\n", b"\r\n\r\n") + b"data: [DONE]\r\n\r\n",
    "no space after the colon": event("no\ngrass").replace(b"data: ", b"data:") + b"data:[DONE]\n",
    "several answers": event("no") + event("yes", index=1) + event("\ngrass") + b"data: [DONE]\n\n",
    "an empty list at the end": event("no\ngrass") + b'data: {"choices": []}\n\ndata: [DONE]\n\n',
    "comments and other fields": b": ping\nevent: x\nid: 1\n" + event("no\ngrass", finish="stop"),
    "a byte order mark": b"\xef\xbb\xbf" + event("no\ngrass") + b"data: [DONE]\n\n",
    "a whole body after a byte order mark": b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(),
    "a whole body after comments": b": wait\n\n: wait\n\n" + json.dumps(WHOLE, indent=1).encode(),
    "a whole body as an event": b"data: " + json.dumps(WHOLE).encode() + b"\n\n",
    "parts": json.dumps(
        {"choices": [{"message": {"content": [{"type": "text", "text": "no\ngrass"}]}}]}
    ).encode(),
    "llama-server": b'data: {"choices": [{"index": 0, "finish_reason": null, "delta": {"role":'
    b' "assistant", "content": null}}]}\n\n'
    + event("no\ngrass")
    + event(finish="stop", timings={"prompt_n": 94})
    + b"data: [DONE]\n\n",
    "usage without choices": event("no\ngrass") + b'data: {"usage": {}}\n\ndata: [DONE]\n\n',
    "usage and choices null": event("no\ngrass")
    + b'data: {"choices": null, "usage": {}}\n\ndata: [DONE]\n\n',
    "index null": b'data: {"choices": [{"index": null, "delta": {"content": "no\\ngrass"}}]}\n\n'
    b"data: [DONE]\n\n",
    "an empty event": event("no\ngrass") + b"data:\n\ndata: [DONE]\n\n",
}
REFUSALS = {
    "an error with status 200": ({"error": {"message": "no vision tower", "code": 500}}, "refused"),
    "an error with a code": ({"error": {"message": "busy", "code": "busy"}}, "busy"),
    "an error that is a text": ({"error": "no vision tower"}, "refused"),
    "older vLLM": ({"object": "error", "message": "no vision tower", "code": 400}, "refused"),
    "FastAPI": ({"detail": "no vision tower"}, "refused"),
    "a message alone": ({"message": "no vision tower"}, "refused"),
    "success false": ({"success": False, "message": "no vision tower"}, "refused"),
    "error true": ({"error": True, "message": "no vision tower"}, "refused"),
    "the model's refusal": (
        {"choices": [{"message": {"content": None, "refusal": "no vision tower"}}]},
        "refused",
    ),
}


def read(data: bytes, size: int) -> Reply:
    reader = StreamReader()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        if reader.is_complete:
            break
    return reader.reply()


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("name", STREAMS)
def test_the_answer_is_read(name: str, size: int) -> None:
    reply = read(STREAMS[name], size)
    assert (reply.text, reply.is_cut) == ("no\ngrass", False)


@pytest.mark.parametrize("form", ["body", "event"])
@pytest.mark.parametrize("name", REFUSALS)
def test_an_error_keeps_its_words(name: str, form: str) -> None:
    document, cause = REFUSALS[name]
    body = json.dumps(document).encode()
    with pytest.raises(ServiceError) as error:
        read(body if form == "body" else b"data: " + body + b"\n\n", 11)
    assert error.value.cause == cause
    assert "busy" in str(error.value) or "no vision tower" in str(error.value)


@pytest.mark.parametrize("why", ["content_filter", "error", "abort"])
def test_what_the_server_broke_off_is_no_answer(why: str) -> None:
    with pytest.raises(ServiceError, match=why):
        read(event("no") + event(finish=why) + b"data: [DONE]\n\n", 9)


@pytest.mark.parametrize(
    "data",
    [event("no"), b"", b'{"choices": [{"message"', event("no") + b"data: {"],
    ids=["no end", "nothing", "half a body", "half an event"],
)
def test_half_an_answer_is_none(data: bytes) -> None:
    with pytest.raises(ServiceError):
        read(data, 5)
