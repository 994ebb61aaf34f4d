"""Questions about recorded pictures, asked as the bridge asks: no robot, no lease of a GPU.

The archive finds this module by its entry point; see `common.core.picture_questions`.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time

from semantic_detection_pkg.common.core.picture_questions import PictureAnswer, PictureAsker
from vlm_bridge_pkg.answer_forms import AnswerForms
from vlm_bridge_pkg.core.advice import ADVICE
from vlm_bridge_pkg.core.questions import (
    ANSWER_SCHEMA,
    SYSTEM,
    SYSTEM_BOUND,
    Question,
    make_questions,
)
from vlm_bridge_pkg.core.settings import VlmBridgeSettings
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.protocol.pictures import Picture
from vlm_bridge_pkg.session import AskResult, Lease, Service, Session
from vlm_bridge_pkg.transport.client import read_models
from vlm_bridge_pkg.transport.connections import connection_to

#: Causes that pass while a question waits, and those of a server that may be starting again.
_BUSY = frozenset({"busy", "loading", "gpu_busy", "low_memory"})
_LOST = frozenset({"no_service", "cut_off"})
_LOST_S = 10.0
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)
#: What another picture would meet, too; and what an arbiter of a robot alone can give.
_HOPELESS = frozenset({"no_service", "no_vision", "not_found", "method_not_allowed", "loading"})
_HOPELESS |= {"epoch_missing", "stale_epoch", "unknown_field"}
_ADVICE = {
    "epoch_missing": "it answers to a robot's arbiter only, which lends the GPU",
    "stale_epoch": "it answers to a robot's arbiter only, which lends the GPU",
}


def open_asker(address: str, *, model: str, timeout_s: float) -> PictureAsker:
    """Return a way to ask the server at an address; nothing is sent yet.

    Args:
        address: path of a Unix socket, http://HOST:PORT or https://HOST.
        model: its name, for servers that have several; empty: the server's own.
        timeout_s: for one question, tries again included.

    Raises:
        ConfigurationError: the address is none.
    """
    connection_to(address).close()
    return BridgeAsker(address, model, timeout_s)


class _NoGpu:
    """A lease from nobody: the server has its own GPU."""

    def acquire(self, duration_s: float, wait_s: float, is_over: threading.Event) -> Lease:  # noqa: ARG002
        return Lease(0, duration_s)

    def release(self, epoch: int) -> None:
        pass


class BridgeAsker:
    """See `PictureAsker`; settings that are not given are the bridge's own."""

    def __init__(self, address: str, model: str, timeout_s: float) -> None:
        settings = VlmBridgeSettings(socket=address, model=model)
        self._settings = settings
        self._timeout_s = timeout_s
        self._service = Service(address, model, max_tokens=settings.max_tokens)
        self._forms = AnswerForms()

    def served_model(self) -> str:
        """See `PictureAsker`."""
        if self._settings.model:
            return self._settings.model
        try:
            names = read_models(self._settings.socket)
        except ServiceError:
            return ""
        return names[0] if names else ""

    def key(self, jpeg: bytes, class_name: str) -> str:
        """See `PictureAsker`."""
        questions, picture = self._put(jpeg, class_name)
        about = [
            [(one.prompt, one.prompt_id, one.is_negated) for one in questions],
            [SYSTEM, SYSTEM_BOUND, ANSWER_SCHEMA, self._settings.max_tokens],
        ]
        text = json.dumps(about, sort_keys=True).encode()
        return hashlib.sha256(text + b"\0" + picture.data).hexdigest()

    def ask(self, jpeg: bytes, class_name: str) -> PictureAnswer:
        """See `PictureAsker`."""
        questions, picture = self._put(jpeg, class_name)
        began_s = time.monotonic()
        tries = 0
        while True:
            spent_s = time.monotonic() - began_s
            session = Session(self._service, _NoGpu(), self._forms)
            result = session.run(
                questions, picture, max(0.1, self._timeout_s - spent_s), lambda _stage, _text: None
            )
            pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
            tries += 1
            spent_s = time.monotonic() - began_s + pause_s
            if spent_s >= self._patience_s(result):
                return _answer(result, questions[0])
            time.sleep(pause_s)

    def _put(self, jpeg: bytes, class_name: str) -> tuple[tuple[Question, ...], Picture]:
        settings = self._settings
        questions = make_questions(class_name, variants=settings.prompt_variants)
        return questions, fit_square(jpeg, settings.image_size_px)

    def _patience_s(self, result: AskResult) -> float:
        """Return for how long it is asked again after such an answer."""
        cause = result.combined.cause
        if result.is_answered or cause not in _BUSY | _LOST:
            return 0.0
        return self._timeout_s if cause in _BUSY else min(_LOST_S, self._timeout_s)


def _answer(result: AskResult, question: Question) -> PictureAnswer:
    combined = result.combined
    advice = ADVICE.get(combined.cause) or _ADVICE.get(combined.cause)
    reason = f"{combined.reason}: {advice}" if advice else combined.reason
    return PictureAnswer(
        combined.verdict,
        combined.confidence,
        combined.source,
        result.text,
        reason,
        combined.cause,
        question.prompt,
        result.prompt_id,
        result.model,
        result.is_answered,
        not result.is_answered and combined.cause in _HOPELESS,
    )
