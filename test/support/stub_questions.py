"""Questions that a bridge's session puts to the stub of the vision-language model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from patience import patience

from vlm_bridge_pkg.answer_forms import AnswerForms
from vlm_bridge_pkg.core.questions import make_questions
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.session import AskResult, Lease, Service, Session
from vlm_bridge_pkg.stub.faults import Script, stub_server

PICTURE = fit_square(cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes(), 64)


class Gpu:
    """Gives every lease."""

    def acquire(self, *_: object) -> Lease:
        return Lease(1, 60.0)

    def release(self, epoch: int) -> None:
        pass


def ask(path: Path | str, forms: AnswerForms) -> AskResult:
    """Ask for a tent."""
    session = Session(Service(str(path)), Gpu(), forms)
    return session.run(make_questions("tent"), PICTURE, patience(5.0), lambda *_: None)


@contextlib.contextmanager
def stub_servers(folder: Path) -> Iterator[Callable[[Script], str]]:
    """Provide a function that runs the stub with a script and returns its socket's path."""
    servers = []

    def run(script: Script) -> str:
        server = stub_server(str(folder / "vlm.sock"), script)
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        servers.append((server, thread, script))
        return str(server.server_address)

    yield run
    for server, thread, script in servers:
        script.released.set()  # one that hangs would end the process of the tests after a while
        server.close()
        thread.join()
