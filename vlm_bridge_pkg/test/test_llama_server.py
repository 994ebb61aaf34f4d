"""Our client before llama.cpp's own llama-server with a small model, text only: `make vlm-check`.

What it answers stands in docs/vlm_protocol.md; what was measured goes into output/vlm_check.json.
"""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import llama
import numpy as np
import pytest
from llama import LlamaServer, chat
from patience import patience, wait_until

from ros_support_pkg.core.words import Verdict
from vlm_bridge_pkg.answer_forms import AnswerForm, AnswerForms
from vlm_bridge_pkg.core.questions import ANSWER_SCHEMA, SYSTEM_BOUND, make_questions
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.protocol.replies import Reply, refused
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.session import AskResult, Lease, Service, Session
from vlm_bridge_pkg.stub.llama import LLAMA_REFUSALS
from vlm_bridge_pkg.transport.client import VlmCall, read_health

if not llama.FOLDER:
    pytest.skip(llama.NOT_BUILT, allow_module_level=True)

pytestmark = [
    pytest.mark.timeout(300),
]
ROOT = Path(__file__).resolve().parents[2]
PICTURE = fit_square(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes(), 64)
LONG = ChatRequest("Count from one to a thousand.", is_streaming=True, max_tokens=96)
#: About 1,200 tokens to read before the first one is said, in batches of 256.
SLOW_TO_READ = ChatRequest("tent " * 600, is_streaming=True, max_tokens=4)


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Any]]:
    """What was measured, by name with unit; written at the end."""
    found: dict[str, Any] = {}
    yield found
    path = ROOT / "output" / "vlm_check.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    with llama.serving("--ctx-size", "2048", "--batch-size", "256") as server:
        yield server


def ask(server: LlamaServer, request: ChatRequest, timeout_s: float = 60.0) -> Reply:
    return VlmCall(server.path).ask(request, epoch=1, timeout_s=patience(timeout_s))


def bound(prompt: str, **more: Any) -> ChatRequest:
    return ChatRequest(
        prompt, None, SYSTEM_BOUND, 64, is_streaming=True, wants_logprobs=True,
        schema=ANSWER_SCHEMA, **more,
    )  # fmt: skip


class Asking:
    """A question that is put in a thread of its own."""

    def __init__(self, server: LlamaServer, request: ChatRequest, timeout_s: float = 120.0) -> None:
        self.texts: list[str] = []
        self.begun_s = self.first_s = self.ended_s = 0.0
        self.reply: Reply | None = None
        self.cause = ""
        self.call = VlmCall(server.path)
        self._thread = threading.Thread(target=self._run, args=[request, timeout_s], daemon=True)
        self._thread.start()

    def _run(self, request: ChatRequest, timeout_s: float) -> None:
        self.begun_s = time.monotonic()
        try:
            self.reply = self.call.ask(
                request, epoch=1, timeout_s=patience(timeout_s), on_text=self._take
            )
        except ServiceError as error:
            self.cause = error.cause
        self.ended_s = time.monotonic()

    def _take(self, text: str) -> None:
        self.first_s = self.first_s or time.monotonic()
        self.texts.append(text)

    def wait_for_text(self) -> None:
        wait_until(lambda: self.texts or self.cause, "the first words", 60.0)
        assert self.texts, self.cause

    def end(self) -> Asking:
        self._thread.join(patience(120.0))
        assert not self._thread.is_alive()
        return self


def cpu_until_idle(server: LlamaServer) -> float:
    """Return the seconds that it still computes, until its clock stands still for a second."""
    begun = seen = server.cpu_s
    still_since_s = time.monotonic()

    def is_idle() -> bool:
        nonlocal seen, still_since_s
        now_s, cpu_s = time.monotonic(), server.cpu_s
        if cpu_s > seen + 0.02:
            seen, still_since_s = cpu_s, now_s
        return now_s - still_since_s > 1.0

    wait_until(is_idle, "llama-server to be idle", 120.0, poll_s=0.05)
    return seen - begun


def run_session(server: LlamaServer, forms: AnswerForms, timeout_s: float = 60.0) -> AskResult:
    class Gpu:
        def acquire(self, *_: object) -> Lease:
            return Lease(1, 600.0)

        def release(self, epoch: int) -> None:
            pass

    session = Session(Service(server.path), Gpu(), forms)
    return session.run(make_questions("tent"), PICTURE, patience(timeout_s), lambda *_: None)


