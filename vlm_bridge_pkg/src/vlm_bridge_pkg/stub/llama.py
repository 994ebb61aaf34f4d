"""How llama-server refuses, word for word; `make vlm-check` compares with the real one."""

from __future__ import annotations

from typing import Any

#: Status and error of each; the numbers of tokens are examples.
LLAMA_REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "blind": (
        500,
        {
            "code": 500,
            "message": "image input is not supported - hint: if this is unexpected, you may need"
            " to provide the mmproj",
            "type": "server_error",
        },
    ),
    "overflow": (
        400,
        {
            "code": 400,
            "message": "request (598 tokens) exceeds the available context size (256 tokens), try"
            " increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 598,
            "n_ctx": 256,
        },
    ),
    "cold": (503, {"message": "Loading model", "type": "unavailable_error", "code": 503}),
}
