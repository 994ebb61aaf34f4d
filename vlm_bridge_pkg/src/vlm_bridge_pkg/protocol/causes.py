"""Why a server refuses, in one word of docs/vlm_protocol.md, whatever server it is.

Servers of others have codes and types of their own, numbers in place of codes, or a sentence only.
The words are those of llama-server (`make vlm-check` asks a real one), vLLM, Ollama, LM Studio and
OpenAI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vlm_bridge_pkg.protocol.refusal import STATUS

_OF_NAME = {
    "exceed_context_size_error": "too_large",
    "context_length_exceeded": "too_large",
    "unavailable_error": "loading",
}
_VISION = r"(images?|image_url|vision|multi-?modal)\b"
_OF_WORDS = {
    "no_vision": (
        rf"\b{_VISION}( inputs?| content)? (is|are) (not|only) supported",
        rf"(\bnot|n't) (support|have|accept|take|process|handle)( any)? {_VISION}"
        r"(?! (larger|bigger|over|above|of|in|with|format)\b)",
        r"\bnot a (multi-?modal|vision)\b|\bat most 0 images?\b|\brequired for image input\b"
        r"|\bmmproj\b",
    ),
    "too_large": (r"\bcontext (size|length|window)\b|\bcontext the overflows\b",),
    "loading": (r"\bloading (the )?model\b|\bmodel is (still )?(loading|being loaded)\b",),
}
_PATTERNS = {cause: re.compile("|".join(one), re.IGNORECASE) for cause, one in _OF_WORDS.items()}


def cause_of(error: Mapping[str, Any], default: str) -> str:
    """Return the cause of a refusal.

    Args:
        error: what stands under "error" in the reply.
        default: where it does not say.
    """
    code, kind, words = (error.get(name) for name in ("code", "type", "message"))
    if isinstance(code, str) and code in STATUS:
        return code
    for name in (code, kind):
        if isinstance(name, str) and name in _OF_NAME:
            return _OF_NAME[name]
    for cause, pattern in _PATTERNS.items():
        if pattern.search(str(words)):
            return cause
    return code if isinstance(code, str) and code else default
