"""Answers: OpenAI's chat completion, whole or as a stream of server-sent events."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from semantic_detection_pkg.common.core.foreign_text import read_json
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.causes import cause_of
from vlm_bridge_pkg.protocol.limits import MAX_REPLY_BYTES

END_OF_STREAM = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Token:
    """A piece of an answer; `logprobs` of it and its rivals by text, where the model tells."""

    text: str
    logprobs: Mapping[str, float] = field(default_factory=dict)


#: Reasons to finish after which what was said so far is no answer.
_BROKEN_OFF = ("content_filter", "error", "abort")

#: A token and the logprobs of it and its rivals by text.
TokenLogprobs = tuple[str, Mapping[str, float]]
_TOLD_MAX = 64  # tokens; the verdict comes first
#: What lines of a stream of events begin with.
_FIELDS = (b":", b"data", b"event", b"id", b"retry")
_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_WORDS_MAX = 120
_STRANGE_MAX = 1000


@dataclass(frozen=True)
class Reply:
    """A whole answer.

    Attributes:
        logprobs: of the first tokens, each the token and the logprobs of it and its rivals by
            text; empty: not told.
        is_cut: the answer was longer than allowed.
    """

    text: str
    model: str = ""
    logprobs: tuple[TokenLogprobs, ...] = ()
    is_cut: bool = False

    @property
    def first_logprobs(self) -> Mapping[str, float]:
        """Of the first token and its rivals by text; empty: not told."""
        return self.logprobs[0][1] if self.logprobs else {}


def completion(tokens: Sequence[Token], model: str, is_cut: bool, number: int) -> bytes:
    """Return the body of a whole answer; `number` makes its id."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(token.text for token in tokens)},
        "logprobs": _logprobs(tokens),
        "finish_reason": _finish(is_cut),
    }
    usage = {
        "prompt_tokens": 0,  # not counted
        "completion_tokens": len(tokens),
        "total_tokens": len(tokens),
    }
    head = _head("chat.completion", model, number)
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()


def chunk(token: Token | None, model: str, is_cut: bool, number: int) -> bytes:
    """Return one event of a stream; None is the last one, which says why the answer ends."""
    choice = {
        "index": 0,
        "delta": {} if token is None else {"role": "assistant", "content": token.text},
        "logprobs": None if token is None else _logprobs([token]),
        "finish_reason": _finish(is_cut) if token is None else None,
    }
    event = {**_head("chat.completion.chunk", model, number), "choices": [choice]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _head(kind: str, model: str, number: int) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 0, "model": model}


def _finish(is_cut: bool) -> str:
    return "length" if is_cut else "stop"


def _logprobs(tokens: Sequence[Token]) -> dict[str, Any] | None:
    if not any(token.logprobs for token in tokens):
        return None
    content = [
        {
            "token": token.text,
            "logprob": token.logprobs.get(token.text, 0.0),
            "bytes": None,
            "top_logprobs": [
                {"token": text, "logprob": value, "bytes": None}
                for text, value in token.logprobs.items()
            ],
        }
        for token in tokens
    ]
    return {"content": content}


def read_completion(body: bytes) -> Reply:
    """Read a whole answer.

    Raises:
        ServiceError: unreadable.
    """
    choice, model = _choice(body)
    text = _text_of(choice)
    if text is None:
        raise ServiceError("unreadable", "the answer has no text in choices[0].message.content")
    return Reply(text, model, _logprobs_of(choice), choice.get("finish_reason") == "length")


