"""A server is asked in the best form that it takes: bound to a schema, with probabilities."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, ClassVar

import pytest
from patience import patience
from stub_questions import PICTURE, Gpu, ask, stub_servers

from ros_support_pkg.core.words import Verdict
from vlm_bridge_pkg.answer_forms import AnswerForm, AnswerForms
from vlm_bridge_pkg.core.questions import ANSWER_SCHEMA, make_questions
from vlm_bridge_pkg.core.verdicts import logprobs_of_verdict, read_answer
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.limits import MAX_TOKENS
from vlm_bridge_pkg.session import Service, Session
from vlm_bridge_pkg.stub.bound import tokens_of
from vlm_bridge_pkg.stub.faults import Script

BOUND, PLAIN = AnswerForm(), AnswerForm(is_bound=False)
WORDS_ONLY = AnswerForm(is_bound=False, has_logprobs=False)
YES, NO, UNSURE = Verdict.YES, Verdict.NO, Verdict.UNSURE


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    with stub_servers(tmp_path) as run:
        yield run


@pytest.mark.parametrize(
    ("answer", "p_yes", "verdict", "reason"),
    [
        ("yes\nit is there", 0.9, YES, "it is there"),
        ("no\nonly grass", 0.2, NO, "only grass"),
        ("Yes.\nA roof.", 0.9, YES, "A roof."),
        ('no\nit says "no entry"\tthere', 0.2, NO, 'it says "no entry" there'),
        ("No image was provided.", 0.5, UNSURE, "No image was provided."),
        ("perhaps\nhard to say", 0.5, UNSURE, "hard to say"),
    ],
)
def test_a_server_that_can_is_bound_and_tells_probabilities(
    serve: Callable[[Script], str], answer: str, p_yes: float, verdict: Verdict, reason: str
) -> None:
    lines: list[str] = []
    script = Script(answers=(answer,), p_yes=p_yes, has_schemas=True)
    outcome = ask(serve(script), AnswerForms(lines.append))
    combined = outcome.combined
    assert (combined.verdict, combined.reason) == (verdict, reason)
    assert json.loads(outcome.text)["answer"] in ("yes", "no", "unsure")
    assert outcome.prompt_id == "is_there.1.json"
    if verdict is not UNSURE:
        wanted = p_yes if verdict is YES else 1.0 - p_yes
        assert (combined.source, combined.confidence) == ("logprobs", pytest.approx(wanted))
    assert (lines, script.number) == ([], 1)


def test_the_form_of_a_bound_answer_takes_nothing_from_its_reason(
    serve: Callable[[Script], str],
) -> None:
    """Bound to JSON, llama-server's models spend 20 tokens on quotes, ends of lines, indents."""
    script = Script(answers=("yes\nit is there",), has_schemas=True)
    path = serve(script)
    for max_tokens in (4, MAX_TOKENS):
        session = Session(Service(path, max_tokens=max_tokens), Gpu(), AnswerForms())
        outcome = session.run(make_questions("tent"), PICTURE, patience(5.0), lambda *_: None)
        assert json.loads(outcome.text) == {"answer": "yes", "reason": "it is there"}
    assert script.number == 2, "more than the protocol allows would be refused"


def test_a_server_that_cannot_is_asked_in_words_with_one_line(
    serve: Callable[[Script], str],
) -> None:
    lines: list[str] = []
    forms = AnswerForms(lines.append)
    script = Script(p_yes=0.9)
    path = serve(script)
    for _ in range(3):
        outcome = ask(path, forms)
        assert (outcome.combined.verdict, outcome.text) == (YES, "yes\nit is there")
        assert (outcome.combined.source, outcome.prompt_id) == ("logprobs", "is_there.1")
    assert forms.form == PLAIN
    assert script.number == 3, "what is refused is not tried again"
    assert len(lines) == 1
    assert lines[0].startswith("the model's service is asked with probabilities from now on: ")
    assert "'response_format' is unknown" in lines[0]


def test_another_server_is_asked_for_everything_again(serve: Callable[[Script], str]) -> None:
    forms = AnswerForms()
    script = Script()
    path = serve(script)
    assert ask(path, forms).prompt_id == "is_there.1"
    assert ask(path + ".none", forms).combined.cause == "no_service"
    script.has_schemas = True
    assert ask(path, forms).prompt_id == "is_there.1.json"


def test_the_end_of_time_holds_for_all_forms_together(serve: Callable[[Script], str]) -> None:
    session = Session(Service(serve(Script(fault="hang"))), Gpu(), AnswerForms())
    outcome = session.run(make_questions("tent"), PICTURE, 0.4, lambda *_: None)
    assert outcome.combined.cause == "timeout"
    assert outcome.latency_s < patience(2.0)


