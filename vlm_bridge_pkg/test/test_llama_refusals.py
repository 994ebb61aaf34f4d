"""What llama-server and others refuse in their own words: each has its cause, and is asked once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import patience
from stub_questions import ask, stub_servers

from ros_support_pkg.core.words import Verdict
from vlm_bridge_pkg.answer_forms import AnswerForm, AnswerForms
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.replies import refused
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.stub.faults import Script
from vlm_bridge_pkg.transport.client import VlmCall, read_health


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    with stub_servers(tmp_path) as run:
        yield run


@pytest.mark.parametrize(
    ("fault", "cause", "words"),
    [
        ("blind", "no_vision", "image input is not supported"),
        ("overflow", "too_large", "exceeds the available context size (256 tokens)"),
        ("cold", "loading", "Loading model"),
    ],
)
def test_a_refusal_of_llama_server_has_its_cause_and_is_asked_once(
    serve: Callable[[Script], str], fault: str, cause: str, words: str
) -> None:
    lines: list[str] = []
    forms = AnswerForms(lines.append)
    script = Script(fault=fault, has_schemas=True)
    outcome = ask(serve(script), forms)
    assert (outcome.combined.verdict, outcome.combined.cause) == (Verdict.UNSURE, cause)
    assert words in outcome.combined.reason, "the operator reads what the server said"
    assert (outcome.combined.confidence, outcome.text) == (0.0, "")
    assert script.number == 1, "another form of the question would be refused as well"
    assert (forms.form, lines) == (AnswerForm(), [])


def test_a_server_without_a_projector_answers_what_has_no_picture(
    serve: Callable[[Script], str],
) -> None:
    path = serve(Script(fault="blind"))
    call = VlmCall(path)
    question = ChatRequest("Is it there?", is_streaming=True)
    assert call.ask(question, epoch=1, timeout_s=patience(5.0)).text == "yes\nit is there"


#: As servers say it.
WORDS: dict[str, list[Any]] = {
    "no_vision": [
        {"message": "image input is not supported by this server", "code": 500},
        {"message": "facebook/opt-125m is not a multimodal model None", "code": 400},
        {"message": "At most 0 image(s) may be provided in one request.", "code": 400},
        {"message": "this model is missing data required for image input"},
        {"message": "Invalid content type. image_url is only supported by certain models."},
        {"message": "The model does not support images"},
        {"message": "Model does not have vision capabilities"},
        {"message": "This model does not support image input"},
        "multimodal input is not supported",
    ],
    "too_large": [
        {
            "message": "This model's maximum context length is 512 tokens. However, you requested"
            " 640 tokens. Please reduce the length of the messages.",
            "code": 400,
        },
        {"message": "the request exceeds the available context size. try increasing it"},
        {"message": "x", "type": "exceed_context_size_error", "code": 400},
        {"message": "x", "code": "context_length_exceeded"},
        {"message": "Context size has been exceeded.", "code": 500},
        {"message": "Trying to keep the first 15857 tokens when context the overflows."},
    ],
    "loading": [
        {"message": "Loading model", "type": "unavailable_error", "code": 503},
        {"message": "the model is still loading", "code": 503},
    ],
    "refused": [
        {"message": "images may be sent as PNG only", "code": 400},
        {"message": "no", "code": 400},
        {"message": "failed to load the image", "code": 400},
        {"message": "the context is none of yours"},
        {"message": "this server does not support images larger than 4 MB"},
        {"message": "image format is not supported"},
        {"message": "the model is loaded by somebody else"},
        "",
        None,
        {},
    ],
    "busy": [{"message": "image input is not supported", "code": "busy"}],
}


@pytest.mark.parametrize(
    ("cause", "error"), [(cause, error) for cause, errors in WORDS.items() for error in errors]
)
def test_the_cause_in_the_words_of_others(cause: str, error: Any) -> None:
    refusal = refused(error)
    assert (refusal.cause, refusal.is_refusal) == (cause, True)


def test_a_server_that_takes_no_connections_is_said_to_be_so(tmp_path: Path) -> None:
    """One that is stopped, once the kernel's queue for it is full."""
    path = str(tmp_path / "vlm.sock")
    waiting = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(0)
        for _ in range(2):
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            waiting.append(connection)
            try:
                connection.connect(path)
            except BlockingIOError:
                break
        outcome = ask(path, AnswerForms())
        with pytest.raises(ServiceError) as error:
            read_health(path, 0.1)
    for connection in waiting:
        connection.close()
    assert outcome.combined.cause == "no_service"
    assert "takes no connection" in outcome.combined.reason
    assert error.value.cause == "no_service"
