"""What the service needs of a model, and a model without one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from vlm_bridge_pkg.protocol.replies import Token
from vlm_bridge_pkg.protocol.requests import ChatRequest


class Model(Protocol):
    """One model. The service calls it for one request at a time, holding the GPU.

    One whose answers can be bound to a JSON schema has a true attribute `has_schemas`; requests
    that ask for it are refused otherwise.
    """

    name: str

    def load(self) -> None:
        """Load and warm up; may take minutes."""

    def generate(self, request: ChatRequest) -> Generator[Token, None, None]:
        """Answer. Closing it stops the work after the piece that is being made, and returns when
        the GPU is idle."""


class FakeModel:
    """Answers with given words; what a test or a desk without a GPU needs."""

    def __init__(self, words: Sequence[str] = ("yes", "\n", "it is there"), name: str = "fake"):
        self.name = name
        self.words = tuple(words)
        self.is_loaded = False

    def load(self) -> None:
        self.is_loaded = True

    def generate(self, request: ChatRequest) -> Generator[Token, None, None]:
        for word in self.words[: request.max_tokens]:
            yield Token(word)