@pytest.fixture
def blind_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the picture out of a session's questions: the model has no eyes."""
    make = Session._request

    def without(self: Session, *arguments: Any) -> ChatRequest:
        return dataclasses.replace(make(self, *arguments), picture=None)

    monkeypatch.setattr(Session, "_request", without)


def test_health_while_it_loads_and_the_first_answer_of_a_cold_one(
    tmp_path_factory: pytest.TempPathFactory, figures: dict[str, Any]
) -> None:
    seen: list[str] = []
    causes: set[str] = set()

    def is_ready(server: LlamaServer) -> bool:
        seen.append(server.status)
        if seen[-1] == "loading":
            causes.add(Asking(server, bound("tent?")).end().cause)
            if len(bodies) == 0 and (answer := chat(server.path))[0] == 503:
                bodies.append(answer)
        return seen[-1] == "ok"

    bodies: list[tuple[int, Any]] = []
    with llama.begun() as server:
        start_s = time.monotonic()
        wait_until(lambda: is_ready(server), "llama-server to be ready", 60.0)
        figures["ready_s"] = round(time.monotonic() - start_s, 2)
        cold, warm = (Asking(server, bound("tent?")).end() for _ in range(2))
    assert [one for i, one in enumerate(seen) if seen[i - 1] != one or i == 0] in (
        ["none", "loading", "ok"],
        ["loading", "ok"],
    )
    # The last may be answered; one that comes as it begins to serve may be cut off.
    assert "loading" in causes
    assert causes <= {"loading", "cut_off", ""}
    assert bodies == [(503, {"error": LLAMA_REFUSALS["cold"][1]})]
    figures["first_text_cold_s"] = round(cold.first_s - cold.begun_s, 2)
    figures["first_text_same_question_again_s"] = round(warm.first_s - warm.begun_s, 2)
    assert cold.reply is not None
    assert warm.reply is not None


def test_it_is_healthy_and_says_so_while_it_answers(server: LlamaServer) -> None:
    asking = Asking(server, LONG)
    asking.wait_for_text()
    assert server.status == "ok"
    assert llama.request(server.path, "GET", "/v1/health")[1] == {"status": "ok"}
    status, models = llama.request(server.path, "GET", "/v1/models")
    assert (status, len(models["data"])) == (200, 1)
    assert not asking.ended_s, "it was asked while it answered"
    asking.call.cancel()
    asking.end()


def test_words_come_one_by_one_and_the_end_is_the_end(
    server: LlamaServer, figures: dict[str, Any]
) -> None:
    asking = Asking(server, dataclasses.replace(LONG, max_tokens=48)).end()
    assert asking.reply is not None
    assert (asking.reply.text, asking.reply.model) == (asking.texts[-1], llama.ALIAS)
    assert len(asking.texts) > 24
    assert asking.reply.is_cut
    spent_s = asking.ended_s - asking.first_s
    figures["tokens_per_s"] = round(48 / spent_s, 1)


def test_a_verdict_is_bound_to_the_schema_and_has_its_probability(
    server: LlamaServer, blind_questions: None, figures: dict[str, Any]
) -> None:
    lines: list[str] = []
    forms = AnswerForms(lines.append)
    outcome = run_session(server, forms)
    assert (forms.form, lines) == (AnswerForm(), []), "nothing was refused"
    assert outcome.prompt_id == "is_there.1.json"
    answer = re.match(r'\s*{\s*"answer"\s*:\s*"(yes|no|unsure)"', outcome.text)
    assert answer is not None, outcome.text
    figures["bound_answer"] = outcome.text
    figures["bound_verdict"] = [outcome.combined.verdict.name, outcome.combined.cause]
    figures["bound_confidence"] = round(outcome.combined.confidence, 3)
    if outcome.combined.verdict is not Verdict.UNSURE:
        assert outcome.combined.source == "logprobs"
        assert 0.5 <= outcome.combined.confidence <= 1.0, "it takes the likelier of its choices"


@pytest.mark.parametrize("word", ["yes", "no"])
def test_a_grammar_leaves_one_word_whose_probability_is_told(
    server: LlamaServer, word: str
) -> None:
    """Probabilities are those before the binding: the word may be far behind the first five."""
    status, answer = chat(
        server.path, grammar=f'root ::= "{word}"', logprobs=True, top_logprobs=5, temperature=0
    )
    (choice,) = answer["choices"]
    assert (status, choice["message"]["content"]) == (200, word)
    first = choice["logprobs"]["content"][0]
    assert word.startswith(first["token"])
    assert len(first["top_logprobs"]) == 5
    assert first["logprob"] < 0.0


