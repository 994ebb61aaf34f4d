"""The way to ask that the archive finds by entry point: by socket and URL, as the bridge asks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import cv2
import numpy as np
import pytest
from patience import patience
from stub_questions import stub_servers

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.picture_questions import GROUP
from vlm_bridge_pkg.asking import BridgeAsker, open_asker
from vlm_bridge_pkg.errors import ConfigurationError, ServiceError
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.stub.answers import Said
from vlm_bridge_pkg.stub.faults import Script
from vlm_bridge_pkg.transport.client import read_health, read_models


def jpeg_of(level: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), level, np.uint8))[1].tobytes()


JPEG = jpeg_of(0)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    with stub_servers(tmp_path) as run:
        yield run


class Relay:
    """Carries bytes between a TCP port and the stub's socket, as `socat` does."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True, name="relay").start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._path)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(
                    target=carry, args=(source, sink), daemon=True, name="relay"
                ).start()


def carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()


@pytest.fixture
def relay() -> Iterator[Callable[[str], str]]:
    relays: list[Relay] = []

    def begin(path: str) -> str:
        relays.append(Relay(path))
        return relays[-1].url

    yield begin
    for one in relays:
        one.close()


def asker(address: str, timeout_s: float = 10.0) -> BridgeAsker:
    return BridgeAsker(address, "", patience(timeout_s))


def test_it_is_found_by_entry_point() -> None:
    (found,) = entry_points(group=GROUP)
    assert found.load().open_asker is open_asker


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_a_server_is_asked_by_its_url(
    run: Callable[[Script], str], relay: Callable[[str], str], ending: str
) -> None:
    url = relay(run(Script(("yes\nit stands there",), p_yes=0.8, has_schemas=True))) + ending
    answer = asker(url).ask(JPEG, "tent")
    assert (answer.verdict, answer.is_answered) == (Verdict.YES, True)
    assert (answer.reason, answer.model) == ("it stands there", "stub")
    assert answer.confidence == pytest.approx(0.8)
    assert (answer.question, answer.prompt_id) == (
        'Is there "tent" in this picture?', "is_there.1.json"
    )  # fmt: skip
    assert read_models(url) == ("stub",)
    assert asker(url).served_model() == "stub"
    assert read_health(url, patience(5.0))["status"] == "ok"


def test_no_word_of_a_lease_is_said(run: Callable[[Script], str]) -> None:
    """An arbiter's epoch would be a lie: a service that wants one refuses, and says why."""
    script = Script(fault="stale")
    answer = asker(run(script)).ask(JPEG, "tent")
    assert (answer.is_answered, answer.is_hopeless, script.number) == (False, True, 1)
    assert "a robot's arbiter only" in answer.reason


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "https://127.0.0.1:1", "/nowhere.sock"])
def test_nobody_there(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlm_bridge_pkg.asking._LOST_S", 0.6)
    one = asker(address)
    assert one.served_model() == ""
    answer = one.ask(JPEG, "tent")
    assert (answer.verdict, answer.is_answered, answer.is_hopeless) == (
        Verdict.UNSURE, False, True
    )  # fmt: skip
    assert answer.reason.startswith(f"nobody serves {address}: ")
    with pytest.raises(ServiceError, match="nobody serves"):
        read_health(address, 0.5)


def test_a_server_that_comes_in_time_is_asked(run: Callable[[Script], str], tmp_path: Path) -> None:
    timer = threading.Timer(0.7, run, [Script()])
    timer.start()
    try:
        answer = asker(str(tmp_path / "vlm.sock")).ask(JPEG, "tent")
    finally:
        timer.join()
    assert answer.verdict is Verdict.YES


def test_one_that_hangs_ends_at_the_time_out(
    run: Callable[[Script], str], relay: Callable[[str], str]
) -> None:
    answer = BridgeAsker(relay(run(Script(fault="hang"))), "", 0.5).ask(JPEG, "tent")
    assert (answer.is_answered, answer.is_hopeless, answer.cause) == (False, False, "timeout")


def test_an_unreadable_answer_is_an_answer(run: Callable[[Script], str]) -> None:
    answer = asker(run(Script(("perhaps a goat",)))).ask(JPEG, "tent")
    assert (answer.verdict, answer.is_answered) == (Verdict.UNSURE, True)
    assert answer.text == "perhaps a goat"
    assert answer.cause


def test_a_question_s_name_goes_by_picture_and_words() -> None:
    one = asker("/nowhere.sock")
    name = one.key(JPEG, "tent")
    assert name == asker("http://elsewhere").key(JPEG, "tent")
    assert len({name, one.key(JPEG, "person"), one.key(jpeg_of(200), "tent")}) == 3


@pytest.mark.parametrize("wrong", [b"", b"no picture", JPEG[:100]])
def test_a_picture_that_is_none_is_refused(wrong: bytes) -> None:
    one = asker("/nowhere.sock")
    for act in (one.ask, one.key):
        with pytest.raises(ConfigurationError, match="crop: "):
            act(wrong, "tent")


@pytest.mark.parametrize(
    "wrong", ["http://", "ftp://host", "http://host:99999", "http://host:0", "http://h/v1?key=1",
              "http://user:word@host", "http://[::1", "unix:///run/vlm.sock", "http://a b",
              "http://a..b", "http://" + "a" * 64, "http://h/\u00fc", "http://h/a b", "http:/h:80",
              "https:h", "h:8081",
              "127.0.0.1:8081/v1", "[::1]:8081"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server"):
        open_asker(wrong, model="", timeout_s=1.0)


def test_the_model_s_name_is_asked_for(run: Callable[[Script], str]) -> None:
    asked: list[str] = []

    def look(request: ChatRequest) -> Said:
        asked.append(request.model)
        return Said("no\nnothing there")

    one = open_asker(run(Script(look=look)), model="large", timeout_s=patience(10.0))
    assert one.ask(JPEG, "tent").verdict is Verdict.NO
    assert (asked, one.served_model()) == (["large"], "large")
