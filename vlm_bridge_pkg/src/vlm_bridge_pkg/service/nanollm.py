"""VILA on NanoLLM 24.8, the frozen image of Jetson containers (Python 3.10).

What the image's library wants, from its source (dusty-nv/NanoLLM 3946278):
- `quantization` is "q4f16_ft"; unknown keywords are ignored in silence.
- `vision_api="hf"`: with "auto" on 8 GB the encoder is loaded in 32 bit, then TensorRT is refused.
- The model's folder must be called after the model ("VILA1.5-3b"): its name chooses the template.
- Another `max_context_len` is another build, which 8 GB cannot make.
- A generation that fails ends the library's worker and its caller waits for ever: see `watchdog`.
"""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from vlm_bridge_pkg.protocol.replies import Token
from vlm_bridge_pkg.protocol.requests import ChatRequest

_WARM_UP_SIDE_PX = 384


@dataclass(frozen=True)
class NanoLlmSettings:
    """Which model, and where what was built from it lies."""

    model: str = "/models/VILA1.5-3b"
    quantization: str = "q4f16_ft"
    context_tokens: int = 512
    build_folder: str = "/models/mlc"


class NanoLlmModel:
    """The loader and caller of a NanoLLM model. Its libraries are imported by `load`."""

    def __init__(self, settings: NanoLlmSettings) -> None:
        self.name = settings.model.rstrip("/").rpartition("/")[2]
        self._settings = settings
        self._model: Any = None
        self._history: Any = None

    def load(self) -> None:
        nano_llm = import_module("nano_llm")  # in the model's image only

        settings = self._settings
        self._model = nano_llm.NanoLLM.from_pretrained(
            settings.model,
            api="mlc",
            quantization=settings.quantization,
            max_context_len=settings.context_tokens,
            vision_api="hf",
            output=settings.build_folder,
        )
        self._history = nano_llm.ChatHistory(self._model)
        side = _WARM_UP_SIDE_PX
        grey = import_module("PIL.Image").new("RGB", (side, side), (128, 128, 128))
        for _ in self._stream(grey, "Is this grey? Answer yes or no.", 4):
            pass

    def generate(self, request: ChatRequest) -> Generator[Token, None, None]:
        picture = None
        if request.picture is not None:
            picture = (
                import_module("PIL.Image").open(io.BytesIO(request.picture.data)).convert("RGB")
            )
        prompt = f"{request.system}\n{request.prompt}" if request.system else request.prompt
        with closing(self._stream(picture, prompt, request.max_tokens)) as texts:
            for text in texts:
                yield Token(text)

    def _stream(self, picture: Any, prompt: str, max_tokens: int) -> Generator[str, None, None]:
        history = self._history
        history.reset()
        if picture is not None:
            history.append("user", image=picture)
        history.append("user", text=prompt)
        embedding, _ = history.embed_chat()
        stream = self._model.generate(
            embedding,
            streaming=True,
            kv_cache=history.kv_cache,
            max_new_tokens=max_tokens + 1,  # it makes one less and a forced end
            stop_tokens=history.template.stop,
        )
        try:
            for text in stream:
                text = text.replace("</s>", "")
                if text:
                    yield text
        finally:
            stream.stop()  # takes effect after the token that is being made
            for _ in stream:  # it ends when the worker has: only then is the GPU idle
                pass
            history.reset()
