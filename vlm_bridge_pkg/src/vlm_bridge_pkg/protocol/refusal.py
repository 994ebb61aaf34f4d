"""Why a request is refused, in the form in which OpenAI's clients expect it."""

from __future__ import annotations

import json

#: HTTP status of each code. The same code always has the same status.
STATUS = {
    "bad_request": 400,
    "bad_picture": 400,
    "unknown_field": 400,
    "epoch_missing": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "slow_client": 408,
    "stale_epoch": 409,
    "length_required": 411,
    "too_large": 413,
    "model_failed": 500,
    "internal": 500,
    "busy": 503,
    "gpu_busy": 503,
    "loading": 503,
    "low_memory": 503,
    "deadline": 504,
}


class RequestRefused(Exception):  # noqa: N818 - an answer, not a fault of the service
    """The request gets no answer of the model. `code` is a key of `STATUS`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """HTTP status."""
        return STATUS[self.code]

    def body(self) -> bytes:
        """Return the JSON of the reply."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "code": self.code}
        return json.dumps({"error": error}).encode()
