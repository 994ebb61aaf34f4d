"""What can go wrong, one class for each thing the caller can do about it.

Every message is one line that names the thing, its value and what is allowed.
"""

from semantic_detection_pkg.errors import SemanticDetectionError


class VlmError(SemanticDetectionError):
    """Base of all errors this package raises on purpose."""


class ConfigurationError(VlmError, ValueError):
    """A setting is wrong: change it; trying again does not help."""


class ServiceError(VlmError):
    """The model's service did not answer as it should.

    Attributes:
        cause: one word for the answer.
        is_refusal: the service said so itself.
    """

    def __init__(self, cause: str, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.is_refusal = is_refusal
