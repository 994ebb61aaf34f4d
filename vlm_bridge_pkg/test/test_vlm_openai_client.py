"""The official OpenAI client, as it is, on the stub's and the service's socket."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openai
import pytest

from semantic_detection_pkg.gpu.epoch_file import write_epoch
from vlm_bridge_pkg.core.questions import ANSWER_SCHEMA
from vlm_bridge_pkg.protocol.pictures import read_picture
from vlm_bridge_pkg.service.model import FakeModel, Model
from vlm_bridge_pkg.service.server import Options, VlmServer
from vlm_bridge_pkg.service.turn import Guards
from vlm_bridge_pkg.stub.faults import Script, ScriptedModel, StubHandler

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
MESSAGES: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Is it there?"},
            {"type": "image_url", "image_url": {"url": read_picture(JPEG).to_uri()}},
        ],
    },
]


@pytest.fixture(params=["stub", "service"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    write_epoch(tmp_path / "gpu.epoch", 3)
    guards = Guards(tmp_path / "gpu.lock", tmp_path / "gpu.epoch")
    script = Script(p_yes=0.9, has_schemas=True)
    model: Model = ScriptedModel(script) if request.param == "stub" else FakeModel()
    handler = StubHandler if request.param == "stub" else None
    server = VlmServer(tmp_path / "vlm.sock", model, Options(guards), handler)
    server.load()
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    # The name of its HTTP library differs between versions: it is that of the client's base class.
    base = next(c for c in openai.DefaultHttpxClient.__mro__ if c.__name__ == "Client")
    http = importlib.import_module(base.__module__.partition(".")[0])
    transport = http.HTTPTransport(uds=str(server.server_address))
    with openai.OpenAI(
        base_url="http://localhost/v1",
        api_key="none",
        max_retries=0,
        default_headers={"X-Lease-Epoch": "3"},
        http_client=openai.DefaultHttpxClient(transport=transport),
    ) as client:
        yield client
    server.close()
    thread.join()


def test_whole_answer(client: Any) -> None:
    answer = client.chat.completions.create(model="x", messages=MESSAGES, max_tokens=32)
    assert answer.choices[0].message.content == "yes\nit is there"
    assert answer.choices[0].finish_reason == "stop"


def test_streamed_answer(client: Any) -> None:
    stream = client.chat.completions.create(
        model="x", messages=MESSAGES, stream=True, temperature=0
    )
    texts = [part.choices[0].delta.content or "" for part in stream]
    assert "".join(texts) == "yes\nit is there"
    assert len(texts) > 2


def test_models_and_logprobs(client: Any) -> None:
    (model,) = client.models.list().data
    answer = client.chat.completions.create(
        model=model.id, messages=MESSAGES, logprobs=True, top_logprobs=2
    )
    if model.id == "stub":
        first = answer.choices[0].logprobs.content[0]
        assert [rival.token for rival in first.top_logprobs] == ["yes", "no"]
    else:
        assert answer.choices[0].logprobs is None


def test_answers_bound_to_a_schema(client: Any) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER_SCHEMA}}
    (model,) = client.models.list().data
    create = client.chat.completions.create
    if model.id == "stub":
        answer = create(model="x", messages=MESSAGES, response_format=form, logprobs=True)
        choice = answer.choices[0]
        assert json.loads(choice.message.content) == {"answer": "yes", "reason": "it is there"}
        assert "yes" in [token.token for token in choice.logprobs.content]
    else:  # it cannot, and says so
        with pytest.raises(openai.BadRequestError, match="'response_format' is unknown"):
            create(model="x", messages=MESSAGES, response_format=form)


def test_refusals_are_its_own_errors(client: Any) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.ConflictError, match="lease epoch 2 is over, newest is 3"):
        create(model="x", messages=MESSAGES, extra_headers={"X-Lease-Epoch": "2"})
    with pytest.raises(openai.BadRequestError, match="'seed' is unknown"):
        create(model="x", messages=MESSAGES, seed=1)
    with pytest.raises(openai.APIStatusError) as error:
        create(model="x", messages=[{"role": "user", "content": "x" * 30_000_000}])
    assert error.value.status_code == 413
