"""A goal from the lease to the verdict: the lease is given back in every path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from patience import patience

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.gpu.lock import KernelLock, is_free
from vlm_bridge_pkg.core.questions import make_questions
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.service.server import VlmServer
from vlm_bridge_pkg.session import AskResult, Lease, Service, Session
from vlm_bridge_pkg.stub.faults import Script, stub_server

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
PICTURE = fit_square(JPEG, 64)


@dataclass
class Leases:
    """A GPU that counts what is given and given back."""

    refusal: str = ""
    longest_s: float = 60.0
    given: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)

    def acquire(self, duration_s: float, wait_s: float, is_over: threading.Event) -> Lease:
        assert duration_s > 0
        assert wait_s > 0
        if self.refusal or is_over.is_set():
            raise ServiceError(self.refusal or "cancelled", "no lease")
        self.given.append(len(self.given) + 1)
        return Lease(self.given[-1], self.longest_s)

    def release(self, epoch: int) -> None:
        self.returned.append(epoch)


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.released.set()


@pytest.fixture
def stub(tmp_path: Path, script: Script) -> Iterator[VlmServer]:
    server = stub_server(str(tmp_path / "vlm.sock"), script)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield server
    server.close()
    thread.join()


def run(
    server: VlmServer,
    gpu: Leases,
    variants: int = 1,
    lock_file: str = "",
    timeout_s: float | None = None,
) -> tuple[AskResult, list[tuple[str, str]]]:
    progress: list[tuple[str, str]] = []
    session = Session(Service(str(server.server_address), lock_file=lock_file), gpu)
    outcome = session.run(
        make_questions("tent", variants=variants),
        PICTURE,
        timeout_s or patience(5.0),
        lambda stage, text: progress.append((stage, text)),
    )
    return outcome, progress


def test_lease_question_answer(stub: VlmServer) -> None:
    gpu = Leases()
    outcome, progress = run(stub, gpu)
    assert (outcome.combined.verdict, outcome.combined.reason) == (Verdict.YES, "it is there")
    assert (outcome.model, outcome.prompt_id, outcome.epoch) == ("stub", "is_there.1", 1)
    assert gpu.given == gpu.returned == [1]
    assert progress[:2] == [("lease", ""), ("request", "")]
    assert progress[-1] == ("answer", outcome.text)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("hang", "timeout"),
        ("rubbish", "unreadable"),
        ("half", "cut_off"),
        ("busy", "busy"),
        ("stale", "stale_epoch"),
        ("huge", "unreadable"),
        ("failed", "model_failed"),
    ],
)
def test_faults_are_uncertain_and_the_lease_is_given_back(
    stub: VlmServer, script: Script, fault: str, cause: str
) -> None:
    script.fault = fault
    gpu = Leases()
    outcome, _ = run(stub, gpu, timeout_s=0.4 if fault == "hang" else None)
    assert (outcome.combined.verdict, outcome.combined.cause) == (Verdict.UNSURE, cause)
    assert outcome.combined.confidence == 0.0
    assert gpu.given == gpu.returned == [1]


def test_the_end_of_the_lease_is_the_end_of_the_question(stub: VlmServer, script: Script) -> None:
    script.fault = "hang"
    gpu = Leases(longest_s=0.2)
    outcome, _ = run(stub, gpu, timeout_s=1e6)
    assert outcome.combined.cause == "timeout"
    assert outcome.latency_s >= 0.2


def test_without_a_lease_nothing_is_asked(stub: VlmServer, script: Script) -> None:
    gpu = Leases(refusal="no_lease")
    outcome, progress = run(stub, gpu)
    assert (outcome.combined.cause, outcome.epoch, gpu.returned) == ("no_lease", 0, [])
    assert (script.number, progress) == (0, [("lease", "")])


def test_a_cancel_at_any_stage(stub: VlmServer, script: Script) -> None:
    script.piece_s = 0.02
    for when in ("lease", "request", "answer"):
        gpu = Leases()
        session = Session(Service(str(stub.server_address)), gpu)

        def tell(stage: str, _: str, when: str = when, session: Session = session) -> None:
            if stage == when:
                session.cancel()

        outcome = session.run(make_questions("tent"), PICTURE, patience(5.0), tell)
        assert outcome.combined.cause == "cancelled", when
        assert gpu.given == gpu.returned


def test_agreement_of_three_questions(stub: VlmServer, script: Script) -> None:
    script.answers = ("yes\na roof", "yes\nstill", "no\nthere is one")
    outcome, _ = run(stub, Leases(), variants=3)
    combined = outcome.combined
    assert (combined.verdict, combined.confidence) == (Verdict.YES, 1.0)
    assert (combined.source, combined.reason) == ("agreement", "a roof")
    script.answers, script.number = ("yes", "no", "no"), 0
    assert run(stub, Leases(), variants=3)[0].combined.cause == "contradiction"


def test_a_no_is_held_against_what_was_asked_for(stub: VlmServer, script: Script) -> None:
    script.answers = ("no\nA tent is at the left.", "no\nA boat is at the left.")
    combined = run(stub, Leases())[0].combined
    assert (combined.verdict, combined.cause) == (Verdict.UNSURE, "contradiction")
    assert combined.reason == "A tent is at the left."
    assert run(stub, Leases())[0].combined.verdict is Verdict.NO


def test_a_fault_in_a_later_question_spoils_all(stub: VlmServer, script: Script) -> None:
    """Half of the questions answered is no agreement."""
    script.fault, script.fault_count = "busy", 1
    assert run(stub, Leases(), variants=2)[0].combined.cause == "busy"


def test_holds_the_lock_for_servers_that_do_not(
    stub: VlmServer, script: Script, tmp_path: Path
) -> None:
    script.piece_s = 0.02
    path = tmp_path / "gpu.lock"
    seen: list[bool] = []
    session = Session(Service(str(stub.server_address), lock_file=str(path)), Leases())
    session.run(
        make_questions("tent"), PICTURE, patience(5.0), lambda *_: seen.append(is_free(path))
    )
    assert seen[-1] is False
    assert is_free(path)
    with KernelLock(path).held(0.0):
        outcome, _ = run(stub, gpu := Leases(), lock_file=str(path))
    assert (outcome.combined.cause, gpu.returned) == ("gpu_busy", [1])
