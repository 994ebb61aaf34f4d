"""`search_archive --vlm`: the stand-in of a vision-language model is asked what is left open.

The stub speaks the real protocol, and looks: it says yes where the middle of the picture has the
colour that the question names.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archive_things as things
import cv2
import numpy as np
import pytest
from patience import patience

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.recorder.evidence.content import latest_findings
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.server import VlmServer
from vlm_bridge_pkg.stub.answers import Said
from vlm_bridge_pkg.stub.faults import Script, stub_server

pytestmark = pytest.mark.usefixtures("no_progress")

WORDS = "red,green,blue"
YES, NO, UNSURE, NOT_RUN = (
    one.value for one in (Verdict.YES, Verdict.NO, Verdict.UNSURE, Verdict.NOT_RUN)
)


class Eyes:
    """What the stub sees, and what it was asked."""

    def __init__(self, blind_to: str = "", unsure_of: str = "") -> None:
        self.blind_to, self.unsure_of = blind_to, unsure_of
        self.prompts: list[str] = []

    def look(self, request: ChatRequest) -> Said:
        assert request.picture is not None
        self.prompts.append(request.prompt)
        image = cv2.imdecode(np.frombuffer(request.picture.data, np.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        middle = image[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4]
        colour = middle.reshape(-1, 3).mean(axis=0)
        seen = max(things.COLOURS, key=lambda one: float(np.dot(colour, things.COLOURS[one])))
        if self.unsure_of and f'"{self.unsure_of}"' in request.prompt:
            return Said("unsure\nit is too far away")
        is_there = f'"{seen}"' in request.prompt and seen != self.blind_to
        return Said(f"yes\nit is {seen} in the middle" if is_there else "no\nit is grass", 0.9)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Script], str]]:
    """A function that runs the stub, in place of the one before, and returns its socket."""
    running: list[tuple[VlmServer, threading.Thread, Script]] = []

    def end() -> None:
        while running:
            server, thread, script = running.pop()
            script.released.set()
            server.close()
            thread.join()

    def begin(script: Script) -> str:
        end()
        server = stub_server(str(tmp_path / "vlm.sock"), script)
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        running.append((server, thread, script))
        return str(server.server_address)

    yield begin
    end()


@pytest.fixture
def search(
    bag: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """A function that runs the tool and returns exit status, output and complaints."""

    def run(*words: object, out: str = "out", workers: int = 1) -> tuple[int, str, str]:
        asked = ["--words", WORDS, "--model", model, "--output", tmp_path / out]
        status = main([str(one) for one in [bag, *asked, "--workers", workers, *words]])
        said = capfd.readouterr()
        return status, said.out, said.err

    return run


def digest_of(text: str) -> str:
    found = re.search(r"findings sha256 ([0-9a-f]{64})", text)
    assert found is not None, text
    return found[1]


def findings_in(out: Path) -> dict[str, Any]:
    with BagReader(out / "findings") as reader:
        return {one.class_name: one for one in latest_findings(reader, "/")}


def tier_3(finding: Any) -> Any:
    (tier,) = [one for one in finding.tiers if one.tier == 3]
    return tier


@pytest.mark.long
def test_its_answer_is_a_tier_of_findings_pages_and_map_files(
    tmp_path: Path, search: Callable[..., Any], serve: Callable[[Script], str]
) -> None:
    eyes = Eyes(blind_to="blue", unsure_of="red")
    address = serve(Script(look=eyes.look))
    assert "3 confirmed" in search(out="without")[1]
    status, said, complaints = search("--vlm", address, "--export", "csv")
    assert (status, complaints) == (0, "report: 3 findings have no position: only csv has them\n")
    assert "80 pictures looked through: 1 confirmed, 1 rejected, 1 uncertain" in said
    assert sorted(eyes.prompts) == [
        f'Is there "{colour}" in this picture?' for colour in ("blue", "green", "red")
    ]
    found = findings_in(tmp_path / "out")
    assert {name: (one.state, tier_3(one).verdict) for name, one in found.items()} == {
        "green": (FindingState.CONFIRMED.value, YES),
        "blue": (FindingState.REJECTED.value, NO),
        "red": (FindingState.UNCERTAIN.value, UNSURE),
    }
    green = found["green"]
    (answer,) = green.answers
    assert (answer.verdict, answer.model, answer.prompt_id) == (YES, "stub", "is_there.1")
    assert answer.text == "yes\nit is green in the middle"
    assert answer.reason == "it is green in the middle"
    assert answer.confidence == pytest.approx(0.9, abs=1e-3)
    assert answer.frame == green.best_frame == tier_3(green).frames[0]
    assert (tier_3(green).model, tier_3(green).reason) == ("stub", answer.reason)
    assert green.score == pytest.approx(answer.confidence)
    pages = [path.read_text() for path in (tmp_path / "out/findings/events").glob("*/*.html")]
    (page,) = [text for text in pages if "it is green in the middle" in text]
    assert "Question to stub" in page
    assert "Is there &#34;green&#34; in this picture?" in page
    rows = (tmp_path / "out/findings/findings.csv").read_text(encoding="utf-8-sig")
    assert [rows.count(word) for word in ("confirmed", "rejected")] == [1, 1]


@pytest.mark.long
def test_the_same_for_any_number_of_workers_and_nothing_is_asked_twice(
    tmp_path: Path, search: Callable[..., Any], serve: Callable[[Script], str]
) -> None:
    digests = set()
    for workers in (1, 2):
        eyes = Eyes(blind_to="blue")
        status, said, _ = search(
            "--vlm", serve(Script(look=eyes.look)), out=f"out{workers}", workers=workers
        )
        assert (status, len(eyes.prompts)) == (0, 3)
        digests.add(digest_of(said))
    again = Eyes()  # which would say something else
    address = serve(Script(look=again.look))
    digests.add(digest_of(search("--vlm", address, out="out1")[1]))
    assert (len(digests), again.prompts) == (1, [])
    # Nor where the server is away: what it said is still known.
    digests.add(digest_of(search("--vlm", tmp_path / "nobody.sock", out="out1")[1]))
    assert len(digests) == 1
    # Another model is another matter.
    other = digest_of(search("--vlm", address, "--vlm-model", "larger", out="out1")[1])
    assert len(again.prompts) == 3
    assert other not in digests
    # And what people no longer want is not there.
    assert "3 confirmed" in search(out="out1")[1]
    assert not any(one.answers for one in findings_in(tmp_path / "out1").values())


@pytest.mark.long
def test_a_damaged_answer_is_asked_for_again(
    tmp_path: Path, search: Callable[..., Any], serve: Callable[[Script], str]
) -> None:
    eyes = Eyes()
    address = serve(Script(look=eyes.look))
    before = search("--vlm", address)
    kept = sorted((tmp_path / "out/answers").glob("*.vlm.json"))
    assert len(kept) == 3
    document = json.loads(kept[1].read_text())
    for path, text in zip(
        kept, ("{", json.dumps({**document, "verdict": "maybe"}), "[]"), strict=True
    ):
        path.write_text(text)
    assert search("--vlm", address) == before
    assert len(eyes.prompts) == 6


@pytest.mark.long
@pytest.mark.timeout(180)
def test_nobody_there(
    tmp_path: Path,
    search: Callable[..., Any],
    serve: Callable[[Script], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The search goes on without, says so once, and asks when there is somebody again."""
    monkeypatch.setattr("vlm_bridge_pkg.asking._LOST_S", 0.8)
    address = tmp_path / "vlm.sock"
    bare = search(out="bare")[1]
    status, said, complaints = search("--vlm", address)
    assert status == 1
    assert (
        said.splitlines()[0] == bare.splitlines()[0] == ("80 pictures looked through: 3 confirmed")
    )
    (line,) = complaints.splitlines()
    assert line == (
        f"search_archive: the vision-language model at {address} gave no answer about 3 things: "
        f"nobody serves {address}: No such file or directory; begun again, the search asks what is "
        "left"
    )
    for one in findings_in(tmp_path / "out").values():
        assert one.state == FindingState.CONFIRMED.value
        assert (tier_3(one).verdict, one.answers) == (NOT_RUN, [])
        assert tier_3(one).reason.startswith("the vision-language model gave no answer: nobody")
    pages = [path.read_text() for path in (tmp_path / "out/findings/events").glob("*/*.html")]
    assert len(pages) == 3
    assert all("the vision-language model gave no answer: nobody serves" in page for page in pages)
    eyes = Eyes(blind_to="blue")
    assert str(address) == serve(Script(look=eyes.look))
    status, late, complaints = search("--vlm", address)
    assert (status, complaints, len(eyes.prompts)) == (0, "", 3)
    whole = search("--vlm", address, out="whole")[1]
    assert digest_of(late) == digest_of(whole) != digest_of(said)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["hang", "slow"])
