"""A chat request: OpenAI's JSON to and from one value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from semantic_detection_pkg.common.core.foreign_text import read_json
from vlm_bridge_pkg.protocol.limits import MAX_PROMPT_CHARS, MAX_TOKENS
from vlm_bridge_pkg.protocol.pictures import Picture, read_uri
from vlm_bridge_pkg.protocol.refusal import RequestRefused

#: What a request may hold. More is refused, lest a wish be ignored in silence.
FIELDS = (
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "stream",
    "logprobs", "top_logprobs",
)  # fmt: skip
#: Of services whose model can be bound to a JSON schema, also this.
SCHEMA_FIELD = "response_format"
_SCHEMA_NAME = "answer"


@dataclass(frozen=True)
class ChatRequest:
    """One question.

    Attributes:
        prompt: the user's words, with those of all messages before.
        system: instructions; empty: none.
        max_tokens: of the answer, 1..MAX_TOKENS.
        wants_logprobs: the probabilities of the tokens are asked for.
        model: name as asked for; a service with one model ignores it.
        schema: JSON schema that the answer is bound to; None: to none.
    """

    prompt: str
    picture: Picture | None = None
    system: str = ""
    max_tokens: int = 64
    temperature: float = 0.0
    is_streaming: bool = False
    wants_logprobs: bool = False
    model: str = ""
    schema: Mapping[str, Any] | None = None

    def to_json(self) -> bytes:
        """Return the body of the HTTP request."""
        content: list[dict[str, Any]] = [{"type": "text", "text": self.prompt}]
        if self.picture is not None:
            image = {"type": "image_url", "image_url": {"url": self.picture.to_uri()}}
            content.insert(0, image)
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        document: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "stream": self.is_streaming,
        }
        if self.wants_logprobs:
            document |= {"logprobs": True, "top_logprobs": 5}
        if self.schema is not None:
            # OpenAI's form, which llama-server, vLLM, SGLang and Ollama take, too.
            bound = {"name": _SCHEMA_NAME, "strict": True, "schema": self.schema}
            document[SCHEMA_FIELD] = {"type": "json_schema", "json_schema": bound}
        return json.dumps(document).encode()


def read_request(body: bytes, *, has_schemas: bool = False) -> ChatRequest:
    """Check and take apart the body of a request.

    Args:
        has_schemas: the model can be bound to a JSON schema.

    Raises:
        RequestRefused: bad_request, unknown_field, bad_picture, too_large.
    """
    document = _document(body)
    fields = (*FIELDS, SCHEMA_FIELD) if has_schemas else FIELDS
    unknown = sorted(set(document) - set(fields))
    if unknown:
        raise RequestRefused(
            "unknown_field", f"field {unknown[0]!r} is unknown, allowed are {', '.join(fields)}"
        )
    system, prompt, pictures = _messages(document.get("messages"))
    if len(pictures) > 1:
        raise RequestRefused("bad_request", f"{len(pictures)} pictures, allowed is one")
    if not prompt.strip():
        raise RequestRefused("bad_request", "there is no text in the user's messages")
    if len(prompt) + len(system) > MAX_PROMPT_CHARS:
        raise RequestRefused(
            "too_large",
            f"the text has {len(prompt) + len(system)} characters, allowed are {MAX_PROMPT_CHARS}",
        )
    tokens = document.get("max_completion_tokens", document.get("max_tokens"))
    heat = document.get("temperature")
    return ChatRequest(
        prompt,
        pictures[0] if pictures else None,
        system,
        max_tokens=int(_number("max_tokens", 64 if tokens is None else tokens, 1, MAX_TOKENS)),
        temperature=_number("temperature", 0 if heat is None else heat, 0, 2),
        is_streaming=_switch(document, "stream"),
        wants_logprobs=_switch(document, "logprobs"),
        model=str(document.get("model", ""))[:200],
        schema=_schema(document.get(SCHEMA_FIELD)),
    )


def _schema(form: Any) -> Mapping[str, Any] | None:
    match form:
        case None | {"type": "text"}:
            return None
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
    raise RequestRefused(
        "bad_request",
        f"field {SCHEMA_FIELD!r} is {form!r:.60}, allowed is a json_schema with a schema, or text",
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = read_json(body)
    except ValueError as error:
        raise RequestRefused("bad_request", f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise RequestRefused("bad_request", "the body is no JSON object")
    return document


def _messages(messages: Any) -> tuple[str, str, list[Picture]]:
    """Return system text, user text and pictures as messages."""
    if not isinstance(messages, list) or not 0 < len(messages) <= 16:
        raise RequestRefused("bad_request", "field 'messages' is not a list of 1..16 messages")
    texts: dict[str, list[str]] = {"system": [], "user": []}
    pictures: list[Picture] = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in texts:
            raise RequestRefused(
                "bad_request", f"a message's role is {role!r:.40}, allowed are system, user"
            )
        for part in _parts(message.get("content")):
            if isinstance(part, Picture):
                pictures.append(part)
            else:
                texts[role].append(part)
    return "\n".join(texts["system"]), "\n".join(texts["user"]), pictures


def _parts(content: Any) -> list[str | Picture]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise RequestRefused("bad_request", "a message's content is neither text nor a list")
    return [_part(part) for part in content]


def _part(part: Any) -> str | Picture:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(uri)}}:
            return read_uri(uri)
    raise RequestRefused(
        "bad_request", "a part of a message is neither a text nor an image_url with a url"
    )


def _number(name: str, value: Any, minimum: float, maximum: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not minimum <= value <= maximum:
        raise RequestRefused(
            "bad_request", f"field {name!r} is {value!r:.40}, allowed is {minimum}..{maximum}"
        )
    return float(value)


def _switch(document: dict[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise RequestRefused("bad_request", f"field {name!r} is {value!r:.40}, allowed is true, false")