#: What is asked -> the status and words of the answer; "": it is answered.
SCHEMA = {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}
WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "a schema that is none": ({"response_format": SCHEMA}, 400, "JSON schema error"),
    "a form that is none": ({"response_format": {"type": "poem"}}, 400, "response_format type"),
    "a grammar that is none": (
        {"grammar": "root ::= ("},
        400,
        "Failed to initialize samplers: failed to parse grammar",
    ),
    "a grammar and a schema": (
        {"grammar": 'root ::= "a"', "json_schema": {"type": "object"}},
        500,
        "Cannot use both json_schema and grammar",
    ),
    "messages that are none": ({"messages": "?"}, 400, "Expected 'messages' to be an array"),
    "a temperature of text": ({"temperature": "hot"}, 400, "Field 'temperature'"),
    "probabilities of 10,000": ({"logprobs": True, "top_logprobs": 10_000}, 200, ""),
    "an unknown role": ({"messages": [{"role": "poet", "content": "?"}]}, 200, ""),
    "an unknown field": ({"no_such_field": True}, 200, ""),
    "no tokens": ({"max_tokens": 0}, 200, ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_it_refuses_and_what_it_ignores(server: LlamaServer, name: str) -> None:
    fields, wanted, words = WRONG[name]
    status, answer = chat(server.path, **fields)
    assert status == wanted, answer
    assert ("choices" in answer) == (not words)
    if words:
        assert words in answer["error"]["message"]
        assert answer["error"]["code"] == status
    if "schema" in name or "form" in name or "grammar" in name:
        assert AnswerForm().weaker(refused(answer["error"])) == AnswerForm(is_bound=False)


def test_a_picture_without_a_projector_is_uncertain_with_that_cause(server: LlamaServer) -> None:
    forms = AnswerForms()
    outcome = run_session(server, forms)
    combined = outcome.combined
    assert (combined.verdict, combined.cause) == (Verdict.UNSURE, "no_vision")
    assert combined.reason == LLAMA_REFUSALS["blind"][1]["message"]
    assert forms.form == AnswerForm()
    content = [{"type": "image_url", "image_url": {"url": PICTURE.to_uri()}}]
    status, error = LLAMA_REFUSALS["blind"]
    for is_streaming in (False, True):
        answer = chat(
            server.path, messages=[{"role": "user", "content": content}], stream=is_streaming
        )
        assert answer == (status, {"error": error})


def test_two_at_once_are_answered_one_after_the_other(
    server: LlamaServer, figures: dict[str, Any]
) -> None:
    first = Asking(server, LONG)
    first.wait_for_text()
    cancelled = Asking(server, dataclasses.replace(LONG, prompt="Count backwards from a million."))
    second = Asking(server, bound("Is there a tent?"))
    cancelled.call.cancel()
    for one in (first, second, cancelled):
        one.end()
    assert first.reply is not None
    assert second.reply is not None, "it is not refused as busy"
    assert second.first_s >= first.ended_s - 0.5, "there is one slot"
    assert (cancelled.cause, cancelled.texts) == ("cancelled", [])
    figures["waited_behind_another_s"] = round(second.first_s - second.begun_s, 2)


def whole_cost(server: LlamaServer, request: ChatRequest) -> float:
    """Return the seconds of computing that a whole answer takes."""
    before = server.cpu_s
    assert Asking(server, request).end().reply is not None
    return server.cpu_s - before + cpu_until_idle(server)


@pytest.mark.parametrize("how", ["cancelled", "timeout"])
def test_who_goes_away_ends_the_work_on_an_answer(
    server: LlamaServer, figures: dict[str, Any], how: str
) -> None:
    whole_s = whole_cost(server, LONG)
    asking = Asking(server, LONG)
    asking.wait_for_text()
    if how == "timeout":
        asking.call._end("timeout")  # as the timer does; a real one may be late, or too early
    else:
        asking.call.cancel()
    left_s = cpu_until_idle(server)
    asking.end()
    assert asking.cause == how
    assert not server.is_busy
    assert left_s < 0.25 * whole_s
    figures[f"{how}_cpu_s"] = {"whole answer": round(whole_s, 2), "after it": round(left_s, 2)}
    assert Asking(server, bound("Is there a tent?")).end().reply is not None


def test_who_goes_away_while_it_reads_is_given_no_answer(
    server: LlamaServer, figures: dict[str, Any]
) -> None:
    """It is noticed between two batches, once a second: how much is read until then varies."""
    before = server.cpu_s
    assert Asking(server, SLOW_TO_READ).end().reply is not None
    whole_s = server.cpu_s - before
    # Another beginning: what was read once is remembered.
    other = dataclasses.replace(SLOW_TO_READ, prompt="No " + SLOW_TO_READ.prompt)
    before = server.cpu_s
    asking = Asking(server, other)
    wait_until(lambda: server.cpu_s > before + 0.1, "it to begin", 60.0)
    asking.call.cancel()
    left_s = cpu_until_idle(server)
    asking.end()
    assert (asking.cause, asking.texts) == ("cancelled", [])
    assert not server.is_busy
    figures["cancelled_while_it_reads_cpu_s"] = {
        "whole question": round(whole_s, 2),
        "after it": round(left_s, 2),
    }
    assert left_s < whole_s


def test_a_wedged_server_is_a_time_out_and_the_next_question_is_answered(
    server: LlamaServer,
) -> None:
    server.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ServiceError) as error:
            VlmCall(server.path).ask(bound("tent?"), epoch=1, timeout_s=0.5)
        assert error.value.cause == "timeout"
        with pytest.raises(ServiceError, match="hangs") as error:
            read_health(server.path, 0.2)
        assert error.value.cause == "no_service"
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert Asking(server, bound("Is there a tent?")).end().reply is not None


