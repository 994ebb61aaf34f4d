"""One goal from the lease to the verdict: lease, questions, release in every path. No ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

from semantic_detection_pkg.gpu.errors import LockError
from semantic_detection_pkg.gpu.lock import KernelLock
from vlm_bridge_pkg.answer_forms import AnswerForm, AnswerForms
from vlm_bridge_pkg.core.questions import (
    ANSWER_SCHEMA,
    BOUND_SUFFIX,
    BOUND_TOKENS,
    SYSTEM,
    SYSTEM_BOUND,
    Question,
)
from vlm_bridge_pkg.core.verdicts import (
    CombinedReading,
    combine_readings,
    logprobs_of_verdict,
    read_answer,
    without_answer,
)
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.protocol.limits import MAX_TOKENS
from vlm_bridge_pkg.protocol.pictures import Picture
from vlm_bridge_pkg.protocol.replies import Reply
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.transport.client import VlmCall

_LOCK_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Lease:
    """The GPU is ours for `duration_s` from now on; `epoch` goes with every request, 0: none."""

    epoch: int
    duration_s: float


class Gpu(Protocol):
    """Where a lease comes from."""

    def acquire(self, duration_s: float, wait_s: float, is_over: threading.Event) -> Lease:
        """Acquire a lease; it goes back by itself when it comes after the wait or after `is_over`.

        Raises:
            ServiceError: no_lease, timeout, cancelled.
        """

    def release(self, epoch: int) -> None:
        """Give the lease back; must not raise."""


@dataclass(frozen=True)
class Service:
    """Which service answers, and how.

    Attributes:
        lock_file: held here while it computes, for servers that do not take it themselves; "": not.
        lock_owner: by whom; see `gpu.owners`.
        max_tokens: of an answer.
    """

    socket_path: str
    model: str = ""
    lock_file: str = ""
    lock_owner: str = ""
    max_tokens: int = 48


@dataclass(frozen=True)
class AskResult:
    """A verdict and where it comes from.

    Attributes:
        is_answered: the model has answered all questions, whatever it said.
    """

    combined: CombinedReading
    text: str
    prompt_id: str
    model: str
    latency_s: float
    epoch: int
    is_answered: bool = True


class Session:
    """One goal. `run` is called once, `cancel` from any thread."""

    def __init__(self, service: Service, gpu: Gpu, forms: AnswerForms | None = None) -> None:
        self._service = service
        self._gpu = gpu
        self._forms = forms or AnswerForms()
        self._asked = AnswerForm(is_bound=False, has_logprobs=False)
        self._is_over = threading.Event()
        self._call: VlmCall | None = None

    def cancel(self) -> None:
        """End it soon, wherever it is."""
        self._is_over.set()
        if (call := self._call) is not None:
            call.cancel()

    def run(
        self,
        questions: Sequence[Question],
        picture: Picture,
        timeout_s: float,
        on_progress: Callable[[str, str], None],
    ) -> AskResult:
        """Ask. Never raises for what the service, the lease or the answer may be like.

        Args:
            timeout_s: for everything.
            on_progress: is given the stage and all text so far.
        """
        start_s = time.monotonic()
        end_s = start_s + timeout_s
        replies: list[Reply] = []
        epoch, cause, why = 0, "", ""
        try:
            on_progress("lease", "")
            lease = self._gpu.acquire(timeout_s, timeout_s, self._is_over)
            epoch = lease.epoch
            end_s = min(end_s, time.monotonic() + lease.duration_s)
            for question in questions:
                replies.append(self._put(question, picture, epoch, end_s, on_progress))
        except ServiceError as error:
            cause, why = error.cause, str(error)
        except LockError as error:
            cause, why = "gpu_busy", str(error)
        finally:
            if epoch:
                self._gpu.release(epoch)
        readings = [
            (
                read_answer(reply.text, logprobs_of_verdict(reply.logprobs), question.names),
                question.is_negated,
            )
            for reply, question in zip(replies, questions, strict=False)
        ]
        if cause:  # a verdict on half of the questions is none
            readings = [(without_answer(cause, why), False)]
        return AskResult(
            combine_readings(readings),
            replies[0].text if replies else "",
            questions[0].prompt_id + (BOUND_SUFFIX if self._asked.is_bound else ""),
            replies[0].model if replies else self._service.model,
            time.monotonic() - start_s,
            epoch,
            not cause,
        )

    def _put(
        self,
        question: Question,
        picture: Picture,
        epoch: int,
        end_s: float,
        on_progress: Callable[[str, str], None],
    ) -> Reply:
        """Ask in the best form that the server takes; a refused form falls back to a weaker one."""
        form = self._forms.form
        refusal: ServiceError | None = None
        while True:
            request = self._request(question, picture, form)
            try:
                reply = self._send(request, epoch, end_s, on_progress)
            except ServiceError as error:
                if error.cause == "no_service":
                    self._forms.forget()
                weaker = form.weaker(error)
                if weaker is None:
                    raise
                form, refusal = weaker, error
                continue
            if refusal is not None:
                self._forms.learn(form, refusal)
            self._asked = form
            return reply

    def _request(self, question: Question, picture: Picture, form: AnswerForm) -> ChatRequest:
        return ChatRequest(
            question.prompt,
            picture,
            SYSTEM_BOUND if form.is_bound else SYSTEM,
            min(MAX_TOKENS, self._service.max_tokens + (BOUND_TOKENS if form.is_bound else 0)),
            is_streaming=True,
            wants_logprobs=form.has_logprobs,
            model=self._service.model,
            schema=ANSWER_SCHEMA if form.is_bound else None,
        )

    def _send(
        self,
        request: ChatRequest,
        epoch: int,
        end_s: float,
        on_progress: Callable[[str, str], None],
    ) -> Reply:
        """Send it; a lease of epoch 0 is of no arbiter, and nothing is said of it."""
        service = self._service
        on_progress("request", "")
        lock = KernelLock(service.lock_file, service.lock_owner) if service.lock_file else None
        with lock.held(_LOCK_TIMEOUT_S) if lock else nullcontext():
            self._call = call = VlmCall(service.socket_path)
            left_s = end_s - time.monotonic()
            if self._is_over.is_set():
                raise ServiceError("cancelled", "cancelled before the question was put")
            if left_s <= 0:
                raise ServiceError("timeout", "no time is left for the question")
            return call.ask(
                request,
                epoch=epoch or None,
                timeout_s=left_s,
                on_text=lambda text: on_progress("answer", text),
            )