class StreamReader:
    """Puts a streamed answer together: feed bytes as they come, read `reply` at the end.

    Servers differ: some send a whole JSON body although a stream was asked for, also after comments
    that keep the connection alive, leave out the last line's end or "[DONE]", or send an error with
    status 200. All of that is read.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._model = ""
        self._logprobs: tuple[TokenLogprobs, ...] = ()
        self._is_cut = False
        self._is_whole = False  # a JSON body instead of a stream
        self._is_finished = False  # a finish reason came
        self._strange = b""  # the first lines that no stream has
        self.text = ""
        self.is_complete = False

    def feed(self, data: bytes) -> None:
        """Take in bytes.

        Raises:
            ServiceError: unreadable, or a refusal that came as an event.
        """
        self._size += len(data)
        if self._size > MAX_REPLY_BYTES:
            raise ServiceError("unreadable", f"the answer is over {MAX_REPLY_BYTES} bytes")
        self._rest = (self._rest + data).removeprefix(codecs.BOM_UTF8)
        while not self._is_whole:
            self._is_whole = not self.text and self._rest.lstrip()[:1] == b"{"
            line, end, rest = self._rest.partition(b"\n")
            if self._is_whole or not end:
                return
            self._rest = rest
            self._read([line])

    def reply(self) -> Reply:
        """Return the whole answer.

        Raises:
            ServiceError: cut_off, the stream did not come to its end; unreadable; a refusal.
        """
        if self._is_whole:
            return read_completion(self._rest)
        last, self._rest = self._rest, b""
        try:
            self._read([last])
        except ServiceError as error:
            if error.cause != "unreadable":  # half an event: what broke off
                raise
        if not (self.is_complete or self._is_finished):
            if self._strange and not self.text:  # a page of a web server, say
                words = in_plain_words(self._strange) or "a page without words"
                raise ServiceError("unreadable", f"the answer is no completion: {words}")
            after = f"after {self.text[:40]!r}" if self.text else "before its first word"
            raise ServiceError("cut_off", f"the answer broke off {after}")
        return Reply(self.text, self._model, self._logprobs, self._is_cut)

    def _read(self, lines: Sequence[bytes]) -> None:
        if len(self._strange) < _STRANGE_MAX:
            self._strange += _strange(lines)
        for payload in _payloads(lines):
            if payload == b"[DONE]":
                self.is_complete = True
            elif payload and not self.is_complete:
                self._add_piece(payload)

    def _add_piece(self, payload: bytes) -> None:
        choice, model = _choice(payload)
        self._model = model or self._model
        self.text += _text_of(choice) or ""
        if len(self._logprobs) < _TOLD_MAX:
            self._logprobs += _logprobs_of(choice)
        self._is_cut = self._is_cut or choice.get("finish_reason") == "length"
        self._is_finished = self._is_finished or bool(choice.get("finish_reason"))


def _payloads(lines: Sequence[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line.startswith(b"data:"):  # comments and other fields are for others
            yield line[5:].strip()


def _strange(lines: Sequence[bytes]) -> bytes:
    """Return the lines that are no fields of a stream (WHATWG, server-sent events)."""
    return b"\n".join(one for one in lines if one.strip() and not one.startswith(_FIELDS))


def in_plain_words(body: bytes) -> str:
    """Return what a body that is no JSON says: a page's markup left out, one line, cut short."""
    text = _MARKUP.sub(" ", body.decode("utf-8", "replace"))
    return " ".join(text.split())[:_WORDS_MAX]


def _text_of(choice: Mapping[str, Any]) -> str | None:
    """Return the text of a choice or of a piece of it; None where it has none.

    Raises:
        ServiceError: the model's refusal stands in its place.
    """
    # Some servers stream messages where pieces, "delta", belong.
    for name in ("delta", "message"):
        message = choice.get(name)
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list):  # parts: {"type": "text", "text": "..."}
            texts = [part.get("text") for part in content if isinstance(part, dict)]
            return "".join(text for text in texts if isinstance(text, str))
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            raise refused(message["refusal"])
    return None


def _choice(body: bytes) -> tuple[dict[str, Any], str]:
    """Return the first choice, empty where there is none, and the model's name."""
    try:
        document = read_json(body)
        # A stream that has begun has no status left to say it with; null says that there is none.
        error = document.get("error") or _other_error(document)
        if error is True:  # the words stand beside it
            error = _other_error(document) or document
        if error:
            raise refused(error)
        # vLLM ends a stream with an empty list, others with the usage alone.
        choices = document["choices"] if "usage" not in document else document.get("choices")
        # Of several answers the first one counts.
        choice: Any = next((one for one in choices or () if one.get("index") in (0, None)), {})
        model = document.get("model") or ""
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ServiceError("unreadable", f"the answer is no completion: {body[:60]!r}") from error
    if not isinstance(choice, dict):
        raise ServiceError("unreadable", f"the answer is no completion: {body[:60]!r}")
    if choice.get("finish_reason") in _BROKEN_OFF:
        raise refused(f"the server broke the answer off: {choice['finish_reason']}")
    return choice, str(model)[:200]


def _other_error(document: Mapping[str, Any]) -> Any:
    """Return what servers say under other names; older vLLM, FastAPI, proxies do."""
    if "choices" in document:
        return None
    return document if isinstance(document.get("message"), str) else document.get("detail")


def refused(error: Any, default: str = "refused") -> ServiceError:
    """Return the refusal in a reply's "error"; its cause is `default` where it says none."""
    error = error if isinstance(error, dict) else {"message": error}
    words = error.get("message") or json.dumps(error)[:_WORDS_MAX]
    return ServiceError(cause_of(error, default), str(words), is_refusal=True)


def _logprobs_of(choice: Mapping[str, Any]) -> tuple[TokenLogprobs, ...]:
    try:
        return tuple(
            (
                str(one["token"]),
                {
                    str(rival["token"]): float(rival["logprob"])
                    for rival in (*one["top_logprobs"], one)
                },
            )
            for one in choice["logprobs"]["content"][:_TOLD_MAX]
        )
    except (KeyError, TypeError, IndexError, ValueError):
        return ()  # optional: an answer without them is an answer
