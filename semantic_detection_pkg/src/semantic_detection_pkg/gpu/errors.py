"""What can go wrong with the files that both containers use. Standard library only."""

from semantic_detection_pkg.errors import SemanticDetectionError


class LockError(SemanticDetectionError):
    """The lock is not to be had, or is no lock any more: wait, or stop using what it guards."""


class NoSharedFolderError(LockError):
    """The folder of the lock is not there, or not ours to write: nobody can share the GPU by it."""