def test_a_context_that_is_too_short_is_said_once(figures: dict[str, Any]) -> None:
    with llama.serving("--ctx-size", "256") as server:
        asking = Asking(server, bound("tent " * 300)).end()
        assert asking.cause == "too_large"
        content = "tent " * 600
        status, body = chat(server.path, messages=[{"role": "user", "content": content}])
        figures["overflow"] = [status, body]
        wanted_status, error = LLAMA_REFUSALS["overflow"]
        assert status == wanted_status
        numbers = {"n_prompt_tokens", "n_ctx", "message"}
        assert {k: v for k, v in body["error"].items() if k not in numbers} == {
            k: v for k, v in error.items() if k not in numbers
        }
        assert re.sub(r"\d+", "N", body["error"]["message"]) == re.sub(
            r"\d+", "N", error["message"]
        )
        # One that fits and whose answer does not: it is cut off.
        reply = ask(server, dataclasses.replace(LONG, prompt="tent " * 110))
        assert reply.is_cut
        assert Asking(server, bound("Is there a tent?")).end().reply is not None


def test_killed_amid_an_answer_it_is_cut_off_and_another_takes_its_socket(
    figures: dict[str, Any],
) -> None:
    with llama.serving("--ctx-size", "1024") as server:
        asking = Asking(server, LONG)
        asking.wait_for_text()
        server.kill()
        assert asking.end().cause == "cut_off"
        with pytest.raises(ServiceError) as error:
            ask(server, bound("tent?"))
        assert error.value.cause == "no_service"
        assert Path(server.path).is_socket(), "what a crash leaves"

        alone = llama.start(server.path, is_guarded=False)
        assert alone.process.wait(patience(60.0)) != 0
        assert "couldn't bind" in alone.log.read_text()
        again = llama.start(server.path)
        try:
            again.wait_until_ready()
            mode = Path(server.path).stat().st_mode & 0o777
            assert mode == 0o770, "the other container shares the group"
            assert ask(again, bound("tent?")).model == llama.ALIAS
            second = llama.start(server.path)
            assert second.process.wait(patience(10.0)) == 1, "the socket is served already"
            assert again.status == "ok"
        finally:
            again.close()


def test_asleep_it_is_healthy_and_wakes_for_a_question(figures: dict[str, Any]) -> None:
    with llama.serving("--ctx-size", "512", "--sleep-idle-seconds", "1") as server:
        wait_until(lambda: "sleeping" in server.log.read_text(), "llama-server to sleep", 30.0)
        assert server.status == "ok", "it does not say that the first answer will be late"
        asking = Asking(server, bound("Is there a tent?")).end()
        assert asking.reply is not None
        figures["first_text_after_sleep_s"] = round(asking.first_s - asking.begun_s, 2)


def test_a_socket_is_known_by_the_end_of_its_name(tmp_path: Path) -> None:
    server = llama.start(str(tmp_path / "vlm.socket"))
    assert server.process.wait(patience(60.0)) != 0
    assert not Path(server.path).exists()
