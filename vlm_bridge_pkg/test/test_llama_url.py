"""A real llama-server by its URL, as the archive asks one; its model is a text model."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import llama
import numpy as np
import pytest
from free_port import free_port
from patience import patience, wait_until

from vlm_bridge_pkg.asking import BridgeAsker
from vlm_bridge_pkg.core.questions import ANSWER_SCHEMA, SYSTEM_BOUND
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.transport.client import VlmCall, read_health, read_models

if not llama.FOLDER:
    pytest.skip(llama.NOT_BUILT, allow_module_level=True)

pytestmark = [pytest.mark.timeout(300)]
JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def is_ready(url: str) -> bool:
    try:
        return bool(read_health(url)["status"] == "ok")
    except ServiceError:
        return False


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log: Path = tmp_path_factory.mktemp("llama") / "log"
    words = [f"{llama.FOLDER}/llama-server", "--model", f"{llama.FOLDER}/model.gguf"]
    words += ["--alias", llama.ALIAS, "--host", "127.0.0.1", "--port", str(port)]
    words += ["--parallel", "1", "--cache-ram", "0", "--threads", "1", "--ctx-size", "1024"]
    with log.open("ab") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_ready(address), "llama-server to be ready", 60.0)
        yield address
    finally:
        process.terminate()
        process.wait(30.0)


def test_its_model_is_told_and_a_question_answered(url: str) -> None:
    assert read_models(url) == (llama.ALIAS,)
    question = ChatRequest(
        "Is there a tent?", None, SYSTEM_BOUND, 64, is_streaming=True, schema=ANSWER_SCHEMA
    )
    reply = VlmCall(f"{url}/v1").ask(question, epoch=None, timeout_s=patience(60.0))
    assert reply.model == llama.ALIAS
    assert '"answer"' in reply.text


def test_a_model_without_eyes_is_no_help(url: str) -> None:
    asker = BridgeAsker(url, "", patience(60.0))
    assert asker.served_model() == llama.ALIAS
    answer = asker.ask(JPEG, "tent")
    assert (answer.is_answered, answer.is_hopeless, answer.cause) == (False, True, "no_vision")
    assert "--mmproj" in answer.reason
