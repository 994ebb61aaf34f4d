"""A request's turn at the model: one at a time, with the GPU's lock, under the newest lease."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.gpu import owners
from semantic_detection_pkg.gpu.epoch_file import read_epoch
from semantic_detection_pkg.gpu.errors import LockError
from semantic_detection_pkg.gpu.lock import KernelLock
from vlm_bridge_pkg.protocol.refusal import RequestRefused

_LOCK_TIMEOUT_S = 0.5  # the arbiter grants a lease only when the lock is free


@dataclass(frozen=True)
class Guards:
    """What keeps others off the GPU.

    Attributes:
        lock_file: kernel lock shared by all who compute on the GPU; None: nobody else does.
        epoch_file: newest lease epoch; None: requests need no lease.
        free_memory_bytes: free memory now.
        min_free_bytes: below which a request is refused.
    """

    lock_file: Path | None = None
    epoch_file: Path | None = None
    free_memory_bytes: Callable[[], int] | None = None
    min_free_bytes: int = 0


class ModelTurn:
    """Lets one request at a time to the model."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._busy = threading.Lock()
        owner = owners.model(guards.epoch_file) if guards.epoch_file else ""
        self._lock = KernelLock(guards.lock_file, owner) if guards.lock_file else None

    @property
    def is_busy(self) -> bool:
        """Whether a request is at the model."""
        return self._busy.locked()

    @contextlib.contextmanager
    def taken(self, epoch: int | None) -> Iterator[None]:
        """Hold a turn for a `with` block.

        Raises:
            RequestRefused: busy, low_memory, gpu_busy, epoch_missing, stale_epoch.
        """
        if not self._busy.acquire(blocking=False):
            raise RequestRefused("busy", "another request is at the model")
        try:
            self._check_memory()
            with self._locked():
                # Only with the lock held is the epoch's answer still true when work begins.
                self._check_epoch(epoch)
                yield
        finally:
            self._busy.release()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        try:
            self._lock.acquire(_LOCK_TIMEOUT_S)
        except LockError as error:
            raise RequestRefused("gpu_busy", str(error)) from error
        try:
            yield
        finally:
            self._lock.release()

    def check_lock(self) -> None:
        """Make sure, between two pieces of work, that the lock still excludes others.

        Raises:
            RequestRefused: gpu_busy.
        """
        if self._lock is not None:
            try:
                self._lock.check()
            except LockError as error:
                raise RequestRefused("gpu_busy", str(error)) from error

    def _check_epoch(self, epoch: int | None) -> None:
        if self._guards.epoch_file is None:
            return
        if epoch is None:
            raise RequestRefused("epoch_missing", "header X-Lease-Epoch is missing")
        try:
            newest = read_epoch(self._guards.epoch_file)
        except SemanticDetectionError as error:
            raise RequestRefused("stale_epoch", str(error)) from error
        if epoch != newest:
            raise RequestRefused("stale_epoch", f"lease epoch {epoch} is over, newest is {newest}")

    def _check_memory(self) -> None:
        probe, needed = self._guards.free_memory_bytes, self._guards.min_free_bytes
        if probe is None or not needed:
            return
        free = probe()
        if free < needed:
            raise RequestRefused(
                "low_memory", f"{free >> 20} MiB are free, {needed >> 20} MiB are needed"
            )
