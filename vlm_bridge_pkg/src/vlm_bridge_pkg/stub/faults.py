"""What can go wrong with a VLM service, one switch each."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import cast

from vlm_bridge_pkg.protocol.limits import MAX_REPLY_BYTES
from vlm_bridge_pkg.protocol.refusal import RequestRefused
from vlm_bridge_pkg.protocol.replies import Token
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.server import ChatHandler, VlmServer
from vlm_bridge_pkg.stub.answers import Said
from vlm_bridge_pkg.stub.bound import tokens_of
from vlm_bridge_pkg.stub.llama import LLAMA_REFUSALS

EXIT_CRASHED = 66

#: Name of each fault and what it does.
FAULTS = {
    "none": "answers as it should",
    "slow": "ten times the time between the pieces of an answer",
    "hang": "never comes to the end of an answer",
    "crash": "the process ends in the middle of an answer",
    "rubbish": "answers 200 with what is no JSON",
    "half": "the answer breaks off in the middle",
    "busy": "answers 503",
    "stale": "answers 409, whatever the epoch",
    "huge": "an answer that does not end",
    "failed": "the model fails in the middle of an answer",
    "blind": "refuses pictures as a llama-server without a projector does",
    "overflow": "refuses as a llama-server whose context is too short",
    "cold": "refuses as a llama-server that loads its model",
}


@dataclass
class Script:
    """What the stub says and does; may be changed while it runs.

    Attributes:
        answers: given in turn, round and round.
        look: answers by what the picture shows, instead of `answers`; None: it is blind.
        p_yes: probability of "yes" as the verdict, told on request; None: not told.
        has_schemas: answers are bound to the schema of a request; else such requests are refused.
        piece_s: [s] each word takes.
        fault: key of `FAULTS`.
        fault_count: requests that the fault meets, then all is well; 0: all of them.
    """

    answers: tuple[str, ...] = ("yes\nit is there",)
    look: Callable[[ChatRequest], Said] | None = None
    p_yes: float | None = None
    has_schemas: bool = False
    piece_s: float = 0.0
    fault: str = "none"
    fault_count: int = 0
    number: int = 0  # requests so far
    released: threading.Event = field(default_factory=threading.Event)

    def next_fault(self) -> str:
        """Return the fault of this request."""
        self.number += 1
        is_over = self.fault_count and self.number > self.fault_count
        return "none" if is_over else self.fault


class ScriptedModel:
    """Answers from a script, or by what it sees."""

    name = "stub"

    def __init__(self, script: Script, crash: Callable[[int], object] = os._exit) -> None:
        self.script = script
        self.fault = "none"
        self._crash = crash
        self._turn = 0

    @property
    def has_schemas(self) -> bool:
        """Whether answers can be bound to a schema."""
        return self.script.has_schemas

    def load(self) -> None:
        """Load nothing: there is no model."""

    def generate(self, request: ChatRequest) -> Generator[Token, None, None]:
        script = self.script
        said = script.look(request) if script.look else self._next_answer()
        logprobs = _logprobs(said.p_yes) if request.wants_logprobs else {}
        piece_s = script.piece_s * (10 if self.fault == "slow" else 1)
        words, verdict = tokens_of(said.text, request.schema)
        for index, word in enumerate(words):
            if index == 1:
                self._fail()
            time.sleep(piece_s)
            told = logprobs if index == verdict else {word: 0.0} if logprobs else {}
            yield Token(word, told)

    def _next_answer(self) -> Said:
        answers = self.script.answers
        self._turn += 1
        return Said(answers[(self._turn - 1) % len(answers)], self.script.p_yes)

    def _fail(self) -> None:
        match self.fault:
            case "hang":
                self.script.released.wait()
            case "crash":
                self._crash(EXIT_CRASHED)
            case "failed":
                raise RuntimeError("the stub was told to fail")


def _logprobs(p_yes: float | None) -> dict[str, float]:
    if p_yes is None:
        return {}
    return {"yes": math.log(max(p_yes, 1e-9)), "no": math.log(max(1.0 - p_yes, 1e-9))}


class StubHandler(ChatHandler):
    """The service's handler, but for what the fault does to the bytes."""

    def answer(self, request: ChatRequest, end_s: float | None) -> Callable[[], object]:
        model = cast(ScriptedModel, self.vlm.model)
        model.fault = fault = model.script.next_fault()
        match fault:
            case "busy":
                raise RequestRefused("busy", "the stub was told to be busy")
            case "stale":
                raise RequestRefused("stale_epoch", "the stub was told to find the epoch stale")
            case "rubbish":
                return lambda: self.send(200, b"<html>\xff\x00 data: {]")
            case "half":
                return lambda: self._break_off(request)
            case "huge":
                return self._never_end
            case "overflow" | "cold":
                return lambda: self._refuse_as_llama(fault)
            case "blind" if request.picture is not None:
                return lambda: self._refuse_as_llama(fault)
            case _:
                return super().answer(request, end_s)

    def _break_off(self, request: ChatRequest) -> None:
        text = b'{"choices": [{"message": {"content": "ye'
        if request.is_streaming:
            self.start_stream()
            self.wfile.write(b"data: " + text)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(text)
        self.close_connection = True

    def _refuse_as_llama(self, fault: str) -> None:
        status, error = LLAMA_REFUSALS[fault]
        self.send(status, json.dumps({"error": error}).encode())

    def _never_end(self) -> None:
        self.start_stream()
        event = b'data: {"choices": [{"delta": {"content": "yes yes yes yes"}}]}\n\n'
        for _ in range(100 * MAX_REPLY_BYTES // len(event)):
            self.wfile.write(event)


def stub_server(path: str, script: Script) -> VlmServer:
    """Return a stub that listens; `serve_forever` runs it. Raises as `VlmServer`."""
    server = VlmServer(path, ScriptedModel(script), handler=StubHandler)
    server.load()
    return server
