"""How a server is asked: bound to a JSON schema, with probabilities, or in plain words.

The best form is asked first. A server that refuses it, and answers without, is asked without from
then on, with one line that says so; when it is gone, the next one starts anew.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from vlm_bridge_pkg.errors import ServiceError

_OF_SCHEMA = re.compile(
    r"response_format|schema|grammar|guided|structured|json|format", re.IGNORECASE
)
_OF_LOGPROBS = re.compile(r"log_?prob", re.IGNORECASE)
#: Refusals that have nothing to do with how it was asked.
_OTHER_CAUSES = frozenset(
    {
        "no_service",
        "stale_epoch",
        "epoch_missing",
        "too_large",
        "no_vision",
        "busy",
        "gpu_busy",
        "loading",
        "low_memory",
        "deadline",
        "model_failed",
        "slow_client",
        "bad_picture",
        "not_found",
        "method_not_allowed",
        "length_required",
    }
)


@dataclass(frozen=True)
class AnswerForm:
    """One way to ask.

    Attributes:
        is_bound: the answer is bound to a JSON schema.
        has_logprobs: the probabilities of its tokens are asked for.
    """

    is_bound: bool = True
    has_logprobs: bool = True

    def __str__(self) -> str:
        asked = [
            *(["bound to a JSON schema"] if self.is_bound else []),
            *(["with probabilities"] if self.has_logprobs else []),
        ]
        return " and ".join(asked) or "in plain words"

    def weaker(self, error: ServiceError) -> AnswerForm | None:
        """Return what to ask instead after a refusal; None: it was not about the form."""
        if not error.is_refusal or error.cause in _OTHER_CAUSES:
            return None
        schema, logprobs = _OF_SCHEMA.search(str(error)), _OF_LOGPROBS.search(str(error))
        # What is named first is what is refused; what may be sent is listed after it.
        is_schema_first = schema and not (logprobs and logprobs.start() < schema.start())
        if self.is_bound and is_schema_first:
            return replace(self, is_bound=False)
        if self.has_logprobs and logprobs:
            return replace(self, has_logprobs=False)
        if self.is_bound and schema:
            return replace(self, is_bound=False)
        bare = AnswerForm(is_bound=False, has_logprobs=False)
        return None if self == bare else bare


class AnswerForms:
    """What the server is known to take; shared by all goals, used by any thread."""

    def __init__(self, tell: Callable[[str], object] = lambda _: None) -> None:
        """Begin with the best form; `tell` is given one line when it is given up."""
        self._tell = tell
        self._lock = threading.Lock()
        self._form = AnswerForm()

    @property
    def form(self) -> AnswerForm:
        """How to ask next."""
        with self._lock:
            return self._form

    def learn(self, answered: AnswerForm, refusal: ServiceError) -> None:
        """Note that the server refused the form that is asked and answered a weaker one."""
        with self._lock:
            is_news, self._form = self._form != answered, answered
        if is_news:
            self._tell(f"the model's service is asked {answered} from now on: {refusal}")

    def forget(self) -> None:
        """Begin anew: the server is gone, the next one may be another."""
        with self._lock:
            self._form = AnswerForm()
