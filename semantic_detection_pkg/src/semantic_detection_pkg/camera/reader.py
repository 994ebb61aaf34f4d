"""The thread that reads a camera, keeps only the newest frame and reopens what was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ros_support_pkg.core.backoff import Backoff
from semantic_detection_pkg.camera.sources.source import FrameSource, Shot
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import ConfigurationError, SourceLostError

_SET_BACK_NS = 500_000_000  # a clock that falls further was set back
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 1.0  # before a lost camera is opened again


@dataclass(frozen=True)
class ReaderStatus:
    """How reading goes, since the start.

    Attributes:
        is_connected: the camera is open.
        has_ended: no further frame will come: the source ended, cannot work, or was stopped.
        frames: captured.
        dropped: captured and replaced by a newer one before anybody took them.
        bad: pictures that were no BGR picture, skipped.
        reconnects: times the camera was opened again after it was lost.
        last_error: newest reason for a lost camera or a bad picture, one line; empty: none.
    """

    is_connected: bool = False
    has_ended: bool = False
    frames: int = 0
    dropped: int = 0
    bad: int = 0
    reconnects: int = 0
    last_error: str = ""


class LatestFrameReader:
    """Reads a camera in its own thread; `next_frame` hands out the newest frame, each only once.

    Frames are numbered over reconnects. Their stamps strictly increase: a source whose clock stands
    still or falls a little is corrected by the least that keeps them apart. One that was set back
    further is followed: its stamps would stand still until it has caught up.
    """

    def __init__(
        self,
        open_source: Callable[[], FrameSource],
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `start`.

        Args:
            open_source: opens the camera, for example `lambda: open_camera(uri)`.
            backoff: pauses between attempts; left out: 0.5 s, then 1 s, so that a camera
                that is back is seen within 3 s.
            clock: monotonic time [s], paces sources with a `period_s`.
            pause: waits so many seconds; left out: a wait that `stop` ends at once.
        """
        self._open_source = open_source
        self._backoff = backoff or Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._clock = clock
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._changed = threading.Condition()
        self._source: FrameSource | None = None
        self._refusal: Exception | None = None
        self._was_tried = False
        self._newest: Frame | None = None
        self._status = ReaderStatus()
        self._last_stamp_ns = -1
        self._thread = threading.Thread(target=self._run, name="camera reader", daemon=True)

    def start(self) -> LatestFrameReader:
        """Open the camera and start reading; a camera that is not there now is tried again.

        It is opened in the thread that reads it, and waited for: Ctrl-C ends a wait, but not a
        driver that hangs.

        Returns:
            Itself.

        Raises:
            ConfigurationError: the camera can never work; nothing was started.
        """
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._was_tried)
        if self._refusal is not None:
            self._thread.join()
            raise self._refusal
        return self

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread and close the camera; may be called again.

        Returns:
            Whether the thread ended in time; a driver that hangs in a read can prevent it.
        """
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def __enter__(self) -> LatestFrameReader:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def status(self) -> ReaderStatus:
        """A snapshot."""
        with self._changed:
            return self._status

    def next_frame(self, timeout_s: float | None = None) -> Frame | None:
        """Wait for a frame that was not taken yet.

        Args:
            timeout_s: longest wait [s], >= 0; None: until a frame, the end or `stop`.

        Returns:
            The newest frame; None after the time-out, at the end of the source, or when stopped.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._newest is not None or self._status.has_ended or self._stopping.is_set()
                ),
                timeout_s,
            )
            frame, self._newest = self._newest, None
            self._changed.notify_all()
            return frame

    def _open_first(self) -> None:
        try:
            self._source = self._open_source()
        except SourceLostError as error:
            self._lose(error)
        except Exception as error:
            self._refusal = error  # for who waits in `start`
        with self._changed:
            self._was_tried = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._open_first()
            if self._refusal is None:
                self._read_and_reopen()
        except Exception as error:
            # A defect of ours: who waits for a frame is told, the traceback tells the rest.
            self._update(last_error=f"camera reader: {error!r}")
            raise
        finally:
            if self._source is not None:
                self._source.close()
            self._update(is_connected=False, has_ended=True)

    def _read_and_reopen(self) -> None:
        while not self._stopping.is_set() and not self._status.has_ended:
            frames_before = self._status.frames
            try:
                if self._source is None:
                    self._pause(self._backoff.failed())
                    self._reopen()
                else:
                    self._read(self._source)
            except SourceLostError as error:
                self._lose(error)
            except ConfigurationError as error:
                self._update(has_ended=True, last_error=str(error))
            # Opening alone proves nothing: only a frame makes the next pause a first one again.
            if self._status.frames > frames_before:
                self._backoff.succeeded()

    def _reopen(self) -> None:
        if not self._stopping.is_set():
            self._source = self._open_source()
            self._update(reconnects=self._status.reconnects + 1)

    def _lose(self, error: SourceLostError) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
        self._update(is_connected=False, last_error=str(error))

    def _read(self, source: FrameSource) -> None:
        """Read until the source ends or `stop`."""
        self._update(is_connected=True)
        due_s = self._clock()
        while not self._stopping.is_set():
            shot = source.read()
            if shot is None:
                self._update(has_ended=True)
                return
            self._offer(shot, source.name)
            if source.waits_for_consumer:
                self._wait_until_taken()
            if source.period_s is not None:
                # A reader that fell behind goes on from now instead of racing to catch up.
                due_s = max(due_s + source.period_s, self._clock())
                self._pause(due_s - self._clock())

    def _offer(self, shot: Shot, name: str) -> None:
        with self._changed:
            stamp_ns = shot.stamp_ns
            if stamp_ns > self._last_stamp_ns - _SET_BACK_NS:
                stamp_ns = max(stamp_ns, self._last_stamp_ns + 1)
            try:
                frame = Frame(stamp_ns, self._status.frames, shot.image)
            except ValueError as error:
                self._update(bad=self._status.bad + 1, last_error=f"{name}: {error}")
                return
            self._update(
                frames=self._status.frames + 1,
                dropped=self._status.dropped + int(self._newest is not None),
            )
            self._last_stamp_ns = stamp_ns
            self._newest = frame

    def _wait_until_taken(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is None or self._stopping.is_set())

    def _update(self, **changes: object) -> None:
        with self._changed:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]
            self._changed.notify_all()