def test_a_server_that_is_too_slow_is_left_alone(
    search: Callable[..., Any], serve: Callable[[Script], str], fault: str
) -> None:
    """After three questions, of which the server takes the next only when it has left the last."""
    script = Script(fault=fault, piece_s=0.2)
    began_s = time.monotonic()
    status, said, complaints = search("--vlm", serve(script), "--vlm-timeout", 0.5)
    assert time.monotonic() - began_s < patience(60.0)
    assert status == 1
    assert 1 <= script.number <= 3
    assert "3 confirmed" in said
    (line,) = complaints.splitlines()
    assert "gave no answer about 3 things: no whole answer of " in line


class Dying(Script):
    """Breaks every answer off but the first two."""

    def next_fault(self) -> str:
        self.number += 1
        return "half" if self.number > 2 else "none"


@pytest.mark.long
def test_what_was_answered_before_the_server_died_is_kept(
    tmp_path: Path,
    search: Callable[..., Any],
    serve: Callable[[Script], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vlm_bridge_pkg.asking._LOST_S", 0.0)
    status, _, complaints = search("--vlm", serve(Dying()))
    assert status == 1
    assert "gave no answer about 1 thing: the answer broke off" in complaints
    assert len(list((tmp_path / "out/answers").glob("*.vlm.json"))) == 2
    fresh = Eyes()
    status, _, complaints = search("--vlm", serve(Script(look=fresh.look)))
    assert (status, complaints, len(fresh.prompts)) == (0, "", 1)


@pytest.mark.long
def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    search: Callable[..., Any], serve: Callable[[Script], str]
) -> None:
    script = Script(fault="busy", fault_count=2)
    status, said, complaints = search("--vlm", serve(script))
    assert (status, complaints, script.number) == (0, "", 5)
    assert "3 confirmed" in said


def test_a_server_without_eyes_is_asked_once(
    search: Callable[..., Any], serve: Callable[[Script], str]
) -> None:
    script = Script(fault="blind", has_schemas=True)
    status, _, complaints = search("--vlm", serve(script))
    assert (status, script.number) == (1, 1)
    (line,) = complaints.splitlines()
    assert "gave no answer about 3 things: image input is not supported" in line
    assert "llama-server: --mmproj" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vlm", "ftp://x"], "vlm: 'ftp://x' is no address of a server; allowed are http://"),
        (["--vlm", "http://"], "vlm: 'http://' is no address of a server"),
        (["--vlm", "http://host:port"], "vlm: 'http://host:port' is no address of a server"),
        (["--vlm", "http://[::1"], "vlm: 'http://[::1' is no address of a server"),
        (["--vlm", "localhost:8081"], "vlm: 'localhost:8081' is no address of a server"),
    ],
)
def test_a_mistake_is_one_line(search: Callable[..., Any], words: list[str], said: str) -> None:
    status, out, complaints = search(*words)
    assert (status, out) == (2, "")
    assert complaints.startswith(f"search_archive: {said}")
    assert complaints.count("\n") == 1


def test_without_the_package_that_asks(
    search: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantic_detection_pkg.archive.asking.plugin_names", lambda _: ())
    status, out, complaints = search("--vlm", "http://127.0.0.1:1")
    assert (status, out) == (2, "")
    assert complaints == (
        "search_archive: vlm http://127.0.0.1:1: no installed package can ask a vision-language "
        "model; vlm_bridge_pkg can\n"
    )