class ForeignServer(BaseHTTPRequestHandler):
    """A server of others: refuses fields in its own words, answers what it takes."""

    refuses: ClassVar[tuple[str, ...]] = ()
    refusal: ClassVar[tuple[int, Any]] = (400, {})
    is_deaf: ClassVar[bool] = False  # takes the schema and does not keep to it
    asked: ClassVar[list[frozenset[str]]] = []

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(frozenset(request))
        refused = [name for name in self.refuses if name in request]
        if refused:
            status, body = self.refusal
            text = json.dumps(body).replace("FIELD", refused[0]).encode()
            return self.answer(status, text)
        words = "no\ngrass"
        if "response_format" in request and not self.is_deaf:
            schema = request["response_format"]["json_schema"]["schema"]
            words = "".join(tokens_of(words, schema)[0])
        choice = {"message": {"content": words}, "finish_reason": "stop"}
        return self.answer(200, json.dumps({"model": "m", "choices": [choice]}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(ForeignServer, "asked", [])
    path = tmp_path / "foreign.sock"
    with ThreadingUnixStreamServer(str(path), ForeignServer) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield path
        server.shutdown()
        thread.join()


SCHEMA, LOGPROBS = ("response_format",), ("logprobs",)
REFUSALS = {
    "llama-server": (
        SCHEMA,
        400,
        {
            "error": {
                "code": 400,
                "message": "Failed to initialize samplers: failed to parse grammar",
                "type": "invalid_request_error",
            }
        },
    ),
    "older llama-server": (
        SCHEMA,
        500,
        {"error": {"code": 500, "message": 'Either "json_schema" or "grammar" failed'}},
    ),
    "vLLM": (SCHEMA, 400, {"object": "error", "message": "guided decoding failed", "code": 400}),
    "FastAPI": (SCHEMA, 422, {"detail": [{"loc": ["body", "FIELD"], "msg": "extra forbidden"}]}),
    "OpenAI": (
        SCHEMA,
        400,
        {"error": {"message": "Invalid parameter: 'FIELD'", "code": "unsupported_parameter"}},
    ),
    "no words": (SCHEMA, 400, {}),
    "status 200": (SCHEMA, 200, {"error": {"message": "FIELD is not supported"}}),
    "no probabilities": (LOGPROBS, 400, {"error": {"message": "logprobs are not supported"}}),
    "neither": (
        SCHEMA + LOGPROBS,
        400,
        {"error": {"message": "unsupported field FIELD", "code": None}},
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_servers_of_others_refuse_in_their_words(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refuses, status, body = REFUSALS[name]
    monkeypatch.setattr(ForeignServer, "refuses", refuses)
    monkeypatch.setattr(ForeignServer, "refusal", (status, body))
    lines: list[str] = []
    forms = AnswerForms(lines.append)
    for _ in range(2):
        outcome = ask(foreign, forms)
        assert (outcome.combined.verdict, outcome.combined.reason) == (NO, "grass"), name
    assert len(lines) == 1
    assert "\n" not in lines[0]
    asked = ForeignServer.asked
    assert asked[0] >= {"response_format", "logprobs"}
    assert not asked[-1] & set(refuses)
    assert len(asked) == (4 if name == "neither" else 3)
    assert forms.form.is_bound == ("response_format" not in refuses)


def test_a_server_that_does_not_keep_to_it_is_read_all_the_same(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForeignServer, "is_deaf", True)
    outcome = ask(foreign, AnswerForms())
    assert (outcome.combined.verdict, outcome.combined.reason) == (NO, "grass")


def test_a_refusal_that_is_about_something_else_is_not_learnt(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForeignServer, "refuses", ("messages",))
    body = {"error": {"message": "no slot is free", "code": 500}}
    monkeypatch.setattr(ForeignServer, "refusal", (500, body))
    lines: list[str] = []
    forms = AnswerForms(lines.append)
    assert ask(foreign, forms).combined.cause == "refused"
    assert (forms.form, lines) == (BOUND, [])


@pytest.mark.parametrize(
    ("cause", "text", "is_refusal", "weaker"),
    [
        ("unknown_field", "field 'response_format' is unknown", True, PLAIN),
        ("refused", "top_logprobs must be 0", True, AnswerForm(has_logprobs=False)),
        ("refused", "no", True, WORDS_ONLY),
        ("busy", "response_format", True, None),
        ("model_failed", "grammar", True, None),
        ("timeout", "response_format", False, None),
        ("cancelled", "", False, None),
        ("cut_off", "the answer broke off", False, None),
    ],
)
def test_what_is_asked_after_a_refusal(
    cause: str, text: str, is_refusal: bool, weaker: AnswerForm | None
) -> None:
    assert BOUND.weaker(ServiceError(cause, text, is_refusal=is_refusal)) == weaker
    assert WORDS_ONLY.weaker(ServiceError(cause, text, is_refusal=is_refusal)) is None


def rivals(yes: float) -> dict[str, float]:
    return {"yes": math.log(yes), "no": math.log(1.0 - yes)}


@pytest.mark.parametrize(
    "tokens",
    [
        ["yes", "\n", "a roof"],
        ['{"', "answer", '":', ' "', "yes", '","', "reason", '":"a roof"}'],
        ["{", "\n ", '"answer"', ":", ' "yes', '",', ' "reason": "a roof"', "}"],
        ['{ "answer" : "', "yes", '", "reason": "no"}'],
        ["```json\n{", '"verdict": "', "yes", '"}'],
    ],
)
def test_the_token_of_the_verdict_is_found(tokens: list[str]) -> None:
    place = next(i for i, token in enumerate(tokens) if "yes" in token)
    told = [
        (token, rivals(0.8) if index == place else {token: 0.0})
        for index, token in enumerate(tokens)
    ]
    found = logprobs_of_verdict(told)
    assert read_answer("".join(tokens).replace('"no"', '"so"'), found).confidence == pytest.approx(
        0.8
    )


WHOLE = '{"answer": "no", "reason": "only \\"grass\\" here"}'


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_a_bound_answer_that_is_cut_off_is_read_as_far_as_it_goes(length: int) -> None:
    """Of a verdict that was cut off itself, "no" may be the beginning of "no image"."""
    reading = read_answer(WHOLE[:length])
    assert reading.verdict is (NO if length >= len('{"answer": "no"') else UNSURE)


def test_the_schema_lets_pass_the_three_words() -> None:
    for word in ANSWER_SCHEMA["properties"]["answer"]["enum"]:  # type: ignore[index]
        assert (
            read_answer(json.dumps({"answer": word, "reason": "so"})).verdict
            is Verdict[word.upper()]
        )
