"""The NanoLLM loader against a stand-in of its library, which behaves as its source says."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from vlm_bridge_pkg.protocol.pictures import read_picture
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.nanollm import NanoLlmModel, NanoLlmSettings

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


class FakeStream:
    """Gives words until the limit or until it is stopped, then works one word more."""

    def __init__(self, words: list[str], limit: int) -> None:
        self.words = words[: limit - 1]  # N yields N - 1 and a forced end
        self.is_stopping = False
        self.is_idle = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.is_stopping or not self.words:
            self.is_idle = True
            raise StopIteration
        return self.words.pop(0)

    def stop(self) -> None:
        self.is_stopping = True


class FakeLibrary(types.ModuleType):
    """As much of `nano_llm` as is used, writing down what it is given."""

    def __init__(self) -> None:
        super().__init__("nano_llm")
        self.loaded: dict[str, Any] = {}
        self.history: list[tuple[str, Any]] = []
        self.resets = 0
        self.streams: list[FakeStream] = []
        library = self

        class NanoLLM:
            @staticmethod
            def from_pretrained(model: str, **kwargs: Any) -> Any:
                library.loaded = {"model": model, **kwargs}
                return NanoLLM()

            def generate(self, embedding: Any, **kwargs: Any) -> FakeStream:
                assert embedding == "embedding"
                assert kwargs["streaming"]
                words = ["yes", "\n", "a ", "tent", "</s>"]
                library.streams.append(FakeStream(words, kwargs["max_new_tokens"]))
                return library.streams[-1]

        class ChatHistory:
            template = types.SimpleNamespace(stop=["</s>"])
            kv_cache = None

            def __init__(self, model: Any) -> None:
                assert isinstance(model, NanoLLM)

            def append(self, role: str, **content: Any) -> None:
                assert role == "user"
                library.history += content.items()

            def embed_chat(self) -> tuple[str, int]:
                return "embedding", 0

            def reset(self) -> None:
                library.resets += 1
                library.history = library.history[-2:]

        self.NanoLLM, self.ChatHistory = NanoLLM, ChatHistory


class FakePicture(types.ModuleType):
    """As much of `PIL.Image` as is used."""

    def new(self, mode: str, size: tuple[int, int], colour: tuple[int, ...]) -> str:
        return f"{mode} {size} {colour}"

    def open(self, file: Any) -> Any:
        data = file.read()
        return types.SimpleNamespace(convert=lambda mode: (mode, data))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    library = FakeLibrary()
    monkeypatch.setitem(sys.modules, "nano_llm", library)
    monkeypatch.setitem(sys.modules, "PIL.Image", FakePicture("PIL.Image"))
    return library


@pytest.fixture
def model(library: FakeLibrary) -> NanoLlmModel:
    model = NanoLlmModel(NanoLlmSettings("/models/VILA1.5-3b"))
    model.load()
    return model


def test_loads_what_fits_on_8_gb_and_warms_up(library: FakeLibrary, model: NanoLlmModel) -> None:
    assert library.loaded == {
        "model": "/models/VILA1.5-3b",
        "api": "mlc",
        "quantization": "q4f16_ft",
        "max_context_len": 512,
        "vision_api": "hf",
        "output": "/models/mlc",
    }
    assert len(library.streams) == 1
    assert model.name == "VILA1.5-3b"


def test_answers(library: FakeLibrary, model: NanoLlmModel) -> None:
    request = ChatRequest("Is it?", read_picture(JPEG), "Be brief.")
    assert [token.text for token in model.generate(request)] == ["yes", "\n", "a ", "tent"]
    assert library.history == [("image", ("RGB", JPEG)), ("text", "Be brief.\nIs it?")]
    assert library.streams[-1].is_idle


def test_as_many_tokens_as_asked_for(model: NanoLlmModel) -> None:
    assert len(list(model.generate(ChatRequest("?", max_tokens=2)))) == 2


def test_closing_waits_until_the_gpu_is_idle(library: FakeLibrary, model: NanoLlmModel) -> None:
    pieces = model.generate(ChatRequest("?"))
    assert next(pieces).text == "yes"
    assert not library.streams[-1].is_idle
    pieces.close()
    assert library.streams[-1].is_stopping
    assert library.streams[-1].is_idle
