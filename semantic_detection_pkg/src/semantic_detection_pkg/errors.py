"""What can go wrong, one class for each thing the caller can do about it.

Every message is one line that names the thing, its value and what is allowed.
"""


class SemanticDetectionError(Exception):
    """Base of all errors this package raises on purpose."""


class ConfigurationError(SemanticDetectionError, ValueError):
    """A setting, word, URI or side file is wrong: change it; trying again does not help."""


class ModelError(SemanticDetectionError):
    """The model file cannot be used: choose or export another one."""


class SourceLostError(SemanticDetectionError):
    """A camera or stream is not there (any more): close it, wait, open it again."""


class FrameError(SemanticDetectionError, ValueError):
    """This one frame or picture cannot be processed: skip it and go on."""


class StorageError(SemanticDetectionError):
    """The disk cannot be written: make room or bring it back; it is tried again."""
